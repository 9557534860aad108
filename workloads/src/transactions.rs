//! Transactions over keys that come and go: `list-append` and `rw-register`.
//!
//! All threads work on a few keys at a time, some of them much more often than others; a key is replaced when it has
//! been written so many times as was drawn for it, between one and the limit, the small numbers more often. Keys that
//! live shortly show what goes wrong when a key is new; keys that live long show long chains of versions. (The
//! distributions follow Elle's generator; a constant number of writes per key is known to miss bugs.)

use crate::finale::until_ok;
use crate::generator::Boxed;
use crate::{Context, Generator, Next, Workload, judges, seed};
use checker::store::{BLOCK, LISTS};
use checker::{Checker, Key, Mop, Op, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Keys read by one transaction of the finale.
const FINAL_READS: usize = 8;

/// What transactions do besides reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Append a number to a list.
    Append,
    /// Set a register.
    Set,
}

/// One value belongs to one run: the finale reads the keys that the generator has used.
pub struct Transactions {
    write: Write,
    shape: Shape,
    /// How many keys were used.
    used: Arc<AtomicI64>,
}

/// How large transactions and lives of keys are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Keys that are used at a time.
    pub keys: u64,
    /// Steps of a transaction at the most.
    pub steps: u64,
    /// Writes to a key at the most.
    pub writes: u64,
}

struct Mix {
    write: Write,
    shape: Shape,
    rng: Pcg64,
    live: Vec<Live>,
    used: Arc<AtomicI64>,
}

/// A key in use.
struct Live {
    key: Key,
    written: i64,
    /// Replaced after so many writes.
    end: i64,
}

impl Transactions {
    pub fn new(write: Write, shape: Shape) -> Self {
        Self {
            write,
            shape,
            used: Arc::default(),
        }
    }
}

impl Write {
    fn first_key(self) -> i64 {
        match self {
            Write::Append => LISTS.start + 2 * BLOCK,
            Write::Set => 73 * BLOCK,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Write::Append => "list-append",
            Write::Set => "rw-register",
        }
    }
}

impl Workload for Transactions {
    fn name(&self) -> &str {
        self.write.name()
    }

    fn model(&self) -> &str {
        self.write.name()
    }

    fn generator(&self, seed: u64) -> Boxed {
        Box::new(Mix {
            write: self.write,
            shape: self.shape,
            rng: seed::stream(seed, self.write.name()),
            live: Vec::new(),
            used: Arc::clone(&self.used),
        })
    }

    fn finale(&self, _seed: u64) -> Boxed {
        let first = self.write.first_key();
        let used: Vec<i64> = (first..first + self.used.load(Ordering::Relaxed)).collect();
        until_ok(used.chunks(FINAL_READS).map(|keys| {
            let reads = keys.iter().map(|key| Mop::Read {
                key: Key::Int(*key),
            });
            Op::Txn {
                ops: reads.collect(),
            }
        }))
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        judges::of(self.write.name())
    }

    fn blocks(&self) -> Vec<i64> {
        vec![self.write.first_key()]
    }
}

impl Mix {
    fn fresh_key(&mut self) -> Live {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        // Half of the draws are below the root of the limit.
        let exponent: f64 = self.rng.random();
        let end = (self.shape.writes as f64).powf(exponent).round() as i64;
        Live {
            key: Key::Int(self.write.first_key() + number),
            written: 0,
            end: end.max(1),
        }
    }

    fn step(&mut self) -> Mop {
        // Each key is used half as often as the one before it.
        let last = self.live.len() - 1;
        let at = (0..last)
            .find(|_| self.rng.random_bool(0.5))
            .unwrap_or(last);
        let key = self.live[at].key.clone();
        if self.rng.random_bool(0.5) {
            return Mop::Read { key };
        }
        let live = &mut self.live[at];
        live.written += 1;
        let value = live.written;
        if live.written >= live.end {
            self.live[at] = self.fresh_key();
        }
        match self.write {
            Write::Append => Mop::Append { key, value },
            Write::Set => Mop::Write {
                key,
                value: Value::Int(value),
            },
        }
    }
}

impl Generator for Mix {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        let Some(process) = ctx.free.first() else {
            return Next::Pending { until: None };
        };
        while (self.live.len() as u64) < self.shape.keys {
            let fresh = self.fresh_key();
            self.live.push(fresh);
        }
        let steps = self.rng.random_range(1..=self.shape.steps);
        let ops = (0..steps).map(|_| self.step()).collect();
        Next::Op(*process, Op::Txn { ops })
    }
}
