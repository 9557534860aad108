//! Transactions that depend on one another in a circle: one below the other, an arrow with its reason
//! between each two, and the last arrow back to the first. Anomalies without a cycle are the same boxes
//! without arrows.

use super::lanes::{Drawn, px};
use super::text;
use checker::explain::{Anomaly, Step};
use maud::{Markup, html};

/// The way back runs here, left of the boxes.
const RAIL: f64 = 18.0;
const BOX: f64 = 38.0;
const LINE: f64 = 17.0;
const PADDING: f64 = 9.0;
/// Where the arrows between boxes stand, from the boxes' left side.
const ARROW: f64 = 26.0;
const HEAD: f64 = 5.0;
const NARROWEST: f64 = 416.0;
/// Of the name of a dependency.
const CHIP: f64 = 62.0;

/// A transaction, or a dependency, with its lines of text.
struct Row<'a> {
    step: &'a Step,
    lines: Vec<String>,
    top: f64,
    height: f64,
    why: Vec<String>,
    why_height: f64,
}

pub(super) fn draw(anomaly: &Anomaly, width: f64) -> Drawn {
    let longest = anomaly
        .steps
        .iter()
        .map(|step| {
            let boxed = BOX + 2.0 * PADDING + 4.0 + text::width(&step.text);
            boxed.max(BOX + ARROW + CHIP + 24.0 + text::width(&step.why))
        })
        .fold(0.0, f64::max);
    // No wider than its texts, with some air.
    let width = width.min((longest * 1.1).max(NARROWEST));
    let text_width = width - BOX - 2.0 * PADDING - 4.0;
    let why_width = width - BOX - ARROW - CHIP - 24.0;
    let mut y = 4.0;
    let rows: Vec<Row<'_>> = anomaly
        .steps
        .iter()
        .map(|step| {
            let lines = text::wrap(&step.text, text_width);
            let why = match step.edge {
                Some(_) => text::wrap(&step.why, why_width),
                None => Vec::new(),
            };
            let height = lines.len() as f64 * LINE + 2.0 * PADDING - 3.0;
            let why_height = match step.edge {
                Some(_) => (why.len().max(1) as f64 * LINE + 20.0).max(44.0),
                None => 12.0,
            };
            let row = Row {
                step,
                lines,
                top: y,
                height,
                why,
                why_height,
            };
            y += height + why_height;
            row
        })
        .collect();
    let closes = rows.last().is_some_and(|row| row.step.edge.is_some());
    let body = html! {
        @for (at, row) in rows.iter().enumerate() {
            (transaction(row, width))
            @if let Some(edge) = &row.step.edge { (dependency(row, edge, at + 1 == rows.len())) }
        }
        @if let (true, Some(first), Some(last)) = (closes, rows.first(), rows.last()) { (way_back(first, last)) }
    };
    Drawn {
        width,
        height: y + 4.0,
        body,
    }
}

fn transaction(row: &Row<'_>, width: f64) -> Markup {
    let name = format!("T{}", row.step.index);
    html! {
        g.txn tabindex="0" role="img" aria-label=(row.step.text) {
            title { "invoked at index " (row.step.index) }
            rect x=(px(BOX)) y=(px(row.top)) width=(px(width - BOX - 4.0)) height=(px(row.height)) rx="6" class="box" {}
            @for (at, line) in row.lines.iter().enumerate() {
                text x=(px(BOX + PADDING)) y=(px(row.top + PADDING + 10.0 + at as f64 * LINE)) font-size="12.5" class="f-ink" {
                    @match line.strip_prefix(&name) {
                        Some(rest) if at == 0 => { tspan font-weight="700" { (name) } (rest) },
                        _ => (line),
                    }
                }
            }
        }
    }
}

fn dependency(row: &Row<'_>, edge: &str, last: bool) -> Markup {
    let (from, to) = (row.top + row.height, row.top + row.height + row.why_height);
    let x = BOX + ARROW;
    let class = edge_class(edge);
    let first_line = from + (row.why_height - row.why.len().max(1) as f64 * LINE) / 2.0;
    html! {
        g {
            @if !last {
                path d={ "M" (px(x)) " " (px(from)) "V" (px(to - HEAD)) } class={ "edge " (class) } {}
                (head(x, to, class, true))
            }
            rect x=(px(x + 14.0)) y=(px(first_line - 0.5)) width=(px(CHIP)) height="17" rx="4" class={ "chip " (class) } {}
            text x=(px(x + 14.0 + CHIP / 2.0)) y=(px(first_line + 12.0)) font-size="11.5" font-weight="700" text-anchor="middle" class="f-page" { (edge) }
            @for (at, line) in row.why.iter().enumerate() {
                text x=(px(x + CHIP + 22.0)) y=(px(first_line + 12.0 + at as f64 * LINE)) font-size=(text::SIZE) class="f-ink" { (line) }
            }
        }
    }
}

/// The arrow from the last transaction to the first.
fn way_back(first: &Row<'_>, last: &Row<'_>) -> Markup {
    let class = last.step.edge.as_deref().map_or("", edge_class);
    let from = last.top + last.height;
    let bottom = from + last.why_height - 6.0;
    let to = first.top + first.height / 2.0;
    let x = BOX + ARROW;
    html! {
        path d={
            "M" (px(x)) " " (px(from)) "V" (px(bottom - 8.0)) "q0 8 -8 8H" (px(RAIL + 8.0))
            "q-8 0 -8 -8V" (px(to + 8.0)) "q0 -8 8 -8H" (px(BOX - HEAD))
        } class={ "edge " (class) } {}
        (head(BOX, to, class, false))
    }
}

fn head(x: f64, y: f64, class: &str, down: bool) -> Markup {
    let (a, b) = match down {
        true => ((x - HEAD, y - 1.8 * HEAD), (x + HEAD, y - 1.8 * HEAD)),
        false => ((x - 1.8 * HEAD, y - HEAD), (x - 1.8 * HEAD, y + HEAD)),
    };
    html! {
        path d={ "M" (px(x)) " " (px(y)) "L" (px(a.0)) " " (px(a.1)) "L" (px(b.0)) " " (px(b.1)) "Z" } class={ "chip " (class) } {}
    }
}

/// Colour and stroke by the kind of dependency; its name stands beside it.
fn edge_class(edge: &str) -> &'static str {
    match edge {
        "ww" => "e-ww",
        "wr" => "e-wr",
        "rw" => "e-rw",
        _ => "e-time",
    }
}
