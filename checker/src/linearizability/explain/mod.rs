//! Says why there is no linearization, in terms of the operations that contradict one another.
//!
//! The history is cut after ever fewer completions until the shortest beginning is found that has no
//! linearization: the operation whose completion ends it can't follow. Up to that completion there is a
//! linearization. What that operation could have found instead is asked of the search too, in [`possible`]; which
//! others the sentence names is decided in [`mod@involved`].

mod involved;
mod possible;

use self::involved::involved;
use self::possible::Possible;
use super::entries::Entries;
use super::search::{Answer, Limits, search};
use super::{Linearizable, Object, any_succeeded, ends, name};
use crate::explain::frontier::{Frontier, frontier};
use crate::explain::sequential::Sequential;
use crate::explain::verify::{self, Refutation};
use crate::explain::words::told;
use crate::history::Operation;
use crate::model::Model;
use crate::verdict::{Budget, Verdict};
use crate::{History, Key, Op, Validity};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// Time for the explanation, beyond that of the check: the verdict is certain by then.
const TIME: Duration = Duration::from_secs(10);
/// Of each search for the explanation.
const CONFIGURATIONS: u64 = 2_000_000;
/// Operations shown of the linearization up to the violation.
const SHOWN: usize = 12;

impl<M: Model> Linearizable<M> {
    pub(super) fn explain(&self, object: &Object<'_>, memory: usize) -> Verdict {
        let limits = Limits {
            deadline: Instant::now() + TIME,
            memory,
            configurations: CONFIGURATIONS,
        };
        let key = name(&object.key);
        let mut completions: Vec<&Operation<'_>> = object
            .operations
            .iter()
            .filter(|operation| operation.is_ok())
            .collect();
        completions.sort_by_key(|operation| operation.completed_at);
        let Some(first_bad) = self.first_bad(object, &completions, limits) else {
            return Verdict::invalid(format!(
                "{key} is not linearizable; its shortest violation was not found in time"
            ))
            .with("key", json!(object.key));
        };
        let culprit = completions[first_bad];
        let end = culprit.completed_at.unwrap_or_default() as u32;
        let prepared = Entries::prepare(&object.operations, end, self.initial.clone(), true);
        let order = match search(&prepared, limits).answer {
            Answer::Linearizable(order) => order,
            _ => Vec::new(),
        };
        let possible = match self.initial.value() {
            Some(_) => Possible::of_values(self.possible_values(object, culprit, limits)),
            None => self.possible_states(object, culprit, limits),
        };
        let involved = involved(object, culprit, possible.values.first());
        let mut reason = format!(
            "{key} is not linearizable: {}{}",
            told(culprit),
            possible.instead(culprit)
        );
        for operation in &involved.operations {
            reason.push_str(&format!("; {}", told(operation)));
        }
        if let Some(note) = &involved.note {
            reason.push_str(&format!("; {note}"));
        }
        let mut named: Vec<u64> = involved.operations.iter().map(index).collect();
        named.push(culprit.invocation.index);
        let shown = order.len().saturating_sub(SHOWN);
        let prefix: Vec<Json> = order[shown..]
            .iter()
            .map(|entry| json!(told(&prepared.entries[*entry as usize].operation)))
            .collect();
        let verdict = Verdict::invalid(reason)
            .with("key", json!(object.key))
            .with("operations", named)
            .with("operation", operation_json(culprit))
            .with("possible", json!(possible.values))
            .with("linearized", order.len())
            .with("linearized_last", prefix);
        match possible.states.is_empty() {
            true => verdict,
            false => verdict.with("states", possible.states),
        }
    }

    /// The validity alone, for who asks often: shrinking.
    pub(super) fn decide_only(&self, history: &History, budget: Budget) -> Validity {
        let Ok(operations) = history.operations() else {
            return Validity::Unknown;
        };
        let objects = self.objects(&operations);
        let answers = self.judge(&objects, ends(Instant::now(), budget), budget.memory);
        let any = |wanted: fn(&Answer) -> bool| answers.iter().any(|found| wanted(&found.answer));
        if any(|answer| *answer == Answer::NotLinearizable) {
            Validity::Invalid
        } else if !any_succeeded(&objects) || any(|answer| matches!(answer, Answer::OutOf(_))) {
            Validity::Unknown
        } else {
            Validity::Valid
        }
    }

    /// The first completion, in real time, up to which there is no linearization.
    fn first_bad(
        &self,
        object: &Object<'_>,
        completions: &[&Operation<'_>],
        limits: Limits,
    ) -> Option<usize> {
        let refuted_after = |completion: usize| {
            let end = completions[completion].completed_at? as u32 + 1;
            match self.judge_one(&object.operations, end, limits).answer {
                Answer::Linearizable(_) => Some(false),
                Answer::NotLinearizable => Some(true),
                Answer::OutOf(_) => None,
            }
        };
        // A beginning of a history that has a linearization has one too: so halving finds the first
        // that has none. All completions together have none.
        let (mut good, mut bad) = (0, completions.len().checked_sub(1)?);
        while good < bad {
            let middle = good + (bad - good) / 2;
            if refuted_after(middle)? {
                bad = middle;
            } else {
                good = middle + 1;
            }
        }
        Some(bad)
    }
}

impl<M: Model + 'static> Sequential for Linearizable<M> {
    fn owns(&self, op: &Op) -> bool {
        (self.owns)(op)
    }

    fn partition(&self, op: &Op) -> Option<Key> {
        M::partition(op)
    }

    fn refute(&self, operations: &[Operation<'_>], limits: verify::Limits) -> Refutation {
        verify::refute(&self.initial, operations, limits)
    }

    fn frontier(&self, operations: &[Operation<'_>], culprit: usize) -> Option<Frontier> {
        frontier(&self.initial, operations, culprit)
    }
}

fn index(operation: &&Operation<'_>) -> u64 {
    operation.invocation.index
}

fn operation_json(operation: &Operation<'_>) -> Json {
    json!({
        "process": operation.invocation.process,
        "f": operation.op().name(),
        "text": told(operation),
        "invoked_ms": operation.invocation.time as f64 / 1e6,
        "completed_ms": operation.completion.map(|event| event.time as f64 / 1e6),
        "index": operation.completion.map(|event| event.index),
    })
}
