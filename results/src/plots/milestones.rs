//! The recovery from one fault as a timeline: what clients got done above, the moments of the recovery below,
//! each as far right as it came late, then what the nodes that were hit say of their way back.

use super::Picture;
use super::canvas::*;
use super::recovery::{NAME, Scale};
use crate::measure::{FaultSummary, Milestone, Moment, Rate, Recovery, Results, Rto, completions};
use crate::recorded::Recorded;
use crate::table::{count, duration};
use checker::Phase;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const ROW: i32 = 22;
/// The part above: from, to.
const LOAD: (i32, i32) = (14, 78);
const TOP: i32 = LOAD.1 + 10;
/// Right of the scale, for the last moment's time.
const VALUE: i32 = 110;
/// How many bins the part above has after t0.
const BINS: f64 = 120.0;
/// Longer reasons end in an ellipsis.
const REASON_CHARS_MAX: usize = 104;

/// One picture for each fault that took effect.
pub(super) fn each(recorded: &Recorded, results: &Results) -> Vec<(u32, Picture)> {
    let done: Vec<u64> = completions(recorded)
        .filter(|completion| matches!(completion.phase, Phase::Ok(_)))
        .map(|completion| completion.at)
        .collect();
    results
        .faults
        .iter()
        .filter_map(|fault| {
            let t0 = fault.effective_ms?;
            let rto = fault.rto.as_ref()?;
            Some((fault.id, one(&done, fault, t0, rto)))
        })
        .collect()
}

fn one(done: &[u64], fault: &FaultSummary, t0: f64, rto: &Rto) -> Picture {
    let marks = marks(fault, rto);
    let spans = spans(rto, fault.heal_ms.map(|heal| (heal - t0).max(0.0)));
    let ends = spans.iter().map(|span| span.to);
    let longest = marks
        .iter()
        .filter_map(|mark| mark.at)
        .chain(ends)
        .fold(200.0, f64::max);
    let scale = Scale::new(longest * 0.12, longest, VALUE);
    let rows = (marks.len() + spans.len()) as i32;
    let bottom = TOP + rows * ROW;
    let title = format!(
        "Recovery from fault {}: {} {}, from the moment it took effect",
        fault.id,
        fault.title(),
        fault.targets.join(" ")
    );
    let name = format!("recovery-{:02}", fault.id);
    picture(name, title, (bottom + 26) as u32, |area| {
        let kind = Role::of_kind(&fault.kind);
        let until = marks.iter().find(|mark| mark.moment == Moment::Healed);
        let until = until.and_then(|mark| mark.at).unwrap_or(longest);
        bar(
            area,
            (scale.x(0.0), scale.x(until)),
            (LOAD.0, bottom),
            kind,
            0.1,
        )?;
        scale.axis(area, LOAD.0, bottom)?;
        load(area, &scale, done, t0, longest, rto.baseline)?;
        let mut y = TOP;
        for mark in &marks {
            row_name(area, mark.moment.name(), y)?;
            draw_mark(area, &scale, mark, y + ROW / 2)?;
            y += ROW;
        }
        for span in &spans {
            row_name(area, &span.name, y)?;
            let (from, to) = (scale.x(span.from), scale.x(span.to));
            bar(area, (from, to), (y + 6, y + 16), span.role, 1.0)?;
            let took = duration(((span.to - span.from) * 1e3).round() / 1e3);
            let at = (to.max(from + 1) + 8, y + ROW / 2);
            label(area, &took, at, font(11.0, Role::Muted), HPos::Left)?;
            y += ROW;
        }
        Ok(())
    })
}

fn row_name(area: &Area<'_>, name: &str, y: i32) -> Drawn {
    let at = (NAME - 12, y + ROW / 2);
    label(area, name, at, font(12.0, Role::Ink), HPos::Right)
}

/// A row of the timeline.
struct Mark {
    moment: Moment,
    at: Option<f64>,
    text: String,
    role: Role,
}

fn marks(fault: &FaultSummary, rto: &Rto) -> Vec<Mark> {
    let text = |milestone: &Milestone| match milestone.at_ms {
        Some(_) if milestone.moment == Moment::Effective => {
            let at = fault.effective_ms.unwrap_or_default();
            format!("t0, {} into the run", duration(at))
        }
        Some(_) => milestone.written(),
        None => shortened(milestone.reason.as_deref().unwrap_or("not known")),
    };
    let role = |moment| match moment {
        Moment::Effective => Role::of_kind(&fault.kind),
        Moment::FirstFailed | Moment::FirstOkNew | Moment::FirstOkKept | Moment::FirstWrite => {
            Role::Red
        }
        Moment::Detected => Role::Amber,
        Moment::Elected => Role::Pink,
        Moment::ThroughputBack | Moment::P99Back => Role::Blue,
        Moment::HealBegun | Moment::Healed => Role::Muted,
        Moment::Rejoined => Role::Green,
    };
    // A fault that left the leader and the majority alone has no election to wait for, and one that nobody
    // noticed no first success.
    let shown = |milestone: &&Milestone| match milestone.moment {
        Moment::Detected | Moment::Elected => rto.due,
        Moment::FirstOkNew | Moment::FirstOkKept | Moment::FirstWrite => !rto.below_resolution,
        _ => true,
    };
    rto.timeline
        .iter()
        .filter(shown)
        .map(|milestone| Mark {
            moment: milestone.moment,
            at: milestone.at_ms,
            text: text(milestone),
            role: role(milestone.moment),
        })
        .collect()
}

