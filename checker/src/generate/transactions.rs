//! Transactions over lists or registers, each at one moment.

use super::Planted;
use super::script::Script;
use super::world::{Applied, Values, World, int};
use crate::{Key, Mop, Op, Ret, Seen, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::HashMap;
use std::sync::Arc;

/// Steps of a transaction.
const STEPS_MAX: usize = 4;

/// A list gets so many numbers, then another takes its place: so reads stay short.
const APPENDS_MAX: u32 = 32;

fn txn(steps: impl IntoIterator<Item = Mop>) -> Op {
    Op::Txn {
        ops: steps.into_iter().collect(),
    }
}

fn seen(steps: impl IntoIterator<Item = Seen>) -> Ret {
    Ret::Txn(steps.into_iter().collect())
}

/// List-append and rw-register: every written number is new.
pub struct Transactions {
    lists: bool,
    held: HashMap<i64, Vec<i64>>,
    /// The keys in use, and how often each was written.
    keys: Vec<(i64, u32)>,
    next_key: i64,
}

impl Transactions {
    pub fn new(keys: usize, lists: bool) -> Self {
        let next_key = keys as i64;
        Self {
            lists,
            held: HashMap::new(),
            keys: (0..next_key).map(|key| (key, 0)).collect(),
            next_key,
        }
    }

    fn fresh_key(&mut self) -> i64 {
        self.next_key += 1;
        self.next_key - 1
    }

    fn write(&self, key: i64, value: i64) -> Mop {
        let key = Key::Int(key);
        match self.lists {
            true => Mop::Append { key, value },
            false => Mop::Write {
                key,
                value: Value::Int(value),
            },
        }
    }

    /// What a read shows of the numbers written to a key.
    fn shown(&self, written: &[i64]) -> Seen {
        match self.lists {
            true => Seen::List(written.into()),
            false => Seen::Value(written.last().copied().map_or(Value::Nil, Value::Int)),
        }
    }
}

fn read(key: i64) -> Mop {
    Mop::Read { key: Key::Int(key) }
}

fn number(key: &Key) -> i64 {
    match key {
        Key::Int(number) => *number,
        Key::Text(_) => unreachable!("generated keys are numbers"),
    }
}

impl World for Transactions {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let steps = rng.random_range(1..=STEPS_MAX);
        let mut ops = Vec::with_capacity(steps);
        for _ in 0..steps {
            let at = rng.random_range(0..self.keys.len());
            let key = self.keys[at].0;
            if rng.random_bool(0.5) {
                ops.push(read(key));
                continue;
            }
            ops.push(self.write(key, values.fresh()));
            self.keys[at].1 += 1;
            if self.lists && self.keys[at].1 == APPENDS_MAX {
                self.keys[at] = (self.fresh_key(), 0);
            }
        }
        Op::Txn { ops: ops.into() }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let Op::Txn { ops } = op else {
            unreachable!("only transactions are asked for")
        };
        let mut steps = Vec::with_capacity(ops.len());
        for step in ops.iter() {
            let written = match step {
                Mop::Read { key } => {
                    let held = self.held.get(&number(key)).map_or(&[][..], Vec::as_slice);
                    steps.push(self.shown(held));
                    continue;
                }
                Mop::Append { value, .. } => *value,
                Mop::Write { value, .. } => int(value),
            };
            let held = self.held.entry(number(step.key())).or_default();
            if !self.lists {
                held.clear();
            }
            held.push(written);
            steps.push(Seen::Done);
        }
        Applied::Ok(seen(steps))
    }

    /// Scenes play on keys of their own.
    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let (x, y) = (self.fresh_key(), self.fresh_key());
        let mut fresh = || script.values.fresh();
        let (a, b, c, d) = (fresh(), fresh(), fresh(), fresh());
        let write = |key: i64, value: i64| self.write(key, value);
        let shown = |written: &[i64]| self.shown(written);
        let done = || Seen::Done;
        match planted {
            Planted::StaleRead => {
                script.ok(txn([write(x, a)]), seen([done()]));
                script.ok(txn([read(x)]), seen([shown(&[])]));
            }
            Planted::G0 => {
                script.both(
                    (txn([write(x, a), write(y, b)]), seen([done(), done()])),
                    (txn([write(x, c), write(y, d)]), seen([done(), done()])),
                );
                let both = seen([shown(&[a, c]), shown(&[d, b])]);
                script.ok(txn([read(x), read(y)]), both);
            }
            Planted::G1a => {
                script.fail(txn([write(x, a)]));
                script.ok(txn([read(x)]), seen([shown(&[a])]));
            }
            Planted::G1b => script.both(
                (txn([write(x, a), write(x, b)]), seen([done(), done()])),
                (txn([read(x)]), seen([shown(&[a])])),
            ),
            Planted::G1c => script.both(
                (txn([write(x, a), read(y)]), seen([done(), shown(&[b])])),
                (txn([write(y, b), read(x)]), seen([done(), shown(&[a])])),
            ),
            Planted::GSingle => script.both(
                (txn([write(x, a), write(y, b)]), seen([done(), done()])),
                (txn([read(x), read(y)]), seen([shown(&[]), shown(&[b])])),
            ),
            Planted::G2Item => {
                script.both(
                    (txn([read(x), write(y, a)]), seen([shown(&[]), done()])),
                    (txn([read(y), write(x, b)]), seen([shown(&[]), done()])),
                );
                let both = seen([shown(&[b]), shown(&[a])]);
                script.ok(txn([read(x), read(y)]), both);
            }
            Planted::LostUpdate => {
                script.both(
                    (txn([read(x), write(x, a)]), seen([shown(&[]), done()])),
                    (txn([read(x), write(x, b)]), seen([shown(&[]), done()])),
                );
                script.ok(txn([read(x)]), seen([shown(&[a, b])]));
            }
            Planted::Internal => {
                let ret = seen([done(), shown(&[])]);
                script.ok(txn([write(x, a), read(x)]), ret);
            }
            Planted::Phantom => script.ok(txn([read(x)]), seen([shown(&[a])])),
            Planted::Duplicate => {
                script.ok(txn([write(x, a)]), seen([done()]));
                script.ok(txn([read(x)]), seen([shown(&[a, a])]));
            }
            Planted::Reorder => {
                script.ok(txn([write(x, a)]), seen([done()]));
                script.ok(txn([write(x, b)]), seen([done()]));
                script.ok(txn([read(x)]), seen([shown(&[a, b])]));
                script.ok(txn([read(x)]), seen([shown(&[b, a])]));
            }
            _ => return false,
        }
        true
    }
}

