//! Plans and summaries for the terminal.

use super::markdown;
use super::record::{Ended, Plan};
use super::summary::{Outcome, Summary};
use std::fmt::Write;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Style};

/// What would run.
pub fn plan(plan: &Plan) -> String {
    let mut rows = Builder::default();
    rows.push_record(["test", "runs", "each", "faults", "seeds", "expected"]);
    for test in &plan.tests {
        let seeds: Vec<u64> = test.corpus.iter().chain(&test.seeds).copied().collect();
        let listed = |name: &str| {
            let items = test.spec.get(name).and_then(|value| value.as_array());
            let items = items.into_iter().flatten();
            items
                .map(|item| item.as_str().unwrap_or("?").to_owned())
                .collect::<Vec<_>>()
        };
        let faults = match listed("nemesis").join("+") {
            none if none.is_empty() => "none".to_owned(),
            faults => faults,
        };
        let expect = test.expect.iter();
        let expect: Vec<String> = expect
            .map(|(name, text)| format!("{name} {text}"))
            .collect();
        rows.push_record([
            test.name.clone(),
            seeds.len().to_string(),
            format!("{:.0} s", test.takes_s),
            faults,
            few(&seeds),
            expect.join("; "),
        ]);
    }
    lines(rows, 1..3)
}

fn few(seeds: &[u64]) -> String {
    match seeds {
        [first, _, .., last] => format!("{first} to {last}"),
        seeds => {
            let shown: Vec<String> = seeds.iter().map(u64::to_string).collect();
            shown.join(", ")
        }
    }
}

/// What came of it: the verdict, what is bad, then the tests.
pub fn summary(summary: &Summary, colour: bool) -> String {
    let shade = match (colour, summary.outcome) {
        (false, _) => "",
        (true, Outcome::Valid) => "\u{1b}[32m",
        (true, Outcome::Unknown | Outcome::Missed) => "\u{1b}[33m",
        (true, Outcome::Invalid | Outcome::Broken) => "\u{1b}[31m",
    };
    let plain = if colour { "\u{1b}[0m" } else { "" };
    // Writing to a String can't fail.
    let mut text = format!(
        "{shade}{}{plain}: {}\n",
        summary.outcome.to_string().to_uppercase(),
        summary.sentence
    );
    for remark in &summary.remarks {
        let _ = writeln!(text, "{remark}");
    }
    for violation in &summary.violations {
        let _ = write!(
            text,
            "\nviolation in {}, seed {}: {}\n",
            violation.test, violation.seed, violation.reason
        );
        if let Some(again) = violation.reproduction() {
            let _ = writeln!(text, "  {again}");
        }
        let _ = writeln!(text, "  repeat: {}", violation.repeat);
    }
    let mut bad = String::new();
    for run in summary.missed() {
        let missed: Vec<String> = run.missed().map(ToString::to_string).collect();
        let _ = writeln!(
            bad,
            "{}, seed {}: {}",
            run.test,
            run.seed,
            missed.join("; ")
        );
    }
    for ended in [Ended::Broken, Ended::Unknown] {
        for run in summary.made().filter(|run| run.ended == ended) {
            let _ = writeln!(
                bad,
                "{}, seed {}: {ended}: {}",
                run.test, run.seed, run.reason
            );
        }
    }
    if !bad.is_empty() {
        let _ = write!(text, "\n{bad}");
    }
    for shift in &summary.shifts {
        let _ = writeln!(text, "\n{shift}");
    }
    let mut rows = Builder::default();
    rows.push_record(["test", "runs", "valid", "thresholds"]);
    for test in &summary.tests {
        rows.push_record([
            test.name.clone(),
            test.runs.to_string(),
            test.valid.to_string(),
            markdown::thresholds(test),
        ]);
    }
    let _ = write!(text, "\n{}", lines(rows, 1..3));
    text
}

fn lines(rows: Builder, numbers: std::ops::Range<usize>) -> String {
    let mut table = rows.build();
    table
        .with(Style::blank())
        .with(Modify::new(Columns::new(numbers)).with(Alignment::right()));
    let mut text = String::new();
    for line in table.to_string().lines() {
        text += line.trim_end();
        text.push('\n');
    }
    text
}
