//! Generators in virtual time. The scripts show `time-in-ms process operation`.

use super::*;
use crate::seed;
use crate::simulate::{Mood, Simulation};
use checker::{History, Key, Op, Reason, Ret, Value};
use std::time::Duration;

fn read(key: i64) -> Op {
    Op::Read { key: Key::Int(key) }
}

fn reads(key: i64) -> Boxed {
    Box::new(Endless::new(move |_, _| read(key)))
}

fn simulation(threads: u64) -> Simulation {
    Simulation {
        threads,
        latency: (10_000_000, 10_000_000),
        end: 1_000_000_000,
        ..Simulation::default()
    }
}

/// The invocations, a line each.
fn script(history: &History) -> String {
    let invocations = history
        .events
        .iter()
        .filter(|event| event.phase == Phase::Invoke);
    let lines: Vec<String> = invocations
        .map(|event| {
            let time = event.time / 1_000_000;
            format!(
                "{time} {} {} {}",
                event.process,
                event.op.name(),
                event.op.key().unwrap()
            )
        })
        .collect();
    lines.join("\n")
}

fn keys(history: &History) -> Vec<i64> {
    let invocations = history
        .events
        .iter()
        .filter(|event| event.phase == Phase::Invoke);
    invocations
        .map(|event| match event.op.key() {
            Some(Key::Int(key)) => *key,
            _ => panic!("the keys here are numbers"),
        })
        .collect()
}

#[test]
fn a_sequence_gives_each_operation_once_to_whoever_is_free() {
    let history = simulation(2).run(&mut Sequence::new((1..=5).map(read)));
    assert_eq!(
        script(&history),
        "0 0 read 1\n0 1 read 2\n10 0 read 3\n10 1 read 4\n20 0 read 5"
    );
    assert_eq!(
        script(&simulation(2).run(&mut Sequence::once(read(9)))),
        "0 0 read 9"
    );
}

#[test]
fn phases_are_parted_by_a_barrier_and_a_sleep_waits() {
    let mut phases = Phases::new([
        Box::new(Sequence::new((1..=3).map(read))) as Boxed,
        Box::new(Sleep::new(Duration::from_millis(50))),
        Box::new(Sequence::new([read(7), read(8)])),
    ]);
    assert_eq!(
        script(&simulation(2).run(&mut phases)),
        "0 0 read 1\n0 1 read 2\n10 0 read 3\n70 1 read 7\n70 0 read 8"
    );
}

#[test]
fn limits_end_a_part_by_count_and_by_time() {
    let history = simulation(2).run(&mut Limit::new(7, reads(1)));
    assert_eq!(keys(&history).len(), 7);
    let history = simulation(2).run(&mut TimeLimit::new(Duration::from_millis(35), reads(1)));
    // Two threads, 10 ms each: starts at 0, 10, 20 and 30 ms.
    assert_eq!(keys(&history).len(), 8);
}

#[test]
fn a_delay_parts_the_starts_of_operations() {
    let mut delayed = Limit::new(3, Box::new(Delay::new(Duration::from_millis(25), reads(1))));
    assert_eq!(
        script(&simulation(2).run(&mut delayed)),
        "0 0 read 1\n25 1 read 1\n50 0 read 1"
    );
}

#[test]
fn a_stagger_keeps_a_total_rate_whatever_the_number_of_threads() {
    for threads in [10, 100] {
        let mut staggered = Stagger::new(200.0, reads(1), seed::stream(42, "stagger"));
        let mut simulation = simulation(threads);
        simulation.end = 10_000_000_000;
        let count = keys(&simulation.run(&mut staggered)).len();
        assert!(
            (1_850..=2_150).contains(&count),
            "{threads} threads made {count} in 10 s at 200/s"
        );
    }
}

#[test]
fn a_mix_chooses_by_weight_and_goes_on_with_what_is_left() {
    let parts = [
        (3, reads(1)),
        (1, Box::new(Limit::new(20, reads(2))) as Boxed),
    ];
    let mut mix = Limit::new(1_000, Box::new(Mix::new(parts, seed::stream(42, "mix"))));
    let keys = keys(&simulation(20).run(&mut mix));
    assert_eq!(keys.len(), 1_000);
    assert_eq!(keys.iter().filter(|key| **key == 2).count(), 20);
    let first: Vec<i64> = keys[..40].to_vec();
    let twos = first.iter().filter(|key| **key == 2).count();
    assert!(
        (4..=18).contains(&twos),
        "{twos} of 40 were of weight 1 in 4"
    );
}

