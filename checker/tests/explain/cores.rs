//! Explanations of random histories: the core is invalid and minimal, the second look agrees with the
//! checker, and refuses what was tampered with.

use crate::script::Script;
use checker::explain::shrink::{Hints, shrink};
use checker::explain::verify::{Flaw, Limits, Refutation, linearization, refute};
use checker::explain::{DETAIL, Explanation, Fate, explain, explain_all};
use checker::history::NemesisEvent;
use checker::linearizability::Linearizable;
use checker::model::{Model, Register};
use checker::{
    Budget, Checker, History, Key, Op, Phase, Reason, Ret, Validity, Value, Verdict, check_all,
    checkers_for,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::json;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(20);

fn key(n: i64) -> Key {
    Key::Int(n)
}

fn write(key_: i64, value: i64) -> Op {
    let (key, value) = (key(key_), value.into());
    Op::Write { key, value }
}

fn read(key_: i64) -> Op {
    Op::Read { key: key(key_) }
}

fn saw(value: i64) -> Phase {
    Phase::Ok(Ret::Value(value.into()))
}

fn limits() -> Limits {
    Limits {
        deadline: Instant::now() + TIME,
        configurations: 1_000_000,
    }
}

/// Clients on one register, of which each sees the true state, and now and then something else.
fn random(seed: u64) -> History {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut script = Script::default();
    let mut state = Value::Nil;
    let mut open: Vec<(u64, Op, Option<Ret>)> = Vec::new();
    let mut next_process = 0;
    let mut fresh = 0;
    for _ in 0..rng.random_range(6..26) {
        if open.len() < 4 && rng.random_bool(0.55) {
            fresh += 1;
            let some = rng.random_range(1..=fresh);
            let op = match rng.random_range(0..5) {
                0 | 1 => write(1, fresh),
                2 => Op::Cas {
                    key: key(1),
                    from: some.into(),
                    to: (fresh + 100).into(),
                },
                _ => read(1),
            };
            script.event(next_process, Phase::Invoke, op.clone());
            open.push((next_process, op, None));
            next_process += 1;
        } else if !open.is_empty() {
            let at = rng.random_range(0..open.len());
            let (process, op, _) = open.remove(at);
            let lies = rng.random_bool(0.12);
            let phase = match &op {
                Op::Read { .. } if lies => saw(rng.random_range(0..=fresh)),
                Op::Read { .. } => Phase::Ok(Ret::Value(state.clone())),
                Op::Write { value, .. } => {
                    if !lies {
                        state = value.clone();
                    }
                    match rng.random_range(0..10) {
                        0 => Phase::Info(Reason::new("timeout")),
                        1 if lies => Phase::Fail(Reason::new("refused")),
                        _ => Phase::Ok(Ret::Done),
                    }
                }
                Op::Cas { from, to, .. } if *from == state || lies => {
                    state = to.clone();
                    Phase::Ok(Ret::Done)
                }
                _ => Phase::Fail(Reason::new("another value")),
            };
            script.event(process, phase, op);
        }
    }
    script.history
}

fn checker() -> Linearizable<Register> {
    Linearizable::cas_register()
}

#[test]
fn cores_of_random_histories_are_invalid_minimal_and_confirmed_by_all_orders() {
    let mut invalid = 0;
    for seed in 0..1_500 {
        let history = random(seed);
        let checker = checker();
        let verdict = checker.check(&history, Budget::default());
        if verdict.valid != Validity::Invalid {
            continue;
        }
        invalid += 1;
        let judge = |history: &History| checker.decide(history, Budget::default());
        let shrunk = shrink(&history, &Hints::default(), &judge, TIME)
            .unwrap()
            .unwrap_or_else(|| panic!("seed {seed}: not shrunk"));
        assert!(shrunk.minimal && shrunk.stopped.is_none(), "seed {seed}");
        let operations = shrunk.core.operations().unwrap();
        assert_eq!(operations.len(), shrunk.operations.len());
        let refuted = refute(&Register::default(), &operations, limits());
        assert!(
            matches!(refuted, Refutation::Proven(_)),
            "seed {seed}: {refuted:?}"
        );
        for index in &shrunk.operations {
            let less = shrunk.without(&history, *index).unwrap();
            assert_ne!(
                judge(&less),
                Validity::Invalid,
                "seed {seed} without {index}"
            );
            let operations = less.operations().unwrap();
            let refuted = refute(&Register::default(), &operations, limits());
            assert!(
                matches!(refuted, Refutation::Found(_)),
                "seed {seed}: {refuted:?}"
            );
        }
    }
    assert!(invalid > 300, "{invalid}");
}

#[test]
fn the_second_look_agrees_with_the_checker_on_random_histories_and_its_orders_hold() {
    for seed in 2_000..3_500 {
        let history = random(seed);
        let operations = history.operations().unwrap();
        let valid = checker().decide(&history, Budget::default());
        match refute(&Register::default(), &operations, limits()) {
            Refutation::Proven(text) => assert_eq!(valid, Validity::Invalid, "{seed}: {text}"),
            Refutation::Found(order) => {
                assert_ne!(valid, Validity::Invalid, "{seed}");
                linearization(&Register::default(), &operations, &order).unwrap();
                tamper(&history, &order);
            }
            Refutation::Open(text) => panic!("{seed}: {text}"),
        }
    }
}

/// Orders that are none: each is refused, and for the reason that it was given.
fn tamper(history: &History, order: &[usize]) {
    let operations = history.operations().unwrap();
    let check = |order: &[usize]| linearization(&Register::default(), &operations, order);
    for at in 0..order.len() {
        let operation = &operations[order[at]];
        let index = operation.invocation.index;
        let mut less = order.to_vec();
        less.remove(at);
        if operation.is_ok() {
            assert!(check(&less).is_err(), "an operation is missing");
        }
        let mut twice = order.to_vec();
        twice.insert(at, order[at]);
        assert_eq!(check(&twice).unwrap_err(), Flaw::Twice(index));
        // Before one that had ended when it began.
        let earlier = order[..at].iter().position(|other| {
            let other = &operations[*other];
            other.is_ok() && other.completed_at < Some(operation.invoked_at)
        });
        if let Some(earlier) = earlier {
            let mut moved = order.to_vec();
            moved[earlier..=at].rotate_right(1);
            assert!(check(&moved).is_err(), "real time was broken");
        }
    }
    if let Some(failed) = operations.iter().position(|one| one.failure().is_some()) {
        let index = operations[failed].invocation.index;
        let mut more = order.to_vec();
        more.push(failed);
        assert_eq!(check(&more).unwrap_err(), Flaw::Failed(index));
    }
    assert_eq!(check(&[operations.len()]).unwrap_err(), Flaw::Unknown(0));
    // A result that is not what the state holds.
    for at in 0..history.events.len() {
        let mut lying = history.clone();
        let Phase::Ok(Ret::Value(value)) = &mut lying.events[at].phase else {
            continue;
        };
        *value = Value::Int(-5);
        let operations = lying.operations().unwrap();
        let flaw = linearization(&Register::default(), &operations, order).unwrap_err();
        assert!(matches!(flaw, Flaw::Impossible { .. }), "{flaw}");
    }
}

#[test]
fn explanations_of_random_histories_hold_together() {
    for seed in 5_000..5_600 {
        let history = random(seed);
        let checker = checker();
        let verdict = checker.check(&history, Budget::default());
        let Some(explanation) = explain(&history, &checker, &verdict, TIME) else {
            assert_ne!(verdict.valid, Validity::Invalid, "{seed}");
            continue;
        };
        assert!(explanation.witness.confirmed, "{seed}: {explanation:?}");
        assert!(explanation.core.minimal && explanation.core.remarks.is_empty());
        let beside = explanation
            .operations
            .iter()
            .filter(|one| one.beside)
            .count();
        assert_eq!(
            explanation.operations.len() - beside,
            explanation.core.operations
        );
        let stuck = explanation
            .operations
            .iter()
            .filter(|one| one.stuck)
            .count();
        assert_eq!(stuck, 1, "{seed}: {explanation:?}");
        // The file is the core again.
        let core = History::from_reader(explanation.history.as_bytes(), "core").unwrap();
        assert_eq!(checker.decide(&core, Budget::default()), Validity::Invalid);
        assert_eq!(
            core.operations().unwrap().len(),
            explanation.core.operations
        );
        // The order is legal as long as the one that can't follow is left out.
        let place = explanation
            .place
            .as_ref()
            .unwrap_or_else(|| panic!("{seed}"));
        let culprit = &explanation.operations[place.stuck];
        assert!(culprit.stuck);
        let operations = history.operations().unwrap();
        let find = |index: u64| {
            operations
                .iter()
                .find(|one| one.invocation.index == index)
                .unwrap()
        };
        let mut state = Register::default();
        let mut latest = 0;
        for taken in &place.order {
            let shown = &explanation.operations[taken.operation];
            let operation = find(shown.index);
            let ended = shown
                .completed_at
                .is_some_and(|end| Some(end) < culprit.completed_at);
            let ret = operation.ret().filter(|_| ended);
            state = state
                .step(operation.op(), ret)
                .unwrap_or_else(|| panic!("{seed}"));
            assert_eq!(state.describe(), taken.after, "{seed}");
            assert!(
                !ended || shown.completed_at > Some(latest),
                "{seed}: against time"
            );
            latest = latest.max(shown.invoked_at);
        }
        for shown in &explanation.operations {
            let due = shown.fate == Fate::Happened && shown.completed_at < culprit.completed_at;
            let position = explanation.operations.iter().position(|one| one == shown);
            let there = place
                .order
                .iter()
                .any(|taken| Some(taken.operation) == position);
            assert!(there || !due, "{seed}: {shown:?} is missing");
        }
        assert!(place.complete, "{seed}");
        let culprit = find(culprit.index);
        // And none of the states there allows what it did.
        for found in &place.states {
            let value = match found.as_str() {
                "nil" => Value::Nil,
                number => Value::Int(number.parse().unwrap()),
            };
            let possible = Register::holding(value).step(culprit.op(), culprit.ret());
            assert!(possible.is_none(), "{seed}: {explanation:?}");
        }
    }
}

#[test]
fn a_tampered_core_is_not_confirmed() {
    let mut script = Script::default();
    script.whole(0, write(1, 1), Phase::Ok(Ret::Done));
    script.whole(1, write(1, 2), Phase::Ok(Ret::Done));
    script.whole(2, read(1), saw(1));
    let operations = script.history.operations().unwrap();
    let refuted = refute(&Register::default(), &operations, limits());
    assert!(matches!(refuted, Refutation::Proven(_)));
    for (at, phase) in [
        (5, saw(2)),
        (5, Phase::Fail(Reason::new("refused"))),
        (3, Phase::Info(Reason::new("timeout"))),
        (3, Phase::Fail(Reason::new("refused"))),
    ] {
        let mut tampered = script.history.clone();
        tampered.events[at].phase = phase;
        let operations = tampered.operations().unwrap();
        let refuted = refute(&Register::default(), &operations, limits());
        assert!(matches!(refuted, Refutation::Found(_)), "{at}");
    }
}

#[test]
fn a_stale_read_among_thousands_is_explained_by_three_operations_and_its_fault() {
    let mut script = Script::default();
    for round in 0..4_000 {
        script.whole(0, write(round % 7, round), Phase::Ok(Ret::Done));
        script.whole(1, read(round % 7), saw(round));
    }
    let stale = script.whole(2, read(3), saw(3_993 - 14));
    let history = &mut script.history;
    history.nemesis.push(NemesisEvent {
        index: stale - 40,
        time: (stale - 40) * crate::script::MS,
        f: "partition".to_owned(),
        value: json!({"fault": 1, "targets": ["n1"]}),
    });
    let checkers = checkers_for("register").unwrap();
    let mut verdicts = check_all(history, &checkers, Budget::default());
    explain_all(history, &checkers, &mut verdicts, TIME);
    let explanation = Explanation::of(&verdicts["linearizable"]).unwrap();
    let labels: Vec<&str> = explanation
        .operations
        .iter()
        .map(|one| one.label.as_str())
        .collect();
    assert_eq!(labels, ["write 3979", "write 3993", "read 3979"]);
    assert_eq!(explanation.object, "key 3");
    assert_eq!(
        (explanation.core.operations, explanation.core.of),
        (3, 8_001)
    );
    let place = explanation.place.unwrap();
    assert_eq!((place.before, place.states), (2, vec!["3993".to_owned()]));
    assert_eq!(explanation.faults[0].name, "partition n1");
    assert!(!verdicts["stats"].details.contains_key(DETAIL));
}

#[test]
fn an_operation_of_unknown_outcome_is_shown_as_one() {
    let mut script = Script::default();
    script.event(0, Phase::Invoke, write(1, 1));
    script.event(0, Phase::Info(Reason::new("timeout")), write(1, 1));
    script.whole(1, read(1), saw(1));
    script.whole(2, read(1), Phase::Ok(Ret::Value(Value::Nil)));
    let checker = checker();
    let verdict = checker.check(&script.history, Budget::default());
    let explanation = explain(&script.history, &checker, &verdict, TIME).unwrap();
    let fates: Vec<Fate> = explanation.operations.iter().map(|one| one.fate).collect();
    assert_eq!(fates, [Fate::Unknown, Fate::Happened, Fate::Happened]);
    assert_eq!(explanation.operations[0].completed_at, None);
}

/// Says that nothing it sees is right, but gives no reason that could be looked at.
struct Sullen;

impl Checker for Sullen {
    fn name(&self) -> &'static str {
        "sullen"
    }

    fn check(&self, history: &History, _: Budget) -> Verdict {
        match history.events.len() {
            0 => Verdict::unknown("nothing"),
            n => Verdict::invalid(format!("{n} events")).with("operations", json!([0, 12_345])),
        }
    }
}

