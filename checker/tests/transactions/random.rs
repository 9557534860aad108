//! Executions made at random: what is right is found valid, and nothing is reported that some order of
//! the transactions explains.

use super::brute_force::{Order, is_explained};
use super::execution::{Plan, Store, execute};
use super::judge;
use checker::Validity;
use checker::transactions::{Isolation, Kind};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const ORDERS: [(Order, Isolation); 3] = [
    (Order::Any, Isolation::Serializable),
    (Order::Processes, Isolation::StrongSessionSerializable),
    (Order::RealTime, Isolation::StrictSerializable),
];

fn small(kind: Kind, store: Store, rng: &mut Pcg64Mcg) -> Plan {
    Plan {
        kind,
        store,
        transactions: rng.random_range(2..=6),
        processes: rng.random_range(1..=4),
        keys: rng.random_range(1..=3),
        steps_max: rng.random_range(1..=4),
    }
}

#[test]
fn what_was_executed_one_after_the_other_is_valid() {
    for kind in [Kind::ListAppend, Kind::RwRegister] {
        for seed in 0..60 {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let plan = Plan {
                transactions: 200,
                processes: 1 + seed as usize % 12,
                ..small(kind, Store::Serial, &mut rng)
            };
            let history = execute(plan, &mut rng);
            let verdict = judge(&history, kind, Isolation::StrictSerializable);
            assert_eq!(verdict.valid, Validity::Valid, "seed {seed}: {verdict:?}");
        }
    }
}

#[test]
fn snapshot_isolation_is_never_denied_to_a_store_that_has_it() {
    let mut skewed = 0;
    for kind in [Kind::ListAppend, Kind::RwRegister] {
        for seed in 0..60 {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let plan = Plan {
                transactions: 200,
                processes: 1 + seed as usize % 12,
                ..small(kind, Store::Snapshot, &mut rng)
            };
            let history = execute(plan, &mut rng);
            let verdict = judge(&history, kind, Isolation::StrongSnapshotIsolation);
            assert_eq!(verdict.valid, Validity::Valid, "seed {seed}: {verdict:?}");
            let strict = judge(&history, kind, Isolation::Serializable);
            skewed += u32::from(strict.valid == Validity::Invalid);
        }
    }
    assert!(skewed > 10, "{skewed}");
}

#[test]
fn of_lists_the_verdict_is_that_of_trying_all_orders() {
    let mut invalid = 0;
    for seed in 0..4_000 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let store =
            [Store::Serial, Store::Snapshot, Store::Sloppy, Store::Sloppy][seed as usize % 4];
        let history = execute(small(Kind::ListAppend, store, &mut rng), &mut rng);
        for (order, model) in ORDERS {
            let verdict = judge(&history, Kind::ListAppend, model);
            if verdict.valid == Validity::Unknown {
                assert!(
                    verdict.reason.contains("no list-append transaction"),
                    "{verdict:?}"
                );
                continue;
            }
            let expected = if is_explained(&history, order) {
                Validity::Valid
            } else {
                Validity::Invalid
            };
            assert_eq!(
                verdict.valid, expected,
                "seed {seed}: {verdict:?} {history:#?}"
            );
            invalid += u32::from(expected == Validity::Invalid);
        }
    }
    assert!(invalid > 1_000, "{invalid}");
}

#[test]
fn of_registers_nothing_is_reported_that_some_order_explains() {
    let (mut found, mut missed) = (0, 0);
    for seed in 0..4_000 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let store =
            [Store::Serial, Store::Snapshot, Store::Sloppy, Store::Sloppy][seed as usize % 4];
        let history = execute(small(Kind::RwRegister, store, &mut rng), &mut rng);
        for (order, model) in ORDERS {
            let verdict = judge(&history, Kind::RwRegister, model);
            let is_explained = is_explained(&history, order);
            match verdict.valid {
                Validity::Invalid => {
                    assert!(!is_explained, "seed {seed}: {verdict:?} {history:#?}");
                    found += 1;
                }
                _ if !is_explained => missed += 1,
                _ => {}
            }
        }
    }
    println!("{found} found, {missed} missed");
    assert!(found > 5 * missed, "{found} found, {missed} missed");
}
