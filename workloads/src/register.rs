//! The `register` workload: reads, writes and compare-and-sets of single values, judged for
//! linearizability.
//!
//! Keys are independent. A group of threads works on one key until it has had its share of operations,
//! then on the next: [`FIRST_KEY`], and so on, in the order in which they are taken up. No value is
//! ever written twice: the n-th value of key k is `k * VALUES_PER_KEY + n`. So a read tells which write
//! it saw, and judging is fast. A cas mostly expects what the key was last seen to hold, or hardly any
//! would succeed.

use crate::finale::until_ok;
use crate::generator::{Boxed, Limit, PerKey};
use crate::{Context, Generator, Next, Workload, seed};
use checker::store::BLOCK;
use checker::{Checker, Event, Key, Op, Phase, Ret, Value, linearizability};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys of this workload are `FIRST_KEY..END_KEY`; no other workload uses them.
pub const FIRST_KEY: i64 = 0;
pub const END_KEY: i64 = BLOCK;
/// Keys of the workload that is mostly cas: as many.
const FIRST_CAS_KEY: i64 = 64 * BLOCK;

/// Values of one key are numbered within a block of their own, so they are unique over all keys.
pub const VALUES_PER_KEY: i64 = 1_000_000;

/// One value belongs to one run: the finale reads the keys that the generator has used.
#[derive(Debug)]
pub struct Register {
    name: &'static str,
    first_key: i64,
    ops_per_key: u64,
    threads_per_key: u64,
    /// Of read, write and cas.
    weights: [u32; 3],
    used: Arc<Mutex<BTreeSet<i64>>>,
}

/// The operations on one key.
struct OneKey {
    key: Key,
    rng: Pcg64,
    weights: [u32; 3],
    next_value: i64,
    /// What the key was last seen to hold.
    seen: Value,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            name: "register",
            first_key: FIRST_KEY,
            ops_per_key: 1_000,
            threads_per_key: 5,
            weights: [5, 3, 2],
            used: Arc::default(),
        }
    }
}

impl Register {
    /// The workload `cas-register`: 2 : 2 : 6, on keys of its own.
    pub fn mostly_cas() -> Self {
        Self {
            name: "cas-register",
            first_key: FIRST_CAS_KEY,
            ..Self::default().weights(2, 2, 6)
        }
    }

    /// Operations after which a key is replaced: at most [`VALUES_PER_KEY`]. 1,000 unless told.
    pub fn ops_per_key(self, count: u64) -> Self {
        Self {
            ops_per_key: count.clamp(1, VALUES_PER_KEY as u64),
            ..self
        }
    }

    /// Threads that work on one key at a time. 5 unless told.
    pub fn threads_per_key(self, count: u64) -> Self {
        Self {
            threads_per_key: count.max(1),
            ..self
        }
    }

    /// How much of the operations is read, write and cas. 5 : 3 : 2 unless told.
    pub fn weights(self, read: u32, write: u32, cas: u32) -> Self {
        Self {
            weights: [read, write, cas],
            ..self
        }
    }
}

impl Workload for Register {
    fn name(&self) -> &str {
        self.name
    }

    fn model(&self) -> &str {
        "cas-register"
    }

    fn generator(&self, seed: u64) -> Boxed {
        let used = Arc::clone(&self.used);
        let weights = self.weights;
        let ops_per_key = self.ops_per_key;
        let (name, first_key) = (self.name, self.first_key);
        let make = move |key: &Key| -> Boxed {
            let number = match key {
                Key::Int(number) => *number,
                Key::Text(_) => unreachable!("the keys below are numbers"),
            };
            used.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(number);
            let one = OneKey {
                key: key.clone(),
                rng: seed::stream(seed, &format!("{name}/key/{key}")),
                weights,
                next_value: (number - first_key) * VALUES_PER_KEY,
                seen: Value::Nil,
            };
            Box::new(Limit::new(ops_per_key, Box::new(one)))
        };
        // A key's values must not run over: 2^40 keys of a million values stay below 2^63.
        let keys = (first_key..first_key + BLOCK).map(Key::Int);
        Box::new(PerKey::new(keys, self.threads_per_key, make))
    }

    fn finale(&self, _seed: u64) -> Boxed {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        until_ok(used.iter().map(|key| Op::Read {
            key: Key::Int(*key),
        }))
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        vec![Box::new(linearizability::Linearizable::cas_register())]
    }

    fn blocks(&self) -> Vec<i64> {
        vec![self.first_key]
    }
}

impl OneKey {
    fn fresh(&mut self) -> Value {
        self.next_value += 1;
        Value::Int(self.next_value)
    }

    fn op(&mut self) -> Op {
        let key = self.key.clone();
        let [read, write, cas] = self.weights;
        let draw = self.rng.random_range(0..(read + write + cas).max(1));
        if draw < read {
            Op::Read { key }
        } else if draw < read + write {
            Op::Write {
                key,
                value: self.fresh(),
            }
        } else {
            // One in eight expects any earlier value: it should fail, and must not succeed.
            let from = if self.rng.random_ratio(1, 8) {
                let first = self.next_value / VALUES_PER_KEY * VALUES_PER_KEY;
                Value::Int(self.rng.random_range(first..=self.next_value))
            } else {
                self.seen.clone()
            };
            Op::Cas {
                key,
                from,
                to: self.fresh(),
            }
        }
    }
}

impl Generator for OneKey {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        match ctx.free.first() {
            Some(process) => Next::Op(*process, self.op()),
            None => Next::Pending { until: None },
        }
    }

    fn observe(&mut self, event: &Event) {
        if let Phase::Ok(ret) = &event.phase {
            match (&event.op, ret) {
                (Op::Read { .. }, Ret::Value(value)) => self.seen = value.clone(),
                (Op::Write { value, .. }, _) | (Op::Cas { to: value, .. }, _) => {
                    self.seen = value.clone();
                }
                _ => {}
            }
        }
    }
}
