//! What is done after all faults are healed: reads that are tried until they have an answer, and queues that are
//! emptied.

use crate::generator::{Boxed, TimeLimit, UntilOk};
use crate::{Context, Generator, Next};
use checker::{Event, Op, Phase, ProcessId, Ret, Value};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Tries of each final read, the pause between two, and the time for all.
pub(crate) const TRIES: u32 = 40;
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
pub(crate) const TIME: Duration = Duration::from_secs(60);

/// Each operation until it has succeeded once.
pub(crate) fn until_ok(ops: impl IntoIterator<Item = Op>) -> Boxed {
    let reads = UntilOk::new(ops, TRIES, PAUSE);
    Box::new(TimeLimit::new(TIME, Box::new(reads)))
}

/// Repeats each operation, one at a time, until it gives nil twice in a row: then nothing is left. Two, because what
/// crashed before may still come to be. A failed one is tried again after a pause, as often as a final read.
pub(crate) struct Drain {
    waiting: VecDeque<Source>,
    open: BTreeMap<ProcessId, Source>,
}

struct Source {
    op: Op,
    tries: u32,
    empty: u32,
    not_before: u64,
}

const EMPTY_TWICE: u32 = 2;

impl Drain {
    pub fn new(ops: impl IntoIterator<Item = Op>) -> Self {
        let sources = ops.into_iter().map(|op| Source {
            op,
            tries: TRIES,
            empty: 0,
            not_before: 0,
        });
        Self {
            waiting: sources.collect(),
            open: BTreeMap::new(),
        }
    }
}

impl Generator for Drain {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if self.waiting.is_empty() && self.open.is_empty() {
            return Next::Done;
        }
        let Some(process) = ctx.free.first() else {
            return Next::Pending { until: None };
        };
        let due = |source: &Source| source.not_before <= ctx.time;
        let Some(source) = self
            .waiting
            .iter()
            .position(due)
            .and_then(|at| self.waiting.remove(at))
        else {
            let until = self.waiting.iter().map(|source| source.not_before).min();
            return Next::Pending { until };
        };
        let op = source.op.clone();
        self.open.insert(*process, source);
        Next::Op(*process, op)
    }

    fn observe(&mut self, event: &Event) {
        if event.phase == Phase::Invoke {
            return;
        }
        let Some(mut source) = self.open.remove(&event.process) else {
            return;
        };
        match &event.phase {
            Phase::Ok(Ret::Value(Value::Nil)) => source.empty += 1,
            Phase::Ok(_) => {
                source.empty = 0;
                source.tries = TRIES;
            }
            _ => {
                source.tries -= 1;
                source.not_before = event.time.saturating_add(PAUSE.as_nanos() as u64);
            }
        }
        if source.empty < EMPTY_TWICE && source.tries > 0 {
            self.waiting.push_back(source);
        }
    }
}
