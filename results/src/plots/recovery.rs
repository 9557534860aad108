//! How all faults were recovered from, each drawn from its t0: noticed, a new leader, the first success,
//! steady again, and the nodes that were hit caught up. [`super::milestones`] draws one fault by itself.

use super::Picture;
use super::canvas::*;
use crate::measure::{FaultSummary, Results, Rto};
use crate::table::duration;
use plotters::style::text_anchor::HPos;

pub(super) const NAME: i32 = 232;
const VALUE: i32 = 96;
const ROW: i32 = 32;
const TOP: i32 = 30;

/// The overview shows no more faults than a reader can take in.
const ROWS_MAX: usize = 60;

/// Milliseconds since t0 on the horizontal axis.
pub(super) struct Scale {
    left: i32,
    pub right: i32,
    /// Before t0.
    before: f64,
    span: f64,
}

impl Scale {
    /// A scale that leaves room for a name on the left and for a value on the right.
    pub fn new(before: f64, longest: f64, value: i32) -> Self {
        Self {
            left: NAME,
            right: WIDTH as i32 - RIGHT - value,
            before,
            span: longest.max(50.0) * 1.02,
        }
    }

    pub fn x(&self, ms: f64) -> i32 {
        let part = ((ms + self.before) / (self.span + self.before)).clamp(0.0, 1.0);
        self.left + (part * f64::from(self.right - self.left)).round() as i32
    }

    pub fn axis(&self, area: &Area<'_>, top: i32, bottom: i32) -> Drawn {
        let step = step(self.span, 9);
        for n in (0..).take_while(|n| f64::from(*n) * step <= self.span) {
            let ms = f64::from(n) * step;
            let x = self.x(ms);
            line(area, (x, top), (x, bottom), Role::Grid)?;
            let text = match n {
                0 => "t0".to_owned(),
                _ if step >= 100.0 => format!("{} s", (ms / 10.0).round() / 100.0),
                _ => format!("{ms} ms"),
            };
            label(
                area,
                &text,
                (x, bottom + 11),
                font(11.0, Role::Muted),
                HPos::Center,
            )?;
        }
        Ok(())
    }
}

/// The fault's times after its t0.
struct Times<'a> {
    fault: &'a FaultSummary,
    rto: &'a Rto,
    heal: Option<f64>,
    healed: Option<f64>,
    first_success: Option<f64>,
}

impl<'a> Times<'a> {
    fn of(results: &Results, fault: &'a FaultSummary) -> Option<Self> {
        let (rto, t0) = (fault.rto.as_ref()?, fault.effective_ms?);
        let after = |time: Option<f64>| time.map(|time| (time - t0).max(0.0));
        Some(Self {
            fault,
            rto,
            heal: after(fault.heal_ms),
            healed: after(fault.healed_ms),
            first_success: rto
                .first_success_ms
                .filter(|ms| *ms >= results.rto.resolution_ms),
        })
    }

    /// The end of the rejoin.
    fn rejoined(&self) -> Option<f64> {
        Some(self.heal? + self.rto.rejoin_ms?)
    }

    fn elected(&self) -> Option<f64> {
        Some(self.rto.detect_ms.unwrap_or_default() + self.rto.elect_ms?)
    }

    fn longest(&self) -> f64 {
        let kept = [
            self.rto.first_success_kept_ms,
            self.rto.first_success_new_ms,
        ];
        [
            self.healed,
            self.rejoined(),
            self.rto.steady_ms,
            self.first_success,
            self.elected(),
        ]
        .into_iter()
        .chain(kept)
        .flatten()
        .fold(0.0, f64::max)
    }
}

const PHASES: [(&str, Role); 5] = [
    ("until noticed", Role::Amber),
    ("electing", Role::Pink),
    ("until served", Role::Red),
    ("until steady", Role::Blue),
    ("catching up", Role::Green),
];

