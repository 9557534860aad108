//! Operations one after the other, given as a list or by a function.

use crate::{Context, Generator, Next};
use checker::{Event, Op, ProcessId};

/// Gives each operation once, in order, to whichever process is free. A process need not wait for the
/// others: for that, see [`Phases`](super::Phases).
#[derive(Debug)]
pub struct Sequence {
    ops: std::vec::IntoIter<Op>,
}

/// Gives what a function makes, for ever: the function is told when and for which process.
pub struct Endless<F> {
    make: F,
}

impl Sequence {
    pub fn new(ops: impl IntoIterator<Item = Op>) -> Self {
        let ops: Vec<Op> = ops.into_iter().collect();
        Self {
            ops: ops.into_iter(),
        }
    }

    /// A single operation.
    pub fn once(op: Op) -> Self {
        Self::new([op])
    }
}

impl Generator for Sequence {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if self.ops.len() == 0 {
            return Next::Done;
        }
        let Some(process) = ctx.free.first() else {
            return Next::Pending { until: None };
        };
        match self.ops.next() {
            Some(op) => Next::Op(*process, op),
            None => Next::Done,
        }
    }

    fn observe(&mut self, _event: &Event) {}
}

impl<F: FnMut(u64, ProcessId) -> Op + Send> Endless<F> {
    /// `make` gets the time (nanoseconds since the start) and the process.
    pub fn new(make: F) -> Self {
        Self { make }
    }
}

impl<F: FnMut(u64, ProcessId) -> Op + Send> Generator for Endless<F> {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        match ctx.free.first() {
            Some(process) => Next::Op(*process, (self.make)(ctx.time, *process)),
            None => Next::Pending { until: None },
        }
    }
}
