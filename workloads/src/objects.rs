//! Workloads of independent objects: most of them.
//!
//! A group of threads works on one object until that has had its share of operations, then on the next one, with keys
//! of its own. So no object grows without end, an operation that crashed burdens the judging of one object only, and
//! an object that is stuck (a lock whose holder crashed) is left behind. In the finale all objects are read.

use crate::finale::{Drain, until_ok};
use crate::generator::{Any, Boxed, Limit, PerKey};
use crate::{Context, Generator, Next, Workload, judges, seed};
use checker::store::BLOCK;
use checker::{Checker, Event, Key, Op};
use rand_pcg::Pcg64;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Values and elements of one object are numbered within a block of their own.
pub const VALUES_PER_OBJECT: i64 = 1_000_000;

/// One object, as its clients use it.
pub trait Object: Send {
    /// The next operation of a thread.
    fn op(&mut self, thread: u64) -> Op;

    /// How an operation went.
    fn observe(&mut self, _thread: u64, _event: &Event) {}
}

/// Where an object's keys and values come from.
pub struct Place {
    /// The keys of this object.
    pub keys: Vec<Key>,
    pub rng: Pcg64,
    last_value: i64,
}

/// What is done with objects in the end.
#[derive(Clone, Copy, Debug)]
pub enum Finale {
    /// Nothing.
    None,
    /// Each of these operations until it has an answer.
    Read(fn(&[Key]) -> Vec<Op>),
    /// This operation until nothing is left.
    Drain(fn(&Key) -> Op),
}

/// A kind of object.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Keys begin here and end with the block.
    pub first_key: i64,
    /// Keys of one object.
    pub width: i64,
    pub make: fn(Place) -> Box<dyn Object>,
    pub finale: Finale,
    /// Whether the model takes all keys for one object, so that the objects must be shown to it one by one.
    pub one_by_one: bool,
}

/// One value belongs to one run: the finale reads the objects that the generator has used.
pub struct Objects {
    name: &'static str,
    model: String,
    kind: Kind,
    ops: u64,
    threads: u64,
    /// Numbers of the objects.
    used: Arc<Mutex<BTreeSet<i64>>>,
}

struct OneObject {
    object: Box<dyn Object>,
    threads: u64,
}

impl Objects {
    /// Each object has `ops` operations by `threads` threads.
    pub fn new(name: &'static str, model: String, kind: Kind, ops: u64, threads: u64) -> Self {
        Self {
            name,
            model,
            kind,
            ops,
            threads,
            used: Arc::default(),
        }
    }
}

impl Kind {
    /// The number of the object that a key belongs to.
    pub fn number(&self, key: &Key) -> Option<i64> {
        match key {
            Key::Int(key) => Some((key - self.first_key).div_euclid(self.width)),
            Key::Text(_) => None,
        }
    }

    /// The keys of an object, by its number.
    fn keys(&self, number: i64) -> Vec<Key> {
        let first = self.first_key + number * self.width;
        (first..first + self.width).map(Key::Int).collect()
    }
}

impl Place {
    /// A value that this object has not had.
    pub fn fresh(&mut self) -> i64 {
        self.last_value += 1;
        self.last_value
    }

    /// The key of an object that has one.
    pub fn key(&self) -> Key {
        self.keys[0].clone()
    }
}

impl Workload for Objects {
    fn name(&self) -> &str {
        self.name
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn generator(&self, seed: u64) -> Boxed {
        let (kind, ops, name) = (self.kind, self.ops, self.name);
        let used = Arc::clone(&self.used);
        let make = move |number: &Key| -> Boxed {
            let number = match number {
                Key::Int(number) => *number,
                Key::Text(_) => unreachable!("objects are numbered"),
            };
            used.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(number);
            let object = (kind.make)(Place {
                keys: kind.keys(number),
                rng: seed::stream(seed, &format!("{name}/{number}")),
                last_value: number * VALUES_PER_OBJECT,
            });
            Box::new(Limit::new(ops, Box::new(OneObject { object, threads: 1 })))
        };
        let numbers = (0..BLOCK / self.kind.width).map(Key::Int);
        Box::new(PerKey::new(numbers, self.threads, make))
    }

    fn finale(&self, _seed: u64) -> Boxed {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = used.iter().map(|number| self.kind.keys(*number));
        match self.kind.finale {
            Finale::None => Box::new(Any::new([])),
            Finale::Read(reads) => until_ok(keys.flat_map(|keys| reads(&keys))),
            Finale::Drain(take) => Box::new(Drain::new(keys.map(|keys| take(&keys[0])))),
        }
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let checkers = judges::of(&self.model);
        match self.kind.one_by_one {
            false => checkers,
            true => judges::one_by_one(checkers, self.kind),
        }
    }

    fn blocks(&self) -> Vec<i64> {
        vec![self.kind.first_key]
    }
}

impl Generator for OneObject {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        self.threads = ctx.threads.max(1);
        match ctx.free.first() {
            Some(process) => Next::Op(*process, self.object.op(ctx.thread(*process))),
            None => Next::Pending { until: None },
        }
    }

    fn observe(&mut self, event: &Event) {
        self.object.observe(event.process.0 % self.threads, event);
    }
}
