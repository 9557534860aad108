//! A sweep as a page: one file that works offline, without scripts. The answer first.

use super::findings::Findings;
use super::record::{Interval, Sweep};
use super::{Chart, Measure, words};
use crate::plots::sweep::{Mark, costs, durations, phases};
use crate::plots::{Picture, sweep::interval_words};
use crate::report::document;
use crate::table;
use maud::{Markup, PreEscaped, html};

pub fn page(sweep: &Sweep, findings: &Findings) -> String {
    let content = html! {
        header {
            h1 { "Sweep " (sweep.name) ": what a checkpoint setting costs, and what it buys" }
            @for line in words::answer(findings) { p.reason { (line) } }
            dl.facts {
                div { dt { "system" } dd { (sweep.system) } }
                div { dt { "cells" } dd { (sweep.cells.len()) } }
                div { dt { "runs" } dd { (sweep.repeats.len()) } }
                div { dt { "recoveries wanted" } dd { (sweep.recoveries_wanted) " in a cell" } }
                div { dt { "started" } dd { (sweep.started) } }
                div { dt { "seed" } dd { (sweep.seed) } }
            }
            p.repeat { span { "goes on with" } code { (sweep.resume) } }
            nav {
                a href="#recommendation" { "Settings by cost" }
                a href="#rto" { "Recovery time" }
                a href="#rpo" { "Loss" }
                a href="#cost" { "Cost" }
                a href="#method" { "How this is measured" }
            }
        }
        main {
            @if !findings.violations.is_empty() { (violations(sweep, findings)) }
            @if !findings.remarks.is_empty() {
                section {
                    h2 { "What limits this" }
                    ul { @for remark in &findings.remarks { li { (remark) } } }
                }
            }
            (recommendation(findings))
            section id="rto" {
                h2 { "Recovery time" }
                p.lead {
                    "Service: until clients were served again, from the fault's effect; where all servers were hit, from the \
                     beginning of their restart. Restart: until the slowest of the servers that were hit had applied all \
                     that was committed when it came back; not given where all were hit, since service says it then. Every \
                     recovery is a point."
                }
                @for chart in &findings.charts { (recovery(chart, &marks(findings, chart))) }
            }
            (losses(sweep, findings))
            (cost(sweep, findings))
            (method(sweep, findings))
        }
        footer { p { "shakedown " (env!("CARGO_PKG_VERSION")) } }
    };
    document(&format!("Sweep {}", sweep.name), content)
}

fn violations(sweep: &Sweep, findings: &Findings) -> Markup {
    html! {
        section {
            h2 { "Violations" }
            ul {
                @for (cell, run) in &findings.violations {
                    @let repeat = sweep.repeats.iter().find(|repeat| repeat.run == *run);
                    li {
                        span.text-invalid { "invalid" } ", cell " (cell) ": "
                        @if let Some(repeat) = repeat { (repeat.reason) }
                        " " a href={ (run) "/report.html" } { "report" }
                        @if let Some(repeat) = repeat { p.repeat { span { "again" } code { (repeat.again) } } }
                    }
                }
            }
        }
    }
}

fn recommendation(findings: &Findings) -> Markup {
    let found = &findings.recommendation;
    html! {
        section id="recommendation" {
            h2 { "Settings by cost" }
            p.lead {
                "From the cheapest. Cost is the throughput that is lost against the best, in steps of "
                (words::percent(super::recommend::STEP))
                " (less is within the noise of a few controls), then the bytes of checkpoints for an entry."
            }
            div.scroll { table {
                thead { tr {
                    th { "" } th { "settings" } th.n { "throughput lost" } th.n { "bytes per entry" }
                    th.n { "slowest recovery, p95" } th.n { "at most" } th { "of" } th.n { "n" } th { "lost" } th { "" }
                } }
                tbody {
                    @for (at, one) in found.judged.iter().enumerate() {
                        tr {
                            td { @if found.chosen == Some(at) { span.badge.valid { "recommended" } } }
                            td { code { (words::named(one)) } }
                            td.n { (one.lost_share.map_or("-".to_owned(), share)) }
                            td.n { (words::bytes(one.bytes_per_entry)) }
                            @match one.slowest {
                                Some(slowest) => {
                                    td.n { (words::quantile(Some(slowest.p95))) }
                                    td.n { (slowest.p95.high_ms.map_or("-".to_owned(), table::duration)) }
                                    td { (slowest.measure.name()) " after " (slowest.scenario) }
                                },
                                None => { td.n { "-" } td.n { "-" } td { "" } },
                            }
                            td.n { (one.least_n) }
                            td { (lost(one.lost_s)) }
                            td.prose { (one.misses.join("; ")) }
                        }
                    }
                }
            } }
        }
    }
}

fn share(lost: f64) -> String {
    match lost {
        0.0 => "none seen".to_owned(),
        lost => format!("at least {}", words::percent(lost)),
    }
}

