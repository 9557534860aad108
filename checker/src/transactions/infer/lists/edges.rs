//! The dependencies that lists show.
//!
//! The certain order gives ww from each append to the next, wr from the last append in a read to the
//! reader, and rw from a reader to the next append behind what it read; other dependencies follow from
//! these. Appends behind the certain order have no known order among each other, but come after all of
//! it, and after everybody who read no more than it.

use super::super::super::graph::{Builder, Kinds, RW, WR, WW};
use super::super::super::intern::{Action, KeyId, Transactions, TxnId};
use super::super::super::meter::{Exhausted, Meter};
use super::super::super::witness::Shortened;
use super::super::Evidence;
use super::{Append, Lists, reads};

/// Those who come before everything behind a list's certain order.
type Source = (KeyId, TxnId, Kinds);

impl Evidence for Lists<'_, '_> {
    fn transactions(&self) -> &Transactions<'_> {
        self.transactions
    }

    fn add_edges(&self, graph: &mut Builder, meter: &mut Meter) -> Result<(), Exhausted> {
        meter.stage("finding dependencies")?;
        let mut tails: Vec<(KeyId, TxnId)> = self
            .index
            .appends
            .iter()
            .filter(|append| self.is_behind(append))
            .map(|append| (append.key, append.writer))
            .collect();
        meter.room::<(KeyId, TxnId)>(tails.capacity())?;
        tails.sort_unstable();
        tails.dedup();
        let mut has_tail = vec![false; self.index.lists.len()];
        for (key, _) in &tails {
            has_tail[key.at()] = true;
        }
        let mut sources: Vec<Source> = Vec::new();
        for (at, list) in self.index.lists.iter().enumerate() {
            let mut last: Option<&Append> = None;
            let mut next = self.first_from(list, 0);
            while let Some(append) = next {
                meter.work(1)?;
                if let Some(last) = last.filter(|last| last.writer != append.writer) {
                    graph.edge(last.writer.0, append.writer.0, WW);
                }
                last = next;
                next = self.first_from(list, append.position as usize + 1);
            }
            if let Some(last) = last.filter(|_| has_tail[at]) {
                sources.push((KeyId(at as u32), last.writer, WW));
            }
        }
        for (reader, key, read) in reads(self.transactions) {
            meter.work(1)?;
            let list = self.list(key);
            if list.is_ambiguous {
                continue;
            }
            if let Some(append) = self.last_read(reader, key, read) {
                graph.edge(append.writer.0, reader.0, WR);
            }
            if read.len() > list.agreed {
                continue;
            }
            match self.first_from(list, read.len()) {
                // The reader itself appended next: whoever came after it is reached by its ww.
                Some(append) if append.writer == reader => {}
                Some(append) => graph.edge(reader.0, append.writer.0, RW),
                None if has_tail[key.at()] => sources.push((key, reader, RW)),
                None => {}
            }
        }
        graph.settle(meter)?;
        meter.room::<Source>(sources.capacity())?;
        sources.sort_unstable();
        sources.dedup();
        let mut from = sources.chunk_by(|a, b| a.0 == b.0).peekable();
        for tail in tails.chunk_by(|a, b| a.0 == b.0) {
            let key = tail[0].0;
            let Some(sources) = from.next_if(|sources| sources[0].0 == key) else {
                continue;
            };
            meter.work((sources.len() + tail.len()) as u64)?;
            let sources: Vec<(TxnId, Kinds)> =
                sources.iter().map(|(_, id, kind)| (*id, *kind)).collect();
            let targets: Vec<TxnId> = tail.iter().map(|(_, id)| *id).collect();
            graph.fan(&sources, &targets);
        }
        meter.give_back::<Source>(sources.capacity());
        meter.give_back::<(KeyId, TxnId)>(tails.capacity());
        graph.settle(meter)
    }

    fn why(&self, from: TxnId, to: TxnId, kind: Kinds) -> Option<String> {
        match kind {
            WR => self.why_wr(from, to),
            WW => self.why_ww(from, to),
            RW => self.why_rw(from, to),
            _ => None,
        }
    }
}

impl Lists<'_, '_> {
    /// Whether it happened, and is nowhere in the certain order of a list of which anything is known.
    fn is_behind(&self, append: &Append) -> bool {
        self.transactions.happened(append.writer)
            && self.is_in_tail(append)
            && !self.list(append.key).is_ambiguous
    }

    /// The appends of a transaction.
    fn appends(&self, id: TxnId) -> impl Iterator<Item = &Append> {
        self.transactions.steps(id).iter().filter_map(move |step| {
            let Action::Append(value) = step.action else {
                return None;
            };
            self.find(step.key, value)
                .filter(|append| append.writer == id && !self.list(append.key).is_ambiguous)
        })
    }

    /// What a transaction read of the lists of which something is known.
    fn read_by(&self, id: TxnId) -> impl Iterator<Item = (KeyId, &[i64])> {
        self.transactions
            .steps(id)
            .iter()
            .filter_map(|step| match step.action {
                Action::ReadList(read) => Some((step.key, read)),
                _ => None,
            })
            .filter(|(key, _)| !self.list(*key).is_ambiguous)
    }

    fn why_wr(&self, from: TxnId, to: TxnId) -> Option<String> {
        let transactions: &Transactions<'_> = self.transactions;
        self.read_by(to).find_map(|(key, read)| {
            let append = self
                .last_read(to, key, read)
                .filter(|append| append.writer == from)?;
            Some(format!(
                "{} read {} in {}, which {} appended",
                transactions.name(to),
                append.value,
                transactions.keys[key.at()],
                transactions.name(from),
            ))
        })
    }

    fn why_ww(&self, from: TxnId, to: TxnId) -> Option<String> {
        let transactions = self.transactions;
        self.appends(to).find_map(|append| {
            let list = self.list(append.key);
            let is_behind = self.is_behind(append);
            let end = if is_behind {
                list.agreed
            } else {
                append.position as usize
            };
            let before = self
                .last_before(list, end)
                .filter(|before| before.writer == from)?;
            let shown = if is_behind {
                "has the first and not the second"
            } else {
                "shows both"
            };
            Some(format!(
                "{} appended {} to {} and {} appended {} after it: what {} read, {}, {shown}",
                transactions.name(from),
                before.value,
                transactions.keys[append.key.at()],
                transactions.name(to),
                append.value,
                transactions.name(list.longest_reader),
                Shortened(list.longest),
            ))
        })
    }

    fn why_rw(&self, from: TxnId, to: TxnId) -> Option<String> {
        let transactions = self.transactions;
        self.read_by(from).find_map(|(key, read)| {
            let list = self.list(key);
            if read.len() > list.agreed {
                return None;
            }
            let append = match self.first_from(list, read.len()) {
                Some(next) => Some(next).filter(|next| next.writer == to),
                None => self
                    .appends(to)
                    .find(|append| append.key == key && self.is_behind(append)),
            }?;
            Some(format!(
                "{} read {} without {}, which {} appended",
                transactions.name(from),
                transactions.keys[key.at()],
                append.value,
                transactions.name(to),
            ))
        })
    }
}
