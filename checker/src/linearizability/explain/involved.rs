//! The operations that show why another one can't follow, for the sentence that says so.

use super::super::Object;
use crate::history::Operation;
use crate::{Op, Ret, Value};

/// The operations that show why another one can't follow.
#[derive(Default)]
pub struct Involved<'o, 'a> {
    pub operations: Vec<&'o Operation<'a>>,
    /// What is not there to be shown.
    pub note: Option<String>,
}

pub fn involved<'o, 'a>(
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
