//! Checks the anomalies of transactions again: every dependency of a cycle from what the transactions
//! wrote and read, by looking for the one place in the history that shows it.
//!
//! No graph is built and no order of versions is kept: a dependency is a claim about two transactions,
//! and each claim is looked up in the operations alone. `edges` knows the dependencies,
//! `sightings` the anomalies that show without a cycle.

use super::explanation::Anomaly;
use super::{edges, sightings};
use crate::history::Operation;
use crate::{History, Key, Mop, Op, Ret, Seen, Value};
use std::collections::HashSet;

/// Why an anomaly is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("this is not a history: {0}")]
    NoHistory(String),
    #[error("no transaction of the history has the index {0}")]
    Unknown(u64),
    #[error("the transaction of index {0} stands there twice")]
    Twice(u64),
    #[error("nothing shows that the transaction of index {0} happened")]
    NotCommitted(u64),
    #[error("a cycle has at least two transactions")]
    Short,
    #[error(
        "a cycle needs a dependency after each transaction; after that of index {0} there is none"
    )]
    Open(u64),
    #[error("nothing in the history shows that {kind} leads from index {from} to index {to}")]
    Unfounded { from: u64, to: u64, kind: String },
    #[error("these dependencies are no {name}: {why}")]
    Misnamed { name: String, why: &'static str },
    #[error("the transactions named do not show a {0}")]
    NotShown(String),
    #[error("there is no second look for {0}")]
    NoSecondLook(String),
}

/// The transactions of a history, as operations.
pub(super) struct Looked<'h, 'a> {
    pub all: &'h [Operation<'a>],
}

/// Holds an anomaly against the history. The text says what was found.
pub fn verify(history: &History, anomaly: &Anomaly) -> Result<String, Flaw> {
    let operations = history
        .operations()
        .map_err(|error| Flaw::NoHistory(error.to_string()))?;
    let looked = Looked { all: &operations };
    let mut there = HashSet::new();
    let mut steps: Vec<&Operation<'_>> = Vec::with_capacity(anomaly.steps.len());
    for step in &anomaly.steps {
        if !there.insert(step.index) {
            return Err(Flaw::Twice(step.index));
        }
        steps.push(looked.find(step.index)?);
    }
    if anomaly.steps.iter().all(|step| step.edge.is_none()) {
        return sightings::verify(&looked, &anomaly.name, &steps);
    }
    let kinds = anomaly
        .steps
        .iter()
        .map(|step| step.edge.as_deref().ok_or(Flaw::Open(step.index)))
        .collect::<Result<Vec<&str>, Flaw>>()?;
    cycle(&looked, &anomaly.name, &steps, &kinds)
}

