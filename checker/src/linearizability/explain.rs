//! Says why there is no linearization, in terms of the operations that contradict one another.
//!
//! The history is cut after ever fewer completions until the shortest beginning is found that has no
//! linearization: the operation whose completion ends it can't follow. Up to that completion there is a
//! linearization, and by putting other results in that operation's place it is found out what it could
//! have given instead.

use super::entries::Entries;
use super::search::{Answer, Limits, search};
use super::{Linearizable, Object, name};
use crate::history::Operation;
use crate::history::jsonl::SINGLE_KEY;
use crate::model::Model;
use crate::verdict::Verdict;
use crate::{Event, Op, Phase, Ret, Value};
use serde_json::{Value as Json, json};
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
            .with("key", key_json(object));
        };
        let culprit = completions[first_bad];
        let end = culprit.completed_at.unwrap_or_default() as u32;
        let prepared = Entries::prepare(&object.operations, end, self.initial.clone(), true);
        let order = match search(&prepared, limits).answer {
            Answer::Linearizable(order) => order,
            _ => Vec::new(),
        };
        let possible = self.possible(object, culprit, limits);
        let reason = format!(
            "{key} is not linearizable: {}{}{}",
            describe(culprit),
            instead(culprit, &possible),
            if self.initial.value().is_some() {
                writers(object, culprit, &possible)
            } else {
                String::new()
            },
        );
        let shown = order.len().saturating_sub(SHOWN);
        let prefix: Vec<Json> = order[shown..]
            .iter()
            .map(|entry| json!(describe(&prepared.entries[*entry as usize].operation)))
            .collect();
        Verdict::invalid(reason)
            .with("key", key_json(object))
            .with("operation", operation_json(culprit))
            .with(
                "possible",
                possible.iter().map(value_json).collect::<Vec<_>>(),
            )
            .with("linearized", order.len())
            .with("linearized_last", prefix)
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
    fn possible(&self, object: &Object<'_>, culprit: &Operation<'_>, limits: Limits) -> Vec<Value> {
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
            let asked = Event {
                op: op.clone(),
                ..culprit.invocation.clone()
            };
            let answer = Event {
                op,
                phase: Phase::Ok(ret),
                ..culprit.invocation.clone()
            };
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

/// An operation in words: who, what, when, where in the file.
fn describe(operation: &Operation<'_>) -> String {
    let what = match (operation.op(), operation.ret()) {
        (Op::Read { .. }, Some(Ret::Value(value))) => format!("read {value}"),
        (Op::Write { value, .. }, _) => format!("wrote {value}"),
        (Op::Cas { from, to, .. }, _) => format!("changed {from} to {to} by cas"),
        (Op::Append { value, .. }, _) => format!("appended {value}"),
        (Op::List { .. }, Some(Ret::List(items))) => format!("read a list of {}", items.len()),
        (op, _) => op.name().to_owned(),
    };
    let invocation = operation.invocation;
    let at = |event: &Event| format!("{:.1} ms", event.time as f64 / 1e6);
    let (end, event) = match operation.completion {
        Some(event) if operation.is_ok() => (at(event), event),
        Some(event) if operation.failure().is_some() => (format!("{}, failed", at(event)), event),
        _ => ("unknown outcome".to_owned(), invocation),
    };
    format!(
        "process {} {what} ({:.1} ms to {end}, index {})",
        invocation.process,
        invocation.time as f64 / 1e6,
        event.index
    )
}

fn instead(culprit: &Operation<'_>, possible: &[Value]) -> String {
    let values: Vec<String> = possible.iter().map(Value::to_string).collect();
    match values.as_slice() {
        [] => ", which no order of the operations before allows".to_owned(),
        values => {
            let more = if values.len() == TOLD_MAX {
                " among others"
            } else {
                ""
            };
            let held = match culprit.op() {
                Op::Read { .. } => "could only have read",
                _ => "could only have succeeded from",
            };
            format!(", but {held} {}{more}", values.join(" or "))
        }
    }
}

/// Who wrote what was seen, and what should have been.
fn writers(object: &Object<'_>, culprit: &Operation<'_>, possible: &[Value]) -> String {
    let seen = match (culprit.op(), culprit.ret()) {
        (Op::Read { .. }, Some(Ret::Value(value))) => Some(value),
        (Op::Cas { from, .. }, _) => Some(from),
        _ => None,
    };
    let writes = |operation: &Operation<'_>, value: &Value| match operation.op() {
        Op::Write { value: written, .. } | Op::Cas { to: written, .. } => {
            written == value && operation.invoked_at != culprit.invoked_at
        }
        _ => false,
    };
    let mut text = String::new();
    for value in seen.into_iter().chain(possible.first()) {
        // The last before the culprit ended is the likely one.
        let writer = object
            .operations
            .iter()
            .filter(|operation| Some(operation.invoked_at) < culprit.completed_at)
            .rfind(|operation| writes(operation, value) && operation.failure().is_none());
        match writer {
            Some(writer) => text.push_str(&format!("; {}", describe(writer))),
            None if Some(value) == seen && *value != Value::Nil => {
                let failed = object
                    .operations
                    .iter()
                    .find(|operation| writes(operation, value));
                text.push_str(&match failed {
                    Some(failed) => format!("; {}", describe(failed)),
                    None => format!("; nobody had written {value}"),
                });
            }
            None => {}
        }
    }
    text
}

fn operation_json(operation: &Operation<'_>) -> Json {
    json!({
        "process": operation.invocation.process,
        "f": operation.op().name(),
        "text": describe(operation),
        "invoked_ms": operation.invocation.time as f64 / 1e6,
        "completed_ms": operation.completion.map(|event| event.time as f64 / 1e6),
        "index": operation.completion.map(|event| event.index),
    })
}

fn key_json(object: &Object<'_>) -> Json {
    json!(object.key)
}

fn value_json(value: &Value) -> Json {
    json!(value)
}
