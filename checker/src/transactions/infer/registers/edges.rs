//! The dependencies that registers show: see [the module](super) for what is known of their versions.

use super::super::super::graph::{Builder, Kinds, LATE_RW, Node, RW, VIA, WR};
use super::super::super::intern::{Action, KeyId, Transactions, TxnId};
use super::super::super::meter::{Exhausted, Meter};
use super::super::Evidence;
use super::{Registers, Version};
use crate::Value;

/// Somebody who read a version.
type Reading = (KeyId, Version, TxnId);

/// Of the writes that a transaction which both read and wrote a register must precede by real time, so
/// many are made edges.
const LATE_EDGES_MAX: usize = 64;

impl Evidence for Registers<'_, '_> {
    fn transactions(&self) -> &Transactions<'_> {
        self.transactions
    }

    fn add_edges(&self, graph: &mut Builder, meter: &mut Meter) -> Result<(), Exhausted> {
        meter.stage("finding dependencies")?;
        let mut readings: Vec<Reading> = Vec::new();
        let mut renewals: Vec<Reading> = Vec::new();
        for id in self.committed() {
            meter.work(1)?;
            for (key, version) in self.reads(id) {
                match version {
                    Version::Initial => readings.push((key, version, id)),
                    Version::Written(write) => {
                        let writer = self.write(write).writer;
                        if writer == id || !self.transactions.happened(writer) {
                            continue;
                        }
                        graph.edge(writer.0, id.0, WR);
                        readings.push((key, version, id));
                    }
                    Version::Garbage | Version::Unknown => {}
                }
            }
            let renewed = self.renewals(id).into_iter();
            renewals.extend(renewed.map(|(key, version)| (key, version, id)));
        }
        meter.room::<Reading>(readings.capacity() + renewals.capacity())?;
        let mut writers: Vec<(KeyId, TxnId)> = self
            .index
            .writes
            .iter()
            .filter(|write| self.transactions.happened(write.writer))
            .map(|write| (write.key, write.writer))
            .collect();
        meter.room::<(KeyId, TxnId)>(writers.capacity())?;
        for sorted in [&mut readings, &mut renewals] {
            sorted.sort_unstable();
            sorted.dedup();
        }
        writers.sort_unstable();
        writers.dedup();
        self.add_rw(&readings, &renewals, &writers, graph, meter)?;
        self.add_late_rw(&readings, &writers, graph, meter)?;
        meter.give_back::<Reading>(readings.capacity() + renewals.capacity());
        meter.give_back::<(KeyId, TxnId)>(writers.capacity());
        graph.settle(meter)
    }

    fn why(&self, from: TxnId, to: TxnId, kind: Kinds) -> Option<String> {
        let transactions = self.transactions;
        let (first, second) = (transactions.name(from), transactions.name(to));
        if kind == WR {
            return self.reads(to).find_map(|(key, version)| {
                let write = self.written(version).filter(|write| write.writer == from)?;
                let name = transactions.keys[key.at()];
                Some(format!(
                    "{second} read {} in {name}, which {first} wrote",
                    write.value
                ))
            });
        }
        self.reads(from).find_map(|(key, version)| {
            let name = transactions.keys[key.at()];
            let new = self.last_write(to, key)?;
            match version {
                Version::Initial if kind == RW => {
                    Some(format!("{first} read nil in {name}, where {second} wrote {new}"))
                }
                Version::Written(_) if kind == RW => {
                    let old = self.written(version)?.value;
                    self.renewals(to)
                        .contains(&(key, version))
                        .then(|| {
                            format!(
                                "{first} read {old} in {name}, which {second} read too and overwrote with {new}"
                            )
                        })
                }
                Version::Written(_) if kind == LATE_RW => {
                    let old = self.written(version)?;
                    let completed = transactions.get(old.writer).operation.completed_at?;
                    (completed < transactions.get(to).operation.invoked_at).then(|| {
                        format!(
                            "{first} read {} in {name}, and {second} wrote {new} there after {}, which wrote {0}, was completed",
                            old.value,
                            transactions.name(old.writer)
                        )
                    })
                }
                _ => None,
            }
        })
    }
}

