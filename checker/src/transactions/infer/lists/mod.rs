//! Lists: a read shows all versions that came before it, so reads alone give the order of appends.
//!
//! The longest read of a list gives its order, as far as every other read agrees (is a beginning of it).
//! Appends that no read shows come after those that reads agree on, in an unknown order.

mod edges;
mod inspect;

use super::super::anomalies::Name;
use super::super::intern::{Action, Fate, KeyId, Mixed, Transactions, TxnId};
use super::super::meter::{Exhausted, Meter};
use super::super::witness::Shortened;
use super::{Doubts, Sightings};
use std::collections::HashMap;

/// An append, by its place among all appends.
type AppendId = u32;

const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Append {
    key: KeyId,
    value: i64,
    writer: TxnId,
    /// Where the longest read shows it.
    position: u32,
    /// Whether its transaction appended to the list again.
    is_intermediate: bool,
}

/// What is known of one list.
#[derive(Clone, Copy, Debug)]
struct List<'a> {
    longest: &'a [i64],
    longest_reader: TxnId,
    /// Where its appends begin in `Lists::order`.
    start: usize,
    /// So many elements of the longest read are certain: no read contradicts them, none stands twice.
    agreed: usize,
    /// The first elements of the longest read that nobody appended, and that a failed transaction did.
    garbage_at: usize,
    aborted_at: usize,
    /// Whether a value was appended twice, so that reads don't tell by whom.
    is_ambiguous: bool,
}

/// What the reads of lists tell.
pub(in super::super) struct Lists<'t, 'a> {
    transactions: &'t Transactions<'a>,
    index: Index<'a>,
}

struct Index<'a> {
    appends: Vec<Append>,
    by_value: HashMap<(KeyId, i64), AppendId, Mixed>,
    lists: Vec<List<'a>>,
    /// For every list its longest read as appends; `NOWHERE` where nobody appended the element.
    order: Vec<AppendId>,
    /// For every place of `order` the last place up to it, in the same list, whose append happened.
    last_happened: Vec<u32>,
    /// And the first place from it on, before the end of the certain order.
    next_happened: Vec<u32>,
}

/// Finds the versions, the anomalies that show without a cycle, and marks unknown transactions that
/// somebody read from as having happened.
pub(in super::super) fn infer<'t, 'a>(
    transactions: &'t mut Transactions<'a>,
    sightings: &mut Sightings,
    doubts: &mut Doubts,
    meter: &mut Meter,
) -> Result<Lists<'t, 'a>, Exhausted> {
    let mut index = Index::of(transactions, doubts, meter)?;
    index.find_longest(transactions, meter)?;
    index.order_appends(transactions, meter)?;
    index.compare_reads(transactions, sightings, meter)?;
    index.skip_what_did_not_happen(transactions, meter)?;
    let lists = Lists {
        transactions,
        index,
    };
    lists.inspect(sightings, meter)?;
    Ok(lists)
}