fn cycle(
    looked: &Looked<'_, '_>,
    name: &str,
    steps: &[&Operation<'_>],
    kinds: &[&str],
) -> Result<String, Flaw> {
    if steps.len() < 2 {
        return Err(Flaw::Short);
    }
    for step in steps {
        // One of unknown outcome happened if anything of it was seen.
        if !step.is_ok() && !looked.left_a_trace(step) {
            return Err(Flaw::NotCommitted(step.invocation.index));
        }
    }
    let mut assumed = false;
    for (at, kind) in kinds.iter().enumerate() {
        let (from, to) = (steps[at], steps[(at + 1) % steps.len()]);
        let unfounded = || Flaw::Unfounded {
            from: from.invocation.index,
            to: to.invocation.index,
            kind: (*kind).to_owned(),
        };
        match edges::shown(looked, kind, from, to) {
            Some(edges::Shown::ByValues) => {}
            Some(edges::Shown::IfVersionsFollowTime) => assumed = true,
            None => return Err(unfounded()),
        }
    }
    named(name, kinds)?;
    let mut text = format!(
        "each of the {} dependencies was looked up again in the history, and they form a {name}",
        kinds.len()
    );
    if assumed {
        text.push_str(", provided that a register's versions follow the order in which they were written in time");
    }
    Ok(text)
}

/// Whether dependencies of these kinds make an anomaly of that name (Adya 1999; Cerone and others 2015).
fn named(name: &str, kinds: &[&str]) -> Result<(), Flaw> {
    let misnamed = |why| Flaw::Misnamed {
        name: name.to_owned(),
        why,
    };
    let has = |wanted: &str| kinds.contains(&wanted);
    let (shape, sessions) = match name {
        _ if name.ends_with("-process") => (name.trim_end_matches("-process"), has("realtime")),
        _ if name.ends_with("-realtime") => (name.trim_end_matches("-realtime"), false),
        _ => (name, has("process") || has("realtime")),
    };
    if sessions {
        return Err(misnamed(
            "it rests on an order in time that its name does not tell",
        ));
    }
    let count = |wanted: &str| kinds.iter().filter(|kind| **kind == wanted).count();
    let anti = count("rw");
    let adjacent =
        (0..kinds.len()).any(|at| kinds[at] == "rw" && kinds[(at + 1) % kinds.len()] == "rw");
    match shape {
        "G0" if anti > 0 || has("wr") => Err(misnamed("it has more than ww")),
        "G1c" if anti > 0 => Err(misnamed("it has an rw")),
        "G-single" if anti != 1 => Err(misnamed("it has not exactly one rw")),
        "G-nonadjacent" if anti < 2 => Err(misnamed("it has fewer than two rw")),
        "G-nonadjacent" if adjacent => Err(misnamed("two rw follow one another")),
        "G2-item" | "G2" if anti == 0 => Err(misnamed("it has no rw")),
        "G2-item" if anti < 2 => Err(misnamed("it has fewer than two rw")),
        "G0" | "G1c" | "G-single" | "G-nonadjacent" | "G2-item" | "G2" => Ok(()),
        _ => Err(misnamed("no cycle is called so")),
    }
}

impl<'h, 'a> Looked<'h, 'a> {
    fn find(&self, index: u64) -> Result<&'h Operation<'a>, Flaw> {
        self.all
            .iter()
            .find(|operation| operation.invocation.index == index)
            .ok_or(Flaw::Unknown(index))
    }

    /// Everything that committed transactions read, in all of the history.
    pub fn reads(&self) -> impl Iterator<Item = (&'a Key, &'a Seen)> + '_ {
        self.all.iter().flat_map(reads)
    }

    /// Whether somebody read what only this transaction wrote, and it is not known to have failed.
    fn left_a_trace(&self, operation: &Operation<'_>) -> bool {
        operation.failure().is_none()
            && writes(operation).any(|(key, value)| {
                self.reads()
                    .any(|(of, seen)| of == key && shows(seen, &value))
                    && self.only_writer(operation, key, &value)
            })
    }

    /// Whether nobody but `operation` writes this value to the key.
    pub fn only_writer(&self, operation: &Operation<'_>, key: &Key, value: &Value) -> bool {
        self.all
            .iter()
            .filter(|other| other.invoked_at != operation.invoked_at)
            .all(|other| !writes(other).any(|(to, written)| to == key && written == *value))
    }
}

fn steps<'a>(operation: &Operation<'a>) -> &'a [Mop] {
    match operation.op() {
        Op::Txn { ops } => ops,
        _ => &[],
    }
}

/// What a transaction writes, in order; the elements that it appends are numbers.
pub(super) fn writes<'a>(operation: &Operation<'a>) -> impl Iterator<Item = (&'a Key, Value)> {
    steps(operation).iter().filter_map(|step| match step {
        Mop::Read { .. } => None,
        Mop::Write { key, value } => Some((key, value.clone())),
        Mop::Append { key, value } => Some((key, Value::Int(*value))),
    })
}

/// What a committed transaction read, in order.
pub(super) fn reads<'a>(operation: &Operation<'a>) -> impl Iterator<Item = (&'a Key, &'a Seen)> {
    seen(operation)
        .filter(|(_, seen)| **seen != Seen::Done)
        .map(|(step, seen)| (step.key(), seen))
}

/// The steps of a committed transaction, each with what it gave.
pub(super) fn seen<'a>(operation: &Operation<'a>) -> impl Iterator<Item = (&'a Mop, &'a Seen)> {
    let seen: &[Seen] = match operation.ret() {
        Some(Ret::Txn(seen)) => seen,
        _ => &[],
    };
    steps(operation).iter().zip(seen)
}

/// Whether what was read shows this value: as the value, or as an element.
pub(super) fn shows(seen: &Seen, value: &Value) -> bool {
    match (seen, value) {
        (Seen::Value(read), value) => read == value,
        (Seen::List(items), Value::Int(element)) => items.contains(element),
        _ => false,
    }
}