/// Fails on anything smaller than what it was given first.
struct Brittle(usize);

impl Checker for Brittle {
    fn name(&self) -> &'static str {
        "brittle"
    }

    fn check(&self, history: &History, _: Budget) -> Verdict {
        assert_eq!(history.events.len(), self.0, "it has been changed");
        Verdict::invalid("as ever")
    }
}

#[test]
fn any_checker_is_explained_by_a_part_that_it_rejects_by_itself() {
    let history = random(1);
    let verdict = Sullen.check(&history, Budget::default());
    let explanation = explain(&history, &Sullen, &verdict, TIME).unwrap();
    assert_eq!(explanation.core.operations, 1);
    assert!(explanation.place.is_none());
    assert_eq!(
        explanation.witness.text,
        "sullen judges these operations alone invalid too"
    );
}

#[test]
fn an_explanation_that_fails_takes_no_verdict_with_it() {
    let history = random(1);
    let checkers: Vec<Box<dyn Checker>> = vec![Box::new(Brittle(history.events.len()))];
    let mut verdicts = check_all(&history, &checkers, Budget::default());
    explain_all(&history, &checkers, &mut verdicts, TIME);
    let verdict = &verdicts["brittle"];
    assert_eq!(
        (verdict.valid, verdict.reason.as_str()),
        (Validity::Invalid, "as ever")
    );
    assert!(verdict.details.contains_key("unexplained"));
}

