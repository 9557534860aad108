//! Why a history is invalid, told so that a reader believes it.
//!
//! [`explain`] takes a verdict apart: [`shrink`] finds the few operations that are wrong by themselves,
//! [`verify`], [`cycles`] and [`claims`] show that again by means of their own, [`frontier`] finds where the
//! operations get stuck and what could have been there. The outcome is an [`Explanation`]: plain data in
//! words and numbers, to be drawn by others and kept beside the verdict as [`DETAIL`].
//!
//! Everything here is bounded: by a time, by a number of operations that are shown, by limits of each
//! search. What is left out is said.

pub mod claims;
mod compose;
pub mod cycles;
mod drawing;
mod edges;
mod explanation;
mod faults;
pub mod frontier;
pub mod sequential;
pub mod shrink;
mod sightings;
#[cfg(test)]
mod tests;
mod trace;
mod traces;
pub mod verify;
pub mod words;

pub use compose::explain;
pub use drawing::OPERATIONS_MAX;
pub use explanation::{
    Anomaly, Core, Explanation, Fate, FaultSpan, Place, Shown, Step, Taken, Witness,
};

use crate::verdict::{Checker, Verdict};
use crate::{History, Validity};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The name under which a verdict's details keep its explanation.
pub const DETAIL: &str = "explanation";

/// Time for one explanation that interactive users do not mind.
pub const TIME: Duration = Duration::from_secs(10);

/// Explains every invalid verdict of [`check_all`](crate::check_all) and puts the explanation among its
/// details. An explanation that fails takes no verdict with it: the verdict says so instead.
pub fn explain_all(
    history: &History,
    checkers: &[Box<dyn Checker>],
    verdicts: &mut BTreeMap<String, Verdict>,
    time: Duration,
) {
    for (name, checker) in crate::check::named(checkers) {
        let Some(verdict) = verdicts.get_mut(&name) else {
            continue;
        };
        if verdict.valid != Validity::Invalid {
            continue;
        }
        let explained = catch_unwind(AssertUnwindSafe(|| {
            explain(history, checker, verdict, time)
        }));
        let told: Json = match explained {
            Ok(explanation) => json!(explanation),
            Err(_) => Json::Null,
        };
        match told {
            Json::Null => verdict.details.insert(
                "unexplained".to_owned(),
                json!("the explanation itself failed; the verdict stands"),
            ),
            told => verdict.details.insert(DETAIL.to_owned(), told),
        };
    }
}

impl Explanation {
    /// The explanation that a verdict carries, if it holds together: it may come from a file.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let explanation: Self =
            serde_json::from_value(verdict.details.get(DETAIL)?.clone()).ok()?;
        explanation.holds_together().then_some(explanation)
    }

    fn holds_together(&self) -> bool {
        let operations = self.operations.len();
        let placed = |one: &Shown| {
            one.invoked_at < 2 * operations
                && one
                    .completed_at
                    .is_none_or(|at| one.invoked_at < at && at < 2 * operations && one.to.is_some())
        };
        operations <= OPERATIONS_MAX
            && self.operations.iter().all(placed)
            && self.place.iter().all(|place| {
                place.stuck < operations
                    && place.order.iter().all(|taken| taken.operation < operations)
            })
    }
}