impl<'a> Index<'a> {
    /// Who appended what.
    fn of(
        transactions: &Transactions<'a>,
        doubts: &mut Doubts,
        meter: &mut Meter,
    ) -> Result<Self, Exhausted> {
        meter.stage("indexing appends")?;
        meter.room::<List<'_>>(transactions.keys.len())?;
        let unread = List {
            longest: &[],
            longest_reader: TxnId(0),
            start: 0,
            agreed: 0,
            garbage_at: usize::MAX,
            aborted_at: usize::MAX,
            is_ambiguous: false,
        };
        let mut index = Index {
            appends: Vec::new(),
            by_value: HashMap::default(),
            lists: vec![unread; transactions.keys.len()],
            order: Vec::new(),
            last_happened: Vec::new(),
            next_happened: Vec::new(),
        };
        let count = transactions
            .ids()
            .flat_map(|id| transactions.steps(id))
            .filter(|step| matches!(step.action, Action::Append(_)))
            .count();
        // An entry of the map, a byte of control, and as much again for its free places.
        meter.room::<Append>(count)?;
        meter.room::<(KeyId, i64, AppendId, u64)>(2 * count)?;
        index.appends.reserve_exact(count);
        index.by_value.reserve(count);
        let mut appended_by = vec![(TxnId(NOWHERE), 0); transactions.keys.len()];
        for id in transactions.ids() {
            for step in transactions.steps(id) {
                let Action::Append(value) = step.action else {
                    continue;
                };
                meter.work(1)?;
                let next = index.appends.len() as AppendId;
                let (by, earlier) = appended_by[step.key.at()];
                if by == id {
                    index.appends[earlier as usize].is_intermediate = true;
                }
                appended_by[step.key.at()] = (id, next);
                index.appends.push(Append {
                    key: step.key,
                    value,
                    writer: id,
                    position: NOWHERE,
                    is_intermediate: false,
                });
                let entry = index.by_value.entry((step.key, value)).or_insert(next);
                if *entry == next {
                    continue;
                }
                // A failed append of the same value is no rival: it did not happen.
                let rival = index.appends[*entry as usize].writer;
                let aborted = |id| transactions.get(id).fate == Fate::Aborted;
                if aborted(rival) {
                    *entry = next;
                } else if !aborted(id) {
                    let list = &mut index.lists[step.key.at()];
                    if !list.is_ambiguous {
                        list.is_ambiguous = true;
                        doubts.add(|| {
                            format!(
                                "{value} was appended to {} by {} and by {}: reads don't tell whose they saw, so nothing is known of this list",
                                transactions.keys[step.key.at()],
                                transactions.name(rival),
                                transactions.name(id)
                            )
                        });
                    }
                }
            }
        }
        Ok(index)
    }

    fn find_longest(
        &mut self,
        transactions: &Transactions<'a>,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.stage("looking for the longest reads")?;
        for (reader, key, read) in reads(transactions) {
            meter.work(1)?;
            let list = &mut self.lists[key.at()];
            if read.len() > list.longest.len() && !list.is_ambiguous {
                list.longest = read;
                list.longest_reader = reader;
            }
        }
        Ok(())
    }

    fn order_appends(
        &mut self,
        transactions: &mut Transactions<'a>,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.stage("ordering appends")?;
        let count = self.lists.iter().map(|list| list.longest.len()).sum();
        meter.room::<AppendId>(count)?;
        self.order.reserve_exact(count);
        for at in 0..self.lists.len() {
            let list = &mut self.lists[at];
            list.start = self.order.len();
            list.agreed = list.longest.len();
            meter.work(list.longest.len() as u64)?;
            for (position, value) in list.longest.iter().enumerate() {
                let found = self.by_value.get(&(KeyId(at as u32), *value)).copied();
                self.order.push(found.unwrap_or(NOWHERE));
                let Some(found) = found else {
                    list.garbage_at = list.garbage_at.min(position);
                    continue;
                };
                let append = &mut self.appends[found as usize];
                if append.position != NOWHERE {
                    list.agreed = list.agreed.min(position);
                    continue;
                }
                append.position = position as u32;
                transactions.observe(append.writer);
                if transactions.get(append.writer).fate == Fate::Aborted {
                    list.aborted_at = list.aborted_at.min(position);
                }
            }
        }
        Ok(())
    }

    /// Compares every read with the longest one of its list.
    fn compare_reads(
        &mut self,
        transactions: &mut Transactions<'a>,
        sightings: &mut Sightings,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.stage("comparing reads")?;
        let mut seen_elsewhere = Vec::new();
        for (reader, key, read) in reads(transactions) {
            meter.work(1 + read.len() as u64 / 8)?;
            let list = &mut self.lists[key.at()];
            if list.is_ambiguous || list.longest.starts_with(read) {
                continue;
            }
            let differs = list
                .longest
                .iter()
                .zip(read)
                .position(|(a, b)| a != b)
                .unwrap_or(0);
            list.agreed = list.agreed.min(differs);
            for value in &read[differs..] {
                if let Some(append) = self.by_value.get(&(key, *value)) {
                    seen_elsewhere.push(self.appends[*append as usize].writer);
                }
            }
            sightings.add(Name::IncompatibleOrder, || {
                let name = transactions.keys[key.at()];
                let why = format!(
                    "{} read {name} as {} and {} read it as {}: neither is the beginning of the other",
                    transactions.name(reader),
                    Shortened(&read[differs.saturating_sub(2)..]),
                    transactions.name(list.longest_reader),
                    Shortened(&list.longest[differs.saturating_sub(2)..]),
                );
                let from = if differs > 2 {
                    format!(" (from position {} on)", differs - 1)
                } else {
                    String::new()
                };
                let concerned = [reader, list.longest_reader];
                transactions.anomaly(Name::IncompatibleOrder, &concerned, why + &from)
            });
        }
        for id in seen_elsewhere {
            transactions.observe(id);
        }
        Ok(())
    }

