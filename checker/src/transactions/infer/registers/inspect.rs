//! Anomalies of registers that show without a cycle.

use super::super::super::anomalies::Name;
use super::super::super::intern::{Action, Fate, KeyId, Step, TxnId};
use super::super::super::meter::{Exhausted, Meter};
use super::super::Sightings;
use super::{Registers, Version};
use crate::Value;

/// What one transaction last read of a register or wrote to it.
struct Slot<'a> {
    key: KeyId,
    holds: &'a Value,
    is_broken: bool,
}

impl<'a> Registers<'_, 'a> {
    pub(super) fn inspect(
        &self,
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.stage("looking at what transactions read")?;
        let mut renewals: Vec<(KeyId, Version, TxnId)> = Vec::new();
        for id in self.committed() {
            self.inspect_transaction(id, sightings, meter)?;
            for (key, version) in self.renewals(id) {
                if !matches!(version, Version::Initial | Version::Written(_)) {
                    continue;
                }
                renewals.push((key, version, id));
                self.inspect_renewal(id, key, version, sightings);
            }
        }
        meter.room::<(KeyId, Version, TxnId)>(renewals.capacity())?;
        renewals.sort_unstable();
        for rivals in renewals.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            if let [(key, version, first), (.., second), ..] = rivals {
                self.lost_update(*key, *version, [*first, *second], sightings);
            }
        }
        meter.give_back::<(KeyId, Version, TxnId)>(renewals.capacity());
        Ok(())
    }

    fn inspect_transaction(
        &self,
        id: TxnId,
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let transactions = self.transactions;
        let steps = transactions.steps(id);
        let mut slots: Vec<Slot<'a>> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            meter.work(1 + slots.len() as u64)?;
            let (value, is_read) = match step.action {
                Action::Read(value) => (value, true),
                Action::Write(value) => (value, false),
                _ => continue,
            };
            let known = slots.iter().position(|slot| slot.key == step.key);
            let mut is_future = false;
            if is_read {
                let is_this_write = |later: &Step<'_>| {
                    later.key == step.key && later.action == Action::Write(value)
                };
                let is_own = known.is_some_and(|known| slots[known].holds == value);
                let version = self.version(step.key, value);
                is_future = !is_own
                    && matches!(version, Version::Written(write) if self.write(write).writer == id)
                    && steps[at + 1..].iter().any(is_this_write);
                if is_future {
                    sightings.add(Name::FutureRead, || {
                        let why = format!(
                            "{} read {value} in {} before it wrote it itself",
                            transactions.name(id),
                            transactions.keys[step.key.at()]
                        );
                        transactions.anomaly(Name::FutureRead, &[id], why)
                    });
                }
                self.inspect_read(id, step.key, value, version, sightings);
            }
            let Some(known) = known else {
                slots.push(Slot {
                    key: step.key,
                    holds: value,
                    is_broken: is_future,
                });
                continue;
            };
            let slot = &mut slots[known];
            let holds = std::mem::replace(&mut slot.holds, value);
            if is_read && holds != value && !is_future && !slot.is_broken {
                slot.is_broken = true;
                sightings.add(Name::Internal, || {
                    let why = format!(
                        "{} read {value} in {}, where it had last read or written {holds}",
                        transactions.name(id),
                        transactions.keys[step.key.at()]
                    );
                    transactions.anomaly(Name::Internal, &[id], why)
                });
            }
        }
        Ok(())
    }

    fn inspect_read(
        &self,
        reader: TxnId,
        key: KeyId,
        value: &Value,
        version: Version,
        sightings: &mut Sightings,
    ) {
        let transactions = self.transactions;
        let (who, name) = (|| transactions.name(reader), transactions.keys[key.at()]);
        let write = match version {
            Version::Initial | Version::Unknown => return,
            Version::Garbage => {
                return sightings.add(Name::GarbageRead, || {
                    let why = format!("{} read {value} in {name}, which nobody wrote", who());
                    transactions.anomaly(Name::GarbageRead, &[reader], why)
                });
            }
            Version::Written(write) => self.write(write),
        };
        let concerned = [reader, write.writer];
        let writer = || transactions.name(write.writer);
        if transactions.get(write.writer).fate == Fate::Aborted {
            sightings.add(Name::G1a, || {
                let writer = writer();
                let why = format!(
                    "{} read {value} in {name}, which {writer} wrote, but {writer} failed",
                    who()
                );
                transactions.anomaly(Name::G1a, &concerned, why)
            });
        } else if write.is_intermediate && write.writer != reader {
            sightings.add(Name::G1b, || {
                let writer = writer();
                let why = format!(
                    "{} read {value} in {name}, which {writer} wrote, but {writer} overwrote it at once",
                    who()
                );
                transactions.anomaly(Name::G1b, &concerned, why)
            });
        }
    }

    fn inspect_renewal(&self, id: TxnId, key: KeyId, version: Version, sightings: &mut Sightings) {
        let transactions = self.transactions;
        let Version::Written(write) = version else {
            return;
        };
        let write = self.write(write);
        if transactions.get(write.writer).fate != Fate::Aborted {
            return;
        }
        sightings.add(Name::DirtyUpdate, || {
            let failed = transactions.name(write.writer);
            let why = format!(
                "{} wrote {} upon {}, which {failed} wrote, but {failed} failed",
                transactions.name(id),
                transactions.keys[key.at()],
                write.value
            );
            transactions.anomaly(Name::DirtyUpdate, &[id, write.writer], why)
        });
    }

    fn lost_update(
        &self,
        key: KeyId,
        version: Version,
        rivals: [TxnId; 2],
        sightings: &mut Sightings,
    ) {
        let transactions = self.transactions;
        let value = match version {
            Version::Written(write) => self.write(write).value,
            _ => &Value::Nil,
        };
        sightings.add(Name::LostUpdate, || {
            let why = format!(
                "{} and {} both read {value} in {} and wrote it anew",
                transactions.name(rivals[0]),
                transactions.name(rivals[1]),
                transactions.keys[key.at()]
            );
            transactions.anomaly(Name::LostUpdate, &rivals, why)
        });
    }
}
