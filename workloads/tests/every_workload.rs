//! Every workload of the table in virtual time, against the reference store.

use checker::{Budget, History, Key, Mop, Op, Phase, Ret, Validity, Value, check_all};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use workloads::generator::Limit;
use workloads::simulate::{Mood, Simulation, Store};
use workloads::{ALL, Workload, by_name};

fn simulation(mood: Mood) -> Simulation {
    Simulation {
        seed: 42,
        threads: 10,
        mood,
        ..Simulation::default()
    }
}

const IMPERFECT: Mood = Mood::Imperfect { fail: 3, info: 3 };

/// A main phase of so many operations, then the finale; and where it begins.
fn run(workload: &dyn Workload, mood: Mood, ops: u64) -> (History, usize) {
    let simulation = simulation(mood);
    let (mut store, mut history) = (Store::default(), History::default());
    let mut main = Limit::new(ops, workload.generator(simulation.seed));
    simulation.go_on(&mut store, &mut history, &mut main);
    let finale = history.events.len();
    simulation.go_on(
        &mut store,
        &mut history,
        &mut workload.finale(simulation.seed),
    );
    (history, finale)
}

fn invocations(history: &History) -> impl Iterator<Item = &Op> {
    let events = history.events.iter();
    events
        .filter(|event| event.phase == Phase::Invoke)
        .map(|event| &event.op)
}

