//! The look of explanations. Colours are the roles of [`crate::plots::STYLE`]; where a colour means
//! something, a shape or a word repeats it.

pub(crate) const STYLE: &str = "\
.explanation{max-width:1120px}\
svg.explained{display:block;width:100%;height:auto;max-width:1120px}\
.narrow{display:none}\
@media screen and (max-width:760px){.wide{display:none}.narrow{display:block}}\
.bar{stroke-width:1.5}\
.bar.happened{fill:var(--quiet);stroke:var(--blue)}\
.bar.failed{fill:none;stroke:var(--muted);stroke-dasharray:2 3}\
.bar.unknown{fill:var(--quiet);fill-opacity:.5;stroke:var(--amber);stroke-dasharray:6 4}\
.bar.beside{fill:none;stroke:var(--muted)}\
.bar.stuck{fill:var(--red);fill-opacity:.16;stroke:var(--red);stroke-width:2}\
.strong{font-weight:700}\
.point{fill:var(--blue)}.point.wrong{fill:var(--red)}\
.cross{stroke:var(--page);stroke-width:2;fill:none}\
.drop{stroke:var(--blue);stroke-dasharray:2 3;opacity:.8}.drop.wrong{stroke:var(--red)}\
.state{fill:var(--quiet);stroke:var(--grid)}\
.band{opacity:.15}\
.op{outline:none;cursor:default}\
.op:hover .bar,.op:focus .bar,.txn:focus .box{stroke-width:3}\
.detail{display:none}\
.op:hover .detail,.op:focus .detail{display:block}\
.op:hover~.hint,.op:focus~.hint{display:none}\
svg:has(.op:hover) .op:focus:not(:hover) .detail{display:none}\
.box{fill:var(--quiet);stroke:var(--muted)}\
.txn{outline:none}\
.edge{fill:none;stroke-width:2}\
.edge.e-ww{stroke:var(--blue)}.chip.e-ww{fill:var(--blue)}\
.edge.e-wr{stroke:var(--green)}.chip.e-wr{fill:var(--green)}\
.edge.e-rw{stroke:var(--red);stroke-dasharray:7 4}.chip.e-rw{fill:var(--red)}\
.edge.e-time{stroke:var(--muted);stroke-dasharray:2 4}.chip.e-time{fill:var(--muted)}\
table.order{width:auto;max-width:100%;margin:6px 0}\
table.order th,table.order td{white-space:normal}\
table.order tr.wrong td{color:var(--red);font-weight:650}\
ul.evidence{color:var(--ink);font-size:13.5px;max-width:95ch}\
.unconfirmed{color:var(--red)}\
.violation{margin-bottom:28px}";
