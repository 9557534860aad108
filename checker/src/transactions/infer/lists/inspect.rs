//! Anomalies of lists that show without a cycle.

use super::super::super::anomalies::Name;
use super::super::super::intern::{Action, Fate, KeyId, TxnId};
use super::super::super::meter::{Exhausted, Meter};
use super::super::super::witness::Shortened;
use super::super::Sightings;
use super::{Append, List, Lists, NOWHERE, reads};

/// What one transaction did with a list so far.
struct Slot<'a> {
    key: KeyId,
    /// What the last read showed.
    read: Option<&'a [i64]>,
    /// What it appended since.
    own: Vec<i64>,
    /// What it read before it appended anything.
    base: Option<&'a [i64]>,
    wrote: bool,
    /// Contradictions after the first say nothing new.
    is_broken: bool,
}

/// A transaction that read a list and appended to it: the list, how long it was, and who.
type Renewal = (KeyId, u32, TxnId);

impl<'a> Slot<'a> {
    fn new(key: KeyId) -> Self {
        Slot {
            key,
            read: None,
            own: Vec::new(),
            base: None,
            wrote: false,
            is_broken: false,
        }
    }

    /// Whether the transaction's own reads and appends so far allow it to read this.
    fn allows(&self, list: &[i64]) -> bool {
        let whole = self
            .read
            .is_none_or(|read| list.len() == read.len() + self.own.len() && list.starts_with(read));
        whole && list.ends_with(&self.own)
    }
}

