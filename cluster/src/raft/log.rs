//! The log as consensus sees it: the entries after the compacted part, and how far they are durable,
//! committed and handed out.

use super::Impossible;
use crate::types::{Entry, Index, Term};
use std::collections::VecDeque;

/// What an entry costs besides its data, in bytes.
const ENTRY_OVERHEAD: u64 = 32;

#[derive(Clone, Debug)]
pub struct Log {
    /// The entry before the first one that is kept.
    base_index: Index,
    base_term: Term,
    entries: VecDeque<Entry>,
    pub commit: Index,
    /// Everything up to here was handed out to be applied.
    pub applied: Index,
    /// Everything up to here is on this server's disk.
    pub stable: Index,
}

impl Log {
    /// `base` is the index and term before the first of `entries`; all of them are durable.
    pub fn new(
        base: (Index, Term),
        entries: Vec<Entry>,
        commit: Index,
        applied: Index,
    ) -> Result<Self, Impossible> {
        for (expected, entry) in (base.0 + 1..).zip(&entries) {
            if entry.index != expected {
                return Err(Impossible(format!(
                    "recovered entry {} where {expected} belongs",
                    entry.index
                )));
            }
        }
        let stable = base.0 + entries.len() as u64;
        if commit > stable || applied > commit || applied < base.0 {
            return Err(Impossible(format!(
                "recovered a log of {}..={stable} with commit {commit} and applied {applied}",
                base.0 + 1
            )));
        }
        Ok(Self {
            base_index: base.0,
            base_term: base.1,
            entries: entries.into(),
            commit,
            applied,
            stable,
        })
    }

    pub fn first(&self) -> Index {
        self.base_index + 1
    }

    pub fn last(&self) -> Index {
        self.base_index + self.entries.len() as u64
    }

    pub fn last_term(&self) -> Term {
        self.entries
            .back()
            .map_or(self.base_term, |entry| entry.term)
    }

    /// The term at an index, if it is still known.
    pub fn term(&self, index: Index) -> Option<Term> {
        match index.checked_sub(self.base_index)? {
            0 => Some(self.base_term),
            offset => self
                .entries
                .get(offset as usize - 1)
                .map(|entry| entry.term),
        }
    }

    /// Entries from `from` on, as many as fit into `max_bytes` but at least one.
    pub fn read(&self, from: Index, to: Index, max_bytes: usize) -> Vec<Entry> {
        let Some(start) = from.checked_sub(self.first()) else {
            return Vec::new();
        };
        let mut bytes = 0;
        self.entries
            .iter()
            .skip(start as usize)
            .take_while(|entry| {
                let first = bytes == 0;
                bytes += entry.data.len() + ENTRY_OVERHEAD as usize;
                entry.index <= to && (first || bytes <= max_bytes)
            })
            .cloned()
            .collect()
    }

    /// The lowest index such that the entries after it, up to `to`, have at most so many bytes.
    pub fn lowest_within(&self, to: Index, bytes: u64) -> Index {
        let (mut index, mut sum) = (to.min(self.last()), 0);
        while index > self.base_index {
            let at = (index - self.base_index - 1) as usize;
            sum += self.entries[at].data.len() as u64 + ENTRY_OVERHEAD;
            if sum > bytes {
                break;
            }
            index -= 1;
        }
        index
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, entry: Entry) {
        debug_assert_eq!(entry.index, self.last() + 1);
        self.entries.push_back(entry);
    }

    /// Removes everything from `from` on. What is committed can never be removed.
    pub fn truncate(&mut self, from: Index) -> Result<(), Impossible> {
        if from <= self.commit {
            return Err(Impossible(format!(
                "entry {from} is committed ({}) and conflicts",
                self.commit
            )));
        }
        self.entries.truncate((from - self.first()) as usize);
        self.stable = self.stable.min(from - 1);
        Ok(())
    }

    /// Forgets everything up to `to`, which must be applied.
    pub fn compact(&mut self, to: Index) {
        let to = to.min(self.applied).min(self.stable);
        while self.base_index < to {
            let entry = self
                .entries
                .pop_front()
                .expect("applied entries are in the log");
            self.base_index = entry.index;
            self.base_term = entry.term;
        }
    }

    /// Starts anew after an installed image. A suffix that continues the image is kept (Raft, figure 13,
    /// step 6), everything else goes.
    pub fn restore(&mut self, index: Index, term: Term) {
        if self.term(index) == Some(term) {
            self.commit = self.commit.max(index);
            self.applied = self.applied.max(index);
            // What is left of the image's index may not have been durable; the image makes it so.
            self.stable = self.stable.max(index);
            self.compact(index);
            return;
        }
        self.entries.clear();
        (self.base_index, self.base_term) = (index, term);
        (self.commit, self.applied, self.stable) = (index, index, index);
    }

    /// The last index up to `last` whose term is at most `term`: where logs that differ after it may
    /// still agree.
    pub fn last_not_after(&self, last: Index, term: Term) -> Index {
        let mut index = last.min(self.last());
        while index > self.base_index && self.term(index).is_some_and(|own| own > term) {
            index -= 1;
        }
        index
    }
}
