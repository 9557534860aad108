//! The weaker models against their definitions.

use crate::definition::ordered;
use crate::spoil;
use checker::generate::Kind;
use checker::history::Operation;
use checker::model::{self, Model, Register};
use checker::weak::{BoundedStaleness, Guarantee, Sequential, Session};
use checker::{Budget, Checker, History, Key, Op, Phase, Ret, Validity, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::HashSet;
use std::time::Duration;

const CASES: u64 = 1_200;

fn expected(truth: bool, operations: &[Operation<'_>]) -> Validity {
    match operations.iter().any(|operation| operation.is_ok()) {
        false => Validity::Unknown,
        true if truth => Validity::Valid,
        true => Validity::Invalid,
    }
}

/// Moves whole operations in time, each process keeping its order.
fn shift(history: &mut History, rng: &mut Pcg64) {
    for _ in 0..rng.random_range(0..30) {
        let at = rng.random_range(0..history.events.len() - 1);
        if history.events[at].process != history.events[at + 1].process {
            history.events.swap(at, at + 1);
        }
    }
    for (at, event) in history.events.iter_mut().enumerate() {
        event.index = at as u64;
        event.time = at as u64 * 1_000;
    }
}

/// Both weaker models that are made of another one.
struct Compare {
    kind: Kind,
    values: usize,
}

impl model::Visitor for Compare {
    type Output = ();

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) {
        let mut good = [0; 2];
        for seed in 0..CASES {
            let mut rng = Pcg64::seed_from_u64(seed);
            let mut history = spoil::small(self.kind, self.values, seed, &mut rng);
            shift(&mut history, &mut rng);
            let operations = history.operations().unwrap();
            let by_process = |a: &Operation<'_>, b: &Operation<'_>| {
                a.invocation.process == b.invocation.process && a.invoked_at < b.invoked_at
            };
            let bound = rng.random_range(0..8_000);
            let not_older = |a: &Operation<'_>, b: &Operation<'_>| match b.op().is_read_only() {
                true => {
                    let ended = a.completion.map_or(u64::MAX, |event| event.time);
                    ended < b.invocation.time.saturating_sub(bound)
                }
                false => a.completed_at.is_some_and(|end| end < b.invoked_at),
            };
            let truths = [
                ordered(&initial, &operations, &by_process),
                ordered(&initial, &operations, &not_older),
            ];
            let checkers: [Box<dyn Checker>; 2] = [
                Box::new(Sequential::new(initial.clone(), owns)),
                Box::new(BoundedStaleness::new(
                    Duration::from_nanos(bound),
                    initial.clone(),
                    owns,
                )),
            ];
            for at in 0..2 {
                let verdict = checkers[at].check(&history, Budget::default());
                assert_eq!(
                    verdict.valid,
                    expected(truths[at], &operations),
                    "{} {} seed {seed}: {} {:#?}",
                    checkers[at].name(),
                    self.kind,
                    verdict.reason,
                    history.events
                );
                good[at] += u64::from(truths[at]);
            }
        }
        println!(
            "{} with {} values: {good:?} of {CASES} are good",
            self.kind, self.values
        );
        for good in good {
            assert!(
                good > CASES / 10 && good < CASES - CASES / 25,
                "{good} are good"
            );
        }
    }
}

#[test]
fn sequential_consistency_and_bounded_staleness_are_judged_as_defined() {
    for (kind, values) in [
        (Kind::CasRegister, 0),
        (Kind::CasRegister, 2),
        (Kind::KeyValue, 2),
        (Kind::Set, 0),
        (Kind::FifoQueue, 0),
        (Kind::Counter, 1),
    ] {
        let compare = Compare { kind, values };
        model::with(kind.name(), None, compare).expect("there is such a model");
    }
}

/// What a process did to the one register, in its order.
fn accesses(operations: &[Operation<'_>]) -> Vec<(u64, bool, Value)> {
    let seen: Vec<&Value> = operations
        .iter()
        .filter_map(|operation| match (operation.op(), operation.ret()) {
            (Op::Read { .. }, Some(Ret::Value(value))) => Some(value),
            (Op::Cas { from, .. }, Some(_)) => Some(from),
            _ => None,
        })
        .collect();
    let mut accesses = Vec::new();
    for operation in operations {
        let process = operation.invocation.process.0;
        let is_known = |value: &Value| operation.is_ok() || seen.contains(&value);
        match (operation.op(), operation.ret()) {
            _ if operation.failure().is_some() => {}
            (Op::Read { .. }, Some(Ret::Value(value))) => {
                accesses.push((process, false, value.clone()));
            }
            (Op::Write { value, .. }, _) if is_known(value) => {
                accesses.push((process, true, value.clone()));
            }
            (Op::Cas { from, to, .. }, _) if is_known(to) => {
                accesses.push((process, false, from.clone()));
                accesses.push((process, true, to.clone()));
            }
            _ => {}
        }
    }
    accesses
}

/// The definition: some order of the versions, nil first, suits every process.
fn suits_someone(
    accesses: &[(u64, bool, Value)],
    order: &mut Vec<Value>,
    rest: &mut Vec<Value>,
    guarantees: &[Guarantee],
) -> bool {
    if rest.is_empty() {
        return suits(accesses, order, guarantees);
    }
    (0..rest.len()).any(|at| {
        let value = rest.remove(at);
        order.push(value);
        let found = suits_someone(accesses, order, rest, guarantees);
        let value = order.pop().expect("just pushed");
        rest.insert(at, value);
        found
    })
}

fn suits(accesses: &[(u64, bool, Value)], order: &[Value], guarantees: &[Guarantee]) -> bool {
    let place = |value: &Value| order.iter().position(|other| other == value);
    accesses
        .iter()
        .enumerate()
        .all(|(at, (process, writes, value))| {
            let before = accesses[..at].iter().filter(|(other, ..)| other == process);
            before.into_iter().all(|(_, wrote, other)| {
                let guarantee = match (wrote, writes) {
                    (true, false) => Guarantee::ReadYourWrites,
                    (false, false) => Guarantee::MonotonicReads,
                    (true, true) => Guarantee::MonotonicWrites,
                    (false, true) => Guarantee::WritesFollowReads,
                };
                !guarantees.contains(&guarantee)
                    || match writes {
                        true => place(other) < place(value),
                        false => place(other) <= place(value),
                    }
            })
        })
}

#[test]
fn session_guarantees_are_judged_as_defined() {
    let mut good = 0;
    let mut by_guarantee = [0; 4];
    for seed in 0..4 * CASES {
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut history = spoil::small(Kind::Register, 0, seed, &mut rng);
        shift(&mut history, &mut rng);
        for event in &mut history.events {
            if let Phase::Ok(Ret::Value(value)) = &mut event.phase
                && rng.random_bool(0.3)
            {
                *value = [Value::Nil, Value::Int(1), Value::Int(2)][rng.random_range(0..3)].clone();
            }
        }
        let operations = history.operations().unwrap();
        // All, one, or two of them.
        let guarantees = match seed % 3 {
            0 => Guarantee::ALL.to_vec(),
            1 => vec![Guarantee::ALL[seed as usize % 4]],
            _ => vec![
                Guarantee::ALL[seed as usize % 4],
                Guarantee::ALL[seed as usize / 4 % 4],
            ],
        };
        let accesses = accesses(&operations);
        let mut versions: Vec<Value> = Vec::new();
        for (_, writes, value) in &accesses {
            if *writes {
                versions.push(value.clone());
            }
        }
        let from_nowhere = accesses
            .iter()
            .any(|(_, _, value)| *value != Value::Nil && !versions.contains(value));
        let unseen: HashSet<&Value> = versions.iter().collect();
        assert_eq!(unseen.len(), versions.len(), "values are unique");
        let truth = !from_nowhere
            && suits_someone(&accesses, &mut vec![Value::Nil], &mut versions, &guarantees);
        let found =
            Session::of(guarantees.clone()).contradiction::<Register>(&Value::Nil, &operations);
        assert_eq!(
            found.is_none(),
            truth,
            "seed {seed}, {guarantees:?}: {found:?} {:#?}",
            history.events
        );
        if let Some(found) = found {
            for broken in &found.broken {
                by_guarantee[*broken as usize] += 1;
            }
            assert!(!found.operations.is_empty());
        } else {
            good += 1;
        }
    }
    println!("{good} good; {by_guarantee:?}");
    assert!(good > CASES && good < 4 * CASES - CASES / 4);
    assert!(
        by_guarantee.iter().all(|count| *count > 10),
        "{by_guarantee:?}"
    );
}

/// A history in lines of process, operation and value.
fn script(lines: &[(u64, &str, i64)]) -> History {
    let mut history = History::default();
    for (at, (process, f, value)) in lines.iter().enumerate() {
        let key = Key::Int(7);
        let seen = match value {
            0 => Value::Nil,
            n => Value::Int(*n),
        };
        let (op, ret) = match *f {
            "write" => (Op::Write { key, value: seen }, Ret::Done),
            _ => (Op::Read { key }, Ret::Value(seen)),
        };
        for (half, phase) in [Phase::Invoke, Phase::Ok(ret)].into_iter().enumerate() {
            history.events.push(checker::Event {
                index: (2 * at + half) as u64,
                time: (2 * at + half) as u64 * 1_000_000_000,
                process: checker::ProcessId(*process),
                phase,
                op: op.clone(),
            });
        }
    }
    history
}

#[test]
fn a_broken_session_is_told_in_words() {
    let told = |lines: &[(u64, &str, i64)]| {
        let verdict = Session::default().check(&script(lines), Budget::default());
        assert_eq!(verdict.valid, Validity::Invalid);
        (
            verdict.reason.clone(),
            verdict.details["operations"].to_string(),
        )
    };
    assert_eq!(
        told(&[(0, "write", 1), (0, "read", 0)]),
        (
            "key 7 breaks read-your-writes: nil was there first; process 0 wrote 1 (index 0), then read nil (index 2): no order of these values suits all".to_owned(),
            "[0,2]".to_owned()
        )
    );
    assert_eq!(
        told(&[(0, "write", 1), (0, "write", 2), (1, "read", 2), (1, "read", 1)]),
        (
            "key 7 breaks monotonic-reads and monotonic-writes: process 0 wrote 1 (index 0), then wrote 2 (index 2); process 1 read 2 (index 4), then read 1 (index 6): no order of these values suits all".to_owned(),
            "[0,2,4,6]".to_owned()
        )
    );
}

#[test]
fn repeated_values_leave_sessions_undecided() {
    let history = script(&[(0, "write", 1), (1, "write", 1), (0, "read", 1)]);
    let verdict = Session::default().check(&history, Budget::default());
    assert_eq!(verdict.valid, Validity::Unknown);
    assert!(
        verdict.reason.starts_with("1 of 1 reads saw values"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_stale_read_is_sequential_and_stale_within_its_bound() {
    // The read begins at 4 s; 2 was written by 3 s.
    let history = script(&[(0, "write", 1), (0, "write", 2), (1, "read", 1)]);
    let valid = |name: &str| {
        let checkers = checker::checkers_for(name).unwrap();
        let verdict = checkers[1].check(&history, Budget::default());
        println!("{name}: {}", verdict.reason);
        verdict.valid
    };
    assert_eq!(valid("register"), Validity::Invalid);
    assert_eq!(valid("sequential"), Validity::Valid);
    assert_eq!(valid("session"), Validity::Valid);
    assert_eq!(valid("bounded-staleness=1s"), Validity::Valid);
    assert_eq!(valid("bounded-staleness=999ms"), Validity::Invalid);
}
