//! Generators that make or combine generators.
//!
//! | what | generator |
//! |---|---|
//! | these operations, then nothing | [`Sequence`] |
//! | operations from a function, endless | [`Endless`] |
//! | one of several, by weight | [`Mix`] |
//! | whichever is ready | [`Any`] |
//! | only these threads; each its own threads | [`OnThreads`], [`reserve`] |
//! | at a total rate; with a gap between operations | [`Stagger`], [`Delay`] |
//! | at most n operations; at most so long | [`Limit`], [`TimeLimit`] |
//! | one after the other, with a barrier; a wait | [`Phases`], [`Sleep`] |
//! | many keys, a group of threads on each | [`PerKey`] |
//! | each operation until it succeeds | [`UntilOk`] |
//!
//! A combinator hands an event only to the part that made its operation, so parts need not tell
//! their own operations from others'.

mod any;
mod limit;
mod mix;
mod per_key;
mod phases;
mod rate;
mod sequence;
mod threads;
mod until_ok;

pub use any::Any;
pub use limit::{Limit, TimeLimit};
pub use mix::Mix;
pub use per_key::PerKey;
pub use phases::{Phases, Sleep};
pub use rate::{Delay, Stagger};
pub use sequence::{Endless, Sequence};
pub use threads::{OnThreads, reserve};
pub use until_ok::UntilOk;

use crate::{Context, Generator, Next};
use checker::{Event, Phase, ProcessId};
use std::collections::HashMap;

/// A generator behind a pointer, as combinators hold their parts.
pub type Boxed = Box<dyn Generator>;

impl Generator for Boxed {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        (**self).next(ctx)
    }

    fn observe(&mut self, event: &Event) {
        (**self).observe(event)
    }
}

/// Which part of a combinator made the open operation of a process.
#[derive(Debug, Default)]
struct Owners<T>(HashMap<ProcessId, T>);

impl<T: Copy> Owners<T> {
    fn claim(&mut self, process: ProcessId, part: T) {
        self.0.insert(process, part);
    }

    /// The part that an event concerns; a completion ends the claim.
    fn of(&mut self, event: &Event) -> Option<T> {
        match event.phase {
            Phase::Invoke => self.0.get(&event.process).copied(),
            _ => self.0.remove(&event.process),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The earlier of two moments at which to ask again; `None` is never.
fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
