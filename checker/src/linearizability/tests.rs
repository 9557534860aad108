//! The search against the definition: every order of every choice of operations, for small histories.

use super::Linearizable;
use super::entries::{Entries, NEVER};
use super::search::{Answer, Limits, search};
use crate::history::Operation;
use crate::model::{Model, Register};
use crate::{
    Budget, Checker, Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Validity, Value,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A register without footprints, so that the search knows nothing of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Opaque(Register);

impl Model for Opaque {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        self.0.step(op, ret).map(Opaque)
    }
}

/// A list that is appended to and read: a model whose state is no single value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Log(Vec<i64>);

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

/// The definition, tried out: some operation that nothing precedes goes first, then the rest. What was
/// tried is remembered as the set of operations that went before.
fn brute_force<M: Model>(initial: &M, operations: &[Operation<'_>]) -> bool {
    fn goes_on<M: Model>(
        state: &M,
        gone: u32,
        operations: &[Operation<'_>],
        seen: &mut HashSet<(u32, M)>,
    ) -> bool {
        let rest = || (0..operations.len()).filter(|at| gone & (1 << at) == 0);
        if !rest().any(|at| operations[at].is_ok()) {
            return true;
        }
        if !seen.insert((gone, state.clone())) {
            return false;
        }
        rest().any(|at| {
            let first = &operations[at];
            let preceded = rest().any(|other| {
                let other = &operations[other];
                other.is_ok() && other.completed_at.is_some_and(|end| end < first.invoked_at)
            });
            !preceded
                && first.failure().is_none()
                && state
                    .step(first.op(), first.ret())
                    .is_some_and(|next| goes_on(&next, gone | 1 << at, operations, seen))
        })
    }
    goes_on(initial, 0, operations, &mut HashSet::new())
}

#[derive(Clone, Copy)]
struct Shape {
    /// What the register holds at first; `None`: nil.
    initial: Option<i64>,
    operations: usize,
    processes: u64,
    /// `None`: every written value is new.
    values: Option<i64>,
    cas: u32,
    info: u32,
    wrong: u32,
    lists: bool,
}

impl Shape {
    fn initial(&self) -> Value {
        self.initial.map_or(Value::Nil, Value::Int)
    }
}

/// A history of an atomic object that sometimes gives a wrong answer.
fn random_history(rng: &mut Pcg64, shape: Shape) -> History {
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

fn limits() -> Limits {
    Limits {
        deadline: Instant::now() + Duration::from_secs(600),
        memory: 1 << 30,
        configurations: u64::MAX,
    }
}

fn decide<M: Model>(initial: M, operations: &[Operation<'_>], look_ahead: bool) -> bool {
    let prepared = Entries::prepare(operations, NEVER, initial.clone(), look_ahead);
    match search(&prepared, limits()).answer {
        Answer::Linearizable(order) => {
            check_witness(initial, &prepared, &order);
            true
        }
        Answer::NotLinearizable => false,
        Answer::OutOf(limit) => panic!("{limit:?} ran out"),
    }
}

/// A witness must be legal, in real-time order, and hold every operation that succeeded.
fn check_witness<M: Model>(initial: M, prepared: &Entries<'_, M>, order: &[u32]) {
    let mut state = initial;
    let mut latest_call = 0;
    for at in order {
        let operation = &prepared.entries[*at as usize].operation;
        state = state
            .step(operation.op(), operation.ret())
            .expect("a witness is legal");
        if operation.is_ok() {
            assert!(
                operation.completed_at.unwrap() >= latest_call,
                "a witness keeps real time"
            );
        }
        latest_call = latest_call.max(operation.invoked_at);
    }
    let taken: HashSet<u32> = order.iter().copied().collect();
    assert_eq!(taken.len(), order.len());
    for (at, entry) in prepared.entries.iter().enumerate() {
        assert!(!entry.operation.is_ok() || taken.contains(&(at as u32)));
    }
}

fn compare(cases: u64, shape: Shape) {
    let (mut good, mut bad) = (0, 0);
    for seed in 0..cases {
        let mut rng = Pcg64::seed_from_u64(seed);
        let history = random_history(&mut rng, shape);
        let operations = history.operations().unwrap();
        let (truth, answers) = if shape.lists {
            (
                brute_force(&Log::default(), &operations),
                vec![decide(Log::default(), &operations, true)],
            )
        } else {
            let register = Register::holding(shape.initial());
            let answers = vec![
                decide(register.clone(), &operations, true),
                decide(register.clone(), &operations, false),
                decide(Opaque(register.clone()), &operations, true),
            ];
            (brute_force(&register, &operations), answers)
        };
        for answer in &answers {
            assert_eq!(*answer, truth, "seed {seed}: {answers:?} in {history:#?}");
        }
        if truth {
            good += 1;
        } else {
            bad += 1;
        }
    }
    // Both must occur, or the comparison shows little.
    assert!(
        good > cases / 20 && bad > cases / 20,
        "{good} good, {bad} bad"
    );
}

const SMALL: Shape = Shape {
    initial: None,
    operations: 7,
    processes: 3,
    values: Some(3),
    cas: 30,
    info: 15,
    wrong: 15,
    lists: false,
};

#[test]
fn the_search_agrees_with_the_definition_where_values_repeat() {
    compare(2_000, SMALL);
}

#[test]
fn the_search_agrees_with_the_definition_where_values_are_unique() {
    compare(
        2_000,
        Shape {
            values: None,
            ..SMALL
        },
    );
}

#[test]
fn the_search_agrees_with_the_definition_where_much_is_unknown() {
    compare(
        2_000,
        Shape {
            info: 45,
            wrong: 30,
            values: Some(2),
            ..SMALL
        },
    );
    compare(
        1_000,
        Shape {
            info: 45,
            wrong: 30,
            values: None,
            ..SMALL
        },
    );
}

#[test]
fn the_search_agrees_with_the_definition_where_all_is_concurrent() {
    compare(
        1_000,
        Shape {
            processes: 6,
            wrong: 30,
            ..SMALL
        },
    );
    compare(
        1_000,
        Shape {
            processes: 6,
            wrong: 30,
            cas: 0,
            values: None,
            ..SMALL
        },
    );
}

#[test]
fn the_search_agrees_with_the_definition_for_a_state_that_is_no_value() {
    compare(
        1_000,
        Shape {
            lists: true,
            info: 20,
            wrong: 25,
            ..SMALL
        },
    );
}

#[test]
fn the_search_agrees_with_the_definition_where_the_first_value_is_written_again() {
    let shape = Shape {
        initial: Some(0),
        ..SMALL
    };
    compare(1_500, shape);
    compare(
        1_500,
        Shape {
            values: Some(8),
            ..shape
        },
    );
}

#[test]
fn the_search_agrees_with_the_definition_where_most_is_a_cas_of_unknown_outcome() {
    let shape = Shape {
        operations: 12,
        processes: 4,
        cas: 50,
        info: 50,
        wrong: 20,
        ..SMALL
    };
    compare(2_000, shape);
    compare(
        2_000,
        Shape {
            values: Some(2),
            initial: Some(0),
            ..shape
        },
    );
}

#[test]
fn larger_histories_are_judged_alike_with_and_without_look_ahead() {
    for values in [None, Some(5)] {
        let shape = Shape {
            operations: 40,
            processes: 5,
            values,
            info: 5,
            wrong: 2,
            ..SMALL
        };
        let mut bad = 0;
        for seed in 0..300 {
            let mut rng = Pcg64::seed_from_u64(seed);
            let history = random_history(&mut rng, shape);
            let operations = history.operations().unwrap();
            let with = decide(Register::default(), &operations, true);
            assert_eq!(
                with,
                decide(Register::default(), &operations, false),
                "seed {seed}"
            );
            bad += u32::from(!with);
        }
        assert!(bad > 10 && bad < 290, "{bad} of 300 were bad");
    }
}

#[test]
fn a_limit_ends_the_search_and_says_how_far_it_came() {
    let mut rng = Pcg64::seed_from_u64(1);
    let shape = Shape {
        operations: 2_000,
        processes: 10,
        info: 0,
        wrong: 0,
        ..SMALL
    };
    let history = random_history(&mut rng, shape);
    let operations = history.operations().unwrap();
    let prepared = Entries::prepare(&operations, NEVER, Register::default(), true);
    let found = search(
        &prepared,
        Limits {
            configurations: 100,
            ..limits()
        },
    );
    assert!(matches!(found.answer, Answer::OutOf(_)));
    assert!(found.reached > 0 && (found.reached as usize) < prepared.order.len());
}

/// Writes that all overlap, then a read of what nobody wrote: every order must be tried, unless
/// something is known of values.
fn hard() -> History {
    let key = Key::Int(0);
    let mut events = Vec::new();
    let mut record = |process: u64, phase: Phase, op: Op| {
        let index = events.len() as u64;
        events.push(Event {
            index,
            time: index,
            process: ProcessId(process),
            phase,
            op,
        });
    };
    let write = |process: u64| Op::Write {
        key: key.clone(),
        value: Value::Int(process as i64),
    };
    for process in 0..14 {
        record(process, Phase::Invoke, write(process));
    }
    for process in 0..14 {
        record(process, Phase::Ok(Ret::Done), write(process));
    }
    let read = Op::Read { key: key.clone() };
    record(0, Phase::Invoke, read.clone());
    record(0, Phase::Ok(Ret::Value(Value::Int(99))), read);
    History {
        events,
        ..History::default()
    }
}

#[test]
fn a_budget_too_small_gives_unknown_with_the_reason() {
    let history = hard();
    let opaque = || Linearizable::new(Opaque(Register::default()), |_| true);
    let roomy = Budget {
        time: Duration::from_secs(600),
        memory: 1 << 30,
    };
    assert_eq!(opaque().check(&history, roomy).valid, Validity::Invalid);
    let hasty = opaque().check(
        &history,
        Budget {
            time: Duration::ZERO,
            ..roomy
        },
    );
    assert_eq!(hasty.valid, Validity::Unknown);
    assert!(hasty.reason.starts_with("time ran out"), "{}", hasty.reason);
    let cramped = opaque().check(
        &history,
        Budget {
            memory: 100 << 10,
            ..roomy
        },
    );
    assert_eq!(cramped.valid, Validity::Unknown);
    assert!(
        cramped
            .reason
            .starts_with("memory ran out with 1 of 1 objects"),
        "{}",
        cramped.reason
    );
    // What is known of values needs neither.
    let cramped = Linearizable::cas_register().check(
        &history,
        Budget {
            memory: 100 << 10,
            ..roomy
        },
    );
    assert_eq!(cramped.valid, Validity::Invalid);
}
