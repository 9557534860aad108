//! Histories of an atomic store, made in memory for measurements and long tests.

use checker::{Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::HashMap;

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub operations: usize,
    pub processes: usize,
    pub keys: i64,
    /// Values that are written; `None`: each is new.
    pub values: Option<i64>,
    /// Of 100 operations.
    pub cas: u32,
    /// Of 1,000 operations: those whose outcome stays unknown.
    pub crashed: u32,
    pub seed: u64,
}

/// Events as a store that is one object would give them, one after the other.
pub struct Events {
    shape: Shape,
    rng: Pcg64,
    held: HashMap<i64, Value>,
    open: Vec<Open>,
    idle: Vec<u64>,
    next_process: u64,
    invoked: usize,
    index: u64,
    fresh: i64,
}

struct Open {
    process: u64,
    op: Op,
    key: i64,
    ret: Option<Ret>,
    tried: bool,
}

impl Events {
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            rng: Pcg64::seed_from_u64(shape.seed),
            held: HashMap::new(),
            open: Vec::new(),
            idle: (0..shape.processes as u64).collect(),
            next_process: shape.processes as u64,
            invoked: 0,
            index: 0,
            fresh: 0,
        }
    }

    fn value(&mut self) -> Value {
        match self.shape.values {
            Some(count) => Value::Int(self.rng.random_range(0..count)),
            None => {
                self.fresh += 1;
                Value::Int(self.fresh)
            }
        }
    }

    fn op(&mut self, number: i64) -> Op {
        let key = Key::Int(number);
        if self.rng.random_range(0..100) < self.shape.cas {
            let from = match self.rng.random_bool(0.7) {
                true => self.held.get(&number).cloned().unwrap_or(Value::Nil),
                false => self.value(),
            };
            let to = self.value();
            Op::Cas { key, from, to }
        } else if self.rng.random_bool(0.5) {
            let value = self.value();
            Op::Write { key, value }
        } else {
            Op::Read { key }
        }
    }

    fn event(&mut self, process: u64, phase: Phase, op: Op) -> Event {
        let index = self.index;
        self.index += 1;
        Event {
            index,
            time: index * 10_000,
            process: ProcessId(process),
            phase,
            op,
        }
    }

    /// Lets an operation take effect.
    fn take_effect(&mut self, at: usize) {
        let Open { op, key, .. } = &self.open[at];
        let held = self.held.entry(*key).or_insert(Value::Nil);
        let ret = match op {
            Op::Write { value, .. } => {
                *held = value.clone();
                Some(Ret::Done)
            }
            Op::Cas { from, to, .. } if from == held => {
                *held = to.clone();
                Some(Ret::Done)
            }
            Op::Cas { .. } => None,
            _ => Some(Ret::Value(held.clone())),
        };
        self.open[at].ret = ret;
        self.open[at].tried = true;
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let more = self.invoked < self.shape.operations && !self.idle.is_empty();
            if !more && self.open.is_empty() {
                return None;
            }
            if more && (self.open.is_empty() || self.rng.random_bool(0.5)) {
                let at = self.rng.random_range(0..self.idle.len());
                let process = self.idle.swap_remove(at);
                let key = self.rng.random_range(0..self.shape.keys);
                let op = self.op(key);
                self.open.push(Open {
                    process,
                    op: op.clone(),
                    key,
                    ret: None,
                    tried: false,
                });
                self.invoked += 1;
                return Some(self.event(process, Phase::Invoke, op));
            }
            let at = self.rng.random_range(0..self.open.len());
            if !self.open[at].tried {
                self.take_effect(at);
                continue;
            }
            let crashed = self.rng.random_range(0..1_000) < self.shape.crashed;
            let open = self.open.swap_remove(at);
            if crashed {
                self.idle.push(self.next_process);
                self.next_process += 1;
                let phase = Phase::Info(Reason::new("timeout"));
                return Some(self.event(open.process, phase, open.op));
            }
            self.idle.push(open.process);
            let phase = open
                .ret
                .map_or_else(|| Phase::Fail(Reason::new("mismatch")), Phase::Ok);
            return Some(self.event(open.process, phase, open.op));
        }
    }
}

/// A whole history.
pub fn history(shape: Shape) -> History {
    History {
        events: Events::new(shape).collect(),
        ..History::default()
    }
}

/// Makes a read late in the history give something else than it did, or several where one will not do,
/// such that `is_violation`. False if there are no such reads.
pub fn plant(history: &mut History, part: f64, is_violation: impl Fn(&History) -> bool) -> bool {
    let from = (history.events.len() as f64 * part) as usize;
    // What was written before, the newest far from here first.
    let mut candidates: Vec<Value> = history.events[..from]
        .iter()
        .rev()
        .filter_map(|event| match &event.op {
            Op::Write { value, .. } => Some(value.clone()),
            _ => None,
        })
        .take(50)
        .collect();
    candidates.sort();
    candidates.dedup();
    candidates.truncate(10);
    for at in from..history.events.len() {
        let Phase::Ok(Ret::Value(seen)) = history.events[at].phase.clone() else {
            continue;
        };
        for other in candidates.iter().filter(|other| **other != seen) {
            history.events[at].phase = Phase::Ok(Ret::Value(other.clone()));
            if is_violation(history) {
                return true;
            }
        }
        history.events[at].phase = Phase::Ok(Ret::Value(seen));
    }
    // Operations of unknown outcome explain much: as many reads are changed as it takes.
    for at in from..history.events.len() {
        let Phase::Ok(Ret::Value(seen)) = &history.events[at].phase else {
            continue;
        };
        let Some(other) = candidates.iter().find(|other| *other != seen) else {
            continue;
        };
        history.events[at].phase = Phase::Ok(Ret::Value(other.clone()));
        if is_violation(history) {
            return true;
        }
    }
    false
}
