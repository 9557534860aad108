//! Says why there is no linearization, in terms of the operations that contradict one another.
//!
//! The history is cut after ever fewer completions until the shortest beginning is found that has no
//! linearization: the operation whose completion ends it can't follow. Up to that completion there is a
//! linearization. What that operation could have found instead is asked of the search too: for objects
//! that hold one value, by putting other results in its place; for all others, by [`Asked`], which
//! collects the states that the object may have been in.

use super::entries::Entries;
use super::search::{Answer, Limits, search};
use super::{Linearizable, Object, any_succeeded, ends, name};
use crate::explain::frontier::{Frontier, frontier};
use crate::explain::sequential::Sequential;
use crate::explain::verify::{self, Refutation};
use crate::explain::words::told;
use crate::history::Operation;
use crate::history::jsonl::SINGLE_KEY;
use crate::model::Model;
use crate::verdict::{Budget, Verdict};
use crate::{Event, History, Key, Op, Phase, Ret, Validity, Value};
use serde_json::{Value as Json, json};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for the explanation, beyond that of the check: the verdict is certain by then.
const TIME: Duration = Duration::from_secs(10);
/// Of each search for the explanation.
const CONFIGURATIONS: u64 = 2_000_000;
/// Other results that are tried, the newest first, and how many of the possible ones are told.
const TRIED_MAX: usize = 200;
const TOLD_MAX: usize = 4;
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

    /// What the object could have held instead, for models whose state is a value: the newest few.
    fn possible_values(
        &self,
        object: &Object<'_>,
        culprit: &Operation<'_>,
        limits: Limits,
    ) -> Vec<Value> {
        let (Some(initial), Some(completed_at)) = (self.initial.value(), culprit.completed_at)
        else {
            return Vec::new();
        };
        let before = object.operations.iter().filter(|operation| {
            operation.invoked_at < completed_at && operation.invoked_at != culprit.invoked_at
        });
        let mut candidates: Vec<Value> = before
            .filter_map(|operation| M::footprint(operation.op(), operation.ret())?.installs)
            .collect();
        candidates.reverse();
        candidates.truncate(TRIED_MAX);
        candidates.push(initial);
        let end = completed_at as u32 + 1;
        let mut possible = Vec::new();
        for value in candidates {
            if possible.len() == TOLD_MAX || possible.contains(&value) {
                continue;
            }
            let (op, ret) = with_value(culprit.op(), &value);
            let (asked, answer) = replaced(culprit, op, ret);
            let mut operations: Vec<Operation<'_>> = object.operations.to_vec();
            for operation in &mut operations {
                if operation.invoked_at == culprit.invoked_at {
                    operation.invocation = &asked;
                    operation.completion = Some(&answer);
                }
            }
            if matches!(
                self.judge_one(&operations, end, limits).answer,
                Answer::Linearizable(_)
            ) {
                possible.push(value);
            }
        }
        possible
    }

    /// The states in which the operation may have found the object, and what it could have done there.
    fn possible_states(
        &self,
        object: &Object<'_>,
        culprit: &Operation<'_>,
        limits: Limits,
    ) -> Possible {
        let key = culprit.op().key().cloned().unwrap_or(SINGLE_KEY);
        let (asked, answer) = replaced(culprit, Op::Generate { key }, Ret::Value(Value::Nil));
        let asking = Operation {
            invocation: &asked,
            completion: Some(&answer),
            ..*culprit
        };
        // In place of the culprit; where nothing can go on without its effect, beside it, as if its
        // outcome were unknown.
        let mut operations: Vec<Operation<'_>> = Vec::with_capacity(object.operations.len() + 1);
        for operation in &object.operations {
            match operation.invoked_at == culprit.invoked_at {
                true => operations.push(asking),
                false => operations.push(*operation),
            }
        }
        let mut known = self.states_when_asked(&operations, &asking, limits);
        if known.0.is_empty() {
            let at = operations.partition_point(|other| other.invoked_at <= culprit.invoked_at);
            operations.insert(
                at,
                Operation {
                    completion: None,
                    completed_at: None,
                    ..*culprit
                },
            );
            known = self.states_when_asked(&operations, &asking, limits);
        }
        let (states, complete) = known;
        let mut values: Vec<Value> = Vec::new();
        for value in candidates(object, culprit) {
            let ret = Ret::Value(value.clone());
            if !values.contains(&value)
                && culprit.op().returns(&ret)
                && states
                    .iter()
                    .any(|state| state.step(culprit.op(), Some(&ret)).is_some())
            {
                values.push(value);
            }
        }
        let fits = states
            .iter()
            .any(|state| state.step(culprit.op(), culprit.ret()).is_some());
        Possible {
            values,
            states: states.iter().map(M::describe).collect(),
            more: !complete,
            fits,
        }
    }

    /// The states at the place of `asking` in all orders, at most a few; and whether these are all.
    fn states_when_asked(
        &self,
        operations: &[Operation<'_>],
        asking: &Operation<'_>,
        limits: Limits,
    ) -> (Vec<M>, bool) {
        let end = asking.completed_at.unwrap_or_default() as u32 + 1;
        let mut known: Vec<M> = Vec::new();
        while known.len() < TOLD_MAX {
            let initial = Asked {
                state: self.initial.clone(),
                known: Arc::new(known.clone()),
            };
            let prepared = Entries::prepare(operations, end, initial, true);
            let order = match search(&prepared, limits).answer {
                Answer::Linearizable(order) => order,
                Answer::NotLinearizable => return (known, true),
                Answer::OutOf(_) => return (known, false),
            };
            let mut state = self.initial.clone();
            for entry in order {
                let class = prepared.classes[prepared.entries[entry as usize].class as usize];
                if matches!(class.op, Op::Generate { .. }) {
                    break;
                }
                match state.step(class.op, class.ret) {
                    Some(next) => state = next,
                    None => return (known, false),
                }
            }
            known.push(state);
        }
        (known, false)
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

/// A model with a question: an [`Op::Generate`] changes nothing, and is possible in the states that are
/// not known yet. (No object that is judged by order hands out ids.)
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked<M> {
    state: M,
    /// The same in all states of one search.
    known: Arc<Vec<M>>,
}

impl<M: Hash> Hash for Asked<M> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.state.hash(hasher);
    }
}

