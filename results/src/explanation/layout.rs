//! Places over time: each event of the drawn operations gets an x, in the order in which they happened.
//!
//! The order is exact, the distances are not: a few operations may lie microseconds or minutes apart, so
//! every gap is as wide as what stands in it, and only room left over is given out by time.

use super::text;
use checker::explain::{Explanation, Place, Shown};

/// Room between two events, for the end of a bar and the beginning of the next.
const GAP: f64 = 12.0;
/// Room for the number of an operation in a gap.
pub(super) const POINT: f64 = 24.0;
const BAR_MIN: f64 = 30.0;
/// Labels are cut to this share of the picture's width.
const LABEL_SHARE: f64 = 0.36;

pub(super) struct Layout {
    pub left: f64,
    pub right: f64,
    /// Of each event.
    pub x: Vec<f64>,
    /// The time of each event, in nanoseconds.
    pub times: Vec<u64>,
    /// Of each step of the legal order, with the stuck operation among them.
    pub points: Vec<Point>,
}

/// Where an operation takes effect in the legal order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Position among the drawn operations.
    pub operation: usize,
    /// Counts from 1; `None`: the one that can't follow.
    pub number: Option<usize>,
    pub x: f64,
}

impl Layout {
    pub fn of(explanation: &Explanation, left: f64, width: f64) -> Self {
        let operations = &explanation.operations;
        let count = operations
            .iter()
            .flat_map(|one| [Some(one.invoked_at), one.completed_at])
            .flatten()
            .max()
            .map_or(0, |last| last + 1);
        let mut times = vec![0; count];
        for one in operations {
            times[one.invoked_at] = one.from;
            if let (Some(at), Some(to)) = (one.completed_at, one.to) {
                times[at] = to;
            }
        }
        let label = (width * LABEL_SHARE).max(120.0);
        let order = explanation.place.as_ref().map(in_order).unwrap_or_default();
        let after = gaps_of(&order, explanation);
        let mut points_in = vec![0usize; count];
        after.iter().for_each(|gap| points_in[*gap] += 1);

        // From left to right, each event as near as what must stand before it allows.
        let mut x = vec![left + GAP; count];
        let mut end = left + GAP;
        for at in 0..count {
            if at > 0 {
                x[at] = x[at - 1] + GAP + POINT * points_in[at - 1] as f64;
            }
            for one in operations.iter().filter(|one| one.invoked_at < at) {
                let begin = x[one.invoked_at];
                if one.completed_at == Some(at) {
                    x[at] = x[at].max(begin + BAR_MIN);
                }
                if next_in_lane(one, operations) == Some(at) {
                    x[at] = x[at].max(begin + text::width(&one.label).min(label) + GAP);
                }
            }
            end = x[at] + GAP + POINT * points_in[at] as f64;
        }
        for one in operations {
            end = end.max(x[one.invoked_at] + text::width(&one.label).min(label) + GAP);
        }
        let right = end.max(width - GAP);
        spread(&mut x, &times, right - end);

        let mut layout = Self {
            left,
            right,
            x,
            times,
            points: Vec::new(),
        };
        layout.put(&order, &after);
        layout
    }

    pub fn width(&self) -> f64 {
        self.right + GAP
    }

    /// Where a bar ends that never ended.
    pub fn end_of(&self, completed_at: Option<usize>) -> f64 {
        completed_at.map_or(self.right, |at| self.x[at])
    }

    /// How wide a label can be until the next operation of its lane.
    pub fn room(&self, one: &Shown, operations: &[Shown]) -> f64 {
        let next = next_in_lane(one, operations).map_or(self.width(), |at| self.x[at] - GAP / 2.0);
        next - self.x[one.invoked_at]
    }

    /// From where to where a fault lasted that began and ended before the events of these places: never
    /// at an event itself, and never nothing.
    pub fn span(&self, from_at: usize, to_at: usize) -> (f64, f64) {
        let within = |at: usize, part: f64| match at {
            0 => self.left,
            at if at >= self.x.len() => self.right,
            at => self.x[at - 1] + (self.x[at] - self.x[at - 1]) * part,
        };
        (within(from_at, 0.3), within(to_at, 0.7))
    }

    /// The points of one gap stand at even distances in it.
    fn put(&mut self, order: &[(usize, Option<usize>)], after: &[usize]) {
        for (position, ((operation, number), gap)) in order.iter().zip(after).enumerate() {
            let same = after.iter().filter(|other| *other == gap).count();
            let nth = after[..position]
                .iter()
                .filter(|other| *other == gap)
                .count();
            let begin = self.x[*gap];
            let end = self.x.get(gap + 1).copied().unwrap_or(self.right);
            self.points.push(Point {
                operation: *operation,
                number: *number,
                x: begin + (end - begin) * (nth + 1) as f64 / (same + 1) as f64,
            });
        }
    }
}

/// The event at which the lane's next operation begins.
fn next_in_lane(one: &Shown, operations: &[Shown]) -> Option<usize> {
    operations
        .iter()
        .filter(|other| other.process == one.process && other.invoked_at > one.invoked_at)
        .map(|other| other.invoked_at)
        .min()
}

/// The operations of the legal order with their numbers, and among them the one that can't follow.
fn in_order(place: &Place) -> Vec<(usize, Option<usize>)> {
    let mut order: Vec<(usize, Option<usize>)> = place
        .order
        .iter()
        .enumerate()
        .map(|(at, taken)| (taken.operation, Some(at + 1)))
        .collect();
    order.insert(place.before.min(order.len()), (place.stuck, None));
    order
}

/// For each operation of an order the event after which it stands: the last invocation up to it. An
/// operation takes effect as early as those before it allow, so this is before its own completion.
fn gaps_of(order: &[(usize, Option<usize>)], explanation: &Explanation) -> Vec<usize> {
    let mut latest = 0;
    order
        .iter()
        .map(|(operation, _)| {
            latest = latest.max(explanation.operations[*operation].invoked_at);
            latest
        })
        .collect()
}

/// Gives out what room is left over: longer times get more of it.
fn spread(x: &mut [f64], times: &[u64], room: f64) {
    if room <= 0.0 || x.len() < 2 {
        return;
    }
    let weight = |at: usize| {
        let gap = times[at].saturating_sub(times[at - 1]);
        (2.0 + gap as f64 / 1e3).log2()
    };
    let all: f64 = (1..x.len()).map(weight).sum();
    let mut moved = 0.0;
    for (at, x) in x.iter_mut().enumerate().skip(1) {
        moved += room * weight(at) / all;
        *x += moved;
    }
}
