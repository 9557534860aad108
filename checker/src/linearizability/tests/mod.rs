//! The search against the definition: every order of every choice of operations, for small histories.

#[path = "../../../tests/definition/mod.rs"]
mod definition;
mod key_value;
mod limits;
mod random;

use super::Linearizable;
use super::entries::{Entries, NEVER};
use super::search::{Answer, Limits, Watch, Way, search, search_one_way};
use super::slots::Mask;
use super::states::States;
use super::window;
use crate::history::Operation;
use crate::model::{Model, Register};
use crate::{Budget, History, Validity};
use definition::linearizable;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use random::{Log, Opaque, SMALL, Shape, random_history};
use std::collections::HashSet;
use std::time::{Duration, Instant};

fn limits() -> Limits {
    Limits {
        deadline: Instant::now() + Duration::from_secs(600),
        memory: 1 << 30,
        configurations: u64::MAX,
    }
}

fn decide<M: Model>(initial: M, operations: &[Operation<'_>], look_ahead: bool) -> bool {
    let prepared = Entries::prepare(operations, NEVER, initial.clone(), look_ahead);
    decided(initial, &prepared, search(&prepared, limits()).answer)
}

fn decided<M: Model>(initial: M, prepared: &Entries<'_, M>, answer: Answer) -> bool {
    match answer {
        Answer::Linearizable(order) => {
            check_witness(initial, prepared, &order);
            true
        }
        Answer::NotLinearizable => false,
        Answer::OutOf(limit) => panic!("{limit:?} ran out"),
    }
}

/// What each way to search says, with and without look-ahead, in masks and in spans; and the judgement
/// of the history as it is recorded.
fn answers<M: Model>(initial: &M, history: &History, operations: &[Operation<'_>]) -> Vec<bool> {
    let mut answers = Vec::new();
    for look_ahead in [true, false] {
        answers.push(decide(initial.clone(), operations, look_ahead));
        let mut prepared = Entries::prepare(operations, NEVER, initial.clone(), look_ahead);
        for wide in [false, true] {
            if wide && prepared.answer.is_none() {
                prepared.schedule.make_crowd();
            }
            for way in [Way::Depth, Way::Relaxed, Way::Breadth] {
                if way == Way::Relaxed && prepared.schedule.values.is_none() {
                    continue;
                }
                let answer = search_one_way(&prepared, way, wide, limits()).answer;
                // The relaxed way may find that it can't tell.
                if way != Way::Relaxed || !matches!(answer, Answer::OutOf(_)) {
                    answers.push(decided(initial.clone(), &prepared, answer));
                }
            }
        }
    }
    for stretch in [1, 3] {
        let checker = Linearizable::new(initial.clone(), |_| true);
        let mut online = checker.online(Budget::default()).with_stretch(stretch);
        for event in &history.events {
            online.observe(event);
        }
        match online.finish().valid {
            Validity::Valid => answers.push(true),
            Validity::Invalid => answers.push(false),
            // Nothing succeeded.
            Validity::Unknown => {}
        }
    }
    answers
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

/// Whether any window at all refutes.
fn refuted_by_a_window<M: Model>(initial: &M, operations: &[Operation<'_>]) -> bool {
    let prepared = Entries::prepare(operations, NEVER, initial.clone(), true);
    let (schedule, mut states) = (&prepared.schedule, States::<M>::new(&prepared.classes));
    let Some(values) = schedule.values.as_ref() else {
        return false;
    };
    let ranks = || 0..schedule.len();
    let windows = ranks().flat_map(|last| (0..=last).map(move |first| (first, last)));
    windows.into_iter().any(|(first, last)| {
        let window = window::cut_out(&prepared.entries, schedule, values, first, last);
        let mut watch = Watch::new(limits(), 0);
        window::possible::<Mask<1>>(&window, &mut states, &mut watch) == Ok(false)
    })
}

fn compare(cases: u64, shape: Shape) {
    let (mut good, mut bad) = (0, 0);
    for seed in 0..cases {
        let mut rng = Pcg64::seed_from_u64(seed);
        let history = random_history(&mut rng, shape);
        let operations = history.operations().unwrap();
        let (truth, answers) = if shape.lists {
            let log = Log::default();
            (
                linearizable(&log, &operations),
                answers(&log, &history, &operations),
            )
        } else {
            let register = Register::holding(shape.initial());
            let mut all = answers(&register, &history, &operations);
            // All windows of a history are many.
            if seed % 4 == 0 && refuted_by_a_window(&register, &operations) {
                all.push(false);
            }
            all.extend(answers(&Opaque(register.clone()), &history, &operations));
            (linearizable(&register, &operations), all)
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
