//! The second look at anomalies of transactions: it confirms those that are there, and nothing else.

use crate::script::{Script, append, get, put, read};
use checker::History;
use checker::explain::cycles::{Flaw, verify};
use checker::explain::{Anomaly, Step, Witness};

fn cycle(name: &str, steps: &[(u64, &str)]) -> Anomaly {
    Anomaly {
        name: name.to_owned(),
        why: String::new(),
        steps: steps
            .iter()
            .map(|(index, edge)| Step {
                index: *index,
                text: String::new(),
                edge: (!edge.is_empty()).then(|| (*edge).to_owned()),
                why: String::new(),
            })
            .collect(),
        witness: Witness::default(),
    }
}

fn named(name: &str, steps: &[u64]) -> Anomaly {
    let steps: Vec<(u64, &str)> = steps.iter().map(|index| (*index, "")).collect();
    cycle(name, &steps)
}

/// One transaction sees the second append of another and not the first, which is older.
fn read_skew() -> (History, u64, u64) {
    let mut script = Script::default();
    let writer = script.txn(0, &[append("x", 1), append("y", 1)]);
    let reader = script.txn(1, &[read("x", &[]), read("y", &[1])]);
    (script.history, writer, reader)
}

/// Each of two transactions misses the other's append.
fn write_skew() -> (History, u64, u64) {
    let mut script = Script::default();
    let one = script.txn(0, &[read("x", &[]), append("y", 1)]);
    let other = script.txn(1, &[read("y", &[]), append("x", 1)]);
    script.txn(2, &[read("x", &[1]), read("y", &[1])]);
    (script.history, one, other)
}

#[test]
fn a_cycle_that_is_there_is_confirmed() {
    let (history, writer, reader) = read_skew();
    let single = cycle("G-single", &[(reader, "rw"), (writer, "wr")]);
    let text = verify(&history, &single).unwrap();
    assert_eq!(
        text,
        "each of the 2 dependencies was looked up again in the history, and they form a G-single"
    );
    let (history, one, other) = write_skew();
    assert!(verify(&history, &cycle("G2-item", &[(one, "rw"), (other, "rw")])).is_ok());

    let mut script = Script::default();
    let one = script.txn(0, &[append("x", 1), append("y", 2)]);
    let other = script.txn(1, &[append("x", 2), append("y", 1)]);
    script.txn(2, &[read("x", &[1, 2]), read("y", &[1, 2])]);
    assert!(verify(&script.history, &cycle("G0", &[(one, "ww"), (other, "ww")])).is_ok());
}

#[test]
fn registers_are_ordered_by_who_built_upon_what() {
    let mut script = Script::default();
    let first = script.txn(0, &[put("x", 1), put("y", 1)]);
    let second = script.txn(1, &[get("x", Some(1)), put("x", 2), put("y", 2)]);
    let third = script.txn(2, &[get("x", Some(1)), get("y", Some(2))]);
    let history = &script.history;
    // 2 follows 1 because the second read 1 and wrote 2.
    assert!(
        verify(
            history,
            &cycle("G-single", &[(third, "rw"), (second, "wr")])
        )
        .is_ok()
    );
    assert!(verify(history, &cycle("G1c", &[(first, "ww"), (second, "wr")])).is_err());
    // Of y nobody says it; only the times do.
    let mut script = Script::default();
    script.txn(0, &[put("y", 1)]);
    let second = script.txn(1, &[put("x", 2), put("y", 2)]);
    let third = script.txn(2, &[get("x", Some(2)), get("y", Some(1))]);
    let text = verify(
        &script.history,
        &cycle("G-single", &[(third, "rw"), (second, "wr")]),
    )
    .unwrap();
    assert!(
        text.contains("provided that a register's versions follow the order"),
        "{text}"
    );
}

