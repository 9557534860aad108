use super::*;
use crate::{Op, Phase};
use std::collections::HashSet;

fn small(kind: Kind, seed: u64) -> History {
    History {
        model: kind,
        operations: 300,
        processes: 5,
        keys: 3,
        values: 4,
        crashed: 0.05,
        seed,
        ..History::default()
    }
}

#[test]
fn every_kind_gives_a_well_formed_history_of_the_wanted_size() {
    for kind in Kind::ALL {
        let history = small(kind, 1).generate().unwrap();
        let operations = history.operations().unwrap();
        assert!(operations.len() >= 300, "{kind}");
        assert!(operations.iter().any(|operation| operation.is_ok()));
        let crashed = operations.iter().filter(|operation| operation.is_unknown());
        assert!((5..40).contains(&crashed.count()), "{kind}");
        assert_eq!(history.header.unwrap().model, kind.to_string());
        assert_eq!(kind.to_string().parse::<Kind>(), Ok(kind));
        for (at, event) in history.events.iter().enumerate() {
            assert_eq!(event.index, at as u64);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_gives_another() {
    for kind in Kind::ALL {
        let history = small(kind, 7).generate().unwrap();
        assert_eq!(history, small(kind, 7).generate().unwrap(), "{kind}");
        assert_ne!(history, small(kind, 8).generate().unwrap(), "{kind}");
    }
}

#[test]
fn every_planted_violation_finds_its_place() {
    for kind in Kind::ALL {
        for planted in kind.plantable() {
            let wanted = History {
                planted: Some(*planted),
                ..small(kind, 3)
            };
            let history = wanted.generate().unwrap();
            assert!(history.operations().is_ok(), "{planted} in {kind}");
        }
    }
    for planted in Planted::ALL {
        assert_eq!(planted.name().parse(), Ok(planted));
    }
}

#[test]
fn what_can_not_be_made_is_refused_with_the_reason() {
    let refused = |wanted: History| wanted.generate().unwrap_err().to_string();
    assert_eq!(
        refused(History {
            planted: Some(Planted::G0),
            ..small(Kind::Mutex, 0)
        }),
        "g0 can't be planted in a history of mutex; these can: too-many-holders, foreign-release"
    );
    assert_eq!(
        refused(History {
            values: 1,
            planted: Some(Planted::StaleRead),
            ..small(Kind::Register, 0)
        }),
        "stale-read found no place; it takes at least two processes and two values"
    );
    let empty = History {
        keys: 0,
        ..History::default()
    };
    assert_eq!(empty.generate(), Err(CannotGenerate::Empty));
    let crashed = History {
        crashed: 1.5,
        ..History::default()
    };
    assert_eq!(crashed.generate(), Err(CannotGenerate::Crashed(1.5)));
    assert!("semaphore=0".parse::<Kind>().is_err());
    assert!("mutex=2".parse::<Kind>().is_err());
}

#[test]
fn without_repetition_every_written_value_is_new() {
    let wanted = History {
        values: 0,
        operations: 2_000,
        ..small(Kind::Register, 5)
    };
    let mut written = HashSet::new();
    for event in wanted.generate().unwrap().events {
        if let (Op::Write { value, .. }, Phase::Invoke) = (event.op, event.phase) {
            assert!(written.insert(value));
        }
    }
    assert!(written.len() > 800);
}

#[test]
fn clients_work_at_the_same_time() {
    let history = small(Kind::Register, 2).generate().unwrap();
    let mut open = 0;
    let mut most = 0;
    for event in &history.events {
        match event.phase {
            Phase::Invoke => open += 1,
            _ => open -= 1,
        }
        most = most.max(open);
    }
    assert_eq!(most, 5);
}