#[test]
fn what_can_not_be_made_small_is_drawn_in_part_and_says_so() {
    // Reads of values in turn, none of which can be left out: each is the premise of the next.
    struct Long;
    impl Checker for Long {
        fn name(&self) -> &'static str {
            "long"
        }
        fn check(&self, history: &History, _: Budget) -> Verdict {
            match history.events.len() {
                0..200 => Verdict::valid(),
                _ => Verdict::invalid("too long"),
            }
        }
    }
    let mut script = Script::default();
    for round in 0..150 {
        script.whole(0, write(1, round), Phase::Ok(Ret::Done));
    }
    let verdict = Long.check(&script.history, Budget::default());
    let explanation = explain(&script.history, &Long, &verdict, TIME).unwrap();
    assert_eq!(explanation.core.operations, 100);
    assert_eq!(
        explanation.operations.len(),
        checker::explain::OPERATIONS_MAX
    );
    assert_eq!(
        explanation.core.remarks,
        ["60 of these 100 operations are not drawn"]
    );
}

#[test]
fn an_explanation_ends_in_time_however_slow_the_checker_is() {
    struct Slow;
    impl Checker for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }
        fn check(&self, history: &History, budget: Budget) -> Verdict {
            std::thread::sleep(budget.time.min(Duration::from_millis(60)));
            match history.events.len() {
                0..1_990 => Verdict::unknown("too slow"),
                _ => Verdict::invalid("too long"),
            }
        }
    }
    let mut script = Script::default();
    for round in 0..1_000 {
        script.whole(0, write(1, round), Phase::Ok(Ret::Done));
    }
    let verdict = Slow.check(&script.history, Budget::default());
    let started = Instant::now();
    let explanation = explain(&script.history, &Slow, &verdict, Duration::from_secs(1)).unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    assert!(!explanation.core.minimal);
    assert!(!explanation.core.remarks.is_empty());
}