#[test]
fn a_cycle_that_was_tampered_with_is_refused() {
    let (history, writer, reader) = read_skew();
    let steps = [(reader, "rw"), (writer, "wr")];
    assert!(verify(&history, &cycle("G-single", &steps)).is_ok());
    // Every other kind of either edge.
    for (at, kind) in [
        (0, "wr"),
        (0, "ww"),
        (1, "rw"),
        (1, "ww"),
        (1, "nonsense"),
        (0, "realtime"),
    ] {
        let mut tampered = steps;
        tampered[at].1 = kind;
        for name in [
            "G-single",
            "G1c",
            "G0",
            "G2-item",
            "G-single-realtime",
            "G2",
        ] {
            assert!(
                verify(&history, &cycle(name, &tampered)).is_err(),
                "{kind} {name}"
            );
        }
    }
    // Another name.
    for name in ["G0", "G1c", "G2-item", "G-nonadjacent", "G-other"] {
        let flaw = verify(&history, &cycle(name, &steps)).unwrap_err();
        assert!(matches!(flaw, Flaw::Misnamed { .. }), "{flaw}");
    }
    // The other way round, one twice, one missing, one that is not there, one without its edge.
    let turned = [(writer, "rw"), (reader, "wr")];
    assert!(verify(&history, &cycle("G-single", &turned)).is_err());
    let twice = [(reader, "rw"), (writer, "wr"), (reader, "rw")];
    assert_eq!(
        verify(&history, &cycle("G-single", &twice)),
        Err(Flaw::Twice(reader))
    );
    assert_eq!(
        verify(&history, &cycle("G-single", &steps[..1])),
        Err(Flaw::Short)
    );
    let strange = [(reader, "rw"), (77, "wr")];
    assert_eq!(
        verify(&history, &cycle("G-single", &strange)),
        Err(Flaw::Unknown(77))
    );
    let open = [(reader, "rw"), (writer, "")];
    assert_eq!(
        verify(&history, &cycle("G-single", &open)),
        Err(Flaw::Open(writer))
    );
}

#[test]
fn a_cycle_in_time_needs_a_name_that_says_so() {
    let mut script = Script::default();
    let writer = script.txn(0, &[append("x", 1)]);
    let stale = script.txn(0, &[read("x", &[])]);
    let history = &script.history;
    let in_time = [(writer, "realtime"), (stale, "rw")];
    assert!(verify(history, &cycle("G-single-realtime", &in_time)).is_ok());
    assert!(verify(history, &cycle("G-single-process", &in_time)).is_err());
    assert!(verify(history, &cycle("G-single", &in_time)).is_err());
    let in_process = [(writer, "process"), (stale, "rw")];
    assert!(verify(history, &cycle("G-single-process", &in_process)).is_ok());
    let backwards = [(stale, "realtime"), (writer, "rw")];
    assert!(verify(history, &cycle("G-single-realtime", &backwards)).is_err());
}

#[test]
fn anomalies_without_a_cycle_are_looked_up_too() {
    let mut script = Script::default();
    let failed = script.failed_txn(0, &[append("x", 1)]);
    let between = script.txn(1, &[append("y", 1), append("y", 2)]);
    let dirty = script.txn(2, &[read("x", &[1]), read("y", &[1])]);
    let clean = script.txn(3, &[read("y", &[1, 2])]);
    let strange = script.txn(4, &[read("z", &[9])]);
    let twice = script.txn(5, &[read("y", &[1, 2, 1])]);
    let contrary = script.txn(6, &[read("y", &[2])]);
    let confused = script.txn(7, &[append("w", 5), read("w", &[])]);
    let early = script.txn(8, &[read("v", &[6]), append("v", 6)]);
    let history = &script.history;
    for (name, shown, not) in [
        ("G1a", vec![failed, dirty], vec![failed, clean]),
        ("G1b", vec![between, dirty], vec![between, clean]),
        ("garbage-read", vec![strange], vec![clean]),
        ("duplicate-elements", vec![twice], vec![clean]),
        (
            "incompatible-order",
            vec![contrary, clean],
            vec![dirty, clean],
        ),
        ("internal", vec![confused], vec![clean]),
        ("future-read", vec![early], vec![clean]),
    ] {
        assert!(verify(history, &named(name, &shown)).is_ok(), "{name}");
        assert!(
            matches!(verify(history, &named(name, &not)), Err(Flaw::NotShown(_))),
            "{name}"
        );
    }
    assert!(matches!(
        verify(history, &named("cyclic-versions", &[dirty])),
        Err(Flaw::NoSecondLook(_))
    ));
}

#[test]
fn two_that_replaced_one_version_are_told_from_two_that_built_upon_one_another() {
    let mut script = Script::default();
    let one = script.txn(0, &[get("x", None), put("x", 1)]);
    let other = script.txn(1, &[get("x", None), put("x", 2)]);
    let third = script.txn(2, &[get("x", Some(2)), put("x", 3)]);
    let history = &script.history;
    assert!(verify(history, &named("lost-update", &[one, other])).is_ok());
    assert!(verify(history, &named("lost-update", &[other, third])).is_err());
}
