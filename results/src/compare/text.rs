//! A comparison as plain text: a table for the terminal, and Markdown for a pull request.

use super::{Change, Comparison, Group, Row, Summary};
use crate::metrics::Unit;
use crate::statistics::Interval;
use crate::statistics::family::Design;
use crate::table::{count, duration};
use std::fmt::Write;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Style};

/// For the terminal.
pub fn table(comparison: &Comparison) -> String {
    let mut text = format!(
        "{}\nbase {}, new {}\n",
        comparison.sentence(),
        comparison.base,
        comparison.new
    );
    for group in &comparison.groups {
        text.push('\n');
        for line in heading(group) {
            let _ = writeln!(text, "{line}");
        }
        let mut rows = Builder::default();
        rows.push_record(["metric", "base", "new", "change", "verdict"]);
        for row in &group.rows {
            rows.push_record(cells(row, group.not_comparable.is_some()));
        }
        let mut table = rows.build();
        table
            .with(Style::blank())
            .with(Modify::new(Columns::new(1..4)).with(Alignment::right()));
        let lines = table.to_string();
        for line in lines.lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    for what in &comparison.left_out {
        let _ = writeln!(text, "left out: {what}");
    }
    text
}

/// For a pull request or a wiki.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!(
        "## {}\n\nbase `{}`, new `{}`\n",
        comparison.sentence(),
        comparison.base,
        comparison.new
    );
    for group in &comparison.groups {
        if !group.name.is_empty() {
            let _ = write!(text, "\n### {}\n", escaped(&group.name));
        }
        let named = usize::from(!group.name.is_empty());
        text.push('\n');
        for line in heading(group).iter().skip(named) {
            let _ = writeln!(text, "- {}", escaped(line));
        }
        text += "\n| metric | base | new | change | verdict |\n|---|--:|--:|--:|---|\n";
        for row in &group.rows {
            let [metric, base, new, change, verdict] =
                cells(row, group.not_comparable.is_some()).map(|cell| escaped(&cell));
            let verdict = match row.verdict {
                super::Verdict::Regressed | super::Verdict::Improved => format!("**{verdict}**"),
                _ => verdict,
            };
            let _ = writeln!(
                text,
                "| `{metric}` | {base} | {new} | {change} | {verdict} |"
            );
        }
    }
    for what in &comparison.left_out {
        let _ = write!(text, "\nLeft out: {}\n", escaped(what));
    }
    text
}

/// Text from outside can't end a table cell, start a tag or make a link.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '[' | ']' | '`' | '*' => safe.extend(['\\', c]),
            '<' => safe += "&lt;",
            '&' => safe += "&amp;",
            '\n' | '\r' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// What is known of a group besides its rows.
pub(super) fn heading(group: &Group) -> Vec<String> {
    let mut lines = Vec::new();
    if !group.name.is_empty() {
        lines.push(group.name.clone());
    }
    lines.push(format!(
        "{} and {} runs{}{}",
        group.base.paths.len(),
        group.new.paths.len(),
        match group.design {
            Design::Free => "",
            Design::Paired => ", in pairs of one seed",
        },
        verdicts(group)
    ));
    for difference in &group.subject {
        lines.push(format!(
            "compared: {} {} and {}",
            difference.name, difference.base, difference.new
        ));
    }
    if let Some(reason) = &group.not_comparable {
        lines.push(format!("not comparable: {reason}"));
    }
    lines
}

fn verdicts(group: &Group) -> String {
    let sides = [("base", &group.base), ("new", &group.new)];
    let said: Vec<String> = sides
        .into_iter()
        .flat_map(|(side, runs)| {
            [
                (side, runs.invalid, "invalid"),
                (side, runs.unknown, "unknown"),
            ]
        })
        .filter(|(_, count, _)| *count > 0)
        .map(|(side, count, word)| format!("{count} of {side} {word}"))
        .collect();
    match said.is_empty() {
        true => ", all valid".to_owned(),
        false => format!("; {}", said.join(", ")),
    }
}

/// Metric, base, new, change, verdict. With `said`, the reason stands above already.
fn cells(row: &Row, said: bool) -> [String; 5] {
    let side = |summary: &Option<Summary>| match summary {
        Some(summary) => value(summary.median, row.unit()),
        None => "-".to_owned(),
    };
    let verdict = match row.reason.is_empty() || said {
        true => row.verdict.to_string(),
        false => format!("{}: {}", row.verdict, row.reason),
    };
    [
        row.metric.clone(),
        side(&row.base),
        side(&row.new),
        change(row),
        verdict,
    ]
}

/// A figure with its unit.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    match unit {
        // An empty sum is -0.
        Unit::Time => duration(value + 0.0),
        Unit::Bytes => bytes(value),
        Unit::Count => match value.fract() == 0.0 && value >= 0.0 {
            true => count(value as u64),
            false => format!("{value:.1}"),
        },
        Unit::PerSecond => format!("{value:.1}/s"),
        Unit::Ratio => format!("{value:.4}"),
        Unit::Seconds => format!("{value:.3} s"),
    }
}

fn bytes(value: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(size, _)| value.abs() >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", value / size),
        None => format!("{value:.0} B"),
    }
}

/// The change with its interval, or a dash.
pub(super) fn change(row: &Row) -> String {
    let with =
        |said: String, interval: Option<Interval>, show: &dyn Fn(f64) -> String| match interval {
            Some(Interval { low, high }) => format!("{said} ({} to {})", show(low), show(high)),
            None => said,
        };
    match row.change {
        None => "-".to_owned(),
        Some(Change::Absolute {
            value: 0.0,
            interval:
                Some(Interval {
                    low: 0.0,
                    high: 0.0,
                }),
        }) => "none".to_owned(),
        Some(Change::Relative { value, interval }) => {
            let show = |ratio: f64| percent(ratio);
            with(percent(value), interval, &show)
        }
        Some(Change::Absolute {
            value: difference,
            interval,
        }) => {
            let unit = row.unit();
            let show = |amount: f64| signed(amount, unit);
            with(signed(difference, unit), interval, &show)
        }
    }
}

fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    match percent.abs() {
        // More digits would only be noise.
        size if size >= 1_000.0 => format!("×{:.0}", ratio + 1.0),
        size if size >= 10.0 => format!("{percent:+.0} %"),
        size if size < 0.05 => "0 %".to_owned(),
        _ => format!("{percent:+.1} %"),
    }
}

fn signed(amount: f64, unit: Unit) -> String {
    let sign = match amount {
        amount if amount > 0.0 => "+",
        amount if amount < 0.0 => "-",
        _ => "",
    };
    format!("{sign}{}", value(amount.abs(), unit))
}
