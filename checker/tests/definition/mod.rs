//! What it means to have an order, tried out: what every shortcut is compared with. It belongs to the tests of
//! the crate and to those beside it, and takes what it speaks of from whoever includes it.

use super::{Model, Operation};
use std::collections::HashSet;

/// Whether some order of all that succeeded and some of what is unknown is legal and keeps `precedes`: some
/// operation that nothing precedes goes first, then the rest. What was tried is remembered as the set of
/// operations that went before.
pub fn ordered<M: Model>(
    initial: &M,
    operations: &[Operation<'_>],
    precedes: &dyn Fn(&Operation<'_>, &Operation<'_>) -> bool,
) -> bool {
    fn goes_on<M: Model>(
        state: &M,
        gone: u32,
        operations: &[Operation<'_>],
        precedes: &dyn Fn(&Operation<'_>, &Operation<'_>) -> bool,
        seen: &mut HashSet<(u32, M)>,
    ) -> bool {
        let rest = || (0..operations.len()).filter(|at| gone & (1 << at) == 0);
        if !rest().any(|at| operations[at].is_ok()) {
            return true;
        }
        if !seen.insert((gone, state.clone())) {
            return false;
        }
        rest().any(|at| {
            let first = &operations[at];
            let preceded = rest().any(|other| {
                other != at && operations[other].is_ok() && precedes(&operations[other], first)
            });
            !preceded
                && first.failure().is_none()
                && state
                    .step(first.op(), first.ret())
                    .is_some_and(|next| goes_on(&next, gone | 1 << at, operations, precedes, seen))
        })
    }
    goes_on(initial, 0, operations, precedes, &mut HashSet::new())
}

/// Whether there is a linearization: an order that keeps real time.
pub fn linearizable<M: Model>(initial: &M, operations: &[Operation<'_>]) -> bool {
    ordered(initial, operations, &|first, second| {
        first
            .completed_at
            .is_some_and(|end| end < second.invoked_at)
    })
}
