//! Long histories take little; no time or memory gives unknown with the reason.

use crate::scene::Scene;
use checker::{Budget, Op, Ret, Validity, Value, check_all, checkers_for};
use std::time::Duration;

const MODELS: &str =
    "set-full+bank+unique-ids+counter-bounds+total-queue+monotonic+long-fork+causal+causal-reverse";

fn everything(rounds: i64) -> checker::History {
    let mut scene = Scene::default();
    for n in 0..rounds {
        let process = n as u64 % 5;
        let key = 1_000 + n;
        scene
            .done(
                process,
                Op::Add {
                    key: 1.into(),
                    value: n,
                },
                Ret::Done,
            )
            .done(
                process,
                Op::Add {
                    key: 2.into(),
                    value: 1,
                },
                Ret::Done,
            )
            .done(
                process,
                Op::Read { key: 2.into() },
                Ret::Value(Value::Int(n + 1)),
            )
            .done(
                process,
                Op::Generate { key: 3.into() },
                Ret::Value(Value::Int(n)),
            )
            .done(
                process,
                Op::Enqueue {
                    key: 4.into(),
                    value: n.into(),
                },
                Ret::Done,
            )
            .done(
                process,
                Op::Dequeue { key: 4.into() },
                Ret::Value(Value::Int(n)),
            )
            .done(
                process,
                Op::Write {
                    key: key.into(),
                    value: n.into(),
                },
                Ret::Done,
            )
            .done(
                process,
                Op::ReadAll {
                    keys: [key.into(), (key + 1).into()].into(),
                },
                Ret::Map([(key.into(), n.into()), ((key + 1).into(), Value::Nil)].into()),
            );
    }
    let all = Ret::List((0..rounds).collect());
    scene.done(0, Op::List { key: 1.into() }, all);
    scene.history()
}

#[test]
fn without_time_or_memory_every_checker_is_unknown_and_says_why() {
    let history = everything(50);
    let checkers = checkers_for(MODELS).unwrap();
    let no_time = Budget {
        time: Duration::ZERO,
        ..Budget::default()
    };
    let no_memory = Budget {
        memory: 100,
        ..Budget::default()
    };
    for (budget, words) in [(no_time, "time ran out"), (no_memory, "memory ran out")] {
        for (name, verdict) in check_all(&history, &checkers, budget) {
            if name == "stats" {
                continue;
            }
            assert_eq!(verdict.valid, Validity::Unknown, "{name}");
            assert!(verdict.reason.contains(words), "{name}: {}", verdict.reason);
        }
    }
}

#[test]
fn a_history_of_320_000_events_is_judged_by_all_within_the_default_budget() {
    let history = everything(20_000);
    let checkers = checkers_for(MODELS).unwrap();
    for (name, verdict) in check_all(&history, &checkers, Budget::default()) {
        // The counter's reads are of values that nobody wrote, so `causal` objects; that it ends is what counts.
        assert!(
            !verdict.reason.contains("ran out"),
            "{name}: {}",
            verdict.reason
        );
    }
}
