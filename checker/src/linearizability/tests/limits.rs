//! What is hard ends, and says how far it came.

use super::limits;
use super::random::{Opaque, SMALL, Shape, random_history};
use crate::linearizability::Linearizable;
use crate::linearizability::entries::{Entries, NEVER};
use crate::linearizability::search::{Answer, Limits, search};
use crate::model::Register;
use crate::{
    Budget, Checker, Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Validity, Value,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use std::time::{Duration, Instant};

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
    assert!(found.reached > 0 && (found.reached as usize) < prepared.schedule.order.len());
}

const KEY: Key = Key::Int(0);

fn write(value: i64) -> (Op, Option<Ret>) {
    let value = Value::Int(value);
    (Op::Write { key: KEY, value }, Some(Ret::Done))
}

fn crashed_write(value: i64) -> (Op, Option<Ret>) {
    (write(value).0, None)
}

fn cas(from: i64, to: i64) -> (Op, Option<Ret>) {
    let (from, to) = (Value::Int(from), Value::Int(to));
    (Op::Cas { key: KEY, from, to }, Some(Ret::Done))
}

fn read(value: i64) -> (Op, Option<Ret>) {
    (Op::Read { key: KEY }, Some(Ret::Value(Value::Int(value))))
}

/// Groups of operations, all of a group at the same time, one group after the other. Without a result:
/// the outcome is unknown.
fn groups(groups: &[Vec<(Op, Option<Ret>)>]) -> History {
    let mut events: Vec<Event> = Vec::new();
    let mut process = 0;
    for group in groups {
        for completes in [false, true] {
            for (at, (op, ret)) in (process..).zip(group) {
                let phase = match (completes, ret) {
                    (false, _) => Phase::Invoke,
                    (true, Some(ret)) => Phase::Ok(ret.clone()),
                    (true, None) => Phase::Info(Reason::new("timeout")),
                };
                let index = events.len() as u64;
                events.push(Event {
                    index,
                    time: index,
                    process: ProcessId(at),
                    phase,
                    op: op.clone(),
                });
            }
        }
        process += group.len() as u64;
    }
    History {
        events,
        ..History::default()
    }
}

/// The verdicts with and without knowledge of values; each is there when the budget ends.
fn verdicts(history: &History, time: Duration) -> [Validity; 2] {
    let budget = Budget {
        time,
        memory: 256 << 20,
    };
    let started = Instant::now();
    let verdicts = [
        Linearizable::cas_register().check(history, budget),
        Linearizable::new(Opaque(Register::default()), |_| true).check(history, budget),
    ];
    // What a violation is explained by takes a time of its own.
    let explained = Duration::from_secs(40);
    assert!(started.elapsed() < 2 * time + explained, "{verdicts:?}");
    verdicts.map(|verdict| verdict.valid)
}

const SHORT: Duration = Duration::from_secs(2);

/// Writes that all overlap, then a read of what nobody wrote: every order must be tried, unless
/// something is known of values.
fn hard() -> History {
    groups(&[(0..14).map(write).collect(), vec![read(99)]])
}

#[test]
fn fifty_crashed_writes_of_values_that_nobody_reads_are_no_burden() {
    let crashed: Vec<_> = (100..150).map(crashed_write).collect();
    let good = groups(&[
        crashed.clone(),
        vec![write(1), write(2), read(2)],
        vec![read(1), read(1)],
        vec![read(120)],
    ]);
    assert_eq!(verdicts(&good, SHORT), [Validity::Valid; 2]);
    let bad = groups(&[crashed, vec![write(1)], vec![read(120)], vec![read(1)]]);
    assert_eq!(verdicts(&bad, SHORT), [Validity::Invalid; 2]);
}

#[test]
fn thirty_processes_at_once_on_one_key_end_in_a_verdict() {
    let mut unique: Vec<_> = (0..15).map(write).collect();
    unique.extend((0..15).map(read));
    let good = groups(&[unique.clone(), unique.clone(), vec![read(3)]]);
    assert_ne!(verdicts(&good, SHORT), [Validity::Invalid; 2]);
    let unique = groups(&[unique, vec![read(3)]]);
    assert_eq!(verdicts(&unique, SHORT)[0], Validity::Valid);

    let mut cases: Vec<_> = (0..30).map(|at| cas(at % 5, (at + 1) % 5)).collect();
    cases.push(write(0));
    let ring = groups(&[cases.clone(), vec![read(0)]]);
    assert_ne!(verdicts(&ring, SHORT)[0], Validity::Invalid);
    let broken = groups(&[cases, vec![read(1)]]);
    assert_ne!(verdicts(&broken, SHORT)[0], Validity::Valid);
}

#[test]
fn a_hundred_thousand_equal_operations_are_judged() {
    let many = |operation: (Op, Option<Ret>)| vec![operation; 100_000];
    for (group, read_valid, expected) in [
        (many(write(1)), 1, Validity::Valid),
        (many(write(1)), 2, Validity::Invalid),
        (many(crashed_write(1)), 1, Validity::Valid),
        (many(crashed_write(1)), 2, Validity::Invalid),
    ] {
        let history = groups(&[group, vec![read(read_valid)]]);
        let operations = history.operations().unwrap();
        for look_ahead in [true, false] {
            let prepared = Entries::prepare(&operations, NEVER, Register::default(), look_ahead);
            let found = search(&prepared, limits());
            assert_eq!(
                matches!(found.answer, Answer::Linearizable(_)),
                expected == Validity::Valid
            );
            assert!(!matches!(found.answer, Answer::OutOf(_)));
        }
    }
    let history = groups(&[vec![write(1)], many(read(1)), vec![read(1)]]);
    assert_eq!(verdicts(&history, 10 * SHORT), [Validity::Valid; 2]);
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
