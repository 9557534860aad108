//! Causal reverse: a write is seen, but one that was acknowledged before it was even asked for is not.
//!
//! The second write may build on the first, so nobody may see it alone. A system that orders what it
//! writes by several clocks can show it: serializable, but not strictly so. Judged are reads of several
//! registers at once (each written once, nil at first), and reads of sets that only grow, where an
//! element counts as a register. One read is judged by itself: of what it could see, the unseen write
//! that was acknowledged first against the seen write that was invoked last.

use crate::findings::registers::{observed, written};
use crate::findings::{Case, Exhausted, Findings, Limits, examine, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Op, Ret, Value};
use std::collections::{HashMap, HashSet};

/// Judges in time linear in what was read, apart from sorting.
#[derive(Clone, Copy, Debug, Default)]
pub struct CausalReverse;

/// A register, or an element of a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Item<'a> {
    Register(&'a Key),
    Element(&'a Key, i64),
}

/// Who wrote an item. An element may be added several times: it may be there as soon as the first add is
/// invoked, and is from the first acknowledgement on.
struct Written<'a> {
    by: &'a Operation<'a>,
    acknowledged: Option<&'a Operation<'a>>,
}

#[derive(Default)]
struct Writes<'a> {
    of: HashMap<Item<'a>, Written<'a>>,
    /// The acknowledged elements of each set in the order of their acknowledgements.
    acknowledged: HashMap<&'a Key, Vec<(usize, i64)>>,
    /// Writes of registers that were written before: the first of each.
    again: Option<(&'a Key, &'a Operation<'a>)>,
}

impl Checker for CausalReverse {
    fn name(&self) -> &'static str {
        "causal-reverse"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            judge(operations, limits)
        })
    }
}

fn judge<'a>(operations: &'a [Operation<'a>], limits: &mut Limits) -> Result<Verdict, Exhausted> {
    let writes = Writes::of(operations);
    if let Some((key, operation)) = writes.again {
        return Ok(Verdict::unknown(format!(
            "key {key} is written more than once, again by {}: what a read of it has missed is not clear",
            who(operation)
        )));
    }
    let mut findings = Findings::of(&[("reversed", "reads saw a later write without an earlier")]);
    let mut reads = 0u64;
    for read in operations {
        limits.spend(1)?;
        let (seen, unseen) = match (read.op(), read.ret()) {
            (Op::List { key }, Some(Ret::List(items))) => {
                limits.spend(items.len())?;
                writes.split_set(key, items)
            }
            (Op::Read { .. }, _) | (_, None) => continue,
            _ => {
                let observed = observed(read);
                limits.spend(observed.len())?;
                writes.split_registers(&observed)
            }
        };
        if seen.is_none() && unseen.is_none() {
            continue;
        }
        reads += 1;
        let (Some((item, later)), Some((missed, earlier))) = (seen, unseen) else {
            continue;
        };
        if earlier.completed_at < Some(later.invoked_at) {
            findings.add("reversed", || {
                let text = format!(
                    "{} read {} but not {}, though the write of {} was acknowledged before that of {} began",
                    who(read),
                    item.name(),
                    missed.name(),
                    who(earlier),
                    who(later)
                );
                Case::new(text, [earlier, later, read])
            });
        }
    }
    let verdict = findings.verdict(|| match reads {
        0 => Verdict::unknown("nothing was read that could show two writes"),
        _ => Verdict::valid(),
    });
    Ok(verdict.with("reads", reads).with("writes", writes.of.len()))
}

/// An item and an operation that wrote it.
type By<'a> = Option<(Item<'a>, &'a Operation<'a>)>;

impl<'a> Writes<'a> {
    fn of(operations: &'a [Operation<'a>]) -> Self {
        let mut writes = Self::default();
        let mut removed: HashSet<Item<'_>> = HashSet::new();
        for operation in operations.iter().filter(|o| o.failure().is_none()) {
            match operation.op() {
                Op::Add { key, value } => writes.add(Item::Element(key, *value), operation),
                Op::Remove { key, value } => {
                    removed.insert(Item::Element(key, *value));
                }
                op => {
                    for (key, _) in written(op) {
                        let item = Item::Register(key);
                        // A transaction may write a register twice: only the last shows.
                        let other = writes.of.get(&item);
                        if other.is_some_and(|other| !std::ptr::eq(other.by, operation)) {
                            writes.again = writes.again.or(Some((key, operation)));
                        }
                        writes.add(item, operation);
                    }
                }
            }
        }
        writes.of.retain(|item, _| !removed.contains(item));
        for (item, written) in &writes.of {
            let Item::Element(key, value) = item else {
                continue;
            };
            if let Some(at) = written.acknowledged.and_then(|add| add.completed_at) {
                writes
                    .acknowledged
                    .entry(key)
                    .or_default()
                    .push((at, *value));
            }
        }
        for elements in writes.acknowledged.values_mut() {
            elements.sort_unstable();
        }
        writes
    }

    fn add(&mut self, item: Item<'a>, operation: &'a Operation<'a>) {
        let written = self.of.entry(item).or_insert(Written {
            by: operation,
            acknowledged: None,
        });
        let earliest = written.acknowledged.and_then(|add| add.completed_at);
        if operation.is_ok() && earliest.is_none_or(|at| operation.completed_at < Some(at)) {
            written.acknowledged = Some(operation);
        }
    }

    /// Of the elements seen the one invoked last, of the others the one acknowledged first.
    fn split_set(&self, key: &'a Key, items: &[i64]) -> (By<'a>, By<'a>) {
        let seen: HashSet<i64> = items.iter().copied().collect();
        let last = items
            .iter()
            .filter_map(|value| self.writer(Item::Element(key, *value)))
            .max_by_key(|(_, by)| by.invoked_at);
        // Passes over no more elements than were seen.
        let missed = self
            .acknowledged
            .get(key)
            .into_iter()
            .flatten()
            .map(|(_, value)| *value)
            .find(|value| !seen.contains(value))
            .and_then(|value| self.acknowledger(Item::Element(key, value)));
        (last, missed)
    }

    /// The same of the registers that were read.
    fn split_registers(&self, observed: &[(&'a Key, &'a Value)]) -> (By<'a>, By<'a>) {
        let items = |nil: bool| {
            let of = observed
                .iter()
                .filter(move |(_, value)| (**value == Value::Nil) == nil);
            of.map(|(key, _)| Item::Register(key))
        };
        let last = items(false)
            .filter_map(|item| self.writer(item))
            .max_by_key(|(_, by)| by.invoked_at);
        let missed = items(true)
            .filter_map(|item| self.acknowledger(item))
            .min_by_key(|(_, by)| by.completed_at);
        (last, missed)
    }

    fn writer(&self, item: Item<'a>) -> By<'a> {
        Some((item, self.of.get(&item)?.by))
    }

    fn acknowledger(&self, item: Item<'a>) -> By<'a> {
        Some((item, self.of.get(&item)?.acknowledged?))
    }
}

impl Item<'_> {
    fn name(&self) -> String {
        match self {
            Item::Register(key) => format!("key {key}"),
            Item::Element(key, value) => format!("element {value} of set {key}"),
        }
    }
}
