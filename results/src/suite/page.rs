//! The page of a night: one file that works offline, without scripts. The verdict first, then what is wrong with the
//! command that repeats it, then the tests with their thresholds, then the nights before.

use super::record::{Because, Ended, Run};
use super::summary::{Outcome, Summary, Tested, Violation, capital};
use super::trend::Trend;
use crate::compare::text::value;
use crate::metrics::{self, Metric};
use crate::plots;
use crate::report::document;
use crate::table::duration;
use maud::{Markup, PreEscaped, html};

/// Of a longer table, this much is seen at once; the rest scrolls.
const ROWS_MAX: usize = 30;

/// Links lead to the reports of the runs, below the folder of the page.
pub fn render(summary: &Summary, trends: &[Trend]) -> String {
    let title = format!(
        "{}: {} {}",
        summary.outcome.to_string().to_uppercase(),
        summary.name,
        summary.night
    );
    let content = html! {
        (head(summary))
        main {
            (violations(summary))
            (missed(summary))
            (bad(summary, Ended::Broken, "Could not be made", "broken"))
            (bad(summary, Ended::Unknown, "Proved nothing", "unknown"))
            (missing(summary))
            (tests(summary))
            (trend(summary, trends))
            (runs(summary))
            (method())
        }
        footer { p { "shakedown " (summary.version)
            @if let Some(program) = &summary.program { ", program " (program) } ". Beside this page: " code { "results.json" } ", "
            code { "suite.jsonl" } ", " code { "junit.xml" } ", " code { "summary.md" } "." } }
    };
    document(&title, content)
}

fn head(summary: &Summary) -> Markup {
    let class = match summary.outcome {
        Outcome::Valid => "valid",
        Outcome::Unknown => "unknown",
        Outcome::Missed | Outcome::Invalid | Outcome::Broken => "invalid",
    };
    let seconds: f64 = summary.runs.iter().map(|run| run.took_s).sum();
    html! {
        header {
            div.verdict {
                span.badge.(class) { (summary.outcome.to_string().to_uppercase()) }
                h1 { "Suite " (summary.name) }
            }
            p.reason { (summary.said()) }
            @for remark in &summary.remarks { p.reason { (remark) } }
            dl.facts {
                div { dt { "night" } dd { (summary.night) } }
                div { dt { "tests" } dd { (summary.tests.len()) } }
                div { dt { "runs" } dd { (summary.runs.len()) ", " (duration(seconds * 1e3)) } }
                div { dt { "seed" } dd { code { (summary.seed) } } }
                div { dt { "started" } dd { (summary.started) } }
            }
            @if !summary.finished && !summary.resume.is_empty() {
                p.repeat { span { "Go on with" } code { (summary.resume) } }
            }
            nav {
                @if !summary.violations.is_empty() { a href="#violations" { "Violations" } }
                a href="#tests" { "Tests" } a href="#trend" { "Trend" } a href="#runs" { "Runs" }
                a href="#method" { "How this is judged" }
            }
        }
    }
}

fn violations(summary: &Summary) -> Markup {
    html! {
        @if !summary.violations.is_empty() {
            section #violations {
                h2 { "Violations" }
                @for violation in &summary.violations { (card(violation)) }
            }
        }
    }
}

fn card(violation: &Violation) -> Markup {
    html! {
        div.card {
            div.line {
                span.badge.invalid { "INVALID" }
                h3 { (violation.test) ", seed " (violation.seed) }
            }
            p { (violation.reason) }
            p {
                @match violation.reproduction() {
                    Some(again) => { (capital(&again)) "." }
                    None => { "It was not run again." }
                }
                " " (report(&violation.run))
            }
            p.repeat { span { "Repeat with" } code { (violation.repeat) } }
            @if let Some(folder) = violation.repeat.split_whitespace().nth(2)
                .and_then(|spec| spec.strip_suffix("/spec.yaml")) {
                p.repeat { span { "Make it smaller with" } code { "shakedown shrink " (folder) } }
            }
        }
    }
}

