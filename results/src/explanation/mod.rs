//! Explanations of violations for people: a picture, the order of the operations in words, and how the
//! evidence was checked. Part of the report of a run ([`section`]), and a page of its own ([`page`]).
//!
//! [`layout`] gives every moment its place, [`lanes`] draws the operations over time, [`cycle`] draws
//! transactions that depend on one another in a circle, [`words`] says the rest. Each picture is drawn
//! twice, for a wide and for a narrow screen; the page shows the one that fits. There are no scripts:
//! details appear on pointing and on keyboard focus by style alone.

mod cycle;
mod lanes;
mod layout;
mod style;
mod text;
mod words;

pub(crate) use style::STYLE;

use crate::report;
use checker::explain::{Explanation, Fate};
use checker::{Validity, Verdict};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Widths that pictures are drawn for, in pixels: within the page at 1280 and at 480.
const WIDE: f64 = 1080.0;
const NARROW: f64 = 416.0;

/// What a page is about.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The name of the history's file.
    pub file: &'a str,
    pub model: &'a str,
    /// Events in the history.
    pub events: usize,
}

/// A self-contained page of the verdicts on one history, worst first, each invalid one explained.
pub fn page(source: &Source<'_>, verdicts: &BTreeMap<String, Verdict>) -> String {
    let worst = verdicts.values().map(|verdict| verdict.valid).max();
    let worst = worst.unwrap_or(Validity::Unknown);
    let mut ordered: Vec<(&String, &Verdict)> = verdicts.iter().collect();
    ordered.sort_by_key(|(_, verdict)| std::cmp::Reverse(verdict.valid));
    let (invalid, others): (Vec<_>, Vec<_>) = ordered
        .into_iter()
        .partition(|(_, verdict)| verdict.valid == Validity::Invalid);
    let title = format!(
        "{}: {} as {}",
        worst.to_string().to_uppercase(),
        source.file,
        source.model
    );
    let content = html! {
        header {
            div.verdict {
                (report::badge(worst))
                h1 { (source.file) " as " (source.model) }
            }
            @if worst == Validity::Valid {
                p.reason { "All " (crate::table::count(source.events as u64)) " events were judged; nothing contradicts the model." }
            }
        }
        main {
            @for (name, verdict) in &invalid {
                div.violation {
                    @if invalid.len() > 1 { h2 { (name) } }
                    p.reason { (verdict.reason) }
                    @match Explanation::of(verdict) {
                        Some(explanation) => (section(&explanation)),
                        None => p.note { "There is no picture: " (unexplained(verdict)) },
                    }
                }
            }
            @if !others.is_empty() && (worst != Validity::Valid || others.len() > 1) {
                section #checks {
                    h2 { "Other checks" }
                    @for (name, verdict) in &others {
                        p { (report::badge(verdict.valid)) " " strong { (name) } " " (verdict.reason) }
                    }
                }
            }
        }
        footer { p { "Judged by shakedown. The model is told by " code { "shakedown list" } "." } }
    };
    report::document(&title, content)
}

fn unexplained(verdict: &Verdict) -> &str {
    let told = verdict.details.get("unexplained");
    told.and_then(|text| text.as_str())
        .unwrap_or("the verdict was not explained")
}

/// An explanation without its sentence, which stands above it.
pub fn section(explanation: &Explanation) -> Markup {
    html! {
        div.explanation {
            @for anomaly in &explanation.anomalies {
                (figure(&words::anomaly_title(anomaly), |width| cycle::draw(anomaly, width)))
                p.note.unconfirmed[!anomaly.witness.confirmed] { (words::witness(&anomaly.witness)) }
            }
            @if !explanation.anomalies.is_empty() { (words::dependencies(explanation)) }
            @if !explanation.operations.is_empty() {
                (figure(&words::lanes_title(explanation), |width| lanes::draw(explanation, width)))
            }
            @if let Some(place) = &explanation.place { (words::order(explanation, place)) }
            ul.evidence {
                @for line in words::evidence(explanation) { li { (line) } }
            }
            @if !explanation.history.is_empty() {
                details {
                    summary { "These operations as a history file" }
                    p.note { "Save it, and judge it by itself with " code { "shakedown check FILE --model MODEL" } "." }
                    pre { (explanation.history) }
                }
            }
            details {
                summary { "How to read the picture" }
                (words::how_to_read(explanation))
            }
        }
    }
}

/// A picture in two widths, of which the page shows the one that fits.
fn figure(title: &str, draw: impl Fn(f64) -> lanes::Drawn) -> Markup {
    let drawn = |width: f64, class: &str| {
        let drawn = draw(width);
        // A crowded picture may be wider than asked for: then it is scrolled, not shrunk to nothing.
        let least = if drawn.width > width {
            drawn.width
        } else {
            0.0
        };
        html! {
            div class={ "scroll " (class) } {
                svg viewBox={ "0 0 " (drawn.width.round()) " " (drawn.height.round()) }
                    style={ "min-width:" (least.round()) "px;max-width:" ((drawn.width * 1.25).round()) "px" }
                    class="explained" role="group" aria-label=(title)
                    font-family="system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif" {
                    (drawn.body)
                }
            }
        }
    };
    html! {
        figure {
            figcaption { (title) }
            (drawn(WIDE, "wide"))
            (drawn(NARROW, "narrow"))
        }
    }
}

/// The look of an operation by its end.
fn class_of(fate: Fate) -> &'static str {
    match fate {
        Fate::Happened => "happened",
        Fate::Failed => "failed",
        Fate::Unknown => "unknown",
    }
}
