//! Registers: of numbers, or of texts that can be deleted and lengthened.

use super::Planted;
use super::script::Script;
use super::world::{Applied, Fate, Values, World, key, position};
use crate::{Key, Op, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    ReadWrite,
    Cas,
    Texts,
}

pub struct Registers {
    used: Use,
    cells: Vec<Cell>,
    /// The texts for the values that come again.
    texts: Vec<Arc<str>>,
}

#[derive(Clone)]
struct Cell {
    held: Value,
    /// Crashed operations that write a value: each could bring it back once.
    crashed: HashMap<Value, usize>,
}

impl Registers {
    pub fn new(keys: usize, used: Use) -> Self {
        let cell = Cell {
            held: Value::Nil,
            crashed: HashMap::new(),
        };
        Self {
            used,
            cells: vec![cell; keys],
            texts: Vec::new(),
        }
    }

    fn value(&mut self, number: i64) -> Value {
        if self.used != Use::Texts {
            return Value::Int(number);
        }
        // Small numbers come again where values are not unique.
        const KEPT_MAX: usize = 1_000;
        let at = number as usize;
        if at >= KEPT_MAX {
            return Value::Text(format!("v{number}").into());
        }
        while self.texts.len() <= at {
            let text = format!("v{}", self.texts.len());
            self.texts.push(text.into());
        }
        Value::Text(Arc::clone(&self.texts[at]))
    }

    fn draw(&mut self, rng: &mut Pcg64, values: &mut Values) -> Value {
        let number = values.draw(rng);
        self.value(number)
    }

    /// A value that few crashed operations could bring back, how many could, and another value.
    fn pair(&mut self, at: usize, script: &mut Script<'_>) -> Option<(Value, usize, Value)> {
        if script.values.are_unique() {
            let (a, b) = (script.values.fresh(), script.values.fresh());
            return Some((self.value(a), 0, self.value(b)));
        }
        let candidates = (0..script.values.distinct().min(1_000)).map(|number| self.value(number));
        let candidates: Vec<Value> = candidates.collect();
        let excuses = |value: &Value| self.cells[at].crashed.get(value).copied().unwrap_or(0);
        let best = candidates.iter().min_by_key(|value| excuses(value))?;
        let other = candidates.iter().find(|value| *value != best)?;
        Some((best.clone(), excuses(best), other.clone()))
    }
}

impl World for Registers {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op {
        let at = rng.random_range(0..self.cells.len());
        let key = key(at);
        let dice = rng.random_range(0..100);
        let (write, delete, concat) = match self.used {
            Use::ReadWrite => (100, 100, 100),
            Use::Cas => (70, 70, 70),
            Use::Texts => (75, 78, 88),
        };
        if dice < 45 {
            return Op::Read { key };
        }
        if dice < write {
            let value = self.draw(rng, values);
            return Op::Write { key, value };
        }
        if dice < delete {
            return Op::Delete { key };
        }
        if dice < concat {
            let suffix = format!("+{}", values.draw(rng)).into();
            return Op::Concat { key, suffix };
        }
        let to = self.draw(rng, values);
        // What is there now often still is when the cas arrives.
        let from = match values.are_unique() || rng.random_bool(0.5) {
            true => self.cells[at].held.clone(),
            false => self.draw(rng, values),
        };
        Op::Cas { key, from, to }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let held = &mut self.cells[position(op)].held;
        match op {
            Op::Read { .. } => return Applied::Ok(Ret::Value(held.clone())),
            Op::Cas { from, .. } if from != held => return Applied::Fail("other-value"),
            Op::Write { value, .. } | Op::Cas { to: value, .. } => *held = value.clone(),
            Op::Delete { .. } => *held = Value::Nil,
            Op::Concat { suffix, .. } => {
                *held = match &held {
                    Value::Text(text) => Value::Text(format!("{text}{suffix}").into()),
                    _ => Value::Text(Arc::clone(suffix)),
                }
            }
            _ => unreachable!("registers are asked for nothing else"),
        }
        Applied::Ok(Ret::Done)
    }

    fn ended(&mut self, _worker: u32, op: &Op, fate: Fate) {
        if let (Fate::Crashed, Op::Write { value, .. } | Op::Cas { to: value, .. }) = (fate, op) {
            let crashed = &mut self.cells[position(op)].crashed;
            *crashed.entry(value.clone()).or_default() += 1;
        }
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.cells.len());
        let read = || Op::Read { key: key(at) };
        let write = |value: &Value| Op::Write {
            key: key(at),
            value: value.clone(),
        };
        if matches!(planted, Planted::FailedWrite | Planted::Phantom) {
            let fresh = script.values.fresh();
            let fresh = self.value(fresh);
            if planted == Planted::FailedWrite {
                script.fail(write(&fresh));
            }
            script.ok(read(), Ret::Value(fresh));
            return true;
        }
        let Some((a, excuses, b)) = self.pair(at, script) else {
            return false;
        };
        script.done(write(&a));
        let seen = |value: &Value| Ret::Value(value.clone());
        self.cells[at].held = match planted {
            Planted::StaleRead => {
                script.done(write(&b));
                for _ in 0..excuses {
                    script.ok(read(), seen(&a));
                    script.ok(read(), seen(&b));
                }
                script.ok(read(), seen(&a));
                b
            }
            Planted::LostWrite => {
                for _ in 0..=excuses {
                    script.done(write(&b));
                    script.ok(read(), seen(&a));
                }
                a
            }
            Planted::SplitBrainCas => {
                let cas = || Op::Cas {
                    key: Key::clone(&key(at)),
                    from: a.clone(),
                    to: b.clone(),
                };
                script.both((cas(), Ret::Done), (cas(), Ret::Done));
                for _ in 0..excuses {
                    script.done(cas());
                }
                b
            }
            _ => return false,
        };
        true
    }
}
