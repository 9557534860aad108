//! Checks with their evidence, faults with their proof, gates.

use super::{badge, fact, figure, meanings, moments};
use crate::explanation;
use crate::measure::{FaultSummary, Recovery, Results, Rto};
use crate::plots::Plots;
use crate::table::{count, duration, optional};
use checker::explain::Explanation;
use checker::{Validity, Verdict};
use maud::{Markup, html};
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A single piece of evidence is cut here; the whole is in `results.json`.
const EVIDENCE_CHARS_MAX: usize = 20_000;

/// Of more faults than this, only the slowest recoveries are drawn on the page, so that it stays light; the
/// others have their pictures in files.
const PICTURES_MAX: usize = 60;

pub(super) fn checks(results: &Results) -> Markup {
    let mut checks: Vec<_> = results.checks.iter().collect();
    checks.sort_by_key(|(_, verdict)| Reverse(verdict.valid));
    html! {
        section #checks {
            h2 { "Checks" }
            @if results.checks.is_empty() { p.lead { "No checker judged this run." } }
            @for (name, verdict) in checks { (check(name, verdict)) }
        }
    }
}

fn check(name: &str, verdict: &Verdict) -> Markup {
    html! {
        div.card {
            div.line { (badge(verdict.valid)) h3 { (name) } }
            @if let Some(meaning) = meanings::check(name) { p.note { "What must hold: " (meaning) } }
            @if !verdict.reason.is_empty() { p { (verdict.reason) } }
            @match Explanation::of(verdict) {
                // The picture says what the details are made of; they stay for who wants to know.
                Some(explanation) => {
                    (explanation::section(&explanation))
                    details {
                        summary { "All that the checker found" }
                        (pairs(&without_explanation(verdict)))
                    }
                },
                None => (pairs(&verdict.details)),
            }
        }
    }
}

fn without_explanation(verdict: &Verdict) -> Map<String, Value> {
    let mut details = verdict.details.clone();
    details.remove(checker::explain::DETAIL);
    details
}

/// Figures side by side; evidence with a shape of its own below.
fn pairs(pairs: &Map<String, Value>) -> Markup {
    let shaped = |value: &Value| value.is_object() || (value.is_array() && text(value).len() > 80);
    let plain: Vec<_> = pairs.iter().filter(|(_, value)| !shaped(value)).collect();
    html! {
        @if !plain.is_empty() {
            dl.facts.small { @for (name, value) in plain { (fact(&name.replace('_', " "), html! { (told(name, value)) })) } }
        }
        @for (name, value) in pairs.iter().filter(|(_, value)| shaped(value)) {
            div.name { (name.replace('_', " ")) }
            (evidence(value))
        }
    }
}

/// An object of alike objects is a table; anything else with a shape is shown as it is.
fn evidence(value: &Value) -> Markup {
    if let Some(rows) = rows(value) {
        return grid(&rows);
    }
    let text = match value.as_array() {
        // One item a line reads better than every brace on its own.
        Some(items) => items.iter().map(|item| format!("{item}\n")).collect(),
        None => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    let cut = text
        .char_indices()
        .nth(EVIDENCE_CHARS_MAX)
        .map(|(at, _)| at);
    html! {
        pre { (text[..cut.unwrap_or(text.len())]) }
        @if cut.is_some() { p.note { "Cut here; the whole is in " code { "results.json" } "." } }
    }
}

type Rows<'a> = Vec<(&'a String, &'a Map<String, Value>)>;

/// Of an object: its objects, if it holds nothing else and they hold only single values.
fn rows(value: &Value) -> Option<Rows<'_>> {
    let rows: Rows<'_> = value
        .as_object()?
        .iter()
        .map(|(name, row)| Some((name, row.as_object()?)))
        .collect::<Option<_>>()?;
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    let alike = rows.iter().all(|(_, row)| row.values().all(plain));
    (alike && !rows.is_empty()).then_some(rows)
}

fn grid(rows: &Rows<'_>) -> Markup {
    let columns: BTreeSet<&String> = rows.iter().flat_map(|(_, row)| row.keys()).collect();
    html! {
        div.scroll { table.fit {
            thead { tr { th {} @for column in &columns { th.n { (column.replace('_', " ")) } } } }
            tbody { @for (name, row) in rows { tr {
                td { (name) }
                @for column in &columns {
                    td.n { @match row.get(*column) { Some(value) => (text(value)), None => "-" } }
                }
            } } }
        } }
    }
}

