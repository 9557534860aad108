//! `report.html`: one file that works offline, in light and dark, on paper and on a phone. What matters comes
//! first: the verdict, then how the cluster came back, then the evidence. A definition stands folded where
//! its number is used. The one script, [`cursor`], adds a cursor to the pictures; all else works without it.

mod cursor;
mod evidence;
mod meanings;
mod moments;
mod recovery;
mod state;
mod style;

pub(crate) use style::STYLE;

use crate::explanation;
use crate::measure::Results;
use crate::plots::{self, Picture, Plots};
use crate::table::{count, duration, optional, percent};
use checker::Validity;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Of a longer table, this much is seen at once; the rest scrolls.
const ROWS_MAX: usize = 30;

/// The page. `spec` is the text of `spec.yaml`, shown as it is.
pub fn render(results: &Results, plots: &Plots, spec: &str) -> String {
    let title = format!(
        "{}: {} {} seed {}",
        results.valid.to_string().to_uppercase(),
        results.system,
        results.run.name,
        results.seed
    );
    let content = html! {
        (head(results))
        main {
            // Who reads of a violation, or of doubt, wants to see why before anything else.
            @if results.valid != Validity::Valid { (evidence::checks(results)) }
            @if results.valid == Validity::Unknown { (evidence::gates(results)) }
            (recovery::section(results, plots))
            (state::section(results, plots))
            (timeline(plots))
            @if results.valid == Validity::Valid { (evidence::checks(results)) }
            (evidence::faults(results, plots))
            (latency(results))
            (availability(results))
            @if results.valid != Validity::Unknown { (evidence::gates(results)) }
            (not_exercised(results))
            (circumstances(results, spec))
        }
        footer {
            p {
                "shakedown " (results.run.version)
                @if !results.run.started.is_empty() { ", run started " (results.run.started) }
                ". Beside this page: " code { "results.json" } ", " code { "history.jsonl" } ", "
                code { "faults.jsonl" } ", " code { "probes.jsonl" } ", " code { "status.jsonl" } ", "
                code { "plots/" } ", " code { "nodes/" } "."
            }
        }
    };
    with_script(&title, content, Some(cursor::SCRIPT))
}

/// A page that needs nothing besides itself, and runs nothing.
pub(crate) fn document(title: &str, content: Markup) -> String {
    with_script(title, content, None)
}

/// A page that runs one script of our own at its end, and nothing else: the policy names the script by its hash.
fn with_script(title: &str, content: Markup, script: Option<&str>) -> String {
    let policy = match script {
        None => "default-src 'none'; style-src 'unsafe-inline'".to_owned(),
        Some(script) => format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src '{}'",
            cursor::hash(script)
        ),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing is loaded from anywhere, whatever a recorded text may say.
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (title) }
                style {
                    (PreEscaped(plots::STYLE)) (PreEscaped(style::STYLE)) (PreEscaped(explanation::STYLE))
                }
            }
            body {
                (content)
                @if let Some(script) = script { script { (PreEscaped(script)) } }
            }
        }
    };
    page.into_string()
}

fn head(results: &Results) -> Markup {
    let run = &results.run;
    let effective = results
        .faults
        .iter()
        .filter(|fault| fault.effective)
        .count();
    html! {
        header {
            div.verdict {
                (badge(results.valid))
                h1 { (results.system) " under " (listed(&results.nemesis)) }
            }
            p.reason { (results.reason) }
            @for remark in &results.run.remarks { p.reason { (remark) } }
            dl.facts {
                (fact("workload", html! { (results.workload) }))
                (fact("nodes", html! { (run.nodes.len()) " on " (run.environment) }))
                (fact("duration", html! { (format!("{:.0} s under load", results.load_seconds())) }))
                (fact("operations", html! {
                    (count(results.ops.ok)) " ok, " (count(results.ops.fail)) " fail, "
                    (count(results.ops.info)) " unknown"
                }))
                (fact("faults", html! { (effective) " of " (results.faults.len()) " took effect" }))
                (fact("seed", html! { code { (results.seed) } }))
            }
            @if !run.repeat.is_empty() {
                p.repeat { span { "Repeat with" } code { (run.repeat) } }
            }
            (tiles(results))
            nav {
                @for (name, anchor) in [
                    ("Recovery", "recovery"), ("Snapshots and checkpoints", "state"), ("Over time", "time"),
                    ("Checks", "checks"), ("Faults", "faults"), ("Latency", "latency"), ("Availability", "availability"),
                    ("Gates", "gates"), ("Not exercised", "not-exercised"), ("Settings", "settings"),
                ] {
                    a href={ "#" (anchor) } { (name) }
                }
            }
        }
    }
}

