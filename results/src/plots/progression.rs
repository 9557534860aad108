//! One number run after run, with the levels between the moments at which it changed.

use super::Picture;
use super::canvas::*;
use super::series::Series;
use super::{latency, throughput};
use crate::recorded::{Marks, Recorded};
use crate::statistics::change::ChangePoint;
use checker::history::faults::FaultRecord;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const HEIGHT: u32 = 240;
const TOP: i32 = 24;
const BOTTOM: i32 = HEIGHT as i32 - 28;

/// One run of a progression.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    pub value: f64,
    /// Below the picture, where there is room.
    pub label: String,
    /// Marked by colour and shape.
    pub bad: bool,
}

/// At least one dot. `shown` writes a value.
pub fn progression(
    title: &str,
    dots: &[Dot],
    changes: &[ChangePoint],
    shown: &dyn Fn(f64) -> String,
) -> Picture {
    let high = dots.iter().map(|dot| dot.value).fold(0.0, f64::max) * 1.08;
    let high = if high > 0.0 { high } else { 1.0 };
    let last = dots.len().saturating_sub(1).max(1) as f64;
    let x = |at: f64| {
        let span = f64::from(WIDTH as i32 - RIGHT - LEFT - 20);
        LEFT + 10 + (span * at / last).round() as i32
    };
    let y = |value: f64| BOTTOM - (value / high * f64::from(BOTTOM - TOP)).round() as i32;
    picture("progression", title, HEIGHT, |area| {
        let step = step(high, 4);
        for value in (0..)
            .map(|n| f64::from(n) * step)
            .take_while(|value| *value <= high)
        {
            line(
                area,
                (LEFT, y(value)),
                (WIDTH as i32 - RIGHT, y(value)),
                Role::Grid,
            )?;
            let at = (LEFT - 8, y(value));
            label(
                area,
                &shown(value),
                at,
                font(11.0, Role::Muted),
                HPos::Right,
            )?;
        }
        for (n, change) in changes.iter().enumerate() {
            let from = if n == 0 { 0 } else { changes[n - 1].at };
            let to = changes.get(n + 1).map_or(dots.len(), |next| next.at);
            let split = x(change.at as f64 - 0.5);
            level(area, (x(from as f64), split), y(change.before))?;
            level(area, (split, x(to as f64 - 1.0)), y(change.after))?;
            line(area, (split, TOP), (split, BOTTOM), Role::Amber)?;
            label(
                area,
                "change",
                (split + 4, TOP - 8),
                font(11.0, Role::Muted),
                HPos::Left,
            )?;
        }
        for (at, dot) in dots.iter().enumerate() {
            let place = (x(at as f64), y(dot.value));
            match dot.bad {
                true => area.draw(&Cross::new(place, 5, Role::Red.color().stroke_width(2)))?,
                false => area.draw(&Circle::new(place, 3, Role::Blue.color().filled()))?,
            }
        }
        let every = dots.len().div_ceil(6).max(1);
        for (at, dot) in dots.iter().enumerate().step_by(every) {
            let side = if at == 0 { HPos::Left } else { HPos::Center };
            // The last one would run out of the picture.
            if at == 0 || x(at as f64) < WIDTH as i32 - RIGHT - 60 {
                label(
                    area,
                    &dot.label,
                    (x(at as f64), BOTTOM + 14),
                    font(11.0, Role::Muted),
                    side,
                )?;
            }
        }
        Ok(())
    })
}

fn level(area: &Area<'_>, x: (i32, i32), y: i32) -> Drawn {
    bar(area, x, (y - 1, y + 1), Role::Green, 0.9)
}

/// The pictures of a run that goes on.
pub fn growing(series: &Series, faults: &[FaultRecord]) -> [Picture; 2] {
    let end = (series.to_s * 1e9) as u64;
    let recorded = Recorded {
        faults: faults.to_vec(),
        marks: Marks {
            load_end: end,
            all_healed: end,
            finale_start: end,
            end,
            ..Marks::default()
        },
        ..Recorded::default()
    };
    let (scale, bands) = (Timescale { from: 0, to: end }, Bands::of(&recorded));
    [
        throughput::draw(series, &scale, &bands),
        latency::draw(series, &scale, &bands),
    ]
}
