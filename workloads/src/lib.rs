//! What clients do.
//!
//! A [`Workload`] names a data type: its generator makes the operations, its finale the reads after
//! recovery, its checkers judge. Generators are pure and seeded: they see only the [`Context`] that the
//! interpreter hands them, so they run in virtual time in tests and in real time in a run.
//!
//! | where | what |
//! |---|---|
//! | [`generator`] | combinators: rates, limits, phases, keys, retries |
//! | [`ALL`], [`by_name`] | the workloads, by which model each is judged, what can be chosen |
//! | [`Register`], [`Ledger`] | the workloads of every run that names none |
//! | [`objects`] | most others: objects of one kind, used for a while and replaced |
//! | [`transactions`], [`Bank`] | those over keys that all threads share |
//! | [`Union`] | several at once |
//! | [`seed`] | one stream of random numbers per component |
//! | [`simulate`] | virtual time, for tests |

// A workload lists its ranges of keys, and most have one.
#![allow(clippy::single_range_in_vec_init)]

pub mod bank;
mod finale;
pub mod generator;
mod judges;
pub mod ledger;
mod locks;
pub mod objects;
mod queues;
pub mod register;
mod registers;
mod registry;
pub mod seed;
pub mod simulate;
pub mod transactions;
mod union;
mod values;

pub use bank::Bank;
pub use ledger::Ledger;
pub use register::Register;
pub use registry::{ALL, Choice, Description, UnknownWorkload, by_name};
pub use union::Union;

use checker::{Checker, Event, Op, ProcessId};

/// What a generator may know when it is asked for the next operation.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Nanoseconds since the start of the run.
    pub time: u64,
    /// The processes that are free now, in the order in which they should be used.
    pub free: &'a [ProcessId],
    /// Number of worker threads. A process's thread is `process % threads`: it stays the same when a
    /// crashed process is replaced.
    pub threads: u64,
}

impl Context<'_> {
    /// The worker thread of a process.
    pub fn thread(&self, process: ProcessId) -> u64 {
        process.0 % self.threads.max(1)
    }
}

/// A generator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This process, which is free, invokes this operation now.
    Op(ProcessId, Op),
    /// Nothing now. Ask again at `until` (nanoseconds since the start) or after the next event,
    /// whichever comes first; `None`: only after the next event.
    Pending { until: Option<u64> },
    /// Never anything again.
    Done,
}

/// Makes operations.
pub trait Generator: Send {
    fn next(&mut self, ctx: &Context<'_>) -> Next;

    /// Told about each invocation and completion of the operations that this generator made.
    fn observe(&mut self, _event: &Event) {}
}

/// A data type under test: what clients do with it and what must hold. A value belongs to one run: its
/// finale reads what its generator has written.
pub trait Workload: Send + Sync {
    fn name(&self) -> &str;
    /// Name of the model in the history's header.
    fn model(&self) -> &str;
    /// The operations of the main phase; endless unless limited by the caller.
    fn generator(&self, seed: u64) -> Box<dyn Generator>;
    /// The reads after all faults are healed; ends by itself once each has succeeded.
    fn finale(&self, seed: u64) -> Box<dyn Generator>;
    fn checkers(&self) -> Vec<Box<dyn Checker>>;
    /// The first keys of the blocks ([`checker::store::BLOCK`]) that are this workload's alone, as several run in one
    /// history.
    fn blocks(&self) -> Vec<i64>;
    /// Whether this operation belongs to this workload.
    fn owns(&self, op: &Op) -> bool {
        judges::concerns(op, &self.blocks())
    }
}