/// A value by its name: what ends with `_at` is a moment of the run in nanoseconds, as in `faults.jsonl`.
fn told(name: &str, value: &Value) -> String {
    match value.as_u64().filter(|_| name.ends_with("_at")) {
        Some(nanoseconds) => duration(nanoseconds as f64 / 1e6),
        None => text(value),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Null => "none".into(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_u64() {
            Some(n) if n >= 10_000 => count(n),
            _ => number.to_string(),
        },
        Value::Object(_) => value.to_string(),
    }
}

/// The faults whose recoveries are drawn on the page.
fn drawn(results: &Results) -> BTreeSet<u32> {
    let mut slowest: Vec<(&FaultSummary, f64)> = results
        .faults
        .iter()
        .filter_map(|fault| Some((fault, fault.rto.as_ref()?.away_ms())))
        .collect();
    slowest.sort_by(|a, b| b.1.total_cmp(&a.1));
    let ids = slowest.iter().map(|(fault, _)| fault.id);
    ids.take(PICTURES_MAX).collect()
}

pub(super) fn faults(results: &Results, plots: &Plots) -> Markup {
    let drawn = drawn(results);
    html! {
        section #faults {
            h2 { "Faults and their proof" }
            @if results.faults.is_empty() { p.lead { "No fault was injected." } }
            @else {
                p.lead {
                    "Each opens to the proof that it took effect and to the timeline of the recovery from it: when \
                     it was noticed, who was served again and when, and when all was as before."
                }
            }
            @for fault in &results.faults {
                details id={ "fault-" (fault.id) } {
                    summary {
                        span.number { (fault.id) }
                        " " strong { (fault.title()) } " " (fault.targets.join(" "))
                        span.when { (when(fault)) }
                        @if !fault.effective { " " (badge(Validity::Unknown)) " no effect" }
                    }
                    (fault_body(fault))
                    @for (_, picture) in plots.recovery.iter().filter(|(id, _)| *id == fault.id) {
                        @if drawn.contains(&fault.id) { (figure(picture)) (moments::table(fault)) }
                        @else {
                            p.note {
                                "Timeline: " a href={ "plots/" (picture.name) ".svg" } { "plots/" (picture.name) ".svg" }
                                " (this page draws those of the " (PICTURES_MAX) " slowest recoveries)"
                            }
                        }
                    }
                }
            }
        }
    }
}

fn when(fault: &FaultSummary) -> String {
    match (fault.effective_ms, fault.healed_ms) {
        (Some(from), Some(to)) => format!("{} to {}", duration(from), duration(to)),
        (Some(from), None) => format!("from {}, not healed", duration(from)),
        (None, _) => format!("tried at {}", duration(fault.intend_ms)),
    }
}

fn fault_body(fault: &FaultSummary) -> Markup {
    html! {
        @if let Some(error) = &fault.error { p.text-invalid { (error) } }
        @if fault.proof.is_empty() {
            @if fault.effective { p { "It was confirmed without further figures." } }
        } @else {
            div.name { "proof that it took effect" }
            (pairs(&fault.proof))
        }
        @if !fault.healed_proof.is_empty() {
            div.name { "proof that it was healed" }
            (pairs(&fault.healed_proof))
        }
        @for way in &fault.returns { p { (way.sentence()) } }
        @if let Some(rto) = &fault.rto {
            (restarts(rto))
            @if rto.carried_over {
                p.note { "The service was still away because of the fault before, so the first success ends that outage." }
            }
        }
    }
}

/// What the restarted servers say of their recovery.
fn restarts(rto: &Rto) -> Markup {
    let counts: BTreeSet<&String> = rto
        .recovery
        .values()
        .flat_map(|r| r.counts.keys())
        .collect();
    let mut phases: Vec<&str> = Vec::new();
    for (phase, _) in rto.recovery.values().flat_map(Recovery::phases) {
        if !phases.contains(&phase) {
            phases.push(phase);
        }
    }
    html! {
        @if !rto.recovery.is_empty() {
            div.scroll { table {
                thead { tr {
                    th { "restarted" }
                    @for name in &counts { th.n { (name.replace('_', " ")) } }
                    @for name in &phases {
                        th.n { @if let Some(whole) = Recovery::part_of(name) { (whole) ": " } (name) }
                    }
                } }
                tbody { @for (node, recovery) in &rto.recovery { tr {
                    td { (node) }
                    @for name in &counts {
                        td.n { @match recovery.counts.get(*name) { Some(n) => (count(*n)), None => "-" } }
                    }
                    @for name in &phases { td.n { (optional(recovery.phases_ms.get(*name).copied())) } }
                } } }
            } }
        }
    }
}

pub(super) fn gates(results: &Results) -> Markup {
    html! {
        section #gates {
            h2 { "Gates against empty success" }
            p.lead { "A run in which nothing was really tested is unknown, never valid." }
            div.scroll { table.gates {
                tbody {
                    @for (name, gate) in &results.gates {
                        tr {
                            td { (badge(if gate.passed { Validity::Valid } else { Validity::Unknown })) }
                            td { (name) }
                            td.prose {
                                (gate.reason)
                                @if let Some(meaning) = meanings::gate(name) { div.note { (meaning) } }
                            }
                        }
                    }
                }
            } }
        }
    }
}
