//! The workloads in virtual time: what they ask for, and that their checkers accept a correct store.

use checker::{Budget, History, Key, Op, Phase, Validity, Value, check_all};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use workloads::generator::{Limit, Phases, TimeLimit};
use workloads::simulate::{Mood, Simulation, Store};
use workloads::{Generator, Workload, by_name};

fn imperfect(seed: u64) -> Simulation {
    Simulation {
        seed,
        threads: 10,
        mood: Mood::Imperfect { fail: 3, info: 3 },
        ..Simulation::default()
    }
}

/// A main phase of so many operations, then the finale.
fn run(workload: &dyn Workload, simulation: Simulation, ops: u64) -> History {
    let mut store = Store::default();
    let mut history = History::default();
    let mut main = Limit::new(ops, workload.generator(simulation.seed));
    simulation.go_on(&mut store, &mut history, &mut main);
    simulation.go_on(
        &mut store,
        &mut history,
        &mut workload.finale(simulation.seed),
    );
    history
}

fn invocations(history: &History) -> impl Iterator<Item = &Op> {
    history
        .events
        .iter()
        .filter(|event| event.phase == Phase::Invoke)
        .map(|event| &event.op)
}

#[test]
fn a_correct_store_is_judged_valid_whatever_fails() {
    for seed in 0..10 {
        let workload = by_name("register+ledger").unwrap();
        let history = run(workload.as_ref(), imperfect(seed), 4_000);
        let verdicts = check_all(&history, &workload.checkers(), Budget::default());
        for (name, verdict) in &verdicts {
            assert_eq!(
                verdict.valid,
                Validity::Valid,
                "seed {seed}, {name}: {verdict:?}"
            );
        }
        assert_eq!(verdicts.len(), 2);
    }
}

#[test]
fn a_store_that_forgets_its_last_second_is_found_out() {
    for seed in 0..5 {
        let workload = by_name("register+ledger").unwrap();
        let simulation = imperfect(seed);
        let mut store = Store::default();
        let mut history = History::default();
        let mut main = workload.generator(seed);
        let second = Simulation {
            end: 1_000_000_000,
            ..simulation
        };
        second.go_on(&mut store, &mut history, &mut main);
        let synced = store.clone();
        let synced_at = history.events.last().unwrap().time;
        second.go_on(&mut store, &mut history, &mut main);
        let lost_from = synced_at..history.events.last().unwrap().time;
        store = synced;
        simulation.go_on(&mut store, &mut history, &mut workload.finale(seed));
        let ledger = checker::ledger::Ledger::new().grouped(workloads::ledger::ledger_of);
        let figures = ledger.judge(&history).figures;
        assert!(figures.lost > 10, "{figures:?}");
        let window = (lost_from.end - lost_from.start) as f64 / 1e9;
        assert!(
            figures.lost_seconds > 0.5 && figures.lost_seconds < window + 0.5,
            "{figures:?}"
        );
        let verdicts = check_all(&history, &workload.checkers(), Budget::default());
        assert!(
            verdicts
                .values()
                .all(|verdict| verdict.valid == Validity::Invalid),
            "{verdicts:?}"
        );
    }
}

#[test]
fn a_minute_of_operations_is_judged_within_the_budget() {
    let workload = by_name("register").unwrap();
    let simulation = Simulation {
        threads: 20,
        ..imperfect(11)
    };
    let history = run(workload.as_ref(), simulation, 60_000);
    let verdicts = check_all(&history, &workload.checkers(), Budget::default());
    assert_eq!(
        verdicts["linearizable"].valid,
        Validity::Valid,
        "{verdicts:?}"
    );
}

#[test]
fn no_value_is_written_twice_and_some_cas_succeed() {
    let workload = by_name("register").unwrap();
    let history = run(workload.as_ref(), imperfect(7), 5_000);
    let mut written = BTreeSet::new();
    for op in invocations(&history) {
        if let Op::Write { value, .. } | Op::Cas { to: value, .. } = op {
            assert!(written.insert(value.clone()), "{value} is written twice");
        }
    }
    let cas: Vec<bool> = history
        .operations()
        .unwrap()
        .iter()
        .filter(|operation| matches!(operation.op(), Op::Cas { .. }))
        .map(|operation| operation.is_ok())
        .collect();
    let succeeded = cas.iter().filter(|ok| **ok).count();
    assert!(
        succeeded * 10 > cas.len(),
        "{succeeded} of {} cas succeeded",
        cas.len()
    );
    assert!(succeeded < cas.len());
}

#[test]
fn keys_live_for_their_share_of_operations() {
    let workload = workloads::Register::default().ops_per_key(100);
    let mut main = Limit::new(2_000, workload.generator(42));
    let history = imperfect(42).run(&mut main);
    let mut per_key: BTreeMap<Key, u32> = BTreeMap::new();
    for op in invocations(&history) {
        *per_key.entry(op.key().unwrap().clone()).or_default() += 1;
    }
    assert!(per_key.len() >= 20, "{per_key:?}");
    assert!(per_key.values().all(|count| *count <= 100));
}