impl<M: Model> Model for Asked<M> {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        if matches!(op, Op::Generate { .. }) {
            return (!self.known.contains(&self.state)).then(|| self.clone());
        }
        Some(Self {
            state: self.state.step(op, ret)?,
            known: Arc::clone(&self.known),
        })
    }

    fn partition(op: &Op) -> Option<Key> {
        M::partition(op)
    }
}

/// What an operation could have found or given instead.
#[derive(Debug, Default)]
struct Possible {
    /// Results.
    values: Vec<Value>,
    /// States of the object, in words, where these are not its value.
    states: Vec<String>,
    /// Whether there may be others.
    more: bool,
    /// Whether what it did was possible in one of the states: then something else contradicts.
    fits: bool,
}

impl Possible {
    fn of_values(values: Vec<Value>) -> Self {
        Self {
            more: values.len() == TOLD_MAX,
            values,
            ..Self::default()
        }
    }

    fn instead(&self, culprit: &Operation<'_>) -> String {
        let more = if self.more { " among others" } else { "" };
        if self.fits || (self.values.is_empty() && self.states.is_empty()) {
            return ", which no order of the operations before allows".to_owned();
        }
        if self.values.is_empty() {
            let states = self.states.join(" or ");
            return format!(", but could only have found {states}{more}");
        }
        let (verb, empty) = match culprit.op() {
            Op::Read { .. } => ("read", None),
            Op::Dequeue { .. } => ("dequeued", Some("found the queue empty")),
            Op::Pop { .. } => ("popped", Some("found the stack empty")),
            Op::Acquire { .. } => ("got token", Some("got no token")),
            Op::Cas { .. } => ("succeeded from", None),
            _ => ("given", None),
        };
        let filled: Vec<String> = self
            .values
            .iter()
            .filter(|value| empty.is_none() || **value != Value::Nil)
            .map(Value::to_string)
            .collect();
        let mut ways: Vec<String> = Vec::new();
        if !filled.is_empty() {
            ways.push(format!("{verb} {}", filled.join(" or ")));
        }
        if filled.len() < self.values.len() {
            ways.extend(empty.map(str::to_owned));
        }
        format!(", but could only have {}{more}", ways.join(" or "))
    }
}

/// The operations that show why another one can't follow.
#[derive(Default)]
struct Involved<'o, 'a> {
    operations: Vec<&'o Operation<'a>>,
    /// What is not there to be shown.
    note: Option<String>,
}

