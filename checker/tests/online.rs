//! The judgement of a history while it is being recorded.

#[path = "../benches/histories/mod.rs"]
mod histories;

use checker::linearizability::Linearizable;
use checker::{Budget, Checker, Event, Key, Op, Phase, ProcessId, Reason, Ret, Validity, Value};
use histories::{Events, Shape, history, plant};
use std::time::Duration;

const SHAPE: Shape = Shape {
    operations: 20_000,
    processes: 10,
    keys: 5,
    values: Some(5),
    cas: 30,
    crashed: 5,
    seed: 1,
};

const BUDGET: Budget = Budget {
    time: Duration::from_secs(300),
    memory: 256 << 20,
};

#[test]
fn long_histories_are_judged_as_they_are_when_they_are_complete() {
    let checker = Linearizable::cas_register();
    let mut invalid = 0;
    for seed in 0..12 {
        let shape = Shape {
            operations: 4_000,
            values: [Some(3), Some(50), None][seed as usize % 3],
            seed,
            ..SHAPE
        };
        let mut history = history(shape);
        if seed % 4 != 0 {
            plant(&mut history, 0.7, |history| {
                checker.decide(history, BUDGET) == Validity::Invalid
            });
        }
        let mut online = checker.online(BUDGET);
        for event in &history.events {
            online.observe(event);
        }
        let verdict = online.finish();
        assert_eq!(
            verdict.valid,
            checker.decide(&history, BUDGET),
            "seed {seed}: {}",
            verdict.reason
        );
        invalid += u32::from(verdict.valid == Validity::Invalid);
    }
    assert!(invalid > 3, "{invalid} of 12 were invalid");
}

#[test]
fn what_is_held_does_not_grow_with_the_history() {
    let held_at_most = |operations| {
        let shape = Shape {
            operations,
            values: None,
            ..SHAPE
        };
        let mut online = Linearizable::cas_register().online(BUDGET);
        let mut held = 0;
        for event in Events::new(shape) {
            online.observe(&event);
            held = held.max(online.held());
        }
        assert_eq!(online.finish().valid, Validity::Valid);
        held
    };
    let (short, long) = (held_at_most(5_000), held_at_most(40_000));
    // 35,000 more operations leave behind no more than some of the 180 crashed ones.
    assert!(long < short + 400, "{short} held, then {long}");
}

#[test]
fn a_violation_is_known_while_the_history_goes_on() {
    let mut history = history(SHAPE);
    let checker = Linearizable::cas_register();
    let planted = plant(&mut history, 0.3, |history| {
        checker.decide(history, BUDGET) == Validity::Invalid
    });
    assert!(planted);
    let mut online = checker.online(BUDGET);
    let mut known_at = None;
    for (at, event) in history.events.iter().enumerate() {
        online.observe(event);
        if known_at.is_none() && online.early().is_some() {
            known_at = Some(at);
        }
    }
    let verdict = online.finish();
    assert_eq!(verdict.valid, Validity::Invalid, "{}", verdict.reason);
    assert!(
        known_at.is_some_and(|at| at < history.events.len() / 2),
        "{known_at:?}"
    );
    assert!(
        verdict
            .reason
            .contains("can't be put into any order with what came before"),
        "{}",
        verdict.reason
    );
    assert_eq!(
        verdict.details["operations"].as_array().map(Vec::len),
        Some(1)
    );
}

fn event(index: u64, process: u64, phase: Phase, value: i64) -> Event {
    Event {
        index,
        time: index,
        process: ProcessId(process),
        phase,
        op: Op::Write {
            key: Key::Int(0),
            value: Value::Int(value),
        },
    }
}

#[test]
fn an_operation_that_never_ends_holds_the_judgement_up_but_not_for_ever() {
    let mut online = Linearizable::cas_register().online(Budget {
        memory: 1 << 20,
        ..BUDGET
    });
    online.observe(&event(0, 0, Phase::Invoke, 0));
    for at in 1..60_000 {
        online.observe(&event(2 * at, at, Phase::Invoke, 1));
        online.observe(&event(2 * at + 1, at, Phase::Ok(Ret::Done), 1));
    }
    let verdict = online.finish();
    assert_eq!(verdict.valid, Validity::Unknown);
    assert!(
        verdict.reason.starts_with("memory ran out after"),
        "{}",
        verdict.reason
    );
}

#[test]
fn events_that_make_no_history_are_refused() {
    let mut online = Linearizable::cas_register().online(BUDGET);
    online.observe(&event(0, 1, Phase::Ok(Ret::Done), 1));
    let verdict = online.finish();
    assert_eq!(verdict.valid, Validity::Unknown);
    assert_eq!(
        verdict.reason,
        "not a history: process 1 completes what it did not invoke (index 0)"
    );
}

#[test]
fn what_never_succeeded_shows_nothing() {
    let mut online = Linearizable::cas_register().online(BUDGET);
    online.observe(&event(0, 1, Phase::Invoke, 1));
    online.observe(&event(1, 1, Phase::Info(Reason::new("timeout")), 1));
    assert_eq!(online.finish().valid, Validity::Unknown);
}
