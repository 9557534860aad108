//! Objects for which an order can be found without trying orders.
//!
//! In general it takes a search to tell whether a history has a linearization. For some objects the
//! results say so much that sorting is enough, as long as a premise holds, mostly that no value was put
//! in twice. Each decider here says its premise, its argument and its source; where the premise fails it
//! gives no answer, and the search goes to work. Their answers are compared with those of the search,
//! and of the definition, in the tests.
//!
//! | decider | premise | cost |
//! |---|---|---|
//! | [`set`] | no removals, every element added once | O(n) for n elements read |
//! | [`log`] | every number appended once | O(n) |
//! | [`counter`] | all amounts alike | O(n log n) |
//! | [`fifo_queue`] | every value enqueued once; no dequeue of unknown outcome before it was found empty | O(n log n) |
//!
//! Registers have theirs beside the search, which needs it too: unique values are looked at there. There
//! is none for stacks: the known ones take O(n²) and their proofs have been wrong before (Abdulla et al.
//! 2025 give counterexamples), so stacks are searched.
//!
//! [`texts`] is no decider: it makes key-value histories with concatenations into register histories, for
//! the search to look ahead in.
//!
//! A model calls its decider in [`Model::decide`](crate::model::Model::decide).

mod blocks;
pub mod counter;
pub mod fifo_queue;
pub mod log;
pub mod set;
pub mod texts;

use crate::history::Operation;
use crate::{Op, Ret};

/// The deadline of an operation that need not have taken effect.
pub const NEVER: u32 = u32::MAX;

/// What a decider found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// With positions among the given operations, in an order that shows it: all that succeeded, and
    /// those of unknown outcome that took effect.
    Linearizable(Vec<usize>),
    NotLinearizable,
}

/// An operation and the time in which it took effect: after its call, before its deadline.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// Among the given operations.
    pub at: usize,
    pub op: &'a Op,
    /// Absent: of unknown outcome.
    pub ret: Option<&'a Ret>,
    /// Positions in the history.
    pub call: u32,
    pub deadline: u32,
}

impl Span<'_> {
    pub fn is_optional(&self) -> bool {
        self.ret.is_none()
    }
}

/// The operations that took effect, or may have, as far as they are known just before position `end`.
/// Failed ones and reads of unknown outcome tell nothing and are left out.
pub fn spans<'a>(operations: &[Operation<'a>], end: u32) -> Vec<Span<'a>> {
    let mut spans = Vec::with_capacity(operations.len());
    for (at, operation) in operations.iter().enumerate() {
        let call = position(operation.invoked_at);
        if call >= end || operation.failure().is_some() {
            continue;
        }
        let completed = operation.completed_at.map(position).filter(|at| *at < end);
        let (ret, deadline) = match (operation.ret(), completed) {
            (Some(ret), Some(deadline)) => (Some(ret), deadline),
            _ => (None, NEVER),
        };
        if ret.is_none() && operation.op().is_read_only() {
            continue;
        }
        spans.push(Span {
            at,
            op: operation.op(),
            ret,
            call,
            deadline,
        });
    }
    spans
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a history of 4 billion events does not fit into memory")
}