#[test]
fn any_takes_turns_and_ends_when_all_have() {
    let mut any = Any::new([
        Box::new(Limit::new(2, reads(1))) as Boxed,
        Box::new(Limit::new(4, reads(2))),
    ]);
    assert_eq!(keys(&simulation(1).run(&mut any)), [1, 2, 1, 2, 2, 2]);
}

#[test]
fn reserved_threads_do_only_their_part() {
    let mut reserved = Limit::new(
        60,
        Box::new(reserve([(1, reads(1)), (2, reads(2))], reads(3))),
    );
    let history = simulation(6).run(&mut reserved);
    for event in &history.events {
        let expected = match event.process.0 % 6 {
            0 => 1,
            1 | 2 => 2,
            _ => 3,
        };
        assert_eq!(event.op.key(), Some(&Key::Int(expected)));
    }
}

#[test]
fn keys_are_used_by_their_group_and_replaced() {
    let make = |key: &Key| -> Boxed {
        let key = key.clone();
        let ops = Endless::new(move |_, _| Op::Read { key: key.clone() });
        Box::new(Limit::new(3, Box::new(ops)))
    };
    let mut per_key = PerKey::new((1..=3).map(Key::Int), 2, make);
    assert_eq!(
        script(&simulation(4).run(&mut per_key)),
        "0 0 read 1\n0 1 read 1\n0 2 read 2\n0 3 read 2\n10 0 read 1\n10 1 read 3\n10 2 read 2\n20 0 read 3\n20 1 read 3"
    );
}

#[test]
fn a_crashed_process_is_replaced_and_keeps_its_thread() {
    let mut simulation = simulation(3);
    simulation.mood = Mood::Imperfect { fail: 10, info: 30 };
    let history = simulation.run(&mut OnThreads::new(1..2, reads(1)));
    let processes: std::collections::BTreeSet<u64> =
        history.events.iter().map(|event| event.process.0).collect();
    assert!(processes.len() > 5, "{processes:?}");
    assert!(processes.iter().all(|process| process % 3 == 1));
    history
        .operations()
        .expect("no process is used after a crash");
}

/// Feeds a generator by hand: the answer to each operation, in order of invocation.
fn until_ok(mut answers: Vec<Phase>) -> Vec<(u64, u64, i64)> {
    let mut generator = UntilOk::new([read(1), read(2)], 3, Duration::from_millis(100));
    let mut asked = Vec::new();
    let mut time = 0;
    loop {
        let free = [ProcessId(0), ProcessId(1)];
        match generator.next(&Context {
            time,
            free: &free,
            threads: 2,
        }) {
            Next::Op(process, op) => {
                let Some(&Key::Int(key)) = op.key() else {
                    panic!()
                };
                asked.push((time / 1_000_000, process.0, key));
                let phase = if answers.is_empty() {
                    Phase::Ok(Ret::Value(Value::Nil))
                } else {
                    answers.remove(0)
                };
                for phase in [Phase::Invoke, phase] {
                    generator.observe(&Event {
                        index: 0,
                        time,
                        process,
                        phase,
                        op: op.clone(),
                    });
                }
            }
            Next::Pending { until } => time = until.expect("only a pause is waited for"),
            Next::Done => return asked,
        }
    }
}

#[test]
fn until_ok_repeats_elsewhere_after_a_pause_and_gives_up() {
    let fail = || Phase::Fail(Reason::new("no-leader"));
    assert_eq!(until_ok(vec![]), [(0, 0, 1), (0, 0, 2)]);
    assert_eq!(until_ok(vec![fail()]), [(0, 0, 1), (0, 0, 2), (100, 1, 1)]);
    let info = Phase::Info(Reason::new("timeout"));
    let ok = Phase::Ok(Ret::Value(Value::Nil));
    assert_eq!(
        until_ok(vec![fail(), ok, info, fail()]),
        [(0, 0, 1), (0, 0, 2), (100, 1, 1), (200, 0, 1)]
    );
}
