//! Ends a part after a number of operations or a time.

use super::{Boxed, earlier, nanos};
use crate::{Context, Generator, Next};
use checker::Event;
use std::time::Duration;

/// At most so many operations.
pub struct Limit {
    part: Boxed,
    left: u64,
}

/// At most so long, from the first time it is asked. Operations in flight at the end still complete.
pub struct TimeLimit {
    part: Boxed,
    limit: u64,
    end: Option<u64>,
}

impl Limit {
    pub fn new(count: u64, part: Boxed) -> Self {
        Self { part, left: count }
    }
}

impl Generator for Limit {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if self.left == 0 {
            return Next::Done;
        }
        let next = self.part.next(ctx);
        if matches!(next, Next::Op(..)) {
            self.left -= 1;
        }
        next
    }

    fn observe(&mut self, event: &Event) {
        self.part.observe(event);
    }
}

impl TimeLimit {
    pub fn new(limit: Duration, part: Boxed) -> Self {
        Self {
            part,
            limit: nanos(limit),
            end: None,
        }
    }
}

impl Generator for TimeLimit {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        let end = *self.end.get_or_insert(ctx.time.saturating_add(self.limit));
        if ctx.time >= end {
            return Next::Done;
        }
        match self.part.next(ctx) {
            Next::Pending { until } => Next::Pending {
                until: earlier(until, Some(end)),
            },
            next => next,
        }
    }

    fn observe(&mut self, event: &Event) {
        self.part.observe(event);
    }
}
