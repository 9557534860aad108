//! Repeats each operation until it succeeds: the final reads.

use super::{Owners, nanos};
use crate::{Context, Generator, Next};
use checker::{Event, Op, Phase, ProcessId};
use std::collections::VecDeque;
use std::time::Duration;

/// Tries each operation until it has succeeded once, several at a time, at most `tries` times each,
/// with a pause between two tries of the same one. A repeated try goes to another thread where one is
/// free, as that one probably talks to another node. Only for operations that may be repeated.
#[derive(Debug)]
pub struct UntilOk {
    waiting: VecDeque<Try>,
    in_flight: Owners<usize>,
    /// By slot of [`Self::in_flight`].
    trying: Vec<Option<Try>>,
    pause: u64,
}

#[derive(Debug)]
struct Try {
    op: Op,
    left: u32,
    not_before: u64,
    last: Option<ProcessId>,
}

impl UntilOk {
    pub fn new(ops: impl IntoIterator<Item = Op>, tries: u32, pause: Duration) -> Self {
        Self {
            waiting: ops
                .into_iter()
                .map(|op| Try {
                    op,
                    left: tries,
                    not_before: 0,
                    last: None,
                })
                .collect(),
            in_flight: Owners::default(),
            trying: Vec::new(),
            pause: nanos(pause),
        }
    }

    fn park(&mut self, attempt: Try) -> usize {
        let slot = self.trying.iter().position(Option::is_none);
        let slot = slot.unwrap_or_else(|| {
            self.trying.push(None);
            self.trying.len() - 1
        });
        self.trying[slot] = Some(attempt);
        slot
    }
}

impl Generator for UntilOk {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if self.waiting.is_empty() && self.in_flight.is_empty() {
            return Next::Done;
        }
        let Some(first) = ctx.free.first() else {
            return Next::Pending { until: None };
        };
        let due = self
            .waiting
            .iter()
            .position(|attempt| attempt.not_before <= ctx.time);
        let Some(mut attempt) = due.and_then(|at| self.waiting.remove(at)) else {
            return Next::Pending {
                until: self.waiting.iter().map(|attempt| attempt.not_before).min(),
            };
        };
        let last = attempt.last.map(|process| ctx.thread(process));
        let process = ctx
            .free
            .iter()
            .find(|process| Some(ctx.thread(**process)) != last)
            .unwrap_or(first);
        attempt.left = attempt.left.saturating_sub(1);
        attempt.last = Some(*process);
        let op = attempt.op.clone();
        let slot = self.park(attempt);
        self.in_flight.claim(*process, slot);
        Next::Op(*process, op)
    }

    fn observe(&mut self, event: &Event) {
        let Some(slot) = self.in_flight.of(event) else {
            return;
        };
        if event.phase == Phase::Invoke {
            return;
        }
        if let Some(mut attempt) = self.trying[slot].take()
            && !matches!(event.phase, Phase::Ok(_))
            && attempt.left > 0
        {
            attempt.not_before = event.time.saturating_add(self.pause);
            self.waiting.push_back(attempt);
        }
    }
}
