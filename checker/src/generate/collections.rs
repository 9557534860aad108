//! Sets, logs, queues and stacks.

use super::Planted;
use super::script::Script;
use super::world::{Applied, Fate, Values, World, int, key, position};
use crate::{Op, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::{BTreeSet, VecDeque};

/// A read of everything becomes the rarer the longer it is, so that a history of n operations stays
/// within a small multiple of n: a collection of this size is read by one operation in four.
const READ_SIZE: usize = 32;

fn reads_all(rng: &mut Pcg64, size: usize) -> bool {
    rng.random_range(0..2 * (READ_SIZE + size)) < READ_SIZE
}

pub struct Sets {
    sets: Vec<BTreeSet<i64>>,
}

impl Sets {
    pub fn new(keys: usize) -> Self {
        Self {
            sets: vec![BTreeSet::new(); keys],
        }
    }
}

impl World for Sets {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let at = rng.random_range(0..self.sets.len());
        let key = key(at);
        if reads_all(rng, self.sets[at].len()) {
            return Op::List { key };
        }
        let removes = !values.are_unique() && rng.random_ratio(1, 3);
        let value = values.draw(rng);
        match removes {
            true => Op::Remove { key, value },
            false => Op::Add { key, value },
        }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let set = &mut self.sets[position(op)];
        match op {
            Op::Add { value, .. } => set.insert(*value),
            Op::Remove { value, .. } => set.remove(value),
            _ => return Applied::Ok(Ret::List(set.iter().copied().collect())),
        };
        Applied::Ok(Ret::Done)
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.sets.len());
        let set = &mut self.sets[at];
        let key = key(at);
        let value = script.values.fresh();
        let add = Op::Add {
            key: key.clone(),
            value,
        };
        let list = Op::List { key };
        let without: Vec<i64> = set.iter().copied().collect();
        let mut with = without.clone();
        with.push(value);
        match planted {
            Planted::StaleRead | Planted::LostWrite => {
                script.done(add);
                script.ok(list.clone(), Ret::List(without));
                if planted == Planted::StaleRead {
                    set.insert(value);
                    script.ok(list, Ret::List(with));
                }
            }
            Planted::FailedWrite => {
                script.fail(add);
                script.ok(list, Ret::List(with));
            }
            Planted::Phantom => script.ok(list, Ret::List(with)),
            Planted::Duplicate => {
                script.done(add);
                set.insert(value);
                with.push(value);
                script.ok(list, Ret::List(with));
            }
            _ => return false,
        }
        true
    }
}

/// Lists that are appended to and read.
pub struct Logs {
    logs: Vec<Vec<i64>>,
    /// Every number is new, and every list is read in the end.
    ledger: bool,
}

impl Logs {
    pub fn new(keys: usize, ledger: bool) -> Self {
        Self {
            logs: vec![Vec::new(); keys],
            ledger,
        }
    }
}

impl World for Logs {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let at = rng.random_range(0..self.logs.len());
        let key = key(at);
        if reads_all(rng, self.logs[at].len()) {
            return Op::List { key };
        }
        let value = match self.ledger {
            true => values.fresh(),
            false => values.draw(rng),
        };
        Op::Append { key, value }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let log = &mut self.logs[position(op)];
        match op {
            Op::Append { value, .. } => {
                log.push(*value);
                Applied::Ok(Ret::Done)
            }
            _ => Applied::Ok(Ret::List(log.clone())),
        }
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.logs.len());
        let log = &mut self.logs[at];
        let append = |value: i64| Op::Append {
            key: key(at),
            value,
        };
        let list = || Op::List { key: key(at) };
        let (a, b) = (script.values.fresh(), script.values.fresh());
        let with = |more: &[i64]| [log.as_slice(), more].concat();
        let kept: &[i64] = match planted {
            Planted::StaleRead => {
                script.done(append(a));
                script.ok(list(), Ret::List(with(&[])));
                script.ok(list(), Ret::List(with(&[a])));
                &[a]
            }
            Planted::LostWrite => {
                script.done(append(a));
                script.ok(list(), Ret::List(with(&[])));
                &[]
            }
            Planted::FailedWrite => {
                script.fail(append(a));
                script.ok(list(), Ret::List(with(&[a])));
                &[a]
            }
            Planted::Phantom => {
                script.ok(list(), Ret::List(with(&[a])));
                &[a]
            }
            Planted::Duplicate => {
                script.done(append(a));
                script.ok(list(), Ret::List(with(&[a, a])));
                &[a, a]
            }
            Planted::Reorder => {
                script.done(append(a));
                script.done(append(b));
                script.ok(list(), Ret::List(with(&[b, a])));
                &[b, a]
            }
            _ => return false,
        };
        log.extend_from_slice(kept);
        true
    }

    fn finale(&self) -> Vec<Op> {
        let keys = 0..self.logs.len() * usize::from(self.ledger);
        keys.map(|at| Op::List { key: key(at) }).collect()
    }
}

