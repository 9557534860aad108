//! What an operation that can't follow could have found or given instead: asked of the search.
//!
//! For objects that hold one value, other results are put in the operation's place. For all others a question is,
//! [`Asked`], which collects the states that the object may have been in.

use super::super::entries::Entries;
use super::super::search::{Answer, Limits, search};
use super::super::{Linearizable, Object};
use crate::history::Operation;
use crate::history::jsonl::SINGLE_KEY;
use crate::model::Model;
use crate::{Event, Key, Op, Phase, Ret, Value};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Other results that are tried, the newest first, and how many of the possible ones are told.
const TRIED_MAX: usize = 200;
const TOLD_MAX: usize = 4;

/// What an operation could have found or given instead.
#[derive(Debug, Default)]
pub struct Possible {
    /// Results.
    pub values: Vec<Value>,
    /// States of the object, in words, where these are not its value.
    pub states: Vec<String>,
    /// Whether there may be others.
    more: bool,
    /// Whether what it did was possible in one of the states: then something else contradicts.
    fits: bool,
}

impl Possible {
    pub fn of_values(values: Vec<Value>) -> Self {
        Self {
            more: values.len() == TOLD_MAX,
            values,
            ..Self::default()
        }
    }

    pub fn instead(&self, culprit: &Operation<'_>) -> String {
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

impl<M: Model> Linearizable<M> {
    /// What the object could have held instead, for models whose state is a value: the newest few.
    pub(super) fn possible_values(
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
    pub(super) fn possible_states(
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
