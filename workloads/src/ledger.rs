//! The `ledger` workload: what was acknowledged must be there after recovery. The source of RPO.
//!
//! Each thread appends 1, 2, 3, ... to a ledger of its own, and never uses a number again, whatever
//! became of it. So the numbers that a recovered ledger lacks are exactly what was lost, and the times
//! of their acknowledgements tell how many seconds of work.
//!
//! A list that grows without end makes every read longer, so a ledger is kept in lists of
//! [`APPENDS_PER_LIST`] numbers: the key of a list is
//! `FIRST_KEY + thread * LISTS_PER_THREAD + generation`, and generation g of a thread holds the numbers
//! from `g * APPENDS_PER_LIST + 1`. Threads keep their ledger when their process is replaced.

use crate::finale::until_ok;
use crate::generator::Boxed;
use crate::{Context, Generator, Next, Workload, seed};
use checker::store::LISTS;
use checker::{Checker, Key, Op, ledger};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Keys of this workload start here; no other workload uses them.
pub const FIRST_KEY: i64 = LISTS.start;
/// Lists that a thread can fill: more than any run reaches.
pub const LISTS_PER_THREAD: i64 = 1 << 20;
/// After so many appends a thread goes on with its next list.
pub const APPENDS_PER_LIST: i64 = 256;

/// One value belongs to one run: the finale reads the lists that the generator has written.
#[derive(Debug)]
pub struct Ledger {
    ops_per_read: u32,
    written: Arc<Mutex<BTreeSet<i64>>>,
}

struct Appends {
    rng: Pcg64,
    ops_per_read: u32,
    /// The number that each thread used last.
    last: BTreeMap<u64, i64>,
    written: Arc<Mutex<BTreeSet<i64>>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            ops_per_read: 20,
            written: Arc::default(),
        }
    }
}

/// The list that holds a thread's `number`.
pub fn list_of(thread: u64, number: i64) -> i64 {
    FIRST_KEY + thread as i64 * LISTS_PER_THREAD + (number - 1) / APPENDS_PER_LIST
}

/// The ledger that a list belongs to: that of its thread.
pub fn ledger_of(list: &Key) -> Key {
    match list {
        Key::Int(number) if *number >= FIRST_KEY => {
            Key::Int((number - FIRST_KEY) / LISTS_PER_THREAD)
        }
        other => other.clone(),
    }
}

impl Ledger {
    /// One operation in so many reads the thread's current list; 0: none does. 20 unless told.
    pub fn ops_per_read(self, count: u32) -> Self {
        Self {
            ops_per_read: count,
            ..self
        }
    }
}

impl Workload for Ledger {
    fn name(&self) -> &str {
        "ledger"
    }

    fn model(&self) -> &str {
        "ledger"
    }

    fn generator(&self, seed: u64) -> Boxed {
        Box::new(Appends {
            rng: seed::stream(seed, "ledger"),
            ops_per_read: self.ops_per_read,
            last: BTreeMap::new(),
            written: Arc::clone(&self.written),
        })
    }

    fn finale(&self, _seed: u64) -> Boxed {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        until_ok(written.iter().map(|key| Op::List {
            key: Key::Int(*key),
        }))
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        vec![Box::new(ledger::Ledger::new().grouped(ledger_of))]
    }

    fn blocks(&self) -> Vec<i64> {
        vec![FIRST_KEY]
    }
}

impl Generator for Appends {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        let Some(process) = ctx.free.first() else {
            return Next::Pending { until: None };
        };
        let thread = ctx.thread(*process);
        let last = self.last.entry(thread).or_insert(0);
        let reads = self.ops_per_read > 0 && self.rng.random_ratio(1, self.ops_per_read);
        if reads && *last > 0 {
            let key = Key::Int(list_of(thread, *last));
            return Next::Op(*process, Op::List { key });
        }
        *last += 1;
        let list = list_of(thread, *last);
        if (*last - 1) % APPENDS_PER_LIST == 0 {
            self.written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(list);
        }
        let op = Op::Append {
            key: Key::Int(list),
            value: *last,
        };
        Next::Op(*process, op)
    }
}
