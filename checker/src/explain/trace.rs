//! What operations leave for others to meet, and what they meet.

use crate::history::Operation;
use crate::{Key, Mop, Op, ProcessId, Ret, Seen, Value};
use std::collections::{HashMap, HashSet};

/// Texts that are searched for one another, reads times pieces; more are not related.
const TEXTS_MAX: usize = 4_000_000;
static NIL: Value = Value::Nil;

/// Something that one operation leaves and another meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trace<'a> {
    /// In a register.
    Value(&'a Key, &'a Value),
    /// In a queue or stack.
    Item(&'a Key, &'a Value),
    /// Out of a queue or stack.
    Taken(&'a Key, &'a Value),
    /// Something was taken, nobody knows what.
    TakenUnknown(&'a Key),
    /// In a list, set or log.
    Element(&'a Key, i64),
    Removed(&'a Key, i64),
    /// Part of a text.
    Piece(&'a Key, &'a str),
    /// In a counter.
    Amount(&'a Key),
    /// A lock in somebody's hand: an owner's, or a client's where owners are not told apart.
    Held(&'a Key, &'a Value, Option<ProcessId>),
    Freed(&'a Key, &'a Value, Option<ProcessId>),
}

/// How many of those who left a trace an operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// All who may be the ones: of values those not overwritten.
    Possible,
    /// All of them, also later ones.
    All,
    /// The last before it.
    Last,
    /// The first after it.
    Next,
}

pub(super) fn leave<'a>(
    operation: &Operation<'a>,
    counters: &HashSet<&Key>,
    into: &mut dyn FnMut(Trace<'a>),
) {
    let process = operation.invocation.process;
    match operation.op() {
        Op::Write { key, value } | Op::Cas { key, to: value, .. } => into(Trace::Value(key, value)),
        Op::Delete { key } => into(Trace::Value(key, &NIL)),
        Op::Concat { key, suffix } => into(Trace::Piece(key, suffix)),
        Op::Enqueue { key, value } | Op::Push { key, value } => into(Trace::Item(key, value)),
        Op::Dequeue { key } | Op::Pop { key } => match operation.ret() {
            Some(Ret::Value(Value::Nil)) => {}
            Some(Ret::Value(value)) => into(Trace::Taken(key, value)),
            _ => into(Trace::TakenUnknown(key)),
        },
        Op::Add { key, .. } if counters.contains(key) => into(Trace::Amount(key)),
        Op::Append { key, value } | Op::Add { key, value } => into(Trace::Element(key, *value)),
        Op::Remove { key, value } => into(Trace::Removed(key, *value)),
        Op::Acquire { key, owner } => into(Trace::Held(key, owner, client(owner, process))),
        Op::Release { key, owner } => into(Trace::Freed(key, owner, client(owner, process))),
        Op::Txn { ops } => {
            for op in &**ops {
                match op {
                    Mop::Read { .. } => {}
                    Mop::Write { key, value } => into(Trace::Value(key, value)),
                    Mop::Append { key, value } => into(Trace::Element(key, *value)),
                }
            }
        }
        _ => {}
    }
}

pub(super) fn meet<'a>(
    operation: &Operation<'a>,
    counters: &HashSet<&Key>,
    texts: &Texts<'a>,
    into: &mut dyn FnMut(Trace<'a>, Who),
) {
    let process = operation.invocation.process;
    match (operation.op(), operation.ret()) {
        (Op::Cas { key, from, .. }, _) if operation.failure().is_none() => {
            into(Trace::Value(key, from), Who::Possible);
        }
        (Op::Read { key }, Some(Ret::Value(_))) if counters.contains(key) => {
            into(Trace::Amount(key), Who::Possible);
        }
        (Op::Read { key }, Some(Ret::Value(value))) => {
            into(Trace::Value(key, value), Who::Possible);
            texts.meet(key, value, into);
        }
        (Op::Enqueue { key, value } | Op::Push { key, value }, _) => {
            into(Trace::Taken(key, value), Who::All);
            into(Trace::TakenUnknown(key), Who::All);
        }
        (Op::Dequeue { key } | Op::Pop { key }, Some(Ret::Value(value))) => {
            into(Trace::Item(key, value), Who::Possible);
        }
        (Op::Add { key, value }, _) => into(Trace::Removed(key, *value), Who::All),
        (Op::Acquire { key, owner }, _) => {
            into(Trace::Freed(key, owner, client(owner, process)), Who::Next);
        }
        (Op::Release { key, owner }, _) => {
            into(Trace::Held(key, owner, client(owner, process)), Who::Last);
        }
        (Op::List { key }, Some(Ret::List(items))) => {
            for item in items {
                into(Trace::Element(key, *item), Who::Possible);
            }
        }
        (Op::ReadAll { .. }, Some(Ret::Map(entries))) => {
            for (key, value) in &**entries {
                into(Trace::Value(key, value), Who::Possible);
            }
        }
        (Op::Txn { ops }, Some(Ret::Txn(seen))) => {
            for (op, seen) in ops.iter().zip(&**seen) {
                match seen {
                    Seen::Done => {}
                    Seen::Value(value) => into(Trace::Value(op.key(), value), Who::Possible),
                    Seen::List(items) => {
                        for item in &**items {
                            into(Trace::Element(op.key(), *item), Who::Possible);
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

/// Where owners are not told apart, a client gives back what it took.
fn client(owner: &Value, process: ProcessId) -> Option<ProcessId> {
    (*owner == Value::Nil).then_some(process)
}

/// Keys that are added to and read as one value.
pub(super) fn counters<'a>(operations: &[Operation<'a>]) -> HashSet<&'a Key> {
    let mut added: HashSet<&Key> = HashSet::new();
    let mut read: HashSet<&Key> = HashSet::new();
    for operation in operations {
        match operation.op() {
            Op::Add { key, .. } => added.insert(key),
            Op::Read { key } => read.insert(key),
            _ => false,
        };
    }
    added.intersection(&read).copied().collect()
}

/// The texts that were appended to a register, and those written as a whole.
#[derive(Default)]
pub(super) struct Texts<'a>(HashMap<&'a Key, OfKey<'a>>);

#[derive(Default)]
struct OfKey<'a> {
    pieces: Vec<&'a str>,
    whole: Vec<&'a Value>,
}

impl<'a> Texts<'a> {
    /// None where there are too many to look for.
    pub(super) fn of(operations: &[Operation<'a>]) -> Self {
        let mut texts: HashMap<&Key, OfKey<'_>> = HashMap::new();
        let (mut appended, mut written) = (0usize, 0usize);
        for operation in operations {
            match operation.op() {
                Op::Concat { key, suffix } => {
                    texts.entry(key).or_default().pieces.push(suffix);
                    appended += 1;
                }
                Op::Write { key, value } | Op::Cas { key, to: value, .. } => {
                    texts.entry(key).or_default().whole.push(value);
                    written += 1;
                }
                _ => {}
            }
        }
        let looks = (appended + written).saturating_mul(operations.len());
        if appended == 0 || looks > TEXTS_MAX {
            texts.clear();
        }
        texts.retain(|_, of_key| !of_key.pieces.is_empty());
        Self(texts)
    }

    /// The pieces of a text that was read.
    fn meet(&self, key: &'a Key, read: &'a Value, into: &mut dyn FnMut(Trace<'a>, Who)) {
        let (Value::Text(text), Some(of_key)) = (read, self.0.get(key)) else {
            return;
        };
        for piece in of_key.pieces.iter().filter(|piece| text.contains(**piece)) {
            into(Trace::Piece(key, piece), Who::Possible);
        }
        for whole in &of_key.whole {
            if let Value::Text(beginning) = whole
                && text.starts_with(&**beginning)
                && *whole != read
            {
                into(Trace::Value(key, whole), Who::Possible);
            }
        }
    }
}
