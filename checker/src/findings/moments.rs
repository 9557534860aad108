//! The real-time order of invocations and completions.

use crate::history::Operation;

/// A moment in the life of an operation, which is given by its place among the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Invoked(usize),
    /// It certainly happened. Failures and unknown outcomes are no moments.
    Done(usize),
}

/// The invocations of all operations and the completions of those that succeeded, in the order in which
/// they were recorded.
pub(crate) fn moments(operations: &[Operation<'_>]) -> Vec<Moment> {
    let mut done: Vec<(usize, usize)> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.is_ok())
        .filter_map(|(i, operation)| Some((operation.completed_at?, i)))
        .collect();
    done.sort_unstable();
    let mut done = done.into_iter().peekable();
    let mut moments = Vec::with_capacity(operations.len() + done.len());
    for (i, operation) in operations.iter().enumerate() {
        while let Some((_, earlier)) = done.next_if(|(at, _)| *at < operation.invoked_at) {
            moments.push(Moment::Done(earlier));
        }
        moments.push(Moment::Invoked(i));
    }
    moments.extend(done.map(|(_, i)| Moment::Done(i)));
    moments
}
