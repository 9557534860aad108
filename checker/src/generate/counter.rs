//! Counters, and sources of unique ids.

use super::Planted;
use super::script::Script;
use super::world::{Applied, Fate, Values, World, key, position};
use crate::{Op, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

pub struct Counters {
    counters: Vec<Counter>,
}

#[derive(Clone, Copy, Default)]
struct Counter {
    sum: i64,
    /// What was acknowledged: no later read can show less.
    acknowledged: i64,
    /// What may have been added: none can show more.
    possible: i64,
}

impl Counters {
    pub fn new(keys: usize) -> Self {
        Self {
            counters: vec![Counter::default(); keys],
        }
    }
}

impl World for Counters {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let key = key(rng.random_range(0..self.counters.len()));
        if rng.random_ratio(1, 3) {
            return Op::Read { key };
        }
        let value = rng.random_range(1..=values.distinct().max(1));
        Op::Add { key, value }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let counter = &mut self.counters[position(op)];
        match op {
            Op::Add { value, .. } => {
                counter.sum += value;
                Applied::Ok(Ret::Done)
            }
            _ => Applied::Ok(Ret::Value(Value::Int(counter.sum))),
        }
    }

    fn ended(&mut self, _worker: u32, op: &Op, fate: Fate) {
        if let Op::Add { value, .. } = op {
            let counter = &mut self.counters[position(op)];
            if fate == Fate::Ok {
                counter.acknowledged += value;
            }
            if fate != Fate::Fail {
                counter.possible += value;
            }
        }
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.counters.len());
        let amount = script.rng.random_range(1..=script.values.distinct().max(1));
        let counter = &mut self.counters[at];
        let key = key(at);
        let add = Op::Add {
            key: key.clone(),
            value: amount,
        };
        let read = Op::Read { key };
        let shown = |sum: i64| Ret::Value(Value::Int(sum));
        match planted {
            Planted::StaleRead | Planted::LostWrite => {
                script.done(add);
                script.ok(read.clone(), shown(counter.acknowledged));
                counter.acknowledged += amount;
                counter.possible += amount;
                if planted == Planted::StaleRead {
                    counter.sum += amount;
                    script.ok(read, shown(counter.sum));
                }
            }
            Planted::FailedWrite => {
                script.fail(add);
                script.ok(read, shown(counter.possible + amount));
            }
            Planted::Phantom => script.ok(read, shown(counter.possible + amount)),
            _ => return false,
        }
        true
    }
}

/// Hands out numbers.
pub struct Ids {
    last: Vec<i64>,
}

impl Ids {
    pub fn new(keys: usize) -> Self {
        Self {
            last: vec![0; keys],
        }
    }
}

impl World for Ids {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, _values: &mut Values) -> Op {
        let key = key(rng.random_range(0..self.last.len()));
        Op::Generate { key }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let last = &mut self.last[position(op)];
        *last += 1;
        Applied::Ok(Ret::Value(Value::Int(*last)))
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.last.len());
        self.last[at] += 1;
        for _ in 0..2 {
            let twice = Ret::Value(Value::Int(self.last[at]));
            script.ok(Op::Generate { key: key(at) }, twice);
        }
        planted == Planted::Duplicate
    }
}