#[test]
fn a_ledger_counts_on_without_repeating_and_rolls_its_lists() {
    let workload = by_name("ledger").unwrap();
    let simulation = Simulation {
        threads: 3,
        ..imperfect(1)
    };
    let history = run(workload.as_ref(), simulation, 3_000);
    let mut last: BTreeMap<u64, i64> = BTreeMap::new();
    let mut lists = BTreeSet::new();
    for event in history
        .events
        .iter()
        .filter(|event| event.phase == Phase::Invoke)
    {
        let thread = event.process.0 % 3;
        if let Op::Append { key, value } = &event.op {
            let last = last.entry(thread).or_insert(0);
            assert_eq!(*value, *last + 1);
            *last = *value;
            assert_eq!(*key, Key::Int(workloads::ledger::list_of(thread, *value)));
            assert_eq!(workloads::ledger::ledger_of(key), Key::Int(thread as i64));
            lists.insert(key.clone());
        }
    }
    assert!(lists.len() >= 9, "{lists:?}");
}

#[test]
fn the_finale_reads_every_key_until_it_has_an_answer() {
    let workload = by_name("register+ledger").unwrap();
    let simulation = Simulation {
        mood: Mood::Imperfect { fail: 30, info: 10 },
        ..imperfect(3)
    };
    let mut store = Store::default();
    let mut history = History::default();
    let mut main = Limit::new(6_000, workload.generator(3));
    simulation.go_on(&mut store, &mut history, &mut main);
    let main_events = history.events.len();
    simulation.go_on(&mut store, &mut history, &mut workload.finale(3));
    let used: BTreeSet<&Key> = history.events[..main_events]
        .iter()
        .filter_map(|event| event.op.key())
        .collect();
    let answered: BTreeSet<&Key> = history.events[main_events..]
        .iter()
        .filter(|event| matches!(event.phase, Phase::Ok(_)))
        .filter_map(|event| event.op.key())
        .collect();
    assert_eq!(used, answered);
}

#[test]
fn the_keys_of_two_workloads_never_meet() {
    let workload = by_name("register+ledger").unwrap();
    let history = imperfect(5).run(&mut Limit::new(3_000, workload.generator(5)));
    for op in invocations(&history) {
        let Some(Key::Int(key)) = op.key() else {
            panic!("the keys are numbers")
        };
        let register = matches!(op, Op::Read { .. } | Op::Write { .. } | Op::Cas { .. });
        assert_eq!(register, *key < workloads::register::END_KEY);
    }
}

#[test]
fn generators_compose_into_a_whole_run() {
    let workload = by_name("register+ledger").unwrap();
    let main = TimeLimit::new(Duration::from_secs(2), workload.generator(9));
    let quiet = workloads::generator::Sleep::new(Duration::from_secs(1));
    let mut phases: Box<dyn Generator> = Box::new(Phases::new([
        Box::new(main) as Box<dyn Generator>,
        Box::new(quiet),
    ]));
    let history = imperfect(9).run(&mut phases);
    let last = history
        .events
        .iter()
        .rfind(|event| event.phase == Phase::Invoke)
        .unwrap();
    assert!(last.time < 2_000_000_000);
}

#[test]
fn unknown_workloads_are_named_with_the_known() {
    let error = |name: &str| {
        by_name(name)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let unknown = error("regster");
    assert!(
        unknown.starts_with("unknown workload \"regster\"; known: register, ledger, cas-register,"),
        "{unknown}"
    );
    assert_eq!(error("ledger+ledger"), "workload \"ledger\" is named twice");
    let both = by_name("register+ledger").unwrap();
    assert_eq!(
        (both.name(), both.model()),
        ("register+ledger", "cas-register+ledger")
    );
}

/// The plan of a seed is part of what a run promises to repeat. If this test fails because a generator
/// was changed on purpose, the new plan below is right; if a dependency was updated, it is not.
#[test]
fn seed_42_gives_the_plan_it_always_gave() {
    let workload = by_name("register+ledger").unwrap();
    let simulation = Simulation {
        threads: 3,
        ..Simulation::default()
    };
    let history = simulation.run(&mut Limit::new(24, workload.generator(42)));
    let mut plan = String::new();
    for event in history
        .events
        .iter()
        .filter(|event| event.phase == Phase::Invoke)
    {
        let (process, key) = (event.process, event.op.key().unwrap());
        let value = match &event.op {
            Op::Write { value, .. } => value.to_string(),
            Op::Cas { from, to, .. } => format!("{from} -> {to}"),
            Op::Append { value, .. } => Value::Int(*value).to_string(),
            _ => String::new(),
        };
        let line = format!("{process} {} {key} {value}", event.op.name());
        writeln!(plan, "{}", line.trim_end()).unwrap();
    }
    assert_eq!(plan, include_str!("plan-42.txt"));
}