/// Transactions over registers that are written again, beside single reads and writes.
pub struct MultiRegister {
    held: Vec<Value>,
}

impl MultiRegister {
    pub fn new(keys: usize) -> Self {
        Self {
            held: vec![Value::Nil; keys],
        }
    }

    fn get(&self, key: &Key) -> Value {
        self.held[number(key) as usize].clone()
    }

    fn set(&mut self, key: &Key, value: &Value) {
        self.held[number(key) as usize] = value.clone();
    }
}

fn write(key: &Key, value: i64) -> Mop {
    Mop::Write {
        key: key.clone(),
        value: Value::Int(value),
    }
}

impl World for MultiRegister {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let key = |rng: &mut Pcg64| Key::Int(rng.random_range(0..self.held.len()) as i64);
        match rng.random_range(0..10) {
            0 => Op::Read { key: key(rng) },
            1 => Op::Write {
                key: key(rng),
                value: Value::Int(values.draw(rng)),
            },
            2 | 3 => {
                let first = rng.random_range(0..self.held.len());
                let count = rng.random_range(1..=self.held.len().min(STEPS_MAX));
                let keys = (first..first + count).map(|at| Key::Int((at % self.held.len()) as i64));
                Op::ReadAll {
                    keys: keys.collect::<Vec<_>>().into(),
                }
            }
            _ => {
                let steps = 1..=rng.random_range(1..=STEPS_MAX);
                let steps: Arc<[Mop]> = steps
                    .map(|_| match rng.random_bool(0.5) {
                        true => Mop::Read { key: key(rng) },
                        false => write(&key(rng), values.draw(rng)),
                    })
                    .collect();
                Op::Txn { ops: steps }
            }
        }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        Applied::Ok(match op {
            Op::Read { key } => Ret::Value(self.get(key)),
            Op::Write { key, value } => {
                self.set(key, value);
                Ret::Done
            }
            Op::ReadAll { keys } => {
                let shown = keys.iter().map(|key| (key.clone(), self.get(key)));
                Ret::Map(shown.collect())
            }
            Op::Txn { ops } => seen(ops.iter().map(|step| match step {
                Mop::Write { key, value } => {
                    self.set(key, value);
                    Seen::Done
                }
                other => Seen::Value(self.get(other.key())),
            })),
            _ => unreachable!("registers are asked for nothing else"),
        })
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let mut fresh = || script.values.fresh();
        let (a, b, c, d) = (fresh(), fresh(), fresh(), fresh());
        let at = script.rng.random_range(0..self.held.len());
        let other = (at + 1) % self.held.len();
        let (x, y) = (Key::Int(at as i64), Key::Int(other as i64));
        let read = |key: &Key| Mop::Read { key: key.clone() };
        let shown = |value: i64| Seen::Value(Value::Int(value));
        let written = || seen([Seen::Done]);
        match planted {
            Planted::StaleRead | Planted::LostWrite => {
                script.ok(txn([write(&x, a)]), written());
                script.ok(txn([write(&x, b)]), written());
                script.ok(txn([read(&x)]), seen([shown(a)]));
                let kept = match planted {
                    Planted::StaleRead => b,
                    _ => a,
                };
                self.held[at] = Value::Int(kept);
            }
            Planted::TornRead => {
                if other == at {
                    return false;
                }
                let done = || seen([Seen::Done, Seen::Done]);
                script.ok(txn([write(&x, a), write(&y, b)]), done());
                script.both(
                    (txn([write(&x, c), write(&y, d)]), done()),
                    (txn([read(&x), read(&y)]), seen([shown(c), shown(b)])),
                );
                self.held[at] = Value::Int(c);
                self.held[other] = Value::Int(d);
            }
            Planted::FailedWrite => {
                script.fail(txn([write(&x, a)]));
                script.ok(txn([read(&x)]), seen([shown(a)]));
            }
            Planted::Phantom => script.ok(txn([read(&x)]), seen([shown(a)])),
            _ => return false,
        }
        true
    }
}