/// The four figures that people ask for.
fn tiles(results: &Results) -> Markup {
    let first = &results.rto.all.first_success;
    let service = &results.availability.service;
    let rpo = &results.rpo;
    let closed = results.latency.operations.get("all");
    html! {
        div.tiles {
            (tile("RTO, first success", html! { (results.restored(first.p50_ms)) }, match results.rto.due {
                0 => html! { "no fault took the leader or the majority away" },
                due => html! {
                    "median of " (first.n) " of " (due) " faults that stopped the service; "
                    @match results.rto.all.censored {
                        0 => { "worst " (results.restored(first.max_ms)) }
                        open => { strong { (open) " not over before the next fault" } }
                    }
                },
            }, results.rto.all.censored > 0))
            (tile("RPO", html! {
                @if rpo.measured { (count(rpo.lost)) " lost" } @else { "not measured" }
            }, html! {
                @if rpo.measured {
                    "of " (count(rpo.acknowledged)) " acknowledged writes"
                    @if rpo.lost > 0 { ", " (format!("{:.3} s", rpo.lost_seconds)) " of work" }
                } @else { "no ledger was kept" }
            }, rpo.lost > 0))
            (tile("Availability", html! {
                @match service.up_ratio { Some(ratio) => (percent(ratio)), None => "not measured" }
            }, html! {
                @if service.up_ratio.is_some() { "of the time; " (service.outages.count) " outages of the service, longest "
                    (duration(service.outages.longest_ms))
                } @else { "no probes were sent" }
            }, false))
            (tile("Latency, p99", html! {
                @match closed { Some(all) => (duration(all.p99_ms)), None => "none" }
            }, html! {
                @if let Some(all) = closed { "median " (duration(all.p50_ms)) ", worst " (duration(all.max_ms)) }
                @else { "no operation succeeded" }
            }, false))
        }
    }
}

fn tile(name: &str, value: Markup, note: Markup, bad: bool) -> Markup {
    html! {
        div.tile.bad[bad] { div.name { (name) } div.value { (value) } div.note { (note) } }
    }
}

fn timeline(plots: &Plots) -> Markup {
    html! {
        section #time {
            h2 { "Over time" }
            p.lead {
                "Bands are faults, from the moment each took effect until it was healed. All pictures share one \
                 scale. Clients wait for each answer before they ask again; probes are sent at fixed times, whatever \
                 becomes of those before. An operation is ok if it happened, fail if it certainly did not, and \
                 unknown if its client never learnt; where it says partly, some of the probes were served."
            }
            (cursor::readout(&plots.series))
            @for picture in &plots.timeline { (shared(picture)) }
        }
    }
}

fn latency(results: &Results) -> Markup {
    let rows = |name: &'static str,
                of: &std::collections::BTreeMap<String, crate::measure::Quantiles>| {
        html! {
            @for (what, q) in of {
                tr {
                    td { (name) } td { (what) } td.n { (count(q.n)) }
                    @for ms in [q.p50_ms, q.p90_ms, q.p99_ms, q.p99_9_ms, q.max_ms] {
                        td.n { (duration(ms)) }
                    }
                }
            }
        }
    };
    html! {
        section #latency {
            h2 { "Latency" }
            div.scroll { table {
                thead { tr {
                    th { "asked by" } th { "operation" } th.n { "n" } th.n { "p50" } th.n { "p90" }
                    th.n { "p99" } th.n { "p99.9" } th.n { "max" }
                } }
                tbody {
                    (rows("clients", &results.latency.operations))
                    (rows("probes", &results.latency.probes))
                }
            } }
            details {
                summary { "How latency is measured" }
                p {
                    "Clients work in a closed loop: each waits for its answer before it asks again, so a stall \
                     is counted once for each client. Probes work in an open loop: each is timed from the moment \
                     it was meant to be sent, so a stall is counted as often as it would have been felt. Only \
                     successful requests are counted here; the others are in the availability."
                }
            }
        }
    }
}

