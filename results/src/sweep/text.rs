//! A sweep on a terminal, and as Markdown.

use super::findings::Findings;
use super::record::Sweep;
use super::words;
use crate::plots::sweep::interval_words;
use crate::table;
use std::fmt::Write;
use tabled::builder::Builder;
use tabled::settings::Style;

/// For a terminal.
pub fn text(sweep: &Sweep, findings: &Findings) -> String {
    write(sweep, findings, "", |builder| {
        builder.build().with(Style::blank()).to_string()
    })
}

/// For a merge request or a wiki.
pub fn markdown(sweep: &Sweep, findings: &Findings) -> String {
    write(sweep, findings, "## ", |builder| {
        builder.build().with(Style::markdown()).to_string()
    })
}

fn write(
    sweep: &Sweep,
    findings: &Findings,
    heading: &str,
    table: impl Fn(Builder) -> String,
) -> String {
    let mut text = String::new();
    let mut add = |title: &str, body: String| {
        // Writing into a String does not fail.
        let _ = write!(text, "{heading}{title}\n\n{body}\n\n");
    };
    let title = format!("Sweep {} of {}", sweep.name, sweep.system);
    add(&title, words::answer(findings).join("\n"));
    add("Settings, from the cheapest", table(settings(findings)));
    for chart in &findings.charts {
        let title = format!("{} after {}", chart.measure.name(), chart.scenario);
        let mut rows = Builder::default();
        rows.push_record([
            "settings",
            "interval",
            "n",
            "not ended",
            "mean (95 %)",
            "predicted",
            "p50",
            "p95",
        ]);
        for curve in &chart.curves {
            for place in &curve.places {
                let summary = &place.summary;
                rows.push_record([
                    curve.name.clone(),
                    interval_words(place.interval),
                    summary.n.to_string(),
                    summary.censored.to_string(),
                    words::mean(summary),
                    place.predicted_ms.map_or("-".to_owned(), table::duration),
                    words::quantile(summary.p50),
                    words::quantile(summary.p95),
                ]);
            }
        }
        add(
            &title,
            format!("{}\n\n{}", table(rows), words::fit(&chart.fit)),
        );
    }
    if !findings.losses.is_empty() {
        add(
            "Loss of acknowledged writes",
            table(losses(sweep, findings)),
        );
    }
    add("Cost", table(costs(sweep, findings)));
    if !findings.remarks.is_empty() {
        let list: Vec<String> = findings
            .remarks
            .iter()
            .map(|one| format!("- {one}"))
            .collect();
        add("What limits this", list.join("\n"));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn settings(findings: &Findings) -> Builder {
    let found = &findings.recommendation;
    let mut rows = Builder::default();
    rows.push_record([
        "",
        "settings",
        "throughput lost",
        "bytes per entry",
        "slowest p95",
        "of",
        "n",
        "misses",
    ]);
    for (at, one) in found.judged.iter().enumerate() {
        let slowest = one.slowest;
        rows.push_record([
            if found.chosen == Some(at) { "*" } else { "" }.to_owned(),
            words::named(one),
            one.lost_share.map_or("-".to_owned(), words::percent),
            words::bytes(one.bytes_per_entry),
            words::quantile(slowest.map(|slowest| slowest.p95)),
            slowest.map_or(String::new(), |slowest| {
                format!("{} after {}", slowest.measure.name(), slowest.scenario)
            }),
            one.least_n.to_string(),
            one.misses.join("; "),
        ]);
    }
    rows
}

fn losses(sweep: &Sweep, findings: &Findings) -> Builder {
    let mut rows = Builder::default();
    rows.push_record([
        "scenario",
        "settings",
        "may lose",
        "lost",
        "worst run",
        "at least",
        "",
    ]);
    for loss in &findings.losses {
        let settings = sweep
            .cell(loss.cell)
            .into_iter()
            .flat_map(|cell| &cell.settings);
        let settings: Vec<String> = settings
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        rows.push_record([
            loss.scenario.to_string(),
            settings.join(" "),
            words::allowed(loss),
            words::lost(loss),
            table::duration(loss.worst_seconds * 1e3),
            table::duration(loss.least_seconds * 1e3),
            words::verdict(loss),
        ]);
    }
    rows
}

fn costs(sweep: &Sweep, findings: &Findings) -> Builder {
    let mut rows = Builder::default();
    rows.push_record([
        "settings",
        "runs",
        "entries (95 %)",
        "kept",
        "p99",
        "bytes per entry",
        "disk",
        "memory",
    ]);
    for cost in &findings.costs {
        rows.push_record([
            words::settings(cost, sweep),
            cost.runs.to_string(),
            words::spread(cost.entries_per_s, words::rate),
            cost.kept
                .map_or("-".to_owned(), |kept| words::percent(kept.mean)),
            words::spread(cost.p99_ms, table::duration),
            words::bytes(cost.bytes_per_entry),
            words::bytes(cost.disk_bytes),
            words::bytes(cost.resident_bytes),
        ]);
    }
    rows
}