#[test]
fn of_a_long_order_the_beginning_is_told_by_the_state_that_it_left() {
    let cas = |from: i64| Op::Cas {
        key: key(1),
        from: from.into(),
        to: (from + 1).into(),
    };
    let mut script = Script::default();
    script.whole(0, write(1, 0), Phase::Ok(Ret::Done));
    for from in 0..30 {
        script.whole(from as u64, cas(from), Phase::Ok(Ret::Done));
    }
    // Two succeed from one value; each needs all before it.
    script.whole(90, cas(29), Phase::Ok(Ret::Done));
    let checker = checker();
    let verdict = checker.check(&script.history, Budget::default());
    let explanation = explain(&script.history, &checker, &verdict, TIME).unwrap();
    assert_eq!((explanation.core.operations, explanation.core.of), (32, 32));
    assert!(explanation.witness.confirmed);
    let place = explanation.place.unwrap();
    assert_eq!(place.hidden + place.order.len(), 31);
    assert!(
        (1..10).contains(&place.order.len()),
        "{}",
        place.order.len()
    );
    assert_eq!(place.initial, (place.hidden - 1).to_string());
    assert_eq!(place.states, ["30"]);
    assert_eq!(explanation.operations.len(), place.order.len() + 1);
    assert!(explanation.core.remarks[0].contains("the picture begins with the state"));
}
