//! How fast operations come.

use super::{Boxed, nanos};
use crate::{Context, Generator, Next};
use checker::Event;
use rand::RngExt;
use rand_pcg::Pcg64;
use std::time::Duration;

/// After a stall, at most this much of the schedule is caught up in one burst.
const CATCH_UP: u64 = 100_000_000;

/// Spreads operations at random over time at a total rate (all threads together): the gaps are uniform
/// between nothing and twice the mean.
pub struct Stagger {
    part: Boxed,
    gap_max: u64,
    due: u64,
    rng: Pcg64,
}

/// Leaves at least so much time between the starts of two operations.
pub struct Delay {
    part: Boxed,
    gap: u64,
    due: u64,
}

impl Stagger {
    /// A rate of 0 is no limit.
    pub fn new(ops_per_second: f64, part: Boxed, rng: Pcg64) -> Self {
        let gap_max = if ops_per_second > 0.0 {
            (2e9 / ops_per_second) as u64
        } else {
            0
        };
        Self {
            part,
            gap_max,
            due: 0,
            rng,
        }
    }
}

impl Generator for Stagger {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if ctx.time < self.due {
            return Next::Pending {
                until: Some(self.due),
            };
        }
        let next = self.part.next(ctx);
        if matches!(next, Next::Op(..)) && self.gap_max > 0 {
            let gap = self.rng.random_range(0..=self.gap_max);
            // From the moment it was due, not from now: else every late tick would lower the rate.
            self.due = self.due.max(ctx.time.saturating_sub(CATCH_UP)) + gap;
        }
        next
    }

    fn observe(&mut self, event: &Event) {
        self.part.observe(event);
    }
}

impl Delay {
    pub fn new(gap: Duration, part: Boxed) -> Self {
        Self {
            part,
            gap: nanos(gap),
            due: 0,
        }
    }
}

impl Generator for Delay {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if ctx.time < self.due {
            return Next::Pending {
                until: Some(self.due),
            };
        }
        let next = self.part.next(ctx);
        if matches!(next, Next::Op(..)) {
            self.due = ctx.time.saturating_add(self.gap);
        }
        next
    }

    fn observe(&mut self, event: &Event) {
        self.part.observe(event);
    }
}
