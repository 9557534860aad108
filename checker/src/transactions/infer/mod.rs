//! What the values that transactions read tell of their order.
//!
//! [`lists`] and [`registers`] find the order of each object's versions, the anomalies that show without
//! a cycle, and the dependencies ww, wr and rw; [`time`] adds the order of processes and of real time.

pub(super) mod lists;
pub(super) mod registers;
pub(super) mod time;

use super::anomalies::Name;
use super::graph::{Builder, Kinds};
use super::intern::{Transactions, TxnId};
use super::meter::{Exhausted, Meter};
use super::witness::Anomaly;
use std::collections::BTreeMap;

/// So many of each anomaly are described; the others are counted.
pub(super) const SHOWN_PER_NAME: usize = 8;

/// The anomalies found.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    pub counts: BTreeMap<Name, u64>,
    pub shown: Vec<Anomaly>,
}

impl Sightings {
    /// Counts an anomaly, and describes it unless there are many of its name.
    pub fn add(&mut self, name: Name, describe: impl FnOnce() -> Anomaly) {
        let count = self.counts.entry(name).or_default();
        *count += 1;
        if *count <= SHOWN_PER_NAME as u64 {
            self.shown.push(describe());
        }
    }
}

/// What makes it impossible to call a history valid.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    pub count: u64,
    /// The first of them.
    pub why: String,
}

impl Doubts {
    pub fn add(&mut self, why: impl FnOnce() -> String) {
        if self.count == 0 {
            self.why = why();
        }
        self.count += 1;
    }
}

/// Which transactions precede which because of what they read and wrote.
pub(super) trait Evidence {
    fn transactions(&self) -> &Transactions<'_>;

    /// Adds the dependencies that the data show.
    fn add_edges(&self, graph: &mut Builder, meter: &mut Meter) -> Result<(), Exhausted>;

    fn why(&self, from: TxnId, to: TxnId, kind: Kinds) -> Option<String>;
}
