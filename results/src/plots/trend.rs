//! A measure over nights: every value, the level of each stretch, and where it changed.

use super::Picture;
use super::canvas::*;
use crate::compare::text::value;
use crate::suite::trend::Trend;
use plotters::style::text_anchor::HPos;

const HEIGHT: u32 = 150;
const TOP: i32 = 26;
const BOTTOM: i32 = HEIGHT as i32 - 26;

/// The nights stand at equal distances, whatever time lies between them.
pub fn trend(trend: &Trend) -> Picture {
    let values: Vec<f64> = trend.points.iter().map(|(_, value)| *value).collect();
    let unit = trend.metric.unit;
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Room around them: noise must not look like a cliff.
    let room = ((most - least) * 0.15)
        .max(most.abs() * 0.05)
        .max(f64::MIN_POSITIVE);
    let (low, high) = ((least - room).max(least.min(0.0)), most + room);
    let right = WIDTH as i32 - RIGHT;
    let last = values.len().saturating_sub(1).max(1);
    let x = |at: usize| LEFT + ((right - LEFT) as f64 * at as f64 / last as f64).round() as i32;
    let y = |value: f64| {
        BOTTOM - ((value - low) / (high - low) * f64::from(BOTTOM - TOP)).round() as i32
    };
    let title = format!(
        "{} of {}: {}",
        trend.metric.name, trend.test, trend.metric.help
    );
    let name = format!("trend-{}-{}", trend.test, trend.metric.name);
    picture(name, title, HEIGHT, |area| {
        for (at, value_at) in [(TOP, high), (BOTTOM, low)] {
            line(area, (LEFT, at), (right, at), Role::Grid)?;
            let text = value(value_at, unit);
            label(
                area,
                &text,
                (LEFT - 8, at),
                font(11.0, Role::Muted),
                HPos::Right,
            )?;
        }
        let ends = [(0, HPos::Left), (values.len() - 1, HPos::Right)];
        for (at, side) in ends {
            let text = &trend.points[at].0;
            label(
                area,
                text,
                (x(at), BOTTOM + 13),
                font(11.0, Role::Muted),
                side,
            )?;
        }
        for (from, to, level) in stretches(trend, &values) {
            let half = (right - LEFT) / (2 * last as i32);
            let (left, right) = (
                x(from) - half.min(x(from) - LEFT),
                (x(to) + half).min(right),
            );
            bar(
                area,
                (left, right),
                (y(level) - 1, y(level) + 1),
                Role::Blue,
                0.55,
            )?;
        }
        for change in &trend.changes {
            let between = (x(change.at - 1) + x(change.at)) / 2;
            line(area, (between, TOP), (between, BOTTOM), Role::Red)?;
            let text = format!("since {}", trend.points[change.at].0);
            // Beside the line, on the side that has room.
            let (at, side) = match between > (LEFT + right) / 2 {
                true => (between - 4, HPos::Right),
                false => (between + 4, HPos::Left),
            };
            label(area, &text, (at, TOP - 10), font(11.0, Role::Red), side)?;
        }
        for (at, value) in values.iter().enumerate() {
            let (x, y) = (x(at), y(*value));
            bar(area, (x - 2, x + 2), (y - 2, y + 2), Role::Ink, 1.0)?;
        }
        Ok(())
    })
}

/// First and last night of each stretch, and its median.
fn stretches(trend: &Trend, values: &[f64]) -> Vec<(usize, usize, f64)> {
    let mut starts: Vec<usize> = trend.changes.iter().map(|change| change.at).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([values.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(from, to)| {
            let level = crate::statistics::median(&values[*from..to])?;
            Some((*from, to - 1, level))
        })
        .collect()
}