/// Where values leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first in leaves first: a queue.
    Head,
    /// The last in leaves first: a stack.
    Top,
}

/// Queues or stacks.
pub struct Lines {
    end: End,
    lines: Vec<Line>,
}

#[derive(Clone, Default)]
struct Line {
    values: VecDeque<i64>,
    /// Crashed operations that may have taken a value.
    crashed_takes: usize,
}

/// Above this length more leave than come.
const LENGTH: usize = 12;

impl Lines {
    pub fn new(keys: usize, end: End) -> Self {
        Self {
            end,
            lines: vec![Line::default(); keys],
        }
    }

    fn put(&self, at: usize, value: i64) -> Op {
        let (key, value) = (key(at), Value::Int(value));
        match self.end {
            End::Head => Op::Enqueue { key, value },
            End::Top => Op::Push { key, value },
        }
    }

    fn take(&self, at: usize) -> Op {
        let key = key(at);
        match self.end {
            End::Head => Op::Dequeue { key },
            End::Top => Op::Pop { key },
        }
    }

    /// Takes out everything there is, then finds it empty.
    fn drain(&mut self, at: usize, script: &mut Script<'_>) {
        loop {
            let taken = match self.end {
                End::Head => self.lines[at].values.pop_front(),
                End::Top => self.lines[at].values.pop_back(),
            };
            let shown = taken.map_or(Value::Nil, Value::Int);
            script.ok(self.take(at), Ret::Value(shown));
            if taken.is_none() {
                return;
            }
        }
    }
}

impl World for Lines {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let at = rng.random_range(0..self.lines.len());
        let puts = match self.lines[at].values.len() {
            ..LENGTH => 0.5,
            _ => 0.35,
        };
        match rng.random_bool(puts) {
            true => self.put(at, values.draw(rng)),
            false => self.take(at),
        }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let values = &mut self.lines[position(op)].values;
        let taken = match op {
            Op::Enqueue { value, .. } | Op::Push { value, .. } => {
                values.push_back(int(value));
                return Applied::Ok(Ret::Done);
            }
            Op::Dequeue { .. } => values.pop_front(),
            _ => values.pop_back(),
        };
        Applied::Ok(Ret::Value(taken.map_or(Value::Nil, Value::Int)))
    }

    fn ended(&mut self, _worker: u32, op: &Op, fate: Fate) {
        if fate == Fate::Crashed && matches!(op, Op::Dequeue { .. } | Op::Pop { .. }) {
            self.lines[position(op)].crashed_takes += 1;
        }
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.lines.len());
        let (a, b) = (script.values.fresh(), script.values.fresh());
        let shown = |value: i64| Ret::Value(Value::Int(value));
        match planted {
            Planted::LostWrite => {
                // Crashed operations may have taken all of them but one.
                for _ in 0..=self.lines[at].crashed_takes {
                    let lost = script.values.fresh();
                    script.done(self.put(at, lost));
                }
                self.drain(at, script);
            }
            Planted::FailedWrite => {
                self.drain(at, script);
                script.fail(self.put(at, a));
                script.ok(self.take(at), shown(a));
            }
            Planted::Phantom => {
                self.drain(at, script);
                script.ok(self.take(at), shown(a));
            }
            Planted::Duplicate => {
                self.drain(at, script);
                script.done(self.put(at, a));
                script.ok(self.take(at), shown(a));
                script.ok(self.take(at), shown(a));
            }
            Planted::Reorder => {
                self.drain(at, script);
                script.done(self.put(at, a));
                script.done(self.put(at, b));
                let (first, second) = match self.end {
                    End::Head => (b, a),
                    End::Top => (a, b),
                };
                script.ok(self.take(at), shown(first));
                script.ok(self.take(at), shown(second));
            }
            _ => return false,
        }
        true
    }
}
