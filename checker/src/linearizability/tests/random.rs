//! Small random histories.

use crate::model::{Model, Register};
use crate::{Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

/// A register without footprints, so that the search knows nothing of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opaque(pub Register);

impl Model for Opaque {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        self.0.step(op, ret).map(Opaque)
    }
}

/// A list that is appended to and read: a model whose state is no single value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log(Vec<i64>);

impl Model for Log {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match (op, ret) {
            (Op::Append { value, .. }, _) => {
                let mut next = self.clone();
                next.0.push(*value);
                Some(next)
            }
            (Op::List { .. }, Some(Ret::List(items))) => (*items == self.0).then(|| self.clone()),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
pub struct Shape {
    /// What the register holds at first; `None`: nil.
    pub initial: Option<i64>,
    pub operations: usize,
    pub processes: u64,
    /// `None`: every written value is new.
    pub values: Option<i64>,
    pub cas: u32,
    pub info: u32,
    pub wrong: u32,
    pub lists: bool,
}

impl Shape {
    pub fn initial(&self) -> Value {
        self.initial.map_or(Value::Nil, Value::Int)
    }
}

/// A history of an atomic object that sometimes gives a wrong answer.
pub fn random_history(rng: &mut Pcg64, shape: Shape) -> History {
    struct Open {
        process: u64,
        op: Op,
        ret: Option<Ret>,
    }
    let key = Key::Int(0);
    let mut history = History::default();
    let mut record = |process: u64, phase: Phase, op: &Op| {
        let index = history.events.len() as u64;
        history.events.push(Event {
            index,
            time: index * 1_000_000,
            process: ProcessId(process),
            phase,
            op: op.clone(),
        });
    };
    let mut held = shape.initial();
    let mut list: Vec<i64> = Vec::new();
    let mut fresh = 0;
    let mut next_process = shape.processes;
    let mut processes: Vec<u64> = (0..shape.processes).collect();
    let mut open: Vec<Open> = Vec::new();
    let mut invoked = 0;
    while invoked < shape.operations || !open.is_empty() {
        let mut value = |rng: &mut Pcg64| match shape.values {
            Some(count) => Value::Int(rng.random_range(0..count)),
            None => {
                fresh += 1;
                Value::Int(fresh)
            }
        };
        if invoked < shape.operations
            && !processes.is_empty()
            && (open.is_empty() || rng.random_bool(0.5))
        {
            let process = processes.remove(rng.random_range(0..processes.len()));
            let key = key.clone();
            let op = if shape.lists {
                if rng.random_bool(0.5) {
                    Op::Append {
                        key,
                        value: rng.random_range(0..3),
                    }
                } else {
                    Op::List { key }
                }
            } else if rng.random_range(0..100) < shape.cas {
                let from = if rng.random_bool(0.7) {
                    held.clone()
                } else {
                    Value::Int(rng.random_range(0..3))
                };
                Op::Cas {
                    key,
                    from,
                    to: value(rng),
                }
            } else if rng.random_bool(0.5) {
                Op::Write {
                    key,
                    value: value(rng),
                }
            } else {
                Op::Read { key }
            };
            record(process, Phase::Invoke, &op);
            open.push(Open {
                process,
                op,
                ret: None,
            });
            invoked += 1;
            continue;
        }
        let at = rng.random_range(0..open.len());
        if open[at].ret.is_none() && rng.random_bool(0.6) {
            let wrong = rng.random_range(0..100) < shape.wrong;
            open[at].ret = match open[at].op.clone() {
                Op::Read { .. } if wrong => Some(Ret::Value(Value::Int(rng.random_range(0..3)))),
                Op::Read { .. } => Some(Ret::Value(held.clone())),
                Op::Write { value, .. } => {
                    held = value;
                    Some(Ret::Done)
                }
                Op::Cas { from, to, .. } if from == held || wrong => {
                    held = to;
                    Some(Ret::Done)
                }
                Op::Cas { .. } => None,
                Op::Append { value, .. } => {
                    list.push(value);
                    Some(Ret::Done)
                }
                Op::List { .. } if wrong => Some(Ret::List(list[..list.len() / 2].to_vec())),
                Op::List { .. } => Some(Ret::List(list.clone())),
                _ => None,
            };
            continue;
        }
        let Open { process, op, ret } = open.remove(at);
        if rng.random_range(0..100) < shape.info {
            if rng.random_bool(0.5) {
                record(process, Phase::Info(Reason::new("timeout")), &op);
            }
            processes.push(next_process);
            next_process += 1;
        } else {
            record(
                process,
                ret.map_or(Phase::Fail(Reason::new("no")), Phase::Ok),
                &op,
            );
            processes.push(process);
        }
    }
    history
}

pub const SMALL: Shape = Shape {
    initial: None,
    operations: 7,
    processes: 3,
    values: Some(3),
    cas: 30,
    info: 15,
    wrong: 15,
    lists: false,
};
