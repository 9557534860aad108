//! The horizontal scale: intervals by their logarithm, and never at a place of its own.

use super::{BOTTOM, TOP};
use crate::plots::canvas::*;
use crate::sweep::Interval;
use plotters::style::text_anchor::HPos;

/// Between the longest interval and never.
const BREAK: i32 = 90;
/// Beside the first and the last place.
const MARGIN: i32 = 44;

/// A vertical line that means something.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In the unit of the intervals.
    pub at: f64,
    pub name: String,
}

pub struct Scale {
    /// From the shortest, without never.
    intervals: Vec<(f64, String)>,
    never: bool,
}

impl Scale {
    pub fn of(intervals: impl Iterator<Item = Interval>) -> Self {
        let mut scale = Self {
            intervals: Vec::new(),
            never: false,
        };
        for interval in intervals {
            match amount(interval) {
                Some(amount) => scale.intervals.push((amount, words(interval))),
                None => scale.never = true,
            }
        }
        scale.intervals.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        scale.intervals.dedup_by(|(a, _), (b, _)| a == b);
        scale
    }

    fn right(&self) -> i32 {
        let most = WIDTH as i32 - RIGHT - MARGIN;
        match self.never && !self.intervals.is_empty() {
            true => most - BREAK,
            false => most,
        }
    }

    pub fn x(&self, interval: Interval) -> i32 {
        match amount(interval) {
            None => WIDTH as i32 - RIGHT - MARGIN,
            Some(amount) => self.at(amount),
        }
    }

    /// The place of an amount; at the edge if it is outside.
    pub fn at(&self, amount: f64) -> i32 {
        let left = LEFT + MARGIN;
        let ends = self.intervals.first().zip(self.intervals.last());
        let part = match ends {
            Some(((low, _), (high, _))) if high > low => {
                ((amount / low).ln() / (high / low).ln()).clamp(0.0, 1.0)
            }
            // A single one stands in the middle.
            _ => 0.5,
        };
        left + (part * f64::from(self.right() - left)).round() as i32
    }

    fn holds(&self, amount: f64) -> bool {
        let ends = self.intervals.first().zip(self.intervals.last());
        ends.is_some_and(|((low, _), (high, _))| (*low..=*high).contains(&amount))
    }

    pub fn draw(&self, area: &Area<'_>) -> Drawn {
        let never = self.never.then(|| (self.x(Interval::Never), "never"));
        let places = self
            .intervals
            .iter()
            .map(|(amount, text)| (self.at(*amount), text.as_str()));
        let mut free = i32::MIN;
        for (x, text) in places.chain(never) {
            line(area, (x, BOTTOM), (x, BOTTOM + 4), Role::Muted)?;
            let half = 7 * text.chars().count() as i32 / 2;
            // Where two are too near, the second goes a line down.
            let y = if x - half < free {
                BOTTOM + 28
            } else {
                BOTTOM + 14
            };
            free = x + half + 6;
            label(area, text, (x, y), font(11.0, Role::Muted), HPos::Center)?;
        }
        Ok(())
    }

    /// Vertical lines with their names; those outside are left out, since the scale can't show them.
    pub fn marks(&self, area: &Area<'_>, marks: &[Mark]) -> Drawn {
        let mut y = TOP - 6;
        for mark in marks.iter().filter(|mark| self.holds(mark.at)) {
            let x = self.at(mark.at);
            line(area, (x, TOP), (x, BOTTOM), Role::Ink)?;
            y += 13;
            let (at, side) = match x > WIDTH as i32 * 2 / 3 {
                true => (x - 5, HPos::Right),
                false => (x + 5, HPos::Left),
            };
            label(area, &mark.name, (at, y), font(11.0, Role::Ink), side)?;
        }
        Ok(())
    }
}

fn amount(interval: Interval) -> Option<f64> {
    match interval {
        Interval::Entries(entries) => Some(entries as f64),
        Interval::Bytes(bytes) => Some(bytes as f64),
        Interval::Seconds(seconds) => Some(seconds),
        Interval::Never => None,
    }
}

/// As it stands below the scale and in tables.
pub fn words(interval: Interval) -> String {
    match interval {
        Interval::Entries(entries) => crate::table::count(entries),
        Interval::Bytes(bytes) => crate::table::size(bytes),
        Interval::Seconds(seconds) => format!("{seconds} s"),
        Interval::Never => "never".to_owned(),
    }
}
