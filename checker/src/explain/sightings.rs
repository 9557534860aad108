//! Anomalies of transactions that show without a cycle: each is looked up in the few transactions that
//! are said to show it.

use super::cycles::{Flaw, Looked, reads, seen, shows, writes};
use crate::history::Operation;
use crate::{Key, Mop, Seen, Value};

/// Holds an anomaly against the transactions named.
pub(super) fn verify(
    looked: &Looked<'_, '_>,
    name: &str,
    steps: &[&Operation<'_>],
) -> Result<String, Flaw> {
    let pairs = || {
        steps.iter().flat_map(|first| {
            let others = steps
                .iter()
                .filter(|second| second.invoked_at != first.invoked_at);
            others.map(|second| (*first, *second))
        })
    };
    let shown = match name {
        "G1a" => pairs().any(|(writer, reader)| read_of_a_failed(looked, writer, reader)),
        "G1b" => pairs().any(|(writer, reader)| read_between(looked, writer, reader)),
        "dirty-update" => pairs().any(|(failed, other)| built_upon_a_failed(looked, failed, other)),
        "incompatible-order" => pairs().any(|(first, second)| contradict(first, second)),
        "lost-update" => pairs().any(|(first, second)| both_replaced(first, second)),
        "garbage-read" => steps.iter().any(|reader| read_of_nobody(looked, reader)),
        "duplicate-elements" => steps.iter().any(|reader| read_twice(reader)),
        "internal" | "future-read" => steps.iter().any(|one| contradicts_itself(one)),
        _ => return Err(Flaw::NoSecondLook(name.to_owned())),
    };
    match shown {
        true => Ok(format!(
            "it was looked up again in what {} wrote and read",
            match steps.len() {
                1 => "this transaction".to_owned(),
                n => format!("these {n} transactions"),
            }
        )),
        false => Err(Flaw::NotShown(name.to_owned())),
    }
}

/// G1a: a committed transaction read what only a failed one wrote.
fn read_of_a_failed(
    looked: &Looked<'_, '_>,
    writer: &Operation<'_>,
    reader: &Operation<'_>,
) -> bool {
    writer.failure().is_some()
        && writes(writer).any(|(key, value)| {
            reads(reader).any(|(of, seen)| of == key && shows(seen, &value))
                && looked.only_writer(writer, key, &value)
        })
}

/// G1b: the version read ends with what its writer itself wrote over in the same transaction.
fn read_between(looked: &Looked<'_, '_>, writer: &Operation<'_>, reader: &Operation<'_>) -> bool {
    let written: Vec<(&Key, Value)> = writes(writer).collect();
    written.iter().enumerate().any(|(at, (key, value))| {
        let overwritten = written[at + 1..].iter().any(|(of, _)| of == key);
        let last = |seen: &Seen| match seen {
            Seen::Value(read) => read == value,
            Seen::List(items) => items.last().map(|last| Value::Int(*last)).as_ref() == Some(value),
            Seen::Done => false,
        };
        overwritten
            && looked.only_writer(writer, key, value)
            && reads(reader).any(|(of, seen)| of == *key && last(seen))
    })
}

/// A list holds an element of a failed transaction before one of another transaction; or a register's
/// version of a failed one was read by who then wrote it.
fn built_upon_a_failed(
    looked: &Looked<'_, '_>,
    failed: &Operation<'_>,
    other: &Operation<'_>,
) -> bool {
    failed.failure().is_some()
        && other.failure().is_none()
        && writes(failed).any(|(key, dirty)| {
            let replaced = || writes(other).filter(move |(of, _)| *of == key);
            let listed = looked.reads().any(|(of, seen)| match seen {
                Seen::List(items) if of == key => {
                    let at =
                        |value: &Value| items.iter().position(|item| Value::Int(*item) == *value);
                    let dirty = at(&dirty);
                    dirty.is_some() && replaced().any(|(_, clean)| at(&clean) > dirty)
                }
                _ => false,
            });
            let read = || reads(other).any(|(of, seen)| of == key && shows(seen, &dirty));
            looked.only_writer(failed, key, &dirty)
                && (listed || (read() && replaced().next().is_some()))
        })
}

/// Two reads of a list of which neither is the beginning of the other.
fn contradict(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    reads(first).any(|(key, one)| {
        reads(second).any(|(of, other)| match (one, other) {
            (Seen::List(one), Seen::List(other)) if of == key => {
                !one.starts_with(other) && !other.starts_with(one)
            }
            _ => false,
        })
    })
}

/// Two committed transactions read the same version of an object, and both wrote it.
fn both_replaced(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    let before_writing = |operation: &Operation<'_>, key: &Key| -> Option<Seen> {
        let step = seen(operation).find(|(step, _)| step.key() == key)?;
        matches!(step.0, Mop::Read { .. }).then(|| step.1.clone())
    };
    first.is_ok()
        && second.is_ok()
        && writes(first).any(|(key, _)| {
            let versions = (before_writing(first, key), before_writing(second, key));
            writes(second).any(|(of, _)| of == key)
                && matches!(versions, (Some(one), Some(other)) if one == other)
        })
}

