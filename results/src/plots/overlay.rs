//! Recoveries of two sets of runs laid over each other at the moment of the fault, and changes beside each
//! other with their intervals.

use super::Picture;
use super::canvas::*;
use super::upright::{Upright, rate};
use crate::compare::aligned::{Band, Overlay};
use crate::compare::{Change, Group, Row, Verdict};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const HEIGHT: u32 = 240;
const TOP: i32 = 36;
const BOTTOM: i32 = HEIGHT as i32 - 28;

/// Successful operations a second around the faults of a kind.
pub fn overlay(recovery: &Overlay) -> Picture {
    let bins = recovery.base.median.len();
    let to_ms = recovery.from_ms + bins as i64 * recovery.bin_ms as i64;
    let highs = recovery
        .base
        .high
        .iter()
        .chain(&recovery.new.high)
        .flatten();
    let high = highs.fold(10f64, |most, rate| most.max(*rate)) * 1.05;
    let x = |ms: i64| {
        let part = (ms - recovery.from_ms) as f64 / (to_ms - recovery.from_ms).max(1) as f64;
        LEFT + (part * f64::from(WIDTH as i32 - RIGHT - LEFT)).round() as i32
    };
    let upright = Upright::to(high, 4, (TOP, BOTTOM));
    let middle =
        |bin: usize| x(recovery.from_ms + (bin as i64 * 2 + 1) * recovery.bin_ms as i64 / 2);
    let title = format!(
        "Successful operations a second around {}: median of {} faults (base) and {} (new), shaded the middle 80 %",
        recovery.kind, recovery.base.faults, recovery.new.faults
    );
    picture(
        format!("overlay-{}", recovery.kind),
        title,
        HEIGHT,
        |area| {
            key(area, KEY, &[("base", Role::Blue), ("new", Role::Amber)])?;
            for second in (recovery.from_ms.div_euclid(1_000)..=to_ms.div_euclid(1_000))
                .filter(|second| second * 1_000 >= recovery.from_ms)
            {
                let at = x(second * 1_000);
                let role = if second == 0 { Role::Ink } else { Role::Grid };
                line(area, (at, TOP), (at, BOTTOM), role)?;
                let text = match second {
                    0 => "fault".to_owned(),
                    second => format!("{second:+} s"),
                };
                label(
                    area,
                    &text,
                    (at, BOTTOM + 12),
                    font(11.0, Role::Muted),
                    HPos::Center,
                )?;
            }
            upright.draw(area, rate)?;
            for (band, role) in [(&recovery.base, Role::Blue), (&recovery.new, Role::Amber)] {
                draw_band(area, band, role, &middle, &upright)?;
            }
            Ok(())
        },
    )
}

fn draw_band(
    area: &Area<'_>,
    band: &Band,
    role: Role,
    x: &dyn Fn(usize) -> i32,
    upright: &Upright,
) -> Drawn {
    let line_of = |of: &[Option<f64>]| -> Vec<(i32, i32)> {
        let known = of
            .iter()
            .enumerate()
            .filter_map(|(bin, rate)| Some((bin, (*rate)?)));
        known.map(|(bin, rate)| (x(bin), upright.y(rate))).collect()
    };
    let mut around = line_of(&band.high);
    around.extend(line_of(&band.low).into_iter().rev());
    if around.len() > 2 {
        area.draw(&Polygon::new(around, role.color().mix(0.15).filled()))?;
    }
    area.draw(&PathElement::new(
        line_of(&band.median),
        role.color().stroke_width(2),
    ))
}

/// How far the axis of the changes goes to both sides; what is beyond has an arrow.
const REACH: f64 = 1.0;

/// The relative change of each measure with its interval; none where no measure has one.
pub fn changes(group: &Group) -> Option<Picture> {
    const NAMES: i32 = 250;
    const ROW: i32 = 22;
    let known: Vec<(&Row, f64, f64, f64)> = group
        .rows
        .iter()
        // Where some are judged, those that can't be would only distract.
        .filter(|row| group.not_comparable.is_some() || row.verdict != Verdict::NotComparable)
        .filter_map(|row| match row.change? {
            Change::Relative { value, interval } => {
                let interval = interval?;
                Some((row, value, interval.low, interval.high))
            }
            Change::Absolute { .. } => None,
        })
        .collect();
    if known.is_empty() {
        return None;
    }
    let bottom = 14 + ROW * known.len() as i32;
    // As a logarithm: half is as far as double.
    let x = |ratio: f64| {
        let place = (ratio.max(-0.999).ln_1p() / REACH).clamp(-1.0, 1.0);
        let (left, right) = (NAMES, WIDTH as i32 - RIGHT - 20);
        left + ((place + 1.0) / 2.0 * f64::from(right - left)).round() as i32
    };
    let title = "Change of each measure from base to new, with its 95 % interval";
    let drawn = picture("changes", title, bottom as u32 + 28, |area| {
        for (ratio, text) in [
            (-0.6, "-60 %"),
            (-0.4, "-40 %"),
            (-0.2, "-20 %"),
            (0.0, "same"),
            (0.25, "+25 %"),
            (0.5, "+50 %"),
            (1.0, "double"),
        ] {
            let role = if ratio == 0.0 { Role::Ink } else { Role::Grid };
            line(area, (x(ratio), 6), (x(ratio), bottom), role)?;
            label(
                area,
                text,
                (x(ratio), bottom + 12),
                font(11.0, Role::Muted),
                HPos::Center,
            )?;
        }
        for (n, (row, value, low, high)) in known.iter().enumerate() {
            let y = 16 + ROW * n as i32;
            let role = match row.verdict {
                Verdict::Regressed => Role::Red,
                Verdict::Improved => Role::Green,
                Verdict::WithinNoise | Verdict::NotComparable => Role::Muted,
            };
            label(
                area,
                &row.metric,
                (NAMES - 24, y),
                font(12.0, Role::Ink),
                HPos::Right,
            )?;
            bar(area, (x(*low), x(*high)), (y - 1, y + 1), role, 0.8)?;
            for (beyond, at, arrow) in [
                (low.max(-0.999).ln_1p() < -REACH, x(*low) - 8, "‹"),
                (high.ln_1p() > REACH, x(*high) + 8, "›"),
            ] {
                if beyond {
                    label(area, arrow, (at, y - 1), font(14.0, role), HPos::Center)?;
                }
            }
            bar(
                area,
                (x(*value) - 4, x(*value) + 4),
                (y - 4, y + 4),
                role,
                1.0,
            )?;
        }
        Ok(())
    });
    Some(drawn)
}