fn lost(seconds: Option<f64>) -> String {
    match seconds {
        None => "not measured".to_owned(),
        Some(0.0) => "nothing".to_owned(),
        Some(seconds) => format!("up to {}", table::duration(seconds * 1e3)),
    }
}

fn recovery(chart: &Chart, marks: &[Mark]) -> Markup {
    let title = format!("{} after {}", capital(chart.measure.name()), chart.scenario);
    html! {
        h3 { (title) }
        (figure(&durations(chart, marks)))
        p.note { (words::fit(&chart.fit)) }
        @if chart.scenario.restarts() && (chart.measure == Measure::Restart || chart.scenario.hits_all()) {
            @if let Some(picture) = phases(chart) { (figure(&picture)) }
        }
        details {
            summary { "Numbers" }
            div.scroll { table {
                thead { tr {
                    th { "settings" } th.n { "interval" } th.n { "cell" } th.n { "n" } th.n { "not ended" }
                    th.n { "mean (95 %)" } th.n { "predicted" } th.n { "if ages were even" }
                    th.n { "p50" } th.n { "p95" } th.n { "p95 at most" } th.n { "longest" }
                } }
                tbody {
                    @for curve in &chart.curves { @for place in &curve.places {
                        @let summary = &place.summary;
                        tr {
                            td { code { (curve.name) } }
                            td.n { (interval_words(place.interval)) }
                            td.n { (place.cell) }
                            td.n { (summary.n) }
                            td.n { (summary.censored) }
                            td.n { (words::mean(summary)) }
                            td.n { (place.predicted_ms.map_or("-".to_owned(), table::duration)) }
                            td.n { (place.expected_ms.map_or("-".to_owned(), table::duration)) }
                            td.n { (words::quantile(summary.p50)) }
                            td.n { (words::quantile(summary.p95)) }
                            td.n { (summary.p95.and_then(|p95| p95.high_ms).map_or("-".to_owned(), table::duration)) }
                            td.n { (words::quantile(summary.max)) }
                        }
                    } }
                }
            } }
        }
    }
}

/// Optimum intervals, where a restart replays and intervals are entries.
fn marks(findings: &Findings, chart: &Chart) -> Vec<Mark> {
    let mut intervals = chart.curves.iter().flat_map(|curve| &curve.places);
    let in_entries = intervals.any(|place| matches!(place.interval, Interval::Entries(_)));
    if !in_entries || !chart.scenario.restarts() {
        return Vec::new();
    }
    let marked = findings.optima.iter().filter_map(|optimum| {
        Some(Mark {
            at: optimum.replay_entries?,
            name: format!("T* for a failure every {}", words::long(optimum.failures_s)),
        })
    });
    marked.collect()
}

fn optimum(findings: &Findings) -> Markup {
    html! {
        h3 { "Optimum interval" }
        @if findings.optima.is_empty() {
            p { "Not known: no checkpoint was timed in the calibration." }
        } @else {
            p.lead {
                "Where checkpoints and the work after failures cost least together, for a mean time between failures. Young                  (1974), Daly (2006, higher order) and the exact form (Lambert W) take it that work stops while a checkpoint                  is written and that all since is computed again after a failure. A log that is written at w and replayed at                  r needs only w/r of that: T* = sqrt(2 C M r/w). C is the whole time of writing a checkpoint, which is                  the most that it can cost while the store goes on serving: the true optimum is shorter. T* minimises the                  time lost on average; it promises no recovery time."
            }
            div.scroll { table.fit {
                thead { tr {
                    th { "a failure every" } th.n { "Young" } th.n { "Daly" } th.n { "exact" } th.n { "T*" } th.n { "T* in entries" }
                } }
                tbody {
                    @for one in &findings.optima {
                        tr {
                            td { (words::long(one.failures_s)) }
                            td.n { (words::long(one.young_s)) }
                            td.n { (words::long(one.daly_s)) }
                            td.n { (words::long(one.exact_s)) }
                            td.n { (one.replay_s.map_or("-".to_owned(), words::long)) }
                            td.n { (one.replay_entries.map_or("-".to_owned(), |n| table::count(n.round() as u64))) }
                        }
                    }
                }
            } }
        }
    }
}

