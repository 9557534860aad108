//! Shows again what checkers claim that ask for no order: by the definition of each property, from the
//! few operations of the core. Claims that nobody else did something are held against all operations.

use crate::history::Operation;
use crate::{Key, Op, Ret, Value};

/// How the operations of `core` contradict the property of the checker of that name; `None` where that
/// is not known here, or they do not.
pub fn shown(checker: &str, core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    match checker {
        "set-full" => lost(core, all)
            .or_else(|| twice_in_a_read(core))
            .or_else(|| added_by_nobody(core, all)),
        "ledger" => lost(core, all)
            .or_else(|| twice_in_a_read(core))
            .or_else(|| added_by_nobody(core, all)),
        "bank" => totals(core),
        "unique-ids" => same_id(core),
        "total-queue" => taken_too_often(core, all),
        "monotonic" => went_back(core),
        "counter-bounds" => out_of_bounds(core, all),
        _ => None,
    }
}

/// How a few operations contradict a list or a set that looks like one object, where all orders are too
/// many to be tried. `None` also where there are other operations.
pub fn of_lists(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    let is_known = |operation: &Operation<'_>| {
        matches!(
            operation.op(),
            Op::Append { .. } | Op::Add { .. } | Op::Remove { .. } | Op::List { .. }
        )
    };
    if !core.iter().all(is_known) {
        return None;
    }
    lost(core, all)
        .or_else(|| added_by_nobody(core, all))
        .or_else(|| out_of_order(core, all))
        .or_else(|| more_often_than_added(core, all))
}

/// How often an element was, or may have been, added.
fn times_added(all: &[Operation<'_>], key: &Key, value: i64) -> usize {
    all.iter()
        .filter(|operation| operation.failure().is_none() && added(operation) == Some((key, value)))
        .count()
}

/// A list shows an element before one whose append had ended when its own began; both were appended
/// once.
fn out_of_order(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    let appends: Vec<(&Operation<'_>, &Key, i64)> = core
        .iter()
        .filter(|operation| matches!(operation.op(), Op::Append { .. }))
        .filter_map(|operation| added(operation).map(|(key, value)| (operation, key, value)))
        .filter(|(_, key, value)| times_added(all, key, *value) == 1)
        .collect();
    core.iter().filter_map(listed).find_map(|(key, items)| {
        let at = |value: i64| items.iter().position(|item| *item == value);
        appends.iter().find_map(|(first, of, earlier)| {
            appends.iter().find_map(|(second, other, later)| {
                let turned = *of == key
                    && *other == key
                    && precedes(first, second)
                    && matches!((at(*earlier), at(*later)), (Some(a), Some(b)) if b < a);
                turned.then(|| {
                    format!("the append of {earlier} had ended before that of {later} began, and a read shows {later} first")
                })
            })
        })
    })
}

fn more_often_than_added(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    core.iter().filter_map(listed).find_map(|(key, items)| {
        items.iter().find_map(|item| {
            let there = items.iter().filter(|other| *other == item).count();
            let put = times_added(all, key, *item);
            (there > put).then(|| {
                format!("a read shows {item} {there} times, and it was put there {put} times")
            })
        })
    })
}

/// Whether one had ended, known to its client, when the other began.
fn precedes(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    first.is_ok()
        && first
            .completed_at
            .is_some_and(|end| end < second.invoked_at)
}

/// The element that an operation adds.
fn added<'a>(operation: &Operation<'a>) -> Option<(&'a Key, i64)> {
    match operation.op() {
        Op::Add { key, value } | Op::Append { key, value } => Some((key, *value)),
        _ => None,
    }
}

fn listed<'a>(operation: &Operation<'a>) -> Option<(&'a Key, &'a [i64])> {
    match (operation.op(), operation.ret()) {
        (Op::List { key }, Some(Ret::List(items))) => Some((key, items)),
        _ => None,
    }
}

fn read<'a>(operation: &Operation<'a>) -> Option<(&'a Key, &'a Value)> {
    match (operation.op(), operation.ret()) {
        (Op::Read { key }, Some(Ret::Value(value))) => Some((key, value)),
        _ => None,
    }
}

/// An acknowledged element that a later read lacks, that no read after it shows, and nobody removed.
fn lost(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    for add in core {
        let Some((key, value)) = added(add) else {
            continue;
        };
        let removed = all.iter().any(|operation| {
            matches!(operation.op(), Op::Remove { key: of, value: gone } if of == key && *gone == value)
        });
        let lacking = core.iter().find(|operation| {
            precedes(add, operation)
                && listed(operation).is_some_and(|(of, items)| of == key && !items.contains(&value))
        });
        if let Some(lacking) = lacking.filter(|_| !removed) {
            let seen_later = all.iter().any(|operation| {
                operation.completed_at > Some(lacking.invoked_at)
                    && listed(operation)
                        .is_some_and(|(of, items)| of == key && items.contains(&value))
            });
            if !seen_later {
                return Some(format!(
                    "{value} was acknowledged before a read began that lacks it, nobody took it out, and no read shows it from then on"
                ));
            }
        }
    }
    None
}