fn draw_mark(area: &Area<'_>, scale: &Scale, mark: &Mark, y: i32) -> Drawn {
    let from = scale.x(0.0);
    let Some(at) = mark.at else {
        let text = font(11.0, Role::Muted);
        return label(area, &mark.text, (from + 8, y), text, HPos::Left);
    };
    let to = scale.x(at);
    bar(area, (from, to), (y - 1, y + 1), mark.role, 0.55)?;
    area.draw(&Circle::new((to, y), 5, mark.role.color().filled()))?;
    label(
        area,
        &mark.text,
        (to + 12, y),
        font(11.5, Role::Ink),
        HPos::Left,
    )
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        None => reason.to_owned(),
        Some((end, _)) => format!("{}...", reason[..end].trim_end()),
    }
}

/// What clients got done in bins around the fault, beside what they had before it.
fn load(
    area: &Area<'_>,
    scale: &Scale,
    done: &[u64],
    t0: f64,
    longest: f64,
    baseline: Option<Rate>,
) -> Drawn {
    let bin = (longest / BINS).max(20.0);
    let before = (longest * 0.12 / bin).floor().min((t0 / bin).floor()) as i32;
    let after = (longest / bin).ceil() as i32;
    let count_in = |from: f64, to: f64| {
        let place = |ms: f64| done.partition_point(|at| (*at as f64) < (t0 + ms) * 1e6);
        place(to) - place(from)
    };
    let rates: Vec<(f64, f64)> = (-before..after)
        .map(|n| {
            let from = f64::from(n) * bin;
            (from, count_in(from, from + bin) as f64 * 1e3 / bin)
        })
        .collect();
    let usual = baseline.map(|rate| rate.ops_per_second);
    let high = rates
        .iter()
        .map(|(_, rate)| *rate)
        .chain(usual)
        .fold(1.0, f64::max);
    let y = |rate: f64| LOAD.1 - (rate / high * f64::from(LOAD.1 - LOAD.0)).round() as i32;
    let mut steps: Vec<(i32, i32)> = Vec::new();
    for (from, rate) in &rates {
        let corners = [(scale.x(*from), y(*rate)), (scale.x(from + bin), y(*rate))];
        // Neighbours of one height are one step.
        if steps.last().is_some_and(|last| last.1 == corners[0].1) {
            steps.pop();
            steps.push(corners[1]);
        } else {
            steps.extend(corners);
        }
    }
    if let (Some(first), Some(last)) = (steps.first().copied(), steps.last().copied()) {
        let mut outline = steps.clone();
        outline.extend([(last.0, LOAD.1), (first.0, LOAD.1)]);
        area.draw(&Polygon::new(outline, Role::Blue.color().mix(0.18)))?;
        area.draw(&PathElement::new(steps, Role::Blue.color().stroke_width(2)))?;
    }
    let middle = (LOAD.0 + LOAD.1) / 2;
    let small = || font(11.0, Role::Muted);
    label(
        area,
        "clients' operations",
        (NAME - 12, middle),
        font(12.0, Role::Ink),
        HPos::Right,
    )?;
    if let Some(usual) = usual {
        line(
            area,
            (scale.x(-longest), y(usual)),
            (scale.right, y(usual)),
            Role::Muted,
        )?;
        let text = format!("before: {}/s", count(usual.round() as u64));
        label(
            area,
            &text,
            (scale.right + 8, y(usual)),
            small(),
            HPos::Left,
        )?;
    }
    line(
        area,
        (scale.x(-longest), LOAD.1),
        (scale.right, LOAD.1),
        Role::Grid,
    )
}

/// A stretch of time below the moments.
struct Span {
    name: String,
    from: f64,
    to: f64,
    role: Role,
}

/// When the nodes that were hit served again, and what restarted servers say of their recovery.
fn spans(rto: &Rto, heal: Option<f64>) -> Vec<Span> {
    let Some(heal) = heal else {
        return Vec::new();
    };
    let mut spans = Vec::new();
    let mut push = |name: String, from: f64, took: f64, role| {
        spans.push(Span {
            name,
            from,
            to: from + took,
            role,
        });
    };
    for (name, took) in [
        ("hit nodes serve, new", rto.reconnect_new_ms),
        ("hit nodes serve, kept", rto.reconnect_kept_ms),
    ] {
        if let Some(took) = took {
            push(name.into(), heal, took, Role::Sky);
        }
    }
    for (node, recovery) in &rto.recovery {
        let mut from = heal;
        let whole = |(phase, _): &(&str, f64)| Recovery::part_of(phase).is_none();
        for (phase, took) in recovery.phases().filter(whole) {
            push(format!("{node} {phase}"), from, took, Role::Muted);
            from += took;
        }
    }
    spans
}
