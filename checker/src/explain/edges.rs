//! What shows that one transaction comes before another. Both are known to have happened.

use super::cycles::{Looked, reads, seen, shows, writes};
use crate::history::Operation;
use crate::{Key, Mop, Seen, Value};
use std::collections::HashSet;

/// How a dependency is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// By the values that were written and read, or by the events themselves.
    ByValues,
    /// Only if what was written later in time is the later version.
    IfVersionsFollowTime,
}

/// Whether `kind` leads from one transaction to another.
pub(super) fn shown(
    looked: &Looked<'_, '_>,
    kind: &str,
    from: &Operation<'_>,
    to: &Operation<'_>,
) -> Option<Shown> {
    let by_values = |shown: bool| shown.then_some(Shown::ByValues);
    match kind {
        "wr" => by_values(wrote_what_was_read(looked, from, to)),
        "ww" => overwritten(looked, from, to),
        "rw" => read_before_written(looked, from, to),
        "process" => by_values(
            from.invocation.process == to.invocation.process && from.invoked_at < to.invoked_at,
        ),
        "realtime" => by_values(precedes(from, to)),
        _ => None,
    }
}

fn precedes(from: &Operation<'_>, to: &Operation<'_>) -> bool {
    from.is_ok() && from.completed_at.is_some_and(|end| end < to.invoked_at)
}

/// wr: `to` read something that only `from` wrote.
fn wrote_what_was_read(looked: &Looked<'_, '_>, from: &Operation<'_>, to: &Operation<'_>) -> bool {
    writes(from).any(|(key, value)| {
        reads(to).any(|(of, seen)| of == key && shows(seen, &value))
            && looked.only_writer(from, key, &value)
    })
}

/// ww: a version of `to` follows one of `from`.
fn overwritten(looked: &Looked<'_, '_>, from: &Operation<'_>, to: &Operation<'_>) -> Option<Shown> {
    best(pairs(from, to).filter_map(|(key, first, second)| follows(looked, key, &first, &second)))
}

/// rw: `from` read a version that one of `to` follows.
fn read_before_written(
    looked: &Looked<'_, '_>,
    from: &Operation<'_>,
    to: &Operation<'_>,
) -> Option<Shown> {
    let mut found = Vec::new();
    for (key, seen) in reads(from) {
        for (_, value) in writes(to).filter(|(of, _)| *of == key) {
            match seen {
                // A list that lacks an element is older than the element.
                Seen::List(_) => {
                    let lacks = !shows(seen, &value);
                    found.extend(lacks.then_some(Shown::ByValues));
                }
                Seen::Value(read) => found.extend(follows(looked, key, read, &value)),
                Seen::Done => {}
            }
        }
    }
    best(found.into_iter())
}

fn best(found: impl Iterator<Item = Shown>) -> Option<Shown> {
    found.min_by_key(|shown| *shown != Shown::ByValues)
}

/// What two transactions wrote to the same keys.
fn pairs<'a>(
    from: &Operation<'a>,
    to: &Operation<'a>,
) -> impl Iterator<Item = (&'a Key, Value, Value)> {
    let second: Vec<(&Key, Value)> = writes(to).collect();
    writes(from).flat_map(move |(key, first)| {
        let same = second.clone().into_iter().filter(move |(of, _)| *of == key);
        same.map(move |(_, second)| (key, first.clone(), second))
    })
}

/// Whether the version `second` of a key came after `first`.
fn follows(looked: &Looked<'_, '_>, key: &Key, first: &Value, second: &Value) -> Option<Shown> {
    if first == second || *second == Value::Nil {
        return None;
    }
    let in_a_list = looked
        .reads()
        .any(|(of, seen)| match (seen, first, second) {
            (Seen::List(items), Value::Int(first), Value::Int(second)) if of == key => {
                let at = |element| items.iter().position(|item| item == element);
                matches!((at(first), at(second)), (Some(first), Some(second)) if first < second)
            }
            _ => false,
        });
    // A register holds nothing at first, and nobody writes nothing.
    let from_nothing = *first == Value::Nil;
    if in_a_list || from_nothing || built_upon(looked, key, first, second) {
        return Some(Shown::ByValues);
    }
    in_time(looked, key, first, second).then_some(Shown::IfVersionsFollowTime)
}

/// Whether `second` was written by one who had read or written `first` in the same transaction, or what
/// such a one wrote, and so on.
fn built_upon(looked: &Looked<'_, '_>, key: &Key, first: &Value, second: &Value) -> bool {
    let mut known: HashSet<Value> = HashSet::from([first.clone()]);
    let mut todo = vec![first.clone()];
    while let Some(version) = todo.pop() {
        for operation in looked.all {
            let mut holds: Option<&Value> = None;
            for (step, seen) in seen(operation) {
                match (step, seen) {
                    (Mop::Read { key: of }, Seen::Value(read)) if of == key => holds = Some(read),
                    (Mop::Write { key: of, value }, _) if of == key => {
                        if holds == Some(&version) && known.insert(value.clone()) {
                            todo.push(value.clone());
                        }
                        holds = Some(value);
                    }
                    _ => {}
                }
            }
        }
        if known.contains(second) {
            return true;
        }
    }
    false
}

/// Whether somebody who wrote or read `first` had ended before anybody began to write `second`.
fn in_time(looked: &Looked<'_, '_>, key: &Key, first: &Value, second: &Value) -> bool {
    let wrote = |operation: &Operation<'_>, value: &Value| {
        writes(operation).any(|(of, written)| of == key && written == *value)
    };
    let met_first = looked.all.iter().filter(|operation| {
        operation.is_ok()
            && (wrote(operation, first)
                || reads(operation).any(|(of, seen)| of == key && shows(seen, first)))
    });
    let Some(first_end) = met_first
        .filter_map(|operation| operation.completed_at)
        .min()
    else {
        return false;
    };
    let mut writers = looked
        .all
        .iter()
        .filter(|operation| wrote(operation, second))
        .peekable();
    writers.peek().is_some() && writers.all(|writer| first_end < writer.invoked_at)
}
