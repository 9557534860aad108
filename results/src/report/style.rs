//! The look of the page. Colours are the roles of [`crate::plots::STYLE`].

pub(crate) const STYLE: &str = r#"
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
header,main,footer{max-width:1200px;margin:0 auto;padding:0 24px}
header{padding-top:32px}
h1{font-size:24px;line-height:1.25;margin:0;font-weight:650}
h2{font-size:20px;margin:0 0 8px;font-weight:650}
h3{font-size:15px;margin:20px 0 6px;font-weight:650}
section{padding:28px 0 4px;border-top:1px solid var(--grid);margin-top:24px}
p{margin:6px 0}
a{color:var(--blue)}
code,pre{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--quiet);border-radius:6px;padding:10px 12px;overflow:auto;max-height:420px;margin:6px 0}
.verdict{display:flex;flex-wrap:wrap;align-items:center;gap:10px 16px}
.verdict .badge{font-size:19px;padding:5px 14px;border-radius:8px}
.badge{display:inline-block;font-weight:700;font-size:11.5px;letter-spacing:.04em;padding:1px 8px;border-radius:5px;white-space:nowrap;border:1.5px solid}
.badge.valid{color:var(--page);background:var(--green);border-color:var(--green)}
.badge.invalid{color:var(--page);background:var(--red);border-color:var(--red)}
.badge.unknown{color:var(--ink);background:transparent;border-color:var(--amber);border-style:dashed}
.text-valid{color:var(--green);font-weight:650}.text-invalid{color:var(--red);font-weight:650}
.reason{font-size:17px;margin:10px 0 14px;max-width:80ch}
.facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:8px 0}
.facts dt{color:var(--muted);font-size:12px}
.facts dd{margin:0;overflow-wrap:anywhere}
.facts.small{gap:4px 24px;font-size:13.5px}
.repeat{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 12px}
.repeat span{color:var(--muted);font-size:12px}
.repeat code{background:var(--quiet);border-radius:6px;padding:4px 10px;overflow-wrap:anywhere;user-select:all}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:20px 0 16px}
.tile{border:1px solid var(--grid);border-radius:10px;padding:12px 16px}
.tile.bad{border-color:var(--red);border-width:2px}
.tile.bad .value{color:var(--red)}
.name{color:var(--muted);font-size:12.5px;margin-top:6px}
.tile .name{margin:0}
.value{font-size:26px;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums}
.note{color:var(--muted);font-size:12.5px}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
.lead{color:var(--muted);max-width:90ch}
.rpo{font-size:17px}
figure{margin:14px 0 20px}
figcaption{font-size:13.5px;font-weight:600;margin-bottom:2px}
.scroll{overflow-x:auto}
.tall{max-height:720px;overflow-y:auto;border-bottom:1px solid var(--grid)}
.tall thead{position:sticky;top:0;background:var(--page)}
[hidden]{display:none!important}
.readout{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:2px 18px;padding:7px 2px;background:var(--page);border-bottom:1px solid var(--grid);font-size:13px;font-variant-numeric:tabular-nums}
.readout small{color:var(--muted);font-size:12px}.readout b{display:inline-block;min-width:6ch;font-weight:600}
.readout:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
svg .cursor{stroke-width:1;pointer-events:none}
.shared svg{cursor:crosshair}
svg.plot{display:block;width:100%;min-width:720px;height:auto}
table{border-collapse:collapse;font-size:13.5px;width:100%;font-variant-numeric:tabular-nums}
table.fit{width:auto}
th,td{padding:4px 10px;text-align:left;white-space:nowrap;border-bottom:1px solid var(--grid)}
th{color:var(--muted);font-weight:600;font-size:12.5px}
tr.group th{border-bottom:0;padding-bottom:0;text-align:center;font-weight:500}
.n{text-align:right}
td.prose{white-space:normal;width:100%;min-width:240px}
tr.faint td{color:var(--muted)}
tbody tr:hover td{background:var(--quiet)}
details{margin:8px 0}
summary{cursor:pointer;padding:3px 0}
#faults>details{border:1px solid var(--grid);border-radius:8px;padding:4px 14px}
#faults>details:target{border-color:var(--blue)}
#faults summary .number{display:inline-block;min-width:1.6em;color:var(--muted)}
#faults summary .when{float:right;color:var(--muted);font-variant-numeric:tabular-nums}
.card{border:1px solid var(--grid);border-radius:8px;padding:10px 16px;margin:10px 0}
.line{display:flex;align-items:center;gap:12px}.line h3{margin:0}
.words dt{font-weight:600;margin-top:8px}.words dd{margin:0 0 0 16px;max-width:90ch}
ul{margin:4px 0;padding-left:22px}
footer{color:var(--muted);font-size:12.5px;padding-top:28px;padding-bottom:32px}
@media (max-width:760px){header,main,footer{padding-left:14px;padding-right:14px}.tiles{grid-template-columns:repeat(2,1fr);gap:8px}.value{font-size:21px}.tile{padding:10px 12px}h1{font-size:20px}#faults summary .when{float:none;display:block}.moments tr{display:grid;grid-template-columns:1fr 5.5rem 4.5rem;border-bottom:1px solid var(--grid)}.moments td,.moments th{border:0;padding:3px 4px}.moments th:last-child{display:none}.gates tr{display:grid;grid-template-columns:auto 1fr;border-bottom:1px solid var(--grid)}.gates td{border:0}.moments td.prose,.gates td.prose{grid-column:1/-1;min-width:0}.moments td.prose{color:var(--muted)}}
@media print{body{font-size:11pt}nav,.readout,.cursor{display:none}section{break-inside:auto}figure,.card,tr{break-inside:avoid}svg.plot{min-width:0}.scroll{overflow:visible}.tall{max-height:none}.tall thead{position:static}pre{max-height:none;white-space:pre-wrap}header,main,footer{max-width:none;padding:0}}
"#;