impl<'a> Lists<'_, 'a> {
    pub(super) fn inspect(
        &self,
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.stage("looking at the elements of reads")?;
        for (reader, key, read) in reads(self.transactions) {
            meter.work(1)?;
            let list = self.list(key);
            if list.is_ambiguous {
                continue;
            }
            self.inspect_elements(list, (reader, key, read), sightings, meter)?;
            self.inspect_last_element((reader, key, read), sightings);
        }
        meter.stage("looking for updates of what failed")?;
        for at in 0..self.index.lists.len() {
            self.inspect_order(KeyId(at as u32), sightings, meter)?;
        }
        meter.stage("looking at what transactions read of their own")?;
        let mut renewals = Vec::new();
        for id in self.transactions.ids() {
            if self.transactions.get(id).fate == Fate::Committed {
                self.inspect_transaction(id, &mut renewals, sightings, meter)?;
            }
        }
        meter.room::<Renewal>(renewals.capacity())?;
        self.inspect_renewals(&mut renewals, sightings);
        meter.give_back::<Renewal>(renewals.capacity());
        Ok(())
    }

    fn is_aborted(&self, append: &Append) -> bool {
        self.transactions.get(append.writer).fate == Fate::Aborted
    }

    fn inspect_elements(
        &self,
        list: &List<'_>,
        (reader, key, read): (TxnId, KeyId, &[i64]),
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let transactions = self.transactions;
        let name = transactions.keys[key.at()];
        let who = || transactions.name(reader);
        let (mut garbage, mut aborted) = (None, None);
        if read.len() <= list.agreed {
            garbage = read.get(list.garbage_at);
            aborted = read.get(list.aborted_at);
        } else {
            meter.work(read.len() as u64)?;
            let mut sorted = read.to_vec();
            sorted.sort_unstable();
            if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                sightings.add(Name::DuplicateElements, || {
                    let why = format!(
                        "{} read {} more than once in {name}, where it was appended at most once",
                        who(),
                        twice[0]
                    );
                    transactions.anomaly(Name::DuplicateElements, &[reader], why)
                });
            }
            for value in read {
                match self.find(key, *value) {
                    None => garbage = garbage.or(Some(value)),
                    Some(append) if self.is_aborted(append) => aborted = aborted.or(Some(value)),
                    Some(_) => {}
                }
            }
        }
        if let Some(value) = garbage {
            sightings.add(Name::GarbageRead, || {
                let why = format!("{} read {value} in {name}, which nobody appended", who());
                transactions.anomaly(Name::GarbageRead, &[reader], why)
            });
        }
        if let Some(append) = aborted.and_then(|value| self.find(key, *value)) {
            sightings.add(Name::G1a, || {
                let writer = transactions.name(append.writer);
                let why = format!(
                    "{} read {} in {name}, which {writer} appended, but {writer} failed",
                    who(),
                    append.value
                );
                transactions.anomaly(Name::G1a, &[reader, append.writer], why)
            });
        }
        Ok(())
    }

    fn inspect_last_element(
        &self,
        (reader, key, read): (TxnId, KeyId, &[i64]),
        sightings: &mut Sightings,
    ) {
        let transactions = self.transactions;
        let Some(append) = self.last_read(reader, key, read) else {
            return;
        };
        if append.is_intermediate {
            sightings.add(Name::G1b, || {
                let (who, writer) = (transactions.name(reader), transactions.name(append.writer));
                let why = format!(
                    "{who} read {} as the last that {writer} had appended to {}, but {writer} appended more",
                    append.value,
                    transactions.keys[key.at()]
                );
                transactions.anomaly(Name::G1b, &[reader, append.writer], why)
            });
        }
    }

    /// Looks for what was appended behind something that failed.
    fn inspect_order(
        &self,
        key: KeyId,
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let (list, transactions) = (self.list(key), self.transactions);
        let mut position = list.aborted_at;
        while position < list.agreed {
            meter.work(1)?;
            let next = position + 1;
            let before = self.at(list, position as u32);
            let after = (next < list.agreed)
                .then(|| self.at(list, next as u32))
                .flatten();
            position = next;
            let (Some(before), Some(after)) = (before, after) else {
                continue;
            };
            if self.is_aborted(before) && transactions.happened(after.writer) {
                sightings.add(Name::DirtyUpdate, || {
                    let failed = transactions.name(before.writer);
                    let why = format!(
                        "{} appended {} to {} behind {}, which {failed} appended, but {failed} failed",
                        transactions.name(after.writer),
                        after.value,
                        transactions.keys[key.at()],
                        before.value
                    );
                    let concerned = [after.writer, before.writer];
                    transactions.anomaly(Name::DirtyUpdate, &concerned, why)
                });
            }
        }
        Ok(())
    }

    fn inspect_transaction(
        &self,
        id: TxnId,
        renewals: &mut Vec<Renewal>,
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let transactions = self.transactions;
        let steps = transactions.steps(id);
        if steps.len() < 2 {
            return Ok(());
        }
        let mut slots: Vec<Slot<'_>> = Vec::with_capacity(steps.len().min(16));
        for (at, step) in steps.iter().enumerate() {
            meter.work(1 + slots.len() as u64)?;
            let known = slots.iter().position(|slot| slot.key == step.key);
            let known = known.unwrap_or_else(|| {
                slots.push(Slot::new(step.key));
                slots.len() - 1
            });
            let slot = &mut slots[known];
            match step.action {
                Action::Append(value) => {
                    slot.own.push(value);
                    slot.wrote = true;
                }
                Action::ReadList(list) => {
                    meter.work((steps.len() - at) as u64)?;
                    let future = steps[at + 1..].iter().find_map(|later| match later.action {
                        Action::Append(value) if later.key == step.key => {
                            self.shows(step.key, list, value).then_some(value)
                        }
                        _ => None,
                    });
                    let name = transactions.keys[step.key.at()];
                    if let Some(value) = future {
                        slot.is_broken = true;
                        sightings.add(Name::FutureRead, || {
                            let who = transactions.name(id);
                            let why = format!(
                                "{who} read {value} in {name} before it appended it itself"
                            );
                            transactions.anomaly(Name::FutureRead, &[id], why)
                        });
                    } else if !slot.allows(list) && !slot.is_broken {
                        slot.is_broken = true;
                        sightings.add(Name::Internal, || {
                            let why = format!(
                                "{} read {name} in contradiction to what it had read of it and appended to it before",
                                transactions.name(id)
                            );
                            transactions.anomaly(Name::Internal, &[id], why)
                        });
                    }
                    if !slot.wrote && slot.base.is_none() {
                        slot.base = Some(list);
                    }
                    slot.read = Some(list);
                    slot.own.clear();
                }
                _ => {}
            }
        }
        for slot in slots.iter().filter(|slot| slot.wrote && !slot.is_broken) {
            let list = self.list(slot.key);
            if let Some(base) = slot.base
                && base.len() <= list.agreed
                && !list.is_ambiguous
            {
                renewals.push((slot.key, base.len() as u32, id));
            }
        }
        Ok(())
    }

    /// Whether a read shows a value.
    fn shows(&self, key: KeyId, read: &[i64], value: i64) -> bool {
        let list = self.list(key);
        if list.is_ambiguous {
            return false;
        }
        if read.len() > list.agreed {
            return read.contains(&value);
        }
        self.find(key, value).is_some_and(|append| {
            append.position != NOWHERE && (append.position as usize) < read.len()
        })
    }

    /// Looks for transactions that read the same version of a list and both appended to it.
    fn inspect_renewals(&self, renewals: &mut [Renewal], sightings: &mut Sightings) {
        let transactions = self.transactions;
        renewals.sort_unstable();
        let same = |a: &Renewal, b: &Renewal| (a.0, a.1) == (b.0, b.1);
        for rivals in renewals.chunk_by(same).filter(|rivals| rivals.len() > 1) {
            let (key, length, first) = rivals[0];
            let second = rivals[1].2;
            sightings.add(Name::LostUpdate, || {
                let why = format!(
                    "{} and {} both read {} as {} and appended to it",
                    transactions.name(first),
                    transactions.name(second),
                    transactions.keys[key.at()],
                    Shortened(&self.list(key).longest[..length as usize])
                );
                transactions.anomaly(Name::LostUpdate, &[first, second], why)
            });
        }
    }
}