/// All faults, one row each; those for which no RTO is due are written paler.
pub(super) fn overview(results: &Results) -> Option<Picture> {
    let mut all: Vec<Times<'_>> = results
        .faults
        .iter()
        .filter_map(|fault| Times::of(results, fault))
        .collect();
    if all.is_empty() {
        return None;
    }
    let total = all.len();
    if total > ROWS_MAX {
        all.sort_by(|a, b| b.rto.away_ms().total_cmp(&a.rto.away_ms()));
        all.truncate(ROWS_MAX);
        all.sort_by_key(|times| times.fault.id);
    }
    let longest = all.iter().map(Times::longest).fold(0.0, f64::max);
    let scale = Scale::new(0.0, longest, VALUE);
    let bottom = TOP + all.len() as i32 * ROW;
    let title = match total > ROWS_MAX {
        false => "Recovery from each fault, from the moment it took effect".to_owned(),
        true => format!("Recovery from the {ROWS_MAX} slowest of {total} faults"),
    };
    Some(picture("recovery", title, (bottom + 26) as u32, |area| {
        key(area, (10, 12), &PHASES)?;
        let values = WIDTH as i32 - RIGHT - VALUE + 12;
        label(
            area,
            "first success",
            (values, 12),
            font(12.0, Role::Muted),
            HPos::Left,
        )?;
        scale.axis(area, TOP, bottom)?;
        for (at, times) in all.iter().enumerate() {
            let y = TOP + at as i32 * ROW;
            let fault = times.fault;
            let name = format!(
                "{}  {} {}",
                fault.id,
                fault.title(),
                shortened(&fault.targets)
            );
            let ink = if times.rto.due {
                Role::Ink
            } else {
                Role::Muted
            };
            label(area, &name, (10, y + ROW / 2), font(12.0, ink), HPos::Left)?;
            // The fault itself: a pale bar behind everything.
            let until = times.healed.unwrap_or(times.rto.window_ms);
            bar(
                area,
                (scale.x(0.0), scale.x(until)),
                (y + 2, y + ROW - 2),
                Role::of_kind(&fault.kind),
                0.13,
            )?;
            segments(area, &scale, times, (y + 6, y + ROW - 12))?;
            if let (Some(heal), Some(rejoined)) = (times.heal, times.rejoined()) {
                bar(
                    area,
                    (scale.x(heal), scale.x(rejoined)),
                    (y + ROW - 10, y + ROW - 5),
                    Role::Green,
                    1.0,
                )?;
            }
            let (value, role) = match (times.first_success, times.rto) {
                (Some(ms), _) => (duration(ms), Role::Ink),
                (None, rto) if rto.below_resolution && !rto.due => {
                    ("no outage".to_owned(), Role::Muted)
                }
                (None, rto) if rto.first_success_ms.is_some() => (
                    format!("< {}", duration(results.rto.resolution_ms)),
                    Role::Muted,
                ),
                (None, rto) if !rto.censored.is_empty() => {
                    (format!("> {}", duration(rto.window_ms)), Role::Red)
                }
                _ => ("not known".to_owned(), Role::Muted),
            };
            label(
                area,
                &value,
                (values, y + ROW / 2),
                font(13.0, role),
                HPos::Left,
            )?;
        }
        Ok(())
    }))
}

/// The bar of the service: noticed, new leader, first success, then thinner until it was steady.
fn segments(area: &Area<'_>, scale: &Scale, times: &Times<'_>, y: (i32, i32)) -> Drawn {
    let mut from = 0.0;
    let middle = (y.0 + y.1) / 2;
    let open = times.rto.censored.iter().any(|c| c == "first_success");
    let away = times.first_success.or(open.then_some(times.rto.window_ms));
    if let Some(first) = away {
        let detect = times.rto.detect_ms;
        for (to, role) in [
            (detect, Role::Amber),
            (times.elected(), Role::Pink),
            (Some(first), Role::Red),
        ] {
            let Some(to) = to.map(|to| to.min(first)).filter(|to| *to > from) else {
                continue;
            };
            bar(area, (scale.x(from), scale.x(to)), y, role, 1.0)?;
            from = to;
        }
    }
    if let Some(steady) = times.rto.steady_ms.filter(|steady| *steady > from) {
        bar(
            area,
            (scale.x(from), scale.x(steady)),
            (middle - 2, middle + 2),
            Role::Blue,
            1.0,
        )?;
    }
    Ok(())
}

fn shortened(targets: &[String]) -> String {
    match targets.len() {
        0..=3 => targets.join(" "),
        n => format!("{} +{}", targets[..2].join(" "), n - 2),
    }
}