fn twice_in_a_read(core: &[Operation<'_>]) -> Option<String> {
    core.iter().filter_map(listed).find_map(|(_, items)| {
        let mut sorted = items.to_vec();
        sorted.sort_unstable();
        let pair = sorted.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(format!("a read shows {} twice", pair[0]))
    })
}

fn added_by_nobody(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    core.iter().find_map(|reader| {
        let (key, items) = listed(reader)?;
        let stranger = items.iter().find(|item| {
            !all.iter().any(|operation| {
                added(operation) == Some((key, **item))
                    && operation.failure().is_none()
                    && Some(operation.invoked_at) < reader.completed_at
            })
        })?;
        Some(format!(
            "a read shows {stranger}, which nobody had added before it ended, or only one who failed"
        ))
    })
}

/// Reads of the same accounts that hold different amounts together, or one below zero.
fn totals(core: &[Operation<'_>]) -> Option<String> {
    let mut known: Option<(Vec<&Key>, i128)> = None;
    for operation in core {
        let Some(Ret::Map(entries)) = operation.ret() else {
            continue;
        };
        let mut total = 0i128;
        for (key, value) in &**entries {
            match value {
                Value::Int(n) if *n < 0 => return Some(format!("account {key} holds {n}")),
                Value::Int(n) => total += i128::from(*n),
                _ => {}
            }
        }
        let accounts: Vec<&Key> = entries.iter().map(|(key, _)| key).collect();
        match &known {
            Some((same, other)) if *same == accounts && *other != total => {
                return Some(format!(
                    "two reads of the same accounts add up to {other} and to {total}"
                ));
            }
            Some(_) => {}
            None => known = Some((accounts, total)),
        }
    }
    None
}

fn same_id(core: &[Operation<'_>]) -> Option<String> {
    let id = |operation: &Operation<'_>| match (operation.op(), operation.ret()) {
        (Op::Generate { .. }, Some(Ret::Value(id))) => Some(id.clone()),
        _ => None,
    };
    core.iter().enumerate().find_map(|(at, operation)| {
        let own = id(operation)?;
        let again = core[at + 1..]
            .iter()
            .any(|other| id(other).as_ref() == Some(&own));
        again.then(|| format!("the id {own} was given out twice"))
    })
}

/// An element that was taken more often than anybody may have put it there.
fn taken_too_often(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    let taken = |operation: &Operation<'_>| match (operation.op(), operation.ret()) {
        (Op::Dequeue { key }, Some(Ret::Value(value))) if *value != Value::Nil => {
            Some((key.clone(), value.clone()))
        }
        _ => None,
    };
    core.iter().find_map(|operation| {
        let (key, value) = taken(operation)?;
        let times = core
            .iter()
            .filter(|other| taken(other).is_some_and(|one| one == (key.clone(), value.clone())))
            .count();
        let put = all
            .iter()
            .filter(|other| other.failure().is_none())
            .filter(|other| {
                matches!(other.op(), Op::Enqueue { key: of, value: one } if *of == key && *one == value)
            })
            .count();
        (times > put).then(|| format!("{value} was taken {times} times and put there {put} times"))
    })
}

/// Of two reads one after the other, the second gives less.
fn went_back(core: &[Operation<'_>]) -> Option<String> {
    core.iter().find_map(|first| {
        let (key, before) = read(first)?;
        core.iter().find_map(|second| {
            let (of, after) = read(second)?;
            let less = match (before, after) {
                (Value::Int(before), Value::Int(after)) => after < before,
                (Value::Int(_), Value::Nil) => true,
                _ => false,
            };
            (of == key && less && precedes(first, second))
                .then(|| format!("{before} had been read before the read of {after} began"))
        })
    })
}

/// A read of a counter below all that was certainly there, or above all that can have been.
fn out_of_bounds(core: &[Operation<'_>], all: &[Operation<'_>]) -> Option<String> {
    core.iter().find_map(|reader| {
        let (key, value) = read(reader)?;
        let seen = match value {
            Value::Int(n) => i128::from(*n),
            Value::Nil => 0,
            Value::Text(_) => return None,
        };
        let (mut least, mut most) = (0i128, 0i128);
        for operation in all.iter().filter(|one| one.failure().is_none()) {
            let Some((_, amount)) = added(operation).filter(|(of, _)| *of == key) else {
                continue;
            };
            let amount = i128::from(amount);
            if precedes(operation, reader) {
                least += amount;
                most += amount;
            } else if Some(operation.invoked_at) < reader.completed_at {
                least += amount.min(0);
                most += amount.max(0);
            }
        }
        let outside = seen < least || seen > most;
        outside
            .then(|| format!("the adds allow {least} to {most} at that time, and {value} was read"))
    })
}
