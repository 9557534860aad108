//! A comparison as a page: one file that works offline, without scripts. What changed comes first.

use super::text::{change, heading, value};
use super::{Comparison, Group, Row, Summary, Verdict};
use crate::plots::{Picture, changes, overlay};
use crate::report::document;
use maud::{Markup, PreEscaped, html};

pub fn render(comparison: &Comparison) -> String {
    let title = format!("{} against {}", comparison.new, comparison.base);
    let content = html! {
        header { (head(comparison)) }
        main { (sections(comparison)) }
        footer { p { "shakedown " (env!("CARGO_PKG_VERSION")) } }
    };
    document(&title, content)
}

pub(crate) fn head(comparison: &Comparison) -> Markup {
    html! {
        div.verdict { h1 { (comparison.sentence()) } }
        dl.facts {
            div { dt { "base" } dd { code { (comparison.base) } } }
            div { dt { "new" } dd { code { (comparison.new) } } }
        }
    }
}

pub(crate) fn sections(comparison: &Comparison) -> Markup {
    html! {
        @for group in &comparison.groups { (section(group)) }
        @if !comparison.left_out.is_empty() {
            section {
                h2 { "Left out" }
                ul { @for what in &comparison.left_out { li { (what) } } }
            }
        }
        (method(comparison))
    }
}

fn section(group: &Group) -> Markup {
    let mut rows: Vec<&Row> = group.rows.iter().collect();
    // Stable: within a verdict the order is that of the catalogue.
    rows.sort_by_key(|row| row.verdict);
    let named = usize::from(!group.name.is_empty());
    html! {
        section {
            h2 { @if group.name.is_empty() { "Measures" } @else { (group.name) } }
            @for line in heading(group).iter().skip(named) { p.lead { (line) } }
            div.scroll { table {
                thead { tr {
                    th { "metric" } th.n { "base" } th.n { "new" } th.n { "change" } th { "verdict" }
                } }
                tbody {
                    @for row in rows {
                        tr.faint[row.verdict == Verdict::NotComparable] {
                            td title=[row.metric().map(|metric| metric.help)] { code { (row.metric) } }
                            td.n { (side(row, &row.base)) }
                            td.n { (side(row, &row.new)) }
                            td.n { (change(row)) }
                            td { (verdict(row, group)) }
                        }
                    }
                }
            } }
            @if let Some(picture) = changes(group) { (figure(&picture)) }
            @for recovery in &group.overlays { (figure(&overlay(recovery))) }
            details {
                summary { "Every value" }
                div.scroll { table {
                    thead { tr { th { "metric" } th { "base" } th { "new" } } }
                    tbody {
                        @for row in &group.rows {
                            tr {
                                td { code { (row.metric) } }
                                td { (values(row, &row.base)) }
                                td { (values(row, &row.new)) }
                            }
                        }
                    }
                } }
                @for (name, runs) in [("base", &group.base), ("new", &group.new)] {
                    h3 { "Runs of " (name) }
                    ul { @for path in &runs.paths { li { code { (path) } } } }
                }
            }
        }
    }
}

fn side(row: &Row, summary: &Option<Summary>) -> String {
    match summary {
        Some(summary) => value(summary.median, row.unit()),
        None => "-".to_owned(),
    }
}

fn values(row: &Row, summary: &Option<Summary>) -> String {
    let values = summary.iter().flat_map(|summary| &summary.values);
    let shown: Vec<String> = values.map(|each| value(*each, row.unit())).collect();
    shown.join(", ")
}

/// With a sign, so that it does not rest on colour alone.
fn verdict(row: &Row, group: &Group) -> Markup {
    html! {
        @match row.verdict {
            Verdict::Regressed => span.text-invalid { "▼ regressed" },
            Verdict::Improved => span.text-valid { "▲ improved" },
            Verdict::WithinNoise => "within noise",
            Verdict::NotComparable => {
                "not comparable"
                @if group.not_comparable.is_none() { ": " (row.reason) }
            },
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

fn method(comparison: &Comparison) -> Markup {
    html! {
        section {
            h2 { "How this is judged" }
            p.lead {
                "Base and new are medians over the runs. The change is the ratio of the geometric means (where a \
                 value is 0, the difference of the means) with its 95 % interval (Student's of the pairs, else Welch's) for \
                 this measure alone. Improved and regressed are said only where a change of this size would come up by chance \
                 in any of the measures of the page in at most " (format!("{:.0} %", comparison.alpha * 100.0))
                " of comparisons of equal sets (runs dealt to both sides anew, pairs within themselves; step-down maxT of Westfall and \
                 Young), and is at least 2 %. All else is within noise: not shown to differ, which is less than \
                 shown to be equal; the interval says how large a change may still hide."
            }
        }
    }
}