impl<'a> Registers<'_, 'a> {
    fn written(&self, version: Version) -> Option<&super::Write<'a>> {
        match version {
            Version::Written(write) => Some(self.write(write)),
            _ => None,
        }
    }

    fn last_write(&self, id: TxnId, key: KeyId) -> Option<&'a Value> {
        let steps = self.transactions.steps(id);
        steps.iter().rev().find_map(|step| match step.action {
            Action::Write(value) if step.key == key => Some(value),
            _ => None,
        })
    }

    /// From those who read a version to those who put another behind it.
    fn add_rw(
        &self,
        readings: &[Reading],
        renewals: &[Reading],
        writers: &[(KeyId, TxnId)],
        graph: &mut Builder,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let version = |reading: &Reading| (reading.0, reading.1);
        for readers in readings.chunk_by(|a, b| version(a) == version(b)) {
            let (key, read) = version(&readers[0]);
            let sources: Vec<(TxnId, Kinds)> = readers.iter().map(|(.., id)| (*id, RW)).collect();
            let targets: Vec<TxnId> = if read == Version::Initial {
                let start = writers.partition_point(|(of, _)| *of < key);
                let of_key = writers[start..].iter().take_while(|(of, _)| *of == key);
                of_key.map(|(_, id)| *id).collect()
            } else {
                let start = renewals.partition_point(|reading| version(reading) < (key, read));
                let same = |reading: &&Reading| version(reading) == (key, read);
                let of_version = renewals[start..].iter().take_while(same);
                of_version.map(|(.., id)| *id).collect()
            };
            meter.work((sources.len() + targets.len()) as u64)?;
            graph.fan(&sources, &targets);
        }
        graph.settle(meter)
    }

    /// From those who read a version to those who wrote the register after that version's writer was
    /// completed. Every register has a chain of junctions from which its writers are reached in the
    /// order of their invocations.
    fn add_late_rw(
        &self,
        readings: &[Reading],
        writers: &[(KeyId, TxnId)],
        graph: &mut Builder,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let mut of_keys = writers.chunk_by(|a, b| a.0 == b.0).peekable();
        for readings in readings.chunk_by(|a, b| a.0 == b.0) {
            let key = readings[0].0;
            while of_keys.next_if(|of| of[0].0 < key).is_some() {}
            let Some(writers) = of_keys.next_if(|of| of[0].0 == key) else {
                continue;
            };
            meter.work((writers.len() + readings.len()) as u64)?;
            let chain: Vec<Node> = writers.iter().map(|_| graph.junction()).collect();
            for (at, (_, writer)) in writers.iter().enumerate() {
                graph.edge(chain[at], writer.0, VIA);
                if at > 0 {
                    graph.edge(chain[at - 1], chain[at], VIA);
                }
            }
            for (_, version, reader) in readings {
                let Some(write) = self.written(*version) else {
                    continue;
                };
                let written = &self.transactions.get(write.writer).operation;
                let Some(completed_at) = written.completed_at.filter(|_| written.is_ok()) else {
                    continue;
                };
                let operation = |at: usize| &self.transactions.get(writers[at].1).operation;
                let first = writers.partition_point(|(_, id)| {
                    self.transactions.get(*id).operation.invoked_at < completed_at
                });
                let own = writers[first..].binary_search_by_key(reader, |(_, id)| *id);
                let Ok(own) = own.map(|at| first + at) else {
                    if let Some(junction) = chain.get(first) {
                        graph.edge(reader.0, *junction, LATE_RW);
                    }
                    continue;
                };
                // The chain would lead back to the reader: it is entered behind it. Of those before it,
                // the ones suffice that none of them precedes in real time.
                if let Some(junction) = chain.get(own + 1) {
                    graph.edge(reader.0, *junction, LATE_RW);
                }
                let mut completed_first = usize::MAX;
                for at in (first..own).take(LATE_EDGES_MAX) {
                    meter.work(1)?;
                    if operation(at).invoked_at > completed_first {
                        break;
                    }
                    graph.edge(reader.0, writers[at].1.0, LATE_RW);
                    let completed_at = operation(at).completed_at.filter(|_| operation(at).is_ok());
                    completed_first = completed_first.min(completed_at.unwrap_or(usize::MAX));
                }
            }
        }
        Ok(())
    }
}
