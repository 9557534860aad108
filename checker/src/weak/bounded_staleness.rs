//! Reads that may be old, but only so old.
//!
//! A read that began at time t may show what the object held at any moment from t - d to its end. So it
//! is a linearizable read that began at t - d: the history is judged as linearizable with the
//! invocations of its reads moved back by d. Writes stay where they are.

use crate::History;
use crate::Op;
use crate::history::Operation;
use crate::linearizability::Linearizable;
use crate::model::Model;
use crate::verdict::{Budget, Checker, Verdict};
use std::time::Duration;

/// Linearizability with reads up to `bound` old.
pub struct BoundedStaleness<M> {
    bound: Duration,
    inner: Linearizable<M>,
}

impl<M: Model> BoundedStaleness<M> {
    /// `initial` and `owns` as for [`Linearizable::new`].
    pub fn new(
        bound: Duration,
        initial: M,
        owns: impl Fn(&Op) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            bound,
            inner: Linearizable::new(initial, owns),
        }
    }

    /// The operations with their reads begun earlier, in the new order of invocations.
    fn widen<'a>(&self, history: &History, operations: Vec<Operation<'a>>) -> Vec<Operation<'a>> {
        let bound = u64::try_from(self.bound.as_nanos()).unwrap_or(u64::MAX);
        // Times as they should be: never back.
        let mut times: Vec<u64> = history.events.iter().map(|event| event.time).collect();
        for at in 1..times.len() {
            times[at] = times[at].max(times[at - 1]);
        }
        // A moved invocation stands before the event at its new place, several in their old order.
        let place = |operation: &Operation<'_>| match operation.op().is_read_only() {
            true => {
                let time = times[operation.invoked_at].saturating_sub(bound);
                let before = times.partition_point(|other| *other < time);
                (before, 0, operation.invoked_at)
            }
            false => (operation.invoked_at, 1, 0),
        };
        let invocations = operations.iter().enumerate();
        let mut moments: Vec<((usize, u8, usize), usize, bool)> = invocations
            .map(|(at, operation)| (place(operation), at, true))
            .collect();
        moments.extend(operations.iter().enumerate().filter_map(|(at, operation)| {
            let completed_at = operation.completed_at?;
            Some(((completed_at, 1, 0), at, false))
        }));
        moments.sort_unstable();
        let mut widened = operations;
        for (position, (_, at, is_invocation)) in moments.into_iter().enumerate() {
            match is_invocation {
                true => widened[at].invoked_at = position,
                false => widened[at].completed_at = Some(position),
            }
        }
        widened.sort_unstable_by_key(|operation| operation.invoked_at);
        widened
    }
}

impl<M: Model + 'static> Checker for BoundedStaleness<M> {
    fn name(&self) -> &'static str {
        "bounded-staleness"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        let operations = match history.operations() {
            Ok(operations) => operations,
            Err(error) => return Verdict::unknown(format!("not a history: {error}")),
        };
        let widened = self.widen(history, operations);
        let mut verdict = self.inner.check_operations(&widened, budget);
        let bound = self.bound;
        if verdict.valid == crate::Validity::Invalid {
            verdict.reason = format!("even if reads may be {bound:?} old, {}", verdict.reason);
        }
        verdict.with("bound_ms", bound.as_secs_f64() * 1e3)
    }
}
