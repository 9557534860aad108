//! Operations over time, a lane for each process: numbers give the longest legal order, red is the
//! operation that can't follow, the strip below tells the state, bands behind are faults.

use super::layout::{Layout, Point};
use super::{class_of, text, words};
use crate::plots;
use checker::explain::words::moment;
use checker::explain::{Explanation, Fate, FaultSpan, Place, Shown};
use maud::{Markup, html};

const LANE: f64 = 48.0;
const BAR: f64 = 20.0;
/// From the top of a lane to its bar; the label stands above.
const BAR_TOP: f64 = 19.0;
const LINE: f64 = 16.0;
const FAULT_LINE: f64 = 15.0;
const RADIUS: f64 = 8.5;
/// The note below is written larger and bolder than labels.
const NOTE_WIDER: f64 = 1.18;
/// Below this width names of processes are short.
const NARROW: f64 = 600.0;

/// The inside of a picture, and how large it became.
pub(super) struct Drawn {
    pub width: f64,
    pub height: f64,
    pub body: Markup,
}

pub(super) fn draw(explanation: &Explanation, width: f64) -> Drawn {
    let narrow = width < NARROW;
    // Who begins first stands at the top: then the eye goes down with the time.
    let mut processes: Vec<u64> = Vec::new();
    for one in &explanation.operations {
        if !processes.contains(&one.process) {
            processes.push(one.process);
        }
    }
    let name = |process: &u64| match narrow {
        true => format!("p{process}"),
        false => format!("process {process}"),
    };
    let longest = processes
        .iter()
        .map(|one| text::width(&name(one)))
        .fold(40.0, f64::max);
    let layout = Layout::of(explanation, longest + 8.0, width);
    let top = 6.0 + explanation.faults.len() as f64 * FAULT_LINE;
    let lanes_end = top + processes.len() as f64 * LANE + 4.0;
    let strip = lanes_end + 22.0;
    let notes = match &explanation.place {
        Some(_) => strip + 30.0,
        None => strip,
    };
    let note = explanation
        .place
        .as_ref()
        .map(|place| could_be(explanation, place))
        .unwrap_or_default();
    let note_lines = text::wrap(&note, (layout.width() - 8.0) / NOTE_WIDER);
    let details = notes + note_lines.len() as f64 * LINE + 8.0;
    let detail_width = layout.width() - 8.0;
    let longest_detail = explanation
        .operations
        .iter()
        .map(|one| text::wrap(&one.told, detail_width).len())
        .max()
        .unwrap_or(1);
    let height = details + longest_detail as f64 * LINE + 4.0;
    let lane_of = |process: u64| {
        let at = processes.iter().position(|other| *other == process);
        top + at.unwrap_or_default() as f64 * LANE
    };
    let body = html! {
        (faults(&explanation.faults, &layout, lanes_end))
        @for process in &processes {
            @let y = lane_of(*process);
            text x="4" y=(px(y + BAR_TOP + 14.0)) font-size=(text::SIZE) class="f-muted" { (name(process)) }
            line x1=(px(layout.left)) x2=(px(layout.right)) y1=(px(y + BAR_TOP + BAR / 2.0)) y2=(px(y + BAR_TOP + BAR / 2.0)) class="s-grid" {}
        }
        @if let Some(place) = &explanation.place {
            (drops(&layout, |point| lane_of(explanation.operations[point.operation].process), strip))
            (states(place, &layout, strip))
        }
        @for (at, one) in explanation.operations.iter().enumerate() {
            g.op tabindex="0" role="img" aria-label=(one.told) {
                (operation(&explanation.operations, at, &layout, lane_of(one.process)))
                g.detail {
                    @for (row, line) in text::wrap(&one.told, detail_width).iter().enumerate() {
                        text x="4" y=(px(details + 12.0 + row as f64 * LINE)) font-size=(text::SIZE) class="f-ink" { (line) }
                    }
                }
            }
        }
        (times(&layout, lanes_end))
        @for (at, line) in note_lines.iter().enumerate() {
            text x="4" y=(px(notes + 12.0 + at as f64 * LINE)) font-size="13" font-weight="600" class="f-red" { (line) }
        }
        text x="4" y=(px(details + 12.0)) font-size="11" class="f-muted hint" {
            @if narrow { "Tap an operation for its details." }
            @else { "Point at an operation, or go to it with the tab key, for its details." }
        }
    };
    Drawn {
        width: layout.width(),
        height,
        body,
    }
}