    /// Lets a search for the neighbours of a place skip what failed or was never appended.
    fn skip_what_did_not_happen(
        &mut self,
        transactions: &Transactions<'a>,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        meter.room::<(u32, u32)>(self.order.len())?;
        self.last_happened = vec![NOWHERE; self.order.len()];
        self.next_happened = vec![NOWHERE; self.order.len()];
        for list in &self.lists {
            meter.work(list.agreed as u64)?;
            let happened = |at: usize| {
                let append = self.order[list.start + at];
                append != NOWHERE && transactions.happened(self.appends[append as usize].writer)
            };
            let mut last = NOWHERE;
            for at in 0..list.agreed {
                if happened(at) {
                    last = at as u32;
                }
                self.last_happened[list.start + at] = last;
            }
            let mut next = NOWHERE;
            for at in (0..list.agreed).rev() {
                if happened(at) {
                    next = at as u32;
                }
                self.next_happened[list.start + at] = next;
            }
        }
        Ok(())
    }
}

/// What committed transactions read of lists.
fn reads<'t, 'a>(
    transactions: &'t Transactions<'a>,
) -> impl Iterator<Item = (TxnId, KeyId, &'a [i64])> + 't {
    transactions
        .ids()
        .filter(|id| transactions.get(*id).fate == Fate::Committed)
        .flat_map(|id| transactions.steps(id).iter().map(move |step| (id, step)))
        .filter_map(|(id, step)| match step.action {
            Action::ReadList(list) => Some((id, step.key, list)),
            _ => None,
        })
}

impl<'a> Lists<'_, 'a> {
    fn list(&self, key: KeyId) -> &List<'a> {
        &self.index.lists[key.at()]
    }

    fn find(&self, key: KeyId, value: i64) -> Option<&Append> {
        let id = self.index.by_value.get(&(key, value))?;
        Some(&self.index.appends[*id as usize])
    }

    fn at(&self, list: &List<'_>, position: u32) -> Option<&Append> {
        let id = *self.index.order.get(list.start + position as usize)?;
        self.index.appends.get(id as usize)
    }

    /// The last append that happened among the first `end` of the certain order.
    fn last_before(&self, list: &List<'_>, end: usize) -> Option<&Append> {
        let last = end.min(list.agreed).checked_sub(1)?;
        let position = self.index.last_happened[list.start + last];
        (position != NOWHERE).then(|| self.at(list, position))?
    }

    /// The first append that happened at or after `start` in the certain order.
    fn first_from(&self, list: &List<'_>, start: usize) -> Option<&Append> {
        if start >= list.agreed {
            return None;
        }
        let position = self.index.next_happened[list.start + start];
        (position != NOWHERE).then(|| self.at(list, position))?
    }

    /// The last append in a read that happened and was another transaction's.
    fn last_read(&self, reader: TxnId, key: KeyId, read: &[i64]) -> Option<&Append> {
        let list = self.list(key);
        if read.len() <= list.agreed {
            let mut last = self.last_before(list, read.len());
            while let Some(append) = last.filter(|append| append.writer == reader) {
                last = self.last_before(list, append.position as usize);
            }
            return last;
        }
        let others =
            |append: &&Append| append.writer != reader && self.transactions.happened(append.writer);
        read.iter()
            .rev()
            .find_map(|value| self.find(key, *value).filter(others))
    }

    /// Whether the certain order does not say where it stands: it comes after all of that order.
    fn is_in_tail(&self, append: &Append) -> bool {
        append.position == NOWHERE || append.position as usize >= self.list(append.key).agreed
    }
}
