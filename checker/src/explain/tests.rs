//! A part of a legal history in which nobody requires who was left out is legal too: so a part that is
//! not legal shows that the whole is not.

use super::frontier::frontier;
use super::traces::Traces;
use super::verify::{Limits, Refutation, refute};
use crate::history::Operation;
use crate::model::Model;
use crate::{Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::time::{Duration, Instant};

/// Objects of all kinds in one; a history uses one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Thing {
    register: Value,
    items: Vec<Value>,
    held: bool,
    sum: i64,
    elements: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Register,
    Text,
    Queue,
    Stack,
    Lock,
    Counter,
    Set,
}

impl Thing {
    const EMPTY: Self = Self {
        register: Value::Nil,
        items: Vec::new(),
        held: false,
        sum: 0,
        elements: Vec::new(),
    };

    /// What the operation gives when it takes effect now; `None`: it is refused.
    fn apply(&mut self, op: &Op, kind: Kind) -> Option<Ret> {
        match op {
            Op::Read { .. } if kind == Kind::Counter => {
                return Some(Ret::Value(Value::Int(self.sum)));
            }
            Op::Read { .. } => return Some(Ret::Value(self.register.clone())),
            Op::Write { value, .. } => self.register = value.clone(),
            Op::Delete { .. } => self.register = Value::Nil,
            Op::Cas { from, .. } if *from != self.register => return None,
            Op::Cas { to, .. } => self.register = to.clone(),
            Op::Concat { suffix, .. } => {
                let text = match &self.register {
                    Value::Text(text) => format!("{text}{suffix}"),
                    _ => suffix.to_string(),
                };
                self.register = text.as_str().into();
            }
            Op::Enqueue { value, .. } | Op::Push { value, .. } => self.items.push(value.clone()),
            Op::Dequeue { .. } if self.items.is_empty() => return Some(Ret::Value(Value::Nil)),
            Op::Dequeue { .. } => return Some(Ret::Value(self.items.remove(0))),
            Op::Pop { .. } => return Some(Ret::Value(self.items.pop().unwrap_or(Value::Nil))),
            Op::Acquire { .. } if self.held => return None,
            Op::Acquire { .. } => self.held = true,
            Op::Release { .. } if !self.held => return None,
            Op::Release { .. } => self.held = false,
            Op::Add { value, .. } if kind == Kind::Counter => self.sum += value,
            Op::Add { value, .. } if self.elements.contains(value) => {}
            Op::Add { value, .. } => {
                self.elements.push(*value);
                self.elements.sort_unstable();
            }
            Op::Remove { value, .. } => self.elements.retain(|element| element != value),
            Op::List { .. } => return Some(Ret::List(self.elements.clone())),
            _ => return None,
        }
        Some(Ret::Done)
    }
}

/// The same as a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Judge<const KIND: usize>(Thing);

const KINDS: [Kind; 7] = [
    Kind::Register,
    Kind::Text,
    Kind::Queue,
    Kind::Stack,
    Kind::Lock,
    Kind::Counter,
    Kind::Set,
];

impl<const KIND: usize> Model for Judge<KIND> {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let mut next = self.clone();
        let given = next.0.apply(op, KINDS[KIND])?;
        ret.is_none_or(|ret| *ret == given).then_some(next)
    }
}

fn operation(kind: Kind, process: u64, holds: bool, fresh: i64, rng: &mut Pcg64) -> Op {
    let key = Key::Int(1);
    let small = rng.random_range(1..4);
    let which = rng.random_range(0..6);
    match (kind, which) {
        (Kind::Register, 0 | 1) => Op::Write {
            key,
            value: small.into(),
        },
        (Kind::Register, 2) => Op::Delete { key },
        (Kind::Register, 3) => {
            let to = rng.random_range(1..4).into();
            Op::Cas {
                key,
                from: small.into(),
                to,
            }
        }
        (Kind::Text, 0) => Op::Write {
            key,
            value: "a".into(),
        },
        (Kind::Text, 1..=3) => {
            let suffix = ["b", "c", "d"][small as usize - 1].into();
            Op::Concat { key, suffix }
        }
        (Kind::Register | Kind::Text | Kind::Counter, 4..) => Op::Read { key },
        (Kind::Text | Kind::Register, _) => Op::Read { key },
        (Kind::Queue, 0..=2) => Op::Enqueue {
            key,
            value: fresh.into(),
        },
        (Kind::Queue, _) => Op::Dequeue { key },
        (Kind::Stack, 0..=2) => Op::Push {
            key,
            value: fresh.into(),
        },
        (Kind::Stack, _) => Op::Pop { key },
        (Kind::Lock, _) => {
            let owner = Value::Int(process as i64);
            match holds {
                true => Op::Release { key, owner },
                false => Op::Acquire { key, owner },
            }
        }
        (Kind::Counter, _) => Op::Add { key, value: small },
        (Kind::Set, 0..=2) => Op::Add { key, value: fresh },
        (Kind::Set, 3) => Op::Remove {
            key,
            value: rng.random_range(1..=fresh),
        },
        (Kind::Set, _) => Op::List { key },
    }
}

struct Client {
    process: u64,
    holds: bool,
    /// The operation under way, and what it gave once it took effect.
    open: Option<(Op, Option<Option<Ret>>)>,
}

