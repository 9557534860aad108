//! One part after the other.

use super::{Boxed, Owners, nanos};
use crate::{Context, Generator, Next};
use checker::Event;
use std::collections::VecDeque;
use std::time::Duration;

/// Runs its parts one after the other. A part starts only when every operation of the one before has
/// completed: a barrier.
pub struct Phases {
    parts: VecDeque<Boxed>,
    open: Owners<()>,
}

/// Makes nothing for a while, then is done: a quiet phase.
#[derive(Debug)]
pub struct Sleep {
    length: u64,
    end: Option<u64>,
}

impl Phases {
    pub fn new(parts: impl IntoIterator<Item = Boxed>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
            open: Owners::default(),
        }
    }
}

impl Generator for Phases {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        while let Some(part) = self.parts.front_mut() {
            match part.next(ctx) {
                Next::Op(process, op) => {
                    self.open.claim(process, ());
                    return Next::Op(process, op);
                }
                Next::Done if self.open.is_empty() => {
                    self.parts.pop_front();
                }
                Next::Done => return Next::Pending { until: None },
                pending => return pending,
            }
        }
        Next::Done
    }

    fn observe(&mut self, event: &Event) {
        if self.open.of(event).is_some()
            && let Some(part) = self.parts.front_mut()
        {
            part.observe(event);
        }
    }
}

impl Sleep {
    pub fn new(length: Duration) -> Self {
        Self {
            length: nanos(length),
            end: None,
        }
    }
}

impl Generator for Sleep {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        let end = *self.end.get_or_insert(ctx.time.saturating_add(self.length));
        if ctx.time >= end {
            return Next::Done;
        }
        Next::Pending { until: Some(end) }
    }
}
