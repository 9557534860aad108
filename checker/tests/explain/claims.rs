//! What checkers without a search claim is shown again by definition, and only where it is so.

use crate::script::Script;
use checker::explain::claims::{of_lists, shown};
use checker::{Key, Op, Phase, Reason, Ret, Value};

fn key() -> Key {
    Key::Int(1)
}

fn add(value: i64) -> Op {
    Op::Add { key: key(), value }
}

fn list() -> Op {
    Op::List { key: key() }
}

fn read() -> Op {
    Op::Read { key: key() }
}

fn items(items: &[i64]) -> Phase {
    Phase::Ok(Ret::List(items.to_vec()))
}

fn value(value: i64) -> Phase {
    Phase::Ok(Ret::Value(value.into()))
}

const DONE: Phase = Phase::Ok(Ret::Done);

/// What is shown of operations one after the other.
fn claim(checker: &str, operations: &[(Op, Phase)]) -> Option<String> {
    let mut script = Script::default();
    for (op, phase) in operations {
        script.whole(0, op.clone(), phase.clone());
    }
    let operations = script.history.operations().unwrap();
    shown(checker, &operations, &operations)
}

#[test]
fn a_lost_element_is_shown_unless_it_was_removed_or_comes_back() {
    let set = |operations: &[(Op, Phase)]| claim("set-full", operations);
    let lost = [(add(1), DONE), (add(2), DONE), (list(), items(&[2]))];
    assert!(set(&lost).unwrap().starts_with("1 was acknowledged"));
    let remove = Op::Remove {
        key: key(),
        value: 1,
    };
    assert_eq!(set(&[&lost[..], &[(remove, DONE)]].concat()), None);
    assert_eq!(
        set(&[&lost[..], &[(list(), items(&[1, 2]))]].concat()),
        None
    );
    let unknown = Phase::Info(Reason::new("timeout"));
    assert_eq!(set(&[(list(), items(&[])), (add(1), unknown)]), None);
}

#[test]
fn elements_that_are_there_twice_or_by_nobody_are_shown() {
    let set = |operations: &[(Op, Phase)]| claim("set-full", operations);
    let twice = set(&[(add(1), DONE), (list(), items(&[1, 1]))]);
    assert_eq!(twice.unwrap(), "a read shows 1 twice");
    let refused = Phase::Fail(Reason::new("refused"));
    assert!(set(&[(add(1), refused), (list(), items(&[1]))]).is_some());
    assert!(set(&[(list(), items(&[1])), (add(1), DONE)]).is_some());
    assert_eq!(set(&[(add(1), DONE), (list(), items(&[1]))]), None);
}

#[test]
fn totals_of_the_same_accounts_are_compared() {
    let all = |balances: [i64; 2]| {
        let keys = [Key::Int(1), Key::Int(2)];
        let entries = keys.clone().into_iter().zip(balances.map(Value::Int));
        let op = Op::ReadAll { keys: keys.into() };
        (op, Phase::Ok(Ret::Map(entries.collect())))
    };
    let shown = claim("bank", &[all([50, 50]), all([45, 50])]).unwrap();
    assert_eq!(
        shown,
        "two reads of the same accounts add up to 100 and to 95"
    );
    assert_eq!(claim("bank", &[all([50, 50]), all([45, 55])]), None);
    assert_eq!(
        claim("bank", &[all([-5, 105])]).unwrap(),
        "account 1 holds -5"
    );
}

#[test]
fn ids_elements_of_queues_and_reads_that_go_back_are_shown() {
    let generate = || Op::Generate { key: key() };
    assert!(
        claim(
            "unique-ids",
            &[(generate(), value(7)), (generate(), value(7))]
        )
        .is_some()
    );
    assert_eq!(
        claim(
            "unique-ids",
            &[(generate(), value(7)), (generate(), value(8))]
        ),
        None
    );

    let enqueue = || Op::Enqueue {
        key: key(),
        value: 1.into(),
    };
    let dequeue = || (Op::Dequeue { key: key() }, value(1));
    let twice = claim("total-queue", &[(enqueue(), DONE), dequeue(), dequeue()]);
    assert_eq!(twice.unwrap(), "1 was taken 2 times and put there 1 times");
    assert_eq!(claim("total-queue", &[(enqueue(), DONE), dequeue()]), None);

    assert!(claim("monotonic", &[(read(), value(2)), (read(), value(1))]).is_some());
    assert_eq!(
        claim("monotonic", &[(read(), value(2)), (read(), value(2))]),
        None
    );
}

#[test]
fn a_counter_is_held_between_what_was_there_and_what_can_have_been() {
    let counter = |operations: &[(Op, Phase)]| claim("counter-bounds", operations);
    let unknown = Phase::Info(Reason::new("timeout"));
    assert!(counter(&[(add(2), DONE), (read(), value(1))]).is_some());
    assert!(counter(&[(add(2), DONE), (read(), value(3))]).is_some());
    assert_eq!(counter(&[(add(2), DONE), (read(), value(2))]), None);
    assert_eq!(counter(&[(read(), value(0)), (add(2), unknown)]), None);
    assert_eq!(claim("no-such-checker", &[]), None);
}

#[test]
fn lists_that_are_too_long_for_all_orders_are_judged_by_what_they_show() {
    let append = |value: i64| (Op::Append { key: key(), value }, DONE);
    let of = |operations: &[(Op, Phase)]| {
        let mut script = Script::default();
        for (op, phase) in operations {
            script.whole(0, op.clone(), phase.clone());
        }
        let operations = script.history.operations().unwrap();
        of_lists(&operations, &operations)
    };
    let shows = |list_items: &[i64]| (list(), items(list_items));
    assert_eq!(of(&[append(1), append(2), shows(&[1, 2])]), None);
    for wrong in [vec![2, 1], vec![2], vec![1, 2, 2], vec![1, 2, 3]] {
        assert!(
            of(&[append(1), append(2), shows(&wrong)]).is_some(),
            "{wrong:?}"
        );
    }
    // Appended twice, so the order tells nothing.
    assert_eq!(
        of(&[append(1), append(2), append(1), shows(&[1, 2, 1])]),
        None
    );
    assert_eq!(of(&[append(1), (read(), value(5))]), None);
}
