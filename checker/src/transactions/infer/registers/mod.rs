//! Registers: a read shows one version and not those before it, so less is known of their order than of
//! lists.
//!
//! What is known, for registers whose written values are distinct:
//!
//! - a read names the transaction that wrote what it saw;
//! - nil comes before everything that was written;
//! - a transaction that read a version and then wrote the register put its own version behind that one,
//!   and whoever read the same version came before it;
//! - for the models that respect real time: what was written by a transaction that was invoked after the
//!   writer of a version was completed comes behind that version.

mod edges;
mod inspect;

use super::super::intern::{Action, Fate, KeyId, Mixed, Transactions, TxnId};
use super::super::meter::{Exhausted, Meter};
use super::{Doubts, Sightings};
use crate::Value;
use std::collections::HashMap;

type WriteId = u32;

#[derive(Clone, Copy, Debug)]
struct Write<'a> {
    key: KeyId,
    value: &'a Value,
    writer: TxnId,
    /// Whether its transaction wrote the register again.
    is_intermediate: bool,
    /// Whether another transaction, or the initial state, has the same value: a read doesn't name its
    /// writer.
    is_ambiguous: bool,
}

/// The version that a read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// What was there before anything was written.
    Initial,
    Written(WriteId),
    /// Nobody wrote it.
    Garbage,
    /// Nobody knows who wrote it.
    Unknown,
}

/// What the reads of registers tell.
pub(in super::super) struct Registers<'t, 'a> {
    transactions: &'t Transactions<'a>,
    index: Index<'a>,
}

struct Index<'a> {
    writes: Vec<Write<'a>>,
    by_value: HashMap<(KeyId, &'a Value), WriteId, Mixed>,
}

/// Finds the versions, the anomalies that show without a cycle, and marks unknown transactions that
/// somebody read from as having happened.
pub(in super::super) fn infer<'t, 'a>(
    transactions: &'t mut Transactions<'a>,
    sightings: &mut Sightings,
    doubts: &mut Doubts,
    meter: &mut Meter,
) -> Result<Registers<'t, 'a>, Exhausted> {
    let index = Index::of(transactions, meter)?;
    index.observe(transactions, doubts, meter)?;
    let registers = Registers {
        transactions,
        index,
    };
    registers.inspect(sightings, meter)?;
    Ok(registers)
}

impl<'a> Index<'a> {
    /// Who wrote what.
    fn of(transactions: &Transactions<'a>, meter: &mut Meter) -> Result<Self, Exhausted> {
        meter.stage("indexing writes")?;
        let count = transactions
            .ids()
            .flat_map(|id| transactions.steps(id))
            .filter(|step| matches!(step.action, Action::Write(_)))
            .count();
        meter.room::<Write<'_>>(count)?;
        // An entry of the map, a byte of control, and as much again for its free places.
        meter.room::<(KeyId, &Value, WriteId, u64)>(2 * count)?;
        let mut index = Index {
            writes: Vec::with_capacity(count),
            by_value: HashMap::default(),
        };
        index.by_value.reserve(count);
        let aborted = |id| transactions.get(id).fate == Fate::Aborted;
        let mut written_by = vec![(TxnId(u32::MAX), 0); transactions.keys.len()];
        for id in transactions.ids() {
            for step in transactions.steps(id) {
                let Action::Write(value) = step.action else {
                    continue;
                };
                meter.work(1)?;
                let next = index.writes.len() as WriteId;
                let (by, earlier) = written_by[step.key.at()];
                if by == id {
                    index.writes[earlier as usize].is_intermediate = true;
                }
                written_by[step.key.at()] = (id, next);
                index.writes.push(Write {
                    key: step.key,
                    value,
                    writer: id,
                    is_intermediate: false,
                    is_ambiguous: *value == Value::Nil,
                });
                let entry = index.by_value.entry((step.key, value)).or_insert(next);
                if *entry == next {
                    continue;
                }
                let rival = index.writes[*entry as usize].writer;
                // A failed write of the same value is no rival: it did not happen. And of two writes by
                // one transaction the later counts.
                if aborted(rival) || rival == id {
                    *entry = next;
                } else if !aborted(id) {
                    index.writes[*entry as usize].is_ambiguous = true;
                }
            }
        }
        Ok(index)
    }

    fn version(&self, transactions: &Transactions<'a>, key: KeyId, value: &'a Value) -> Version {
        if transactions.foreign[key.at()] {
            return Version::Unknown;
        }
        match self.by_value.get(&(key, value)) {
            Some(id) if self.writes[*id as usize].is_ambiguous => Version::Unknown,
            Some(id) => Version::Written(*id),
            None if *value == Value::Nil => Version::Initial,
            None => Version::Garbage,
        }
    }

    /// Marks those whose writes were read.
    fn observe(
        &self,
        transactions: &mut Transactions<'a>,
        doubts: &mut Doubts,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.stage("looking whose writes were read")?;
        for id in transactions.ids() {
            if transactions.get(id).fate != Fate::Committed {
                continue;
            }
            for at in 0..transactions.steps(id).len() {
                meter.work(1)?;
                let step = transactions.steps(id)[at];
                let Action::Read(value) = step.action else {
                    continue;
                };
                match self.version(transactions, step.key, value) {
                    Version::Written(write) => {
                        transactions.observe(self.writes[write as usize].writer);
                    }
                    Version::Unknown => doubts.add(|| {
                        format!(
                            "{} read {value} in {}, and nobody can say who wrote it: the register had that value more than once, or other operations change it",
                            transactions.name(id),
                            transactions.keys[step.key.at()]
                        )
                    }),
                    Version::Initial | Version::Garbage => {}
                }
            }
        }
        Ok(())
    }
}

impl<'a> Registers<'_, 'a> {
    fn version(&self, key: KeyId, value: &'a Value) -> Version {
        self.index.version(self.transactions, key, value)
    }

    fn write(&self, id: WriteId) -> &Write<'a> {
        &self.index.writes[id as usize]
    }

    /// What a transaction read of registers, step by step.
    fn reads(&self, id: TxnId) -> impl Iterator<Item = (KeyId, Version)> + '_ {
        self.transactions
            .steps(id)
            .iter()
            .filter_map(move |step| match step.action {
                Action::Read(value) => Some((step.key, self.version(step.key, value))),
                _ => None,
            })
    }

    /// The registers that a transaction wrote after it had read them, with the version that it first
    /// read. What it reads after a write is its own.
    fn renewals(&self, id: TxnId) -> Vec<(KeyId, Version)> {
        let steps = self.transactions.steps(id);
        let mut by_key: Vec<(KeyId, usize)> = steps.iter().map(|step| step.key).zip(0..).collect();
        by_key.sort_unstable();
        let renewal = |of_key: &[(KeyId, usize)]| {
            let mut actions = of_key.iter().map(|(_, at)| steps[*at].action);
            let Some(Action::Read(value)) = actions.next() else {
                return None;
            };
            let (key, _) = of_key[0];
            actions
                .any(|action| matches!(action, Action::Write(_)))
                .then(|| (key, self.version(key, value)))
        };
        by_key
            .chunk_by(|a, b| a.0 == b.0)
            .filter_map(renewal)
            .collect()
    }

    fn committed(&self) -> impl Iterator<Item = TxnId> + '_ {
        self.transactions
            .ids()
            .filter(|id| self.transactions.get(*id).fate == Fate::Committed)
    }
}