/// A read of something that nobody wrote.
fn read_of_nobody(looked: &Looked<'_, '_>, reader: &Operation<'_>) -> bool {
    let unwritten = |key: &Key, value: &Value| {
        let mut all = looked.all.iter().flat_map(writes);
        !all.any(|(of, written)| of == key && written == *value)
    };
    reads(reader).any(|(key, seen)| match seen {
        Seen::Value(value) => *value != Value::Nil && unwritten(key, value),
        Seen::List(items) => items.iter().any(|item| unwritten(key, &Value::Int(*item))),
        Seen::Done => false,
    })
}

fn read_twice(reader: &Operation<'_>) -> bool {
    reads(reader).any(|(_, seen)| match seen {
        Seen::List(items) => {
            let mut sorted = items.to_vec();
            sorted.sort_unstable();
            sorted.windows(2).any(|pair| pair[0] == pair[1])
        }
        _ => false,
    })
}

/// A transaction whose reads are not what it had read and written before, or show what it wrote later.
fn contradicts_itself(operation: &Operation<'_>) -> bool {
    let steps: Vec<(&Mop, &Seen)> = seen(operation).collect();
    steps.iter().enumerate().any(|(at, (step, seen))| {
        let key = step.key();
        let own = |(step, _): &&(&Mop, &Seen)| step.key() == key;
        match seen {
            Seen::Done => false,
            Seen::Value(read) => {
                let last = steps[..at].iter().rfind(own);
                let expected = last.map(|(step, seen)| match (step, seen) {
                    (Mop::Write { value, .. }, _) => Some(value.clone()),
                    (_, Seen::Value(value)) => Some(value.clone()),
                    // Nothing also stands for a list without elements.
                    (_, Seen::List(items)) if items.is_empty() => Some(Value::Nil),
                    _ => None,
                });
                let later = || steps[at..].iter().any(|(later, _)| {
                    matches!(later, Mop::Write { key: of, value } if of == key && value == read)
                });
                expected.map_or_else(later, |expected| expected.as_ref() != Some(read))
            }
            Seen::List(items) => {
                let mut base: Option<&[i64]> = None;
                let mut appended = Vec::new();
                for (step, seen) in steps[..at].iter().filter(own) {
                    match (step, seen) {
                        (Mop::Append { value, .. }, _) => appended.push(*value),
                        (_, Seen::List(read)) => {
                            base = Some(read);
                            appended.clear();
                        }
                        (Mop::Read { .. }, _) => base = Some(&[]),
                        _ => {}
                    }
                }
                let later = steps[at..].iter().any(|(later, _)| {
                    matches!(later, Mop::Append { key: of, value } if of == key && items.contains(value))
                });
                let contradicted = match base {
                    Some(base) => [base, &appended].concat() != **items,
                    None => !items.ends_with(&appended),
                };
                later || contradicted
            }
        }
    })
}