/// An operation in the form of its line in a file, short.
fn shown(op: &Op) -> String {
    let of = |key: &Key| match key {
        Key::Int(number) => format!("{}.{}", number >> 40, number & ((1 << 40) - 1)),
        Key::Text(text) => text.to_string(),
    };
    let rest = match op {
        Op::Write { value, .. } | Op::Enqueue { value, .. } | Op::Push { value, .. } => {
            value.to_string()
        }
        Op::Cas { from, to, .. } => format!("{from} -> {to}"),
        Op::Append { value, .. } | Op::Add { value, .. } | Op::Remove { value, .. } => {
            value.to_string()
        }
        Op::Concat { suffix, .. } => suffix.to_string(),
        Op::Acquire { owner, .. } | Op::Release { owner, .. } => owner.to_string(),
        Op::Transfer { from, to, amount } => format!("{} -> {} {amount}", of(from), of(to)),
        Op::ReadAll { keys } => keys.iter().map(of).collect::<Vec<_>>().join(" "),
        Op::Txn { ops } => {
            let steps = ops.iter().map(|op| match op {
                Mop::Read { key } => format!("r {}", of(key)),
                Mop::Write { key, value } => format!("w {} {value}", of(key)),
                Mop::Append { key, value } => format!("a {} {value}", of(key)),
            });
            steps.collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    let key = op.key().map(of).unwrap_or_default();
    let words = [op.name(), &key, &rest];
    let words = words.into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The plan of a seed is part of what a run promises to repeat. If this test fails because a generator was changed on
/// purpose, the new plans are right (`PLANS=1 cargo test -p workloads` writes them down); if a dependency was updated,
/// they are not.
#[test]
fn seed_42_gives_the_plans_it_always_gave() {
    let mut plans = String::new();
    for known in ALL {
        let workload = by_name(known.name).unwrap();
        let plan = || {
            let mut main = Limit::new(16, workload.generator(42));
            let history = Simulation {
                threads: 3,
                ..Simulation::default()
            }
            .run(&mut main);
            invocations(&history).map(shown).collect::<Vec<_>>()
        };
        writeln!(plans, "{}\n  {}", known.name, plan().join("\n  ")).unwrap();
    }
    if std::env::var_os("PLANS").is_some() {
        std::fs::write("tests/plans-42-all.txt", &plans).unwrap();
    }
    assert_eq!(plans, include_str!("plans-42-all.txt"));
}

#[test]
fn a_right_store_is_never_judged_invalid() {
    for known in ALL {
        let workload = by_name(known.name).unwrap();
        let (history, _) = run(workload.as_ref(), IMPERFECT, 1_500);
        let verdicts = check_all(&history, &workload.checkers(), Budget::default());
        assert!(!verdicts.is_empty(), "{}", known.name);
        for (name, verdict) in verdicts {
            let nobody = name == "nobody" && verdict.valid == Validity::Unknown;
            assert!(
                nobody || verdict.valid == Validity::Valid,
                "{}, {name}: {verdict:?}",
                known.name
            );
        }
    }
}

#[test]
fn a_workload_is_judged_by_the_model_of_its_row() {
    for known in ALL {
        let workload = by_name(known.name).unwrap();
        assert_eq!(workload.name(), known.name);
        let (model, _) = workload
            .model()
            .split_once('=')
            .unwrap_or((workload.model(), ""));
        assert_eq!(model, known.model, "{}", known.name);
    }
    let model = |name: &str| by_name(name).unwrap().model().to_owned();
    assert_eq!(model("semaphore"), "semaphore=2");
    assert_eq!(model("semaphore:permits=5"), "semaphore=5");
    assert_eq!(model("bank:accounts=4:balance=10"), "bank=40");
}

#[test]
fn the_reference_store_serves_every_operation_and_most_succeed() {
    for known in ALL {
        let workload = by_name(known.name).unwrap();
        let (history, _) = run(workload.as_ref(), Mood::Perfect, 2_000);
        let (mut ok, mut failed) = (0, BTreeMap::<&str, u64>::new());
        for event in &history.events {
            match &event.phase {
                Phase::Ok(_) => ok += 1,
                Phase::Fail(reason) => *failed.entry(reason.code()).or_default() += 1,
                _ => {}
            }
        }
        let share = match known.name {
            // Most threads wait for one.
            "mutex" | "fenced-lock" | "semaphore" => 5,
            _ => 2,
        };
        assert!(ok * share > 2_000, "{}: {ok} ok, {failed:?}", known.name);
        let expected = ["cas-mismatch", "held", "insufficient"];
        for code in failed.keys() {
            assert!(expected.contains(code), "{}: {failed:?}", known.name);
        }
    }
}

#[test]
fn no_two_workloads_share_a_key() {
    let all: Vec<_> = ALL
        .iter()
        .map(|known| (known.name, by_name(known.name).unwrap()))
        .collect();
    for (name, workload) in &all {
        let (history, _) = run(workload.as_ref(), IMPERFECT, 500);
        for op in invocations(&history) {
            let owners = all.iter().filter(|(_, other)| other.owns(op));
            let owners: Vec<_> = owners.map(|(other, _)| *other).collect();
            assert_eq!(owners, [*name], "{op:?}");
        }
    }
}

#[test]
fn several_at_once_are_each_judged_by_their_own_operations() {
    let workload = by_name("register+cas-register+ledger+bank+set").unwrap();
    let (history, _) = run(workload.as_ref(), IMPERFECT, 3_000);
    let verdicts = check_all(&history, &workload.checkers(), Budget::default());
    for name in ["linearizable", "linearizable-2", "ledger"] {
        assert_eq!(verdicts[name].valid, Validity::Valid, "{verdicts:?}");
    }
}

#[test]
fn the_finale_sees_everything_that_was_used() {
    for known in ALL {
        let workload = by_name(known.name).unwrap();
        let (history, finale) = run(workload.as_ref(), IMPERFECT, 2_000);
        let keys = |op: &Op| -> Vec<Key> {
            match op {
                Op::Txn { ops } => ops.iter().map(|op| op.key().clone()).collect(),
                Op::ReadAll { keys } => keys.to_vec(),
                Op::Transfer { from, to, .. } => vec![from.clone(), to.clone()],
                op => op.key().cloned().into_iter().collect(),
            }
        };
        let (main, last) = history.events.split_at(finale);
        let used: BTreeSet<Key> = main.iter().flat_map(|event| keys(&event.op)).collect();
        let seen: BTreeSet<Key> = last
            .iter()
            .filter(|event| matches!(event.phase, Phase::Ok(_)))
            .flat_map(|event| keys(&event.op))
            .collect();
        match known.name {
            "mutex" | "fenced-lock" | "semaphore" | "unique-ids" => assert!(last.is_empty()),
            name => assert!(used.is_subset(&seen), "{name}: {used:?}, {seen:?}"),
        }
    }
}

#[test]
fn queues_are_empty_in_the_end() {
    for name in ["fifo-queue", "total-queue", "stack"] {
        let workload = by_name(name).unwrap();
        let (history, _) = run(workload.as_ref(), Mood::Perfect, 3_000);
        let (mut put, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for event in &history.events {
            match (&event.op, &event.phase) {
                (Op::Enqueue { value, .. } | Op::Push { value, .. }, Phase::Ok(_)) => {
                    put.insert(value.clone());
                }
                (Op::Dequeue { .. } | Op::Pop { .. }, Phase::Ok(Ret::Value(value)))
                    if *value != Value::Nil =>
                {
                    assert!(
                        taken.insert(value.clone()),
                        "{name}: {value} came out twice"
                    );
                }
                _ => {}
            }
        }
        assert!(put.len() > 1_000 && put == taken, "{name}");
    }
}

#[test]
fn a_bank_opens_once_whatever_fails_and_keeps_its_total() {
    for seed in 0..20 {
        let workload = by_name("bank:accounts=5:balance=20").unwrap();
        let simulation = Simulation {
            seed,
            threads: 4,
            mood: Mood::Imperfect { fail: 30, info: 30 },
            ..Simulation::default()
        };
        let mut main = Limit::new(400, workload.generator(seed));
        let history = simulation.run(&mut main);
        let mut reads = 0;
        for event in &history.events {
            if let Phase::Ok(Ret::Map(balances)) = &event.phase {
                let balance = |value: &Value| match value {
                    Value::Int(balance) => *balance,
                    other => panic!("seed {seed}: {other} is no balance"),
                };
                let total: i64 = balances.iter().map(|(_, value)| balance(value)).sum();
                assert_eq!(total, 100, "seed {seed}");
                reads += 1;
            }
        }
        assert!(reads > 10, "seed {seed}");
    }
}

#[test]
fn threads_give_back_what_they_hold() {
    let workload = by_name("mutex:ops-per-key=2000:threads-per-key=4").unwrap();
    let (history, _) = run(workload.as_ref(), IMPERFECT, 4_000);
    let granted = history.events.iter().filter(|event| {
        matches!(event.op, Op::Acquire { .. }) && matches!(event.phase, Phase::Ok(_))
    });
    // A lock whose holder crashed does not stay locked for ever.
    assert!(granted.count() > 200);
}

#[test]
fn transactions_are_of_the_size_that_was_chosen() {
    let workload = by_name("list-append:keys=3:steps=2:writes-per-key=5").unwrap();
    let (history, _) = run(workload.as_ref(), Mood::Perfect, 1_000);
    let mut writes = BTreeMap::<Key, Vec<i64>>::new();
    for op in invocations(&history).take(1_000) {
        let Op::Txn { ops } = op else {
            panic!("{op:?}")
        };
        assert!((1..=2).contains(&ops.len()));
        for op in ops.iter() {
            if let Mop::Append { key, value } = op {
                writes.entry(key.clone()).or_default().push(*value);
            }
        }
    }
    for values in writes.values() {
        let count = values.len() as i64;
        assert!(count <= 5);
        assert_eq!(*values, (1..=count).collect::<Vec<_>>());
    }
    let lives: BTreeSet<usize> = writes.values().map(Vec::len).collect();
    assert_eq!(lives, (1..=5).collect());
}

#[test]
fn options_that_do_not_fit_are_named() {
    let error = |name: &str| match by_name(name) {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        error("bank:acounts=4"),
        "workload \"bank\" has no option \"acounts\"; it has: accounts, balance"
    );
    assert_eq!(
        error("ledger:x=4"),
        "workload \"ledger\" has no option \"x\"; it has: none"
    );
    for wrong in [
        "permits=1",
        "permits=17",
        "permits=",
        "permits",
        "permits=x",
    ] {
        assert_eq!(
            error(&format!("semaphore:{wrong}")),
            "workload \"semaphore\": permits: expected a whole number from 2 to 16"
        );
    }
}