fn missed(summary: &Summary) -> Markup {
    html! {
        @if summary.missed().next().is_some() {
            section #missed {
                h2 { "Thresholds missed" }
                div.scroll { table {
                    thead { tr { th { "test" } th { "seed" } th { "metric" } th.n { "found" } th { "expected" } th { } } }
                    tbody {
                        @for run in summary.missed() {
                            @for gate in run.missed() {
                                tr {
                                    td { (run.test) }
                                    td { (run.seed) }
                                    td title=[help(&gate.metric)] { code { (gate.metric) } }
                                    td.n { span.text-invalid { (gate.found()) } }
                                    td { (gate.expected) }
                                    td { (report(&run.run)) }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn bad(summary: &Summary, ended: Ended, title: &str, anchor: &str) -> Markup {
    let runs: Vec<&Run> = summary.made().filter(|run| run.ended == ended).collect();
    html! {
        @if !runs.is_empty() {
            section id=(anchor) {
                h2 { (title) }
                ul {
                    @for run in runs {
                        li { strong { (run.test) } ", seed " (run.seed) ": " (run.reason) " " (report(&run.run)) }
                    }
                }
            }
        }
    }
}

fn missing(summary: &Summary) -> Markup {
    html! {
        @if !summary.missing.is_empty() {
            section #missing {
                h2 { "Planned and not made" }
                p.lead { "The night ended before these runs." }
                ul { @for run in &summary.missing { li { (run.test) ", seed " (run.seed) } } }
            }
        }
    }
}

/// Tests in rows, the measures with a threshold in columns.
fn tests(summary: &Summary) -> Markup {
    let columns: Vec<&Metric> = metrics::ALL
        .iter()
        .filter(|metric| {
            let mut tests = summary.tests.iter();
            metric.name == "throughput.ok"
                || tests.any(|test| test.expect.contains_key(metric.name))
        })
        .collect();
    html! {
        section #tests {
            h2 { "Tests" }
            p.lead {
                "Medians over the runs of the night, reruns left out; below each, what is expected of every run."
            }
            div.scroll { table {
                thead { tr {
                    th { "test" } th { "runs" }
                    @for metric in &columns { th.n title=(metric.help) { (metric.name) } }
                } }
                tbody {
                    @for test in &summary.tests {
                        tr {
                            td { (test.name) }
                            td { (ended(test)) }
                            @for metric in &columns { td.n { (cell(test, metric)) } }
                        }
                    }
                }
            } }
        }
    }
}

fn ended(test: &Tested) -> Markup {
    let counts = [
        (test.invalid, "invalid"),
        (test.broken, "broken"),
        (test.unknown, "unknown"),
    ];
    html! {
        @match test.runs {
            0 => { "none" }
            runs if test.valid == runs => { (runs) " valid" }
            runs => {
                (test.valid) " of " (runs) " valid"
                @for (count, word) in counts {
                    @if count > 0 { ", " span.text-invalid { (count) " " (word) } }
                }
            }
        }
    }
}

fn cell(test: &Tested, metric: &Metric) -> Markup {
    let expected = test.expect.get(metric.name);
    let missed = test.missed.get(metric.name);
    let found = test.medians.get(metric.name);
    html! {
        @match (found, expected) {
            (Some(median), _) => { (value(*median, metric.unit)) }
            (None, Some(_)) if test.runs > 0 => { span.text-invalid { "not measured" } }
            (None, _) => { "-" }
        }
        @if let Some(expected) = expected {
            div.note { (expected) }
        }
        @if let Some(missed) = missed {
            div { span.text-invalid { "missed in " (missed) " of " (test.runs) } }
        }
    }
}

fn trend(summary: &Summary, trends: &[Trend]) -> Markup {
    let changed = trends.iter().filter(|trend| !trend.changes.is_empty());
    html! {
        section #trend {
            h2 { "Over the nights" }
            @if trends.is_empty() {
                p.lead { "A trend needs a second night." }
            } @else if summary.shifts.is_empty() {
                p.lead { "No measure changed its level, as far as can be told." }
            }
            @if !summary.shifts.is_empty() {
                ul {
                    @for shift in &summary.shifts {
                        li {
                            @if shift.worse { span.text-invalid { "▼ " } } @else { span.text-valid { "▲ " } }
                            (shift) "."
                        }
                    }
                }
            }
            @for trend in changed { (figure(trend)) }
            @for test in &summary.tests {
                @let rest = trends.iter().filter(|trend| trend.test == test.name && trend.changes.is_empty());
                @if rest.clone().next().is_some() {
                    details {
                        summary { (test.name) ": measures whose level did not change" }
                        @for trend in rest { (figure(trend)) }
                    }
                }
            }
        }
    }
}

fn figure(trend: &Trend) -> Markup {
    let picture = plots::trend(trend);
    html! {
        figure {
            figcaption { (picture.title) }
            div.scroll { (PreEscaped(picture.inline())) }
        }
    }
}

fn runs(summary: &Summary) -> Markup {
    let tall = (summary.runs.len() > ROWS_MAX).then_some("tall");
    html! {
        section #runs {
            h2 { "Runs" }
            div.scroll.(tall.unwrap_or("short")) { table {
                thead { tr {
                    th.n { "run" } th { "test" } th { "seed" } th { "ended" } th.n { "took" } th { } th { }
                } }
                tbody {
                    @for run in &summary.runs {
                        tr.faint[run.because == Because::Rerun] {
                            td.n { (run.number) }
                            td { (run.test) }
                            td { (run.seed) }
                            td { (outcome(run)) }
                            td.n { (duration(run.took_s * 1e3)) }
                            td { (why(run.because)) }
                            td { (report(&run.run)) }
                        }
                    }
                }
            } }
        }
    }
}

fn outcome(run: &Run) -> Markup {
    let missed = run.missed().count();
    html! {
        @match run.ended {
            Ended::Valid => span.text-valid { "valid" },
            Ended::Invalid => span.text-invalid { "invalid" },
            Ended::Unknown => "unknown",
            Ended::Broken => span.text-invalid { "broken" },
        }
        @if missed > 0 { ", " span.text-invalid { "missed " (missed) } }
    }
}

fn why(because: Because) -> &'static str {
    match because {
        Because::Planned => "",
        Because::Corpus => "failed before",
        Because::Rerun => "again",
    }
}

/// A link to the report of a run. Its path is of our own making, but nothing that leaves the folder is linked.
fn report(run: &str) -> Markup {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let below =
        !run.is_empty() && !run.starts_with('/') && !run.contains("..") && run.chars().all(plain);
    html! {
        @if below { a href={ (run) "/report.html" } { "report" } }
    }
}

fn method() -> Markup {
    html! {
        section #method {
            h2 { "How this is judged" }
            p.lead {
                "The worst run decides: one that could not be made, then a proved violation, then a threshold missed, \
                 then a run that proved nothing. A threshold on a measure that a run does not have is missed. A seed that \
                 proved a violation is run again to state how often it fails; runs that pass then change nothing, and the \
                 interval is that of Clopper and Pearson. A trend has one value a night, the median of the planned runs of \
                 the test; its level changed where ranks before and after differ more than in shuffled orders of the same \
                 values (after Pettitt, at 5 % for all series of the page together, but no stricter than 1 in 1,000 each), by at least 2 %."
            }
        }
    }
}

fn help(metric: &str) -> Option<&'static str> {
    Metric::by_name(metric).map(|metric| metric.help)
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{plan, run};
    use super::*;

    fn page(runs: Vec<Run>) -> String {
        render(
            &Summary::of(&plan(&[("a", &[1, 2])]), runs, false, Vec::new()),
            &[],
        )
    }

    #[test]
    fn violations_come_before_everything_else() {
        let page = page(vec![
            run(1, "a", 1, Ended::Unknown),
            run(2, "a", 2, Ended::Invalid),
        ]);
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
        assert!(at("INVALID") < at("id=\"violations\""));
        assert!(at("id=\"violations\"") < at("id=\"unknown\""));
        assert!(at("id=\"unknown\"") < at("id=\"tests\""));
        assert!(page.contains("href=\"a/20260102T000000Z-2/report.html\""));
    }

    #[test]
    fn nothing_recorded_becomes_markup_or_leaves_the_folder() {
        let page = page(vec![Run {
            reason: "<script>alert(1)</script>".into(),
            run: "../../etc".into(),
            ..run(2, "a", 2, Ended::Invalid)
        }]);
        assert!(!page.contains("<script"));
        assert!(!page.contains("href=\"../"));
        assert!(page.contains("default-src 'none'"));
    }
}
