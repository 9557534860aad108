//! The recovery panel: how long until clients were served again, and whether anything was lost.

use super::{ROWS_MAX, figure};
use crate::measure::{Distribution, KindRto, Results};
use crate::plots::Plots;
use crate::table::{count, duration, rto_cells};
use checker::Validity;
use maud::{Markup, html};

pub(super) fn section(results: &Results, plots: &Plots) -> Markup {
    html! {
        section #recovery {
            h2 { "Recovery" }
            (rpo(results))
            @match &plots.recoveries {
                None => p.lead { "No fault took effect, so there was nothing to recover from." },
                Some(picture) => {
                    p.lead {
                        "Each row starts when the fault took effect (t0). The thick bar is the time without \
                         service, the thin blue one lasts until throughput and p99 were back, the green one \
                         below is the hit nodes catching up after the heal; the pale ground is the fault \
                         itself. On the right: first success."
                    }
                    (figure(picture))
                    (faults(results))
                    (kinds(results))
                }
            }
            (definitions(results))
        }
    }
}

fn rpo(results: &Results) -> Markup {
    let rpo = &results.rpo;
    let sign = match (rpo.measured, rpo.lost) {
        (false, _) => Validity::Unknown,
        (true, 0) => Validity::Valid,
        (true, _) => Validity::Invalid,
    };
    html! {
        p.rpo {
            strong { "RPO: " }
            @if rpo.measured {
                span.{ "text-" (sign) } { (count(rpo.lost)) " of " (count(rpo.acknowledged)) " acknowledged writes lost" }
                @if rpo.lost > 0 { ", " (format!("{:.3} s", rpo.lost_seconds)) " of work" }
                ". "
                @if rpo.unacknowledged > 0 {
                    "Of " (count(rpo.unacknowledged)) " writes that never got an answer, "
                    (count(rpo.unacknowledged_survived)) " survived."
                }
            } @else {
                "not measured, because no ledger was kept. "
            }
        }
        @if rpo.ledgers.len() > 1 || rpo.lost > 0 {
            div.scroll { table {
                thead { tr {
                    th { "ledger" } th.n { "acknowledged" } th.n { "lost" } th.n { "work lost" }
                    th.n { "without an answer" } th.n { "of these survived" }
                } }
                tbody { @for ledger in &rpo.ledgers { tr {
                    td { (ledger.name) } td.n { (count(ledger.acknowledged)) } td.n { (count(ledger.lost)) }
                    td.n { (format!("{:.3} s", ledger.lost_seconds)) } td.n { (count(ledger.unacknowledged)) }
                    td.n { (count(ledger.unacknowledged_survived)) }
                } } }
            } }
        }
    }
}

fn faults(results: &Results) -> Markup {
    html! {
        h3 { "Fault by fault" }
        div.scroll.tall[results.faults.len() > ROWS_MAX] { table {
            thead {
                tr.group {
                    th colspan="4" {} th colspan="3" { "first success" } th colspan="2" { "election" } th colspan="2" {}
                }
                tr {
                    th.n { "#" } th { "fault" } th { "targets" } th { "took away" }
                    th.n { "kept" } th.n { "new" } th.n { "write" }
                    th.n { "noticed" } th.n { "new leader" } th.n { "steady" } th.n { "caught up" }
                }
            }
            tbody {
                @for fault in &results.faults {
                    @let [kept, new, write, steady, rejoin] = rto_cells(results, fault);
                    @let rto = fault.rto.as_ref();
                    @let due = rto.is_some_and(|rto| rto.due);
                    tr.faint[!due] {
                        td.n { a href={ "#fault-" (fault.id) } { (fault.id) } }
                        td { (fault.title()) }
                        td { (fault.targets.join(" ")) }
                        td { @if due { (fault.role.replace('+', " and ")) } @else { "neither" } }
                        td.n { (kept) } td.n { (new) } td.n { (write) }
                        td.n { (results.sampled(rto.and_then(|rto| rto.detect_ms))) }
                        td.n { (results.sampled(rto.and_then(|rto| rto.elect_ms))) }
                        td.n title=[rto.and_then(|rto| rto.steady_reason.as_deref())] { (steady) }
                        td.n title=[rto.and_then(|rto| rto.rejoin_reason.as_deref())] { (rejoin) }
                    }
                }
            }
        } }
    }
}

fn kinds(results: &Results) -> Markup {
    let three = |d: &Distribution, written: &dyn Fn(Option<f64>) -> String| {
        html! { @for ms in [d.p50_ms, d.p95_ms, d.max_ms] { td.n { (written(ms)) } } }
    };
    let row = |name: &str, kind: &KindRto| {
        html! {
            tr {
                td { (name) } td.n { (kind.effective) }
                td.n {
                    (kind.first_success.n)
                    @if kind.censored > 0 { " +" (kind.censored) " open" }
                }
                (three(&kind.first_success, &|ms| results.restored(ms)))
                (three(&kind.rejoin, &|ms| results.sampled(ms)))
            }
        }
    };
    html! {
        h3 { "By kind of fault" }
        div.scroll { table {
            thead {
                tr.group { th colspan="3" {} th colspan="3" { "first success" } th colspan="3" { "caught up" } }
                tr {
                    th { "kind" } th.n { "faults" } th.n { "RTO due" }
                    th.n { "p50" } th.n { "p95" } th.n { "max" } th.n { "p50" } th.n { "p95" } th.n { "max" }
                }
            }
            tbody {
                @for (name, kind) in &results.rto.by_kind { (row(name, kind)) }
                (row("all", &results.rto.all))
            }
        } }
    }
}

fn definitions(results: &Results) -> Markup {
    let (rto, method) = (&results.rto, &results.method);
    html! {
        details {
            summary { "What these times mean, and how finely they are known" }
            dl.words {
                dt { "t0" } dd {
                    "the moment the fault took effect, as it was shown, not the moment it was ordered. Only a \
                     hand-over counts from its order: from then on the leader takes no more writes."
                }
                dt { "first success" } dd {
                    "until the first answer to a probe that was meant and sent after t0 and follows a failure \
                     caused by the fault, on the nodes that were not hit (on all nodes, if the majority was). \
                     Connections that were kept open and connections opened afresh are told apart, because a \
                     cut stalls an open TCP connection for longer than the cut itself. Known to "
                    (duration(rto.resolution_ms)) ", the time between two probes; shorter is shown as < "
                    (duration(rto.resolution_ms)) "."
                }
                dt { "noticed, new leader" } dd {
                    "until a server was seen with a higher term, as a candidate or without a leader, and from \
                     then until a new leader was seen. Known to " (duration(rto.sample_resolution_ms)) ", the \
                     time between two looks at a server."
                }
                dt { "steady" } dd {
                    "until, for " (duration(rto.steady_hold_ms)) " on end, throughput was at least "
                    (format!("{:.0} %", method.steady_throughput * 100.0)) " of what it was before the fault, and \
                     p99 at most " (method.steady_p99) " times. A dash: not before the next fault; hover for the reason."
                }
                dt { "caught up" } dd {
                    "from the beginning of the heal until every node that was hit had applied all that anyone \
                     had seen committed when it came back. Known to " (duration(rto.sample_resolution_ms)) "."
                }
                dt { "> time" } dd { "still not served when the next fault took effect, or the run ended: at least this long." }
                dt { "RPO" } dd {
                    "acknowledged writes that the final reads did not find; as time, the last acknowledged write \
                     minus the last surviving one."
                }
            }
            p.note { "The verdict does not depend on any of these times." }
        }
    }
}