fn availability(results: &Results) -> Markup {
    let availability = &results.availability;
    let lanes = std::iter::once(("service".to_owned(), &availability.service))
        .chain(
            availability
                .by_connection
                .iter()
                .map(|(name, lane)| (format!("{name} connections"), lane)),
        )
        .chain(
            availability
                .by_node
                .iter()
                .map(|(name, lane)| (name.clone(), lane)),
        );
    html! {
        section #availability {
            h2 { "Availability" }
            div.scroll { table {
                thead { tr {
                    th { "probes of" } th.n { "available" } th.n { "served" } th.n { "sent" } th.n { "outages" }
                    th.n { "median" } th.n { "p95" } th.n { "longest" } th.n { "together" }
                } }
                tbody {
                    @for (name, lane) in lanes {
                        tr {
                            td { (name) }
                            td.n { @match lane.up_ratio { Some(ratio) => (percent(ratio)), None => "-" } }
                            td.n { @match lane.ratio { Some(ratio) => (percent(ratio)), None => "-" } }
                            td.n { (count(lane.probes)) }
                            td.n { (lane.outages.count) }
                            td.n { (optional(lane.outages.p50_ms)) }
                            td.n { (optional(lane.outages.p95_ms)) }
                            td.n { (duration(lane.outages.longest_ms)) }
                            td.n { (duration(lane.outages.total_ms)) }
                        }
                    }
                }
            } }
            details {
                summary { "How availability is measured" }
                p {
                    "A probe counts as served if it succeeded within " (duration(availability.late_ms))
                    " of the moment it was meant to be sent. An outage is a longest run of windows of "
                    (duration(availability.window_ms)) " in which less than "
                    (percent(availability.threshold)) " of the probes were served; its ends are known to "
                    (duration(availability.resolution_ms)) ", the time between two probes. The service is \
                     all nodes together: one node of five being down is no outage of the service."
                }
            }
        }
    }
}

/// What nothing is known of after this run, so that nobody takes silence for safety.
fn not_exercised(results: &Results) -> Markup {
    let left_out = &results.run.not_exercised;
    html! {
        section #not-exercised {
            h2 { "Not exercised" }
            @if left_out.is_empty() {
                p.lead { "Nothing on the list of what a run can leave out was left out." }
            } @else {
                p.lead {
                    "What this run did not do, and so says nothing about. It does not change the verdict; what must \
                     not be missing is a gate."
                }
                ul { @for what in left_out { li { (what) } } }
            }
        }
    }
}

fn circumstances(results: &Results, spec: &str) -> Markup {
    let run = &results.run;
    html! {
        section #settings {
            h2 { "Settings and circumstances" }
            dl.facts {
                (fact("system", html! { (results.system) }))
                @if let Some(program) = &run.program { (fact("program", html! { (program) })) }
                (fact("environment", html! { (run.environment) }))
                (fact("nodes", html! { (run.nodes.join(" ")) }))
                (fact("started", html! { (run.started) }))
                (fact("shakedown", html! { (run.version) }))
                @for (name, value) in &run.machine { (fact(name, html! { (value) })) }
            }
            @if !spec.is_empty() {
                details {
                    summary { "All settings (" code { "spec.yaml" } ")" }
                    pre { (spec) }
                }
            }
        }
    }
}

fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn figure(picture: &Picture) -> Markup {
    framed(picture, false)
}

/// A picture on the scale of the run, which the cursor crosses.
fn shared(picture: &Picture) -> Markup {
    framed(picture, true)
}

fn framed(picture: &Picture, shared: bool) -> Markup {
    html! {
        figure.shared[shared] {
            figcaption { (picture.title) }
            div.scroll { (PreEscaped(picture.inline())) }
        }
    }
}

/// The verdict as a word with a sign, so that it does not rest on colour alone.
pub(crate) fn badge(valid: Validity) -> Markup {
    let (class, sign) = match valid {
        Validity::Valid => ("valid", "✓"),
        Validity::Unknown => ("unknown", "?"),
        Validity::Invalid => ("invalid", "✗"),
    };
    html! {
        span.badge.(class) { span.sign aria-hidden="true" { (sign) } " " (valid.to_string().to_uppercase()) }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "no faults".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