fn involved<'o, 'a>(
    object: &'o Object<'a>,
    culprit: &Operation<'a>,
    possible: Option<&Value>,
) -> Involved<'o, 'a> {
    let mut involved = Involved::default();
    let others = || {
        object.operations.iter().filter(|operation| {
            operation.invoked_at != culprit.invoked_at
                && Some(operation.invoked_at) < culprit.completed_at
        })
    };
    let seen = match (culprit.op(), culprit.ret()) {
        (Op::Cas { from, .. }, _) => Some(from),
        (Op::Read { .. } | Op::Dequeue { .. } | Op::Pop { .. }, Some(Ret::Value(value))) => {
            Some(value)
        }
        _ => None,
    };
    for value in seen.into_iter().chain(possible) {
        // The last before the culprit ended is the likely one.
        let writer = others()
            .rfind(|operation| leaves(operation.op(), value) && operation.failure().is_none());
        let failed = || others().find(|operation| leaves(operation.op(), value));
        if let Some(writer) = writer.or_else(failed) {
            involved.operations.push(writer);
        } else if Some(value) == seen && *value != Value::Nil {
            let verb = match culprit.op() {
                Op::Dequeue { .. } => "enqueued",
                Op::Pop { .. } => "pushed",
                _ => "written",
            };
            involved.note = Some(format!("nobody had {verb} {value}"));
        }
        let takes = matches!(culprit.op(), Op::Dequeue { .. } | Op::Pop { .. });
        if takes && Some(value) == seen && *value != Value::Nil {
            let same = |operation: &&Operation<'_>| {
                operation.op() == culprit.op() && operation.ret() == culprit.ret()
            };
            involved.operations.extend(others().rfind(same));
        }
    }
    match (culprit.op(), culprit.ret()) {
        (Op::Acquire { .. }, _) => {
            let acquired = |operation: &&Operation<'_>| {
                matches!(operation.op(), Op::Acquire { .. }) && operation.is_ok()
            };
            involved.operations.extend(others().rfind(acquired));
        }
        (Op::Release { .. }, _) => {
            let freed = |operation: &&Operation<'_>| {
                matches!(operation.op(), Op::Release { .. }) && operation.is_ok()
            };
            match others().rfind(freed) {
                Some(freed) => involved.operations.push(freed),
                None => involved.note = Some("nobody had released it before".to_owned()),
            }
        }
        (Op::List { .. }, Some(Ret::List(items))) => {
            let element = |operation: &Operation<'_>| match operation.op() {
                Op::Add { value, .. } | Op::Append { value, .. } => Some(*value),
                _ => None,
            };
            let removed = |value: i64| {
                others().any(|operation| {
                    matches!(operation.op(), Op::Remove { value: removed, .. } if *removed == value)
                })
            };
            let missing = others().find(|operation| {
                operation.is_ok()
                    && operation.completed_at < Some(culprit.invoked_at)
                    && element(operation)
                        .is_some_and(|value| !items.contains(&value) && !removed(value))
            });
            let unknown = items.iter().find(|item| {
                !others().any(|operation| {
                    element(operation) == Some(**item) && operation.failure().is_none()
                })
            });
            involved.operations.extend(missing);
            if let Some(item) = unknown {
                match others().find(|operation| element(operation) == Some(*item)) {
                    Some(failed) => involved.operations.push(failed),
                    None => involved.note = Some(format!("nobody had added {item}")),
                }
            }
        }
        _ => {}
    }
    involved
}

/// Whether the operation puts this value there.
fn leaves(op: &Op, value: &Value) -> bool {
    match op {
        Op::Write { value: left, .. }
        | Op::Cas { to: left, .. }
        | Op::Enqueue { value: left, .. }
        | Op::Push { value: left, .. } => left == value,
        _ => false,
    }
}

/// Results that the operation might have given: what others put there, the newest first, and nil.
fn candidates(object: &Object<'_>, culprit: &Operation<'_>) -> Vec<Value> {
    let mut candidates: Vec<Value> = object
        .operations
        .iter()
        .filter(|operation| Some(operation.invoked_at) < culprit.completed_at)
        .filter_map(|operation| match operation.op() {
            Op::Write { value, .. }
            | Op::Cas { to: value, .. }
            | Op::Enqueue { value, .. }
            | Op::Push { value, .. } => Some(value.clone()),
            _ => None,
        })
        .collect();
    candidates.reverse();
    candidates.truncate(TRIED_MAX);
    candidates.push(Value::Nil);
    candidates
}

/// The operation as it would be had it seen `value`.
fn with_value(op: &Op, value: &Value) -> (Op, Ret) {
    match op {
        Op::Cas { key, to, .. } => {
            let (key, from, to) = (key.clone(), value.clone(), to.clone());
            (Op::Cas { key, from, to }, Ret::Done)
        }
        other => {
            let key = other.key().cloned().unwrap_or(SINGLE_KEY);
            (Op::Read { key }, Ret::Value(value.clone()))
        }
    }
}

/// The events of an operation in another's place.
fn replaced(operation: &Operation<'_>, op: Op, ret: Ret) -> (Event, Event) {
    let invocation = operation.invocation.clone();
    let asked = Event {
        op: op.clone(),
        ..invocation.clone()
    };
    let answer = Event {
        op,
        phase: Phase::Ok(ret),
        ..invocation
    };
    (asked, answer)
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
