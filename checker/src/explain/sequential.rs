//! A sequential object without its type: what explanations need of a model behind a checker.

use super::frontier::Frontier;
use super::verify::{Limits, Refutation};
use crate::history::Operation;
use crate::{Key, Op};

/// The object that a checker holds histories against. All methods take operations of one
/// [`partition`](Self::partition), in the order of their invocations.
pub trait Sequential {
    /// Whether the checker judges such operations at all.
    fn owns(&self, op: &Op) -> bool;

    /// The independent object that an operation concerns; `None`: all is one.
    fn partition(&self, op: &Op) -> Option<Key>;

    /// Shows, independently of the checker, that there is no legal order; see [`super::verify::refute`].
    fn refute(&self, operations: &[Operation<'_>], limits: Limits) -> Refutation;

    /// Where an operation is stuck; see [`super::frontier::frontier`].
    fn frontier(&self, operations: &[Operation<'_>], culprit: usize) -> Option<Frontier>;
}
