//! Great histories: a million transactions in a release build, fewer in others.

use super::anomalies;
use checker::transactions::{Isolation, Kind, Transactional};
use checker::{
    Budget, Checker, Event, History, Key, Mop, Op, Phase, ProcessId, Ret, Seen, Validity, Value,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const COUNT: usize = if cfg!(debug_assertions) {
    50_000
} else {
    1_000_000
};

const AMPLE: Budget = Budget {
    time: Duration::from_secs(600),
    memory: 4 << 30,
};

#[derive(Default)]
struct Recorder {
    history: History,
}

impl Recorder {
    fn event(&mut self, process: u64, phase: Phase, op: &Op) {
        let index = self.history.events.len() as u64;
        self.history.events.push(Event {
            index,
            time: index * 1_000,
            process: ProcessId(process),
            phase,
            op: op.clone(),
        });
    }

    fn op(mops: &[(Mop, Seen)]) -> (Op, Phase) {
        let ops = mops.iter().map(|(mop, _)| mop.clone()).collect();
        let seen = mops.iter().map(|(_, seen)| seen.clone()).collect();
        (Op::Txn { ops }, Phase::Ok(Ret::Txn(seen)))
    }
}

fn read(key: usize, list: &[i64]) -> (Mop, Seen) {
    let key = Key::Int(key as i64);
    (Mop::Read { key }, Seen::List(list.into()))
}

fn append(key: usize, value: i64) -> (Mop, Seen) {
    let key = Key::Int(key as i64);
    (Mop::Append { key, value }, Seen::Done)
}

/// Transactions of one to four steps on lists of at most 32 elements; `overlap` processes at once.
fn serial(count: usize, overlap: usize) -> Recorder {
    let mut recorder = Recorder::default();
    let mut lists: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for batch in 0..count / overlap {
        let mut completions = Vec::new();
        for lane in 0..overlap {
            let at = batch * overlap + lane;
            let mops: Vec<_> = (0..=at % 4)
                .map(|step| {
                    let key = at / 256 * 8 + (at * 7 + step * 3) % 8;
                    let list = lists.entry(key).or_default();
                    if (at + step).is_multiple_of(2) || list.len() >= 32 {
                        return read(key, list);
                    }
                    list.push((at * 4 + step) as i64);
                    append(key, (at * 4 + step) as i64)
                })
                .collect();
            let (op, ok) = Recorder::op(&mops);
            recorder.event(lane as u64, Phase::Invoke, &op);
            completions.push((op, ok));
        }
        for (lane, (op, ok)) in completions.into_iter().enumerate() {
            recorder.event(lane as u64, ok, &op);
        }
    }
    recorder
}

/// One after the other on registers, every fourth of which is only read.
fn serial_on_registers(count: usize) -> Recorder {
    let mut recorder = Recorder::default();
    let mut registers: BTreeMap<usize, Value> = BTreeMap::new();
    for at in 0..count {
        let mops: Vec<_> = (0..=at % 4)
            .map(|step| {
                let number = at / 256 * 8 + (at * 7 + step * 3) % 8;
                let (key, value) = (Key::Int(number as i64), Value::Int((at * 4 + step) as i64));
                let holds = registers.entry(number).or_insert(Value::Nil);
                if (at + step).is_multiple_of(2) || number.is_multiple_of(4) {
                    return (Mop::Read { key }, Seen::Value(holds.clone()));
                }
                *holds = value.clone();
                (Mop::Write { key, value }, Seen::Done)
            })
            .collect();
        let (op, ok) = Recorder::op(&mops);
        recorder.event(at as u64 % 10, Phase::Invoke, &op);
        recorder.event(at as u64 % 10, ok, &op);
    }
    recorder
}

fn check(name: &str, history: &History) -> checker::Verdict {
    check_as(Kind::ListAppend, name, history)
}

fn check_as(kind: Kind, name: &str, history: &History) -> checker::Verdict {
    let started = Instant::now();
    let checker = Transactional::new(kind, Isolation::StrictSerializable);
    let verdict = checker.check(history, AMPLE);
    println!(
        "{name}: {} transactions, {:?}, {} ms",
        verdict.details["transactions"],
        verdict.valid,
        started.elapsed().as_millis()
    );
    verdict
}

#[test]
fn a_long_valid_history_is_valid() {
    let history = serial(COUNT, 10).history;
    let verdict = check("valid", &history);
    assert_eq!(verdict.valid, Validity::Valid, "{verdict:?}");
}

#[test]
fn a_stale_read_at_the_end_of_a_long_history_of_registers_is_found() {
    let mut recorder = serial_on_registers(COUNT);
    let verdict = check_as(Kind::RwRegister, "registers", &recorder.history);
    assert_eq!(verdict.valid, Validity::Valid, "{verdict:?}");
    let first = recorder
        .history
        .events
        .iter()
        .find_map(|event| match &event.op {
            Op::Txn { ops } => ops.iter().find_map(|mop| match mop {
                Mop::Write { key, value } => Some((key.clone(), value.clone())),
                _ => None,
            }),
            _ => None,
        });
    let (key, value) = first.expect("somebody wrote");
    let (op, ok) = Recorder::op(&[(Mop::Read { key }, Seen::Value(value))]);
    recorder.event(10, Phase::Invoke, &op);
    recorder.event(10, ok, &op);
    let verdict = check_as(Kind::RwRegister, "stale register", &recorder.history);
    assert_eq!(verdict.valid, Validity::Invalid);
    let anomaly = &anomalies(&verdict)[0];
    assert_eq!(anomaly.name.to_string(), "G-single-realtime");
    assert_eq!(anomaly.steps.len(), 2, "{anomaly:?}");
}

#[test]
fn a_stale_read_at_the_end_of_a_long_history_is_found() {
    let mut recorder = serial(COUNT, 10);
    let (op, ok) = Recorder::op(&[read(3, &[])]);
    recorder.event(10, Phase::Invoke, &op);
    recorder.event(10, ok, &op);
    let verdict = check("stale read", &recorder.history);
    assert_eq!(verdict.valid, Validity::Invalid);
    let anomaly = &anomalies(&verdict)[0];
    assert_eq!(anomaly.name.to_string(), "G-single-realtime");
    assert_eq!(anomaly.steps.len(), 2, "{anomaly:?}");
}

#[test]
fn a_ring_of_all_transactions_is_one_component_with_a_witness() {
    let mut recorder = Recorder::default();
    let txns: Vec<_> = (0..COUNT)
        .map(|at| Recorder::op(&[append(at, 1), read((at + 1) % COUNT, &[1])]))
        .collect();
    for (at, (op, _)) in txns.iter().enumerate() {
        recorder.event(at as u64, Phase::Invoke, op);
    }
    for (at, (op, ok)) in txns.into_iter().enumerate() {
        recorder.event(at as u64, ok, &op);
    }
    let verdict = check("ring", &recorder.history);
    assert_eq!(verdict.valid, Validity::Invalid);
    assert_eq!(verdict.details["greatest_component"], COUNT);
    let anomaly = &anomalies(&verdict)[0];
    assert_eq!(anomaly.name.to_string(), "G1c");
    assert_eq!(anomaly.left_out + anomaly.steps.len(), COUNT);
}

/// Pairs that skip each other's writes, all tied into one component.
#[test]
fn one_component_full_of_write_skew_gives_short_witnesses() {
    let mut recorder = Recorder::default();
    let txns: Vec<_> = (0..COUNT)
        .map(|at| {
            let reads = [read((at + 1) % COUNT, &[]), read((at + 2) % COUNT, &[])];
            Recorder::op(&[append(at, 1), reads[0].clone(), reads[1].clone()])
        })
        .collect();
    for (at, (op, _)) in txns.iter().enumerate() {
        recorder.event(at as u64, Phase::Invoke, op);
    }
    for (at, (op, ok)) in txns.into_iter().enumerate() {
        recorder.event(at as u64, ok, &op);
    }
    let verdict = check("write skew", &recorder.history);
    assert_eq!(verdict.valid, Validity::Invalid);
    assert_eq!(anomalies(&verdict)[0].name.to_string(), "G2-item");
}

#[test]
fn a_budget_that_runs_out_gives_unknown_and_says_how_far_it_came() {
    let history = serial(20_000, 10).history;
    let checker = Transactional::new(Kind::ListAppend, Isolation::StrictSerializable);
    let verdict = checker.check(
        &history,
        Budget {
            time: Duration::ZERO,
            ..AMPLE
        },
    );
    assert_eq!(verdict.valid, Validity::Unknown);
    assert!(
        verdict.reason.starts_with("time ran out after"),
        "{verdict:?}"
    );
    let verdict = checker.check(
        &history,
        Budget {
            memory: 3 << 20,
            ..AMPLE
        },
    );
    assert_eq!(verdict.valid, Validity::Unknown);
    assert!(verdict.reason.contains("MiB of memory"), "{verdict:?}");
}