fn losses(sweep: &Sweep, findings: &Findings) -> Markup {
    html! {
        section id="rpo" {
            h2 { "Loss of acknowledged writes" }
            @if findings.losses.is_empty() {
                p { "No scenario hit all servers, so none could lose what a majority had." }
            } @else {
                p.lead {
                    "From a ledger of acknowledged writes that is read in the end. Worst run: from the last write that \
                     survived to the last that was acknowledged, and, since the ledger's writes are some time apart, at least \
                     from the first that was lost; the bound is held against the latter. It adds what an operation takes at the 99th \
                     percentile, and, where checkpoints alone make durable, what writing one takes."
                }
                div.scroll { table {
                    thead { tr {
                        th { "scenario" } th { "settings" } th { "may lose" } th { "lost" }
                        th.n { "worst run" } th.n { "at least" } th.n { "bound" } th { "" }
                    } }
                    tbody {
                        @for loss in &findings.losses {
                            @let settings = sweep.cell(loss.cell).map(|cell| &cell.settings);
                            tr {
                                td { (loss.scenario) }
                                td { code {
                                    @for (name, value) in settings.into_iter().flatten() { (name) "=" (value) " " }
                                } }
                                td { (words::allowed(loss)) }
                                td { (words::lost(loss)) }
                                td.n { (table::duration(loss.worst_seconds * 1e3)) }
                                td.n { (table::duration(loss.least_seconds * 1e3)) }
                                td.n { (loss.bound_seconds.map_or("none".to_owned(), |s| table::duration(s * 1e3))) }
                                td { @match loss.verdict {
                                    super::Verdict::Beyond => span.text-invalid { (words::verdict(loss)) },
                                    super::Verdict::Nothing | super::Verdict::Within => span.text-valid { (words::verdict(loss)) },
                                    _ => (words::verdict(loss)),
                                } }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn cost(sweep: &Sweep, findings: &Findings) -> Markup {
    html! {
        section id="cost" {
            h2 { "Cost" }
            p.lead { "From runs without faults, with the same load." }
            @for picture in costs(&findings.costs) { (figure(&picture)) }
            (optimum(findings))
            h3 { "Numbers" }
            div.scroll { table {
                thead { tr {
                    th { "settings" } th.n { "runs" } th.n { "entries (95 %)" } th.n { "of that without checkpoints" }
                    th.n { "p50" } th.n { "p99" } th.n { "checkpoints" } th.n { "bytes per entry" }
                    th.n { "write amplification" } th.n { "longest pause" } th.n { "writing one" }
                    th.n { "disk" } th.n { "memory" }
                } }
                tbody {
                    @for cost in &findings.costs {
                        tr {
                            td { code { (words::settings(cost, sweep)) } }
                            td.n { (cost.runs) }
                            td.n { (words::spread(cost.entries_per_s, words::rate)) }
                            td.n { (words::spread(cost.kept, words::percent)) }
                            td.n { (words::spread(cost.p50_ms, table::duration)) }
                            td.n { (words::spread(cost.p99_ms, table::duration)) }
                            td.n { (cost.checkpoints.map_or("-".to_owned(), |n| format!("{n:.0}"))) }
                            td.n { (words::bytes(cost.bytes_per_entry)) }
                            td.n { (cost.write_amplification.map_or("-".to_owned(), |n| format!("{n:.2}"))) }
                            td.n { (cost.longest_pause_ms.map_or("-".to_owned(), table::duration)) }
                            td.n { (cost.checkpoint_ms.map_or("-".to_owned(), table::duration)) }
                            td.n { (words::bytes(cost.disk_bytes)) }
                            td.n { (words::bytes(cost.resident_bytes)) }
                        }
                    }
                }
            } }
        }
    }
}

fn method(sweep: &Sweep, findings: &Findings) -> Markup {
    html! {
        section id="method" {
            h2 { "How this is measured" }
            p.lead {
                "Predictions come from runs of their own, made before the cells: restart = R + S/B + N/r₁; service after all \
                 were killed = E + S/B + N/r; service after a leader was lost = failover; a follower that an image brings \
                 back = bytes/I. S and N are what the recovery had to load and to replay. R² compares the means of the cells \
                 with the means of their predictions; nothing is fitted to them. Percentiles are by nearest rank; intervals \
                 are 95 %, by bootstrap. What was not seen to end counts as longer than all that did, and takes the mean away. \
                 Service has the resolution of the probes (" (table::duration(sweep.probe_ms)) "), restart that of the status \
                 samples (" (table::duration(sweep.sample_ms)) ")."
            }
            div.scroll { table.fit {
                thead { tr { th { "figure" } th.n { "mean (least to most)" } th.n { "n" } } }
                tbody {
                    @for (name, text, n) in words::calibration(findings) {
                        tr { td { (name) } td.n { (text) } td.n { (n) } }
                    }
                }
            } }
            h3 { "Where" }
            dl.facts.small {
                @for (name, value) in &sweep.machine { div { dt { (name) } dd { (value) } } }
                @if let Some(program) = &sweep.program { div { dt { "program" } dd { (program) } } }
                div { dt { "shakedown" } dd { (sweep.version) } }
            }
        }
    }
}

fn figure(picture: &Picture) -> Markup {
    html! {
        figure {
            figcaption { (picture.title) }
            div.scroll { (PreEscaped(picture.inline())) }
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