/// A coordinate: tenths are enough, and keep the text stable.
pub(super) fn px(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// A bar from invocation to completion with its label above and its number in it.
fn operation(operations: &[Shown], at: usize, layout: &Layout, y: f64) -> Markup {
    let one = &operations[at];
    let (from, to) = (layout.x[one.invoked_at], layout.end_of(one.completed_at));
    let bar = y + BAR_TOP;
    let class = if one.stuck {
        "stuck"
    } else if one.beside {
        "beside"
    } else {
        class_of(one.fate)
    };
    let ending = match one.fate {
        Fate::Happened => "",
        Fate::Failed => " (failed)",
        Fate::Unknown => " (unknown)",
    };
    let full = format!("{}{ending}", one.label);
    let label = text::clip(&full, layout.room(one, operations));
    let points = layout.points.iter().filter(|point| point.operation == at);
    html! {
        title { (one.told) }
        rect x=(px(from)) y=(px(y)) width=(px((to - from).max(text::width(&label)))) height=(px(LANE - 4.0)) fill="transparent" {}
        @if one.completed_at.is_none() {
            // Open to the right: it may take effect at any time from here on.
            path d={ "M" (px(to)) " " (px(bar)) "H" (px(from)) "V" (px(bar + BAR)) "H" (px(to)) } class={ "bar " (class) } {}
        } @else {
            rect x=(px(from)) y=(px(bar)) width=(px(to - from)) height=(px(BAR)) rx="4" class={ "bar " (class) } {}
        }
        text x=(px(from)) y=(px(y + 13.0)) font-size=(text::SIZE) class=(if one.stuck { "f-red strong" } else { "f-ink" }) { (label) }
        @for point in points { (number(point, bar + BAR / 2.0)) }
        @if one.stuck && layout.points.is_empty() { (cross((from + to) / 2.0, bar + BAR / 2.0)) }
    }
}

fn number(point: &Point, y: f64) -> Markup {
    match point.number {
        Some(number) => html! {
            circle cx=(px(point.x)) cy=(px(y)) r=(RADIUS) class="point" {}
            text x=(px(point.x)) y=(px(y + 4.0)) font-size="11" font-weight="700" text-anchor="middle" class="f-page" { (number) }
        },
        None => cross(point.x, y),
    }
}

fn cross(x: f64, y: f64) -> Markup {
    html! {
        circle cx=(px(x)) cy=(px(y)) r=(RADIUS) class="point wrong" {}
        path d={ "M" (px(x - 3.5)) " " (px(y - 3.5)) "l7 7m0 -7l-7 7" } class="cross" {}
    }
}

/// Lines from the numbers down to the states.
fn drops(layout: &Layout, lane_of: impl Fn(&Point) -> f64, strip: f64) -> Markup {
    html! {
        @for point in &layout.points {
            line x1=(px(point.x)) x2=(px(point.x)) y1=(px(lane_of(point) + BAR_TOP + BAR / 2.0)) y2=(px(strip + 20.0))
                class=(if point.number.is_some() { "drop" } else { "drop wrong" }) {}
        }
    }
}

/// The states that follow one another, each from the number that brings it to the next.
fn states(place: &Place, layout: &Layout, y: f64) -> Markup {
    let mut pieces: Vec<(f64, &str)> = vec![(layout.left, place.initial.as_str())];
    for point in &layout.points {
        let taken = point.number.and_then(|number| place.order.get(number - 1));
        // What changes nothing begins nothing.
        match (taken, pieces.last()) {
            (Some(taken), Some((_, before))) if taken.after != *before => {
                pieces.push((point.x, &taken.after));
            }
            _ => {}
        }
    }
    let ends: Vec<f64> = pieces
        .iter()
        .skip(1)
        .map(|(x, _)| *x)
        .chain([layout.right])
        .collect();
    html! {
        text x="4" y=(px(y + 14.0)) font-size=(text::SIZE) class="f-muted" { "state" }
        @for ((from, state), to) in pieces.iter().zip(ends) {
            g {
                title { (state) }
                rect x=(px(from + 1.0)) y=(px(y)) width=(px((to - from - 2.0).max(1.0))) height="20" rx="3" class="state" {}
                @if to - from > 2.0 * text::CHAR {
                    text x=(px((from + to) / 2.0)) y=(px(y + 14.0)) font-size=(text::SIZE) text-anchor="middle" class="f-ink" {
                        (text::clip(state, to - from - 6.0))
                    }
                }
            }
        }
        @for point in layout.points.iter().filter(|point| point.number.is_none()) {
            (cross(point.x, y + 10.0))
        }
    }
}

/// What the operation that can't follow could have found.
fn could_be(explanation: &Explanation, place: &Place) -> String {
    let stuck = &explanation.operations[place.stuck];
    format!("✗ {}: {}", stuck.label, words::found(place))
}

/// Bands behind the lanes, each with its name in a line of its own.
fn faults(faults: &[FaultSpan], layout: &Layout, bottom: f64) -> Markup {
    html! {
        @for (row, fault) in faults.iter().enumerate() {
            @let (from, to) = layout.span(fault.from_at, fault.to_at);
            @let top = 3.0 + row as f64 * FAULT_LINE;
            @let room = layout.width() - from - 6.0;
            @let role = plots::fault_class(&fault.kind);
            g {
                title {
                    (fault.name) ", " (moment(fault.from)) " to "
                    @match fault.to { Some(to) => (moment(to)), None => "the end" }
                }
                rect x=(px(from)) y=(px(top)) width=(px((to - from).max(2.0))) height=(px(bottom - top)) class={ "band f-" (role) } {}
                @if room > 60.0 {
                    text x=(px(from + 4.0)) y=(px(top + 11.0)) font-size="11" class="f-muted" { (text::clip(&fault.name, room)) }
                } @else {
                    text x=(px(to - 4.0)) y=(px(top + 11.0)) font-size="11" text-anchor="end" class="f-muted" { (fault.name) }
                }
            }
        }
    }
}

/// Times under the lanes, where there is room for them.
fn times(layout: &Layout, y: f64) -> Markup {
    // A history without times.
    if layout.times.iter().all(|time| *time == 0) {
        return html! {};
    }
    let mut free_from = 0.0;
    let mut shown: Vec<(f64, String)> = Vec::new();
    for (x, time) in layout.x.iter().zip(&layout.times) {
        let told = moment(*time);
        let half = text::width(&told) / 2.0 * 0.92;
        let fits = x - half >= free_from && x + half <= layout.width();
        if fits && shown.last().is_none_or(|(_, last)| *last != told) {
            free_from = x + half + 10.0;
            shown.push((*x, told));
        }
    }
    html! {
        @for (x, told) in shown {
            line x1=(px(x)) x2=(px(x)) y1=(px(y - 2.0)) y2=(px(y + 3.0)) class="s-muted" {}
            text x=(px(x)) y=(px(y + 14.0)) font-size="11" text-anchor="middle" class="f-muted" { (told) }
        }
    }
}
