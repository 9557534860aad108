//! A night as Markdown: for the summary of a build, or a pull request.

use super::record::{Ended, Run};
use super::summary::{Outcome, Summary, Tested};
use crate::compare::text::{escaped, value};
use crate::metrics::Metric;
use std::fmt::Write;

/// A build's summary takes 1 MiB for all steps together.
const ROWS_MOST: usize = 50;

/// `folder`: that of the night.
pub fn render(summary: &Summary, folder: &str) -> String {
    // Writing to a String can't fail.
    let mut text = format!(
        "## {} {}: {}\n\n{}\n",
        sign(summary.outcome),
        escaped(&summary.name),
        summary.outcome,
        escaped(&summary.said())
    );
    for remark in &summary.remarks {
        let _ = write!(text, "\n{}\n", escaped(remark));
    }
    if !summary.violations.is_empty() {
        text += "\n### Violations\n\n";
        for violation in summary.violations.iter().take(ROWS_MOST) {
            let _ = writeln!(
                text,
                "- **{}**, seed {}: {}{}",
                escaped(&violation.test),
                violation.seed,
                escaped(&violation.reason),
                match violation.reproduction() {
                    Some(again) => format!("; {again}"),
                    None => String::new(),
                }
            );
            let _ = write!(text, "\n  ```\n  {}\n  ```\n", violation.repeat);
        }
        text += &more(summary.violations.len());
    }
    text += &list("Thresholds missed", summary.missed().collect(), |run| {
        let missed: Vec<String> = run.missed().map(ToString::to_string).collect();
        missed.join("; ")
    });
    for (title, ended) in [
        ("Could not be made", Ended::Broken),
        ("Proved nothing", Ended::Unknown),
    ] {
        let runs = summary.made().filter(|run| run.ended == ended).collect();
        text += &list(title, runs, |run| run.reason.clone());
    }
    text += "\n### Tests\n\n| test | runs | valid | thresholds |\n|---|--:|--:|---|\n";
    for test in &summary.tests {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            escaped(&test.name),
            test.runs,
            test.valid,
            escaped(&thresholds(test))
        );
    }
    if !summary.shifts.is_empty() {
        text += "\n### Over the nights\n\n";
        for shift in summary.shifts.iter().take(ROWS_MOST) {
            let _ = writeln!(text, "- {}", escaped(&shift.to_string()));
        }
    }
    if !summary.missing.is_empty() {
        let _ = write!(
            text,
            "\nPlanned and not made: {}. Go on with `{}`.\n",
            summary.missing.len(),
            summary.resume
        );
    }
    let program = summary.program.as_ref();
    let program = program.map_or_else(String::new, |program| format!(", program {program}"));
    let _ = write!(
        text,
        "\nSeed {}, shakedown {}{program}. Everything is in `{folder}`.\n",
        summary.seed, summary.version
    );
    text
}

/// Each threshold with the median that was found.
pub(super) fn thresholds(test: &Tested) -> String {
    let said = test.expect.iter().map(|(metric, expected)| {
        let found = match (test.medians.get(metric), Metric::by_name(metric)) {
            (Some(median), Some(known)) => value(*median, known.unit),
            _ => "not measured".to_owned(),
        };
        let missed = match test.missed.get(metric) {
            Some(runs) => format!(", missed in {runs} of {}", test.runs),
            None => String::new(),
        };
        format!("{metric} {found} ({expected}{missed})")
    });
    said.collect::<Vec<_>>().join("; ")
}

fn list(title: &str, runs: Vec<&Run>, what: impl Fn(&Run) -> String) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### {title}\n\n");
    for run in runs.iter().take(ROWS_MOST) {
        let _ = writeln!(
            text,
            "- {}, seed {}: {}",
            escaped(&run.test),
            run.seed,
            escaped(&what(run))
        );
    }
    text + &more(runs.len())
}

fn more(all: usize) -> String {
    match all.checked_sub(ROWS_MOST) {
        Some(left @ 1..) => format!("- and {left} more\n"),
        _ => String::new(),
    }
}

fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Valid => "✅",
        Outcome::Unknown => "❔",
        Outcome::Missed => "⚠️",
        Outcome::Invalid | Outcome::Broken => "❌",
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{plan, run};
    use super::*;

    #[test]
    fn violations_come_first_with_the_command_that_repeats_them() {
        let runs = vec![
            run(1, "a", 1, Ended::Valid),
            Run {
                reason: "a | b [c](d) <e>".into(),
                ..run(2, "a", 2, Ended::Invalid)
            },
        ];
        let summary = Summary::of(&plan(&[("a", &[1, 2])]), runs, false, Vec::new());
        let text = render(&summary, "runs/suites/nightly/n");
        let (before, _) = text.split_once("### Tests").unwrap();
        assert!(before.starts_with("## ❌ nightly: invalid\n"), "{text}");
        assert!(before.contains("shakedown test a.yaml --seed 2"), "{text}");
        assert!(before.contains("a \\| b \\[c\\](d) &lt;e>"), "{text}");
    }

    #[test]
    fn a_night_with_many_failures_stays_short() {
        let runs: Vec<Run> = (0..200)
            .map(|n| run(n, "a", n.into(), Ended::Unknown))
            .collect();
        let summary = Summary::of(&plan(&[]), runs, false, Vec::new());
        let text = render(&summary, "f");
        assert!(text.contains("- and 150 more"), "{text}");
    }
}
