//! Who could have put there what others saw.
//!
//! A history from which a write is left out while a read of it stays is wrong in a new and trivial way:
//! "nobody wrote 5". So what is left out goes together with those who saw it.

use crate::history::Operation;
use crate::{Key, Mop, Op, Ret, Seen, Value};
use std::collections::HashMap;

/// Texts that are searched for one another, reads times suffixes; more are not related.
const TEXTS_MAX: usize = 4_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trace<'a> {
    /// In a register, queue or stack.
    Value(&'a Key, &'a Value),
    /// In a list, set or log.
    Element(&'a Key, i64),
    /// As part of a text.
    Suffix(&'a Key, &'a str),
    /// A lock, by its owner.
    Held(&'a Key, &'a Value),
}

/// For each operation of a history, the traces that it left and saw, as numbers.
#[derive(Debug, Default)]
pub struct Traces {
    left: Vec<Vec<u32>>,
    seen: Vec<Vec<u32>>,
    /// By trace: the operations that may have left it. Failed ones only where there are no others.
    by: Vec<Vec<usize>>,
}

impl Traces {
    pub fn of(operations: &[Operation<'_>]) -> Self {
        let mut numbers: HashMap<Trace<'_>, u32> = HashMap::new();
        let mut traces = Self::default();
        for (at, operation) in operations.iter().enumerate() {
            let mut left = Vec::new();
            leave(operation, &mut |trace| {
                let next = numbers.len() as u32;
                let number = *numbers.entry(trace).or_insert(next);
                if number as usize == traces.by.len() {
                    traces.by.push(Vec::new());
                }
                traces.by[number as usize].push(at);
                left.push(number);
            });
            traces.left.push(left);
        }
        for by in &mut traces.by {
            let happened = |at: &usize| operations[*at].failure().is_none();
            if by.iter().any(happened) {
                by.retain(happened);
            }
        }
        let suffixes = suffixes(operations);
        for operation in operations {
            let mut seen = Vec::new();
            see(operation, &suffixes, &mut |trace| {
                // What nobody wrote relates to nobody.
                seen.extend(numbers.get(&trace));
            });
            traces.seen.push(seen);
        }
        traces
    }

    /// Takes out of `kept` every operation that saw what only operations outside of it can have left,
    /// and those that saw what these left, and so on.
    pub fn close(&self, kept: &mut [bool]) {
        let mut sources = vec![0u32; self.by.len()];
        for (trace, by) in self.by.iter().enumerate() {
            sources[trace] = by.iter().filter(|at| kept[**at]).count() as u32;
        }
        loop {
            let mut changed = false;
            for (at, keep) in kept.iter_mut().enumerate() {
                let gone = |trace: &u32| sources[*trace as usize] == 0;
                if !*keep || !self.seen[at].iter().any(gone) {
                    continue;
                }
                *keep = false;
                changed = true;
                for trace in &self.left[at] {
                    if self.by[*trace as usize].contains(&at) {
                        sources[*trace as usize] -= 1;
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Adds to `kept` for everything seen one operation that left it: the last that began before the
    /// one who saw it ended.
    pub fn open(&self, operations: &[Operation<'_>], kept: &mut [bool]) {
        let mut todo: Vec<usize> = (0..kept.len()).filter(|at| kept[*at]).collect();
        while let Some(at) = todo.pop() {
            let end = operations[at].completed_at.unwrap_or(usize::MAX);
            for trace in &self.seen[at] {
                let by = &self.by[*trace as usize];
                if by.iter().any(|source| kept[*source]) {
                    continue;
                }
                let source = by
                    .iter()
                    .rfind(|source| operations[**source].invoked_at < end)
                    .or(by.first());
                if let Some(source) = source {
                    kept[*source] = true;
                    todo.push(*source);
                }
            }
        }
    }
}

fn leave<'a>(operation: &Operation<'a>, into: &mut dyn FnMut(Trace<'a>)) {
    match operation.op() {
        Op::Write { key, value }
        | Op::Cas { key, to: value, .. }
        | Op::Enqueue { key, value }
        | Op::Push { key, value } => into(Trace::Value(key, value)),
        Op::Append { key, value } | Op::Add { key, value } => into(Trace::Element(key, *value)),
        Op::Concat { key, suffix } => into(Trace::Suffix(key, suffix)),
        Op::Acquire { key, owner } => into(Trace::Held(key, owner)),
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

type Suffixes<'a> = HashMap<&'a Key, Vec<&'a str>>;

/// The texts appended to each key; none where there are too many to look for.
fn suffixes<'a>(operations: &[Operation<'a>]) -> Suffixes<'a> {
    let mut suffixes: Suffixes<'a> = HashMap::new();
    for operation in operations {
        if let Op::Concat { key, suffix } = operation.op() {
            suffixes.entry(key).or_default().push(suffix);
        }
    }
    let appended: usize = suffixes.values().map(Vec::len).sum();
    if appended.saturating_mul(operations.len()) > TEXTS_MAX {
        suffixes.clear();
    }
    suffixes
}

fn see<'a>(operation: &Operation<'a>, suffixes: &Suffixes<'a>, into: &mut dyn FnMut(Trace<'a>)) {
    match (operation.op(), operation.ret()) {
        (Op::Cas { key, from, .. }, _) if operation.is_ok() => into(Trace::Value(key, from)),
        (Op::Release { key, owner }, _) if operation.is_ok() => into(Trace::Held(key, owner)),
        (Op::Read { key } | Op::Dequeue { key } | Op::Pop { key }, Some(Ret::Value(value))) => {
            into(Trace::Value(key, value));
            let (Value::Text(text), Some(suffixes)) = (value, suffixes.get(key)) else {
                return;
            };
            for suffix in suffixes.iter().filter(|suffix| text.contains(**suffix)) {
                into(Trace::Suffix(key, suffix));
            }
        }
        (Op::List { key }, Some(Ret::List(items))) => {
            for item in items {
                into(Trace::Element(key, *item));
            }
        }
        (Op::ReadAll { .. }, Some(Ret::Map(entries))) => {
            for (key, value) in &**entries {
                into(Trace::Value(key, value));
            }
        }
        (Op::Txn { ops }, Some(Ret::Txn(seen))) => {
            for (op, seen) in ops.iter().zip(&**seen) {
                match seen {
                    Seen::Done => {}
                    Seen::Value(value) => into(Trace::Value(op.key(), value)),
                    Seen::List(items) => {
                        for item in &**items {
                            into(Trace::Element(op.key(), *item));
                        }
                    }
                }
            }
        }
        _ => {}
    }
}