/// A history of clients that see one object as it is.
fn legal(kind: Kind, rng: &mut Pcg64) -> History {
    let mut history = History::default();
    let mut thing = Thing::EMPTY;
    let mut clients: Vec<Client> = (0..3)
        .map(|process| Client {
            process,
            holds: false,
            open: None,
        })
        .collect();
    let mut next_process = 3;
    let mut fresh = 0;
    let mut event = |process: u64, phase: Phase, op: &Op| {
        let index = history.events.len() as u64;
        let (process, op) = (ProcessId(process), op.clone());
        history.events.push(Event {
            index,
            time: index,
            process,
            phase,
            op,
        });
    };
    for _ in 0..rng.random_range(15..45) {
        let which = rng.random_range(0..clients.len());
        let client = &mut clients[which];
        match client.open.take() {
            None => {
                fresh += 1;
                let op = operation(kind, client.process, client.holds, fresh, rng);
                event(client.process, Phase::Invoke, &op);
                client.open = Some((op, None));
            }
            Some((op, None)) if rng.random_bool(0.1) => {
                // Unknown, and it never happens.
                event(client.process, Phase::Info(Reason::new("timeout")), &op);
                client.process = next_process;
                next_process += 1;
                client.holds = false;
            }
            Some((op, None)) => {
                let given = thing.apply(&op, kind);
                client.open = Some((op, Some(given)));
            }
            Some((op, Some(Some(_)))) if rng.random_bool(0.1) => {
                // Unknown, but it happened.
                event(client.process, Phase::Info(Reason::new("timeout")), &op);
                client.process = next_process;
                next_process += 1;
                client.holds = false;
            }
            Some((op, Some(given))) => {
                let phase = match given {
                    Some(ret) => Phase::Ok(ret),
                    None => Phase::Fail(Reason::new("refused")),
                };
                let done = matches!(phase, Phase::Ok(_));
                match &op {
                    Op::Acquire { .. } if done => client.holds = true,
                    Op::Release { .. } if done => client.holds = false,
                    _ => {}
                }
                event(client.process, phase, &op);
            }
        }
    }
    history
}

fn is_legal<const KIND: usize>(operations: &[Operation<'_>]) -> bool {
    let limits = Limits {
        deadline: Instant::now() + Duration::from_secs(20),
        configurations: 1_000_000,
    };
    match refute(&Judge::<KIND>(Thing::EMPTY), operations, limits) {
        Refutation::Proven(_) => false,
        Refutation::Found(_) => true,
        Refutation::Open(why) => panic!("{why}"),
    }
}

fn parts_of_legal_histories_are_legal<const KIND: usize>(histories: u64) {
    let mut smaller = 0;
    for seed in 0..histories {
        let mut rng = Pcg64::seed_from_u64(seed * 7 + KIND as u64);
        let history = legal(KINDS[KIND], &mut rng);
        let operations = history.operations().unwrap();
        assert!(is_legal::<KIND>(&operations), "seed {seed}");
        let traces = Traces::of(&operations);
        for share in [0.5, 0.8, 0.9, 0.95] {
            let mut kept: Vec<bool> = operations.iter().map(|_| rng.random_bool(share)).collect();
            traces.close(&mut kept);
            let part: Vec<Operation<'_>> = operations
                .iter()
                .zip(&kept)
                .filter(|(_, kept)| **kept)
                .map(|(operation, _)| *operation)
                .collect();
            smaller += usize::from(part.len() < operations.len() && !part.is_empty());
            assert!(
                is_legal::<KIND>(&part),
                "seed {seed}, {kept:?}\n{operations:#?}"
            );
        }
    }
    assert!(smaller as u64 > histories, "{smaller}");
}

#[test]
fn parts_of_legal_histories_of_registers_are_legal() {
    parts_of_legal_histories_are_legal::<0>(300);
}

#[test]
fn parts_of_legal_histories_of_texts_are_legal() {
    parts_of_legal_histories_are_legal::<1>(300);
}

#[test]
fn parts_of_legal_histories_of_queues_and_stacks_are_legal() {
    parts_of_legal_histories_are_legal::<2>(200);
    parts_of_legal_histories_are_legal::<3>(200);
}

#[test]
fn parts_of_legal_histories_of_locks_are_legal() {
    parts_of_legal_histories_are_legal::<4>(300);
}

#[test]
fn parts_of_legal_histories_of_counters_and_sets_are_legal() {
    parts_of_legal_histories_are_legal::<5>(200);
    parts_of_legal_histories_are_legal::<6>(200);
}

#[test]
fn a_place_tells_states_that_do_not_fit_from_those_that_fit_in_vain() {
    let enqueue = |value: i64| Op::Enqueue {
        key: Key::Int(1),
        value: value.into(),
    };
    let dequeue = || Op::Dequeue { key: Key::Int(1) };
    let one = || Phase::Ok(Ret::Value(1.into()));
    let mut history = History::default();
    let mut event = |process: u64, phase: Phase, op: Op| {
        let index = history.events.len() as u64;
        let process = ProcessId(process);
        history.events.push(Event {
            index,
            time: index,
            process,
            phase,
            op,
        });
    };
    for value in [1, 2] {
        event(0, Phase::Invoke, enqueue(value));
        event(0, Phase::Ok(Ret::Done), enqueue(value));
    }
    // Both at once, and both get the same.
    event(1, Phase::Invoke, dequeue());
    event(2, Phase::Invoke, dequeue());
    event(1, one(), dequeue());
    event(2, one(), dequeue());
    let operations = history.operations().unwrap();
    let found = frontier(&Judge::<2>(Thing::EMPTY), &operations, 3).unwrap();
    assert_eq!((found.order, found.before), (vec![0, 1, 2], 3));
    assert_eq!((found.states.len(), found.fitting.len()), (1, 1));
    assert!(found.states[0].contains("[2]") && found.fitting[0].contains("[1 2]"));
    assert!(found.complete);
}
