//! Small histories that are often wrong.

use checker::generate::{self, Kind};
use checker::{Event, History, Mop, Op, Phase, Reason, Ret, Seen, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

/// A history of a few operations, spoiled.
pub fn small(kind: Kind, values: usize, seed: u64, rng: &mut Pcg64) -> History {
    let mut history = generate::History {
        model: kind,
        operations: rng.random_range(4..9),
        processes: rng.random_range(2..5),
        keys: 1 + usize::from(kind == Kind::MultiRegister),
        values,
        crashed: [0.0, 0.1, 0.4][seed as usize % 3],
        planted: None,
        seed,
    }
    .generate()
    .expect("small histories can be made");
    spoil(&mut history, rng);
    history
}

/// Spoils a history: other results, other outcomes, another order of events.
pub fn spoil(history: &mut History, rng: &mut Pcg64) {
    for _ in 0..rng.random_range(0..7) {
        let at = rng.random_range(0..history.events.len() - 1);
        if rng.random_bool(0.6) {
            // Neighbours of different processes change places.
            let [a, b] = &mut history.events[at..at + 2] else {
                continue;
            };
            if a.process != b.process {
                std::mem::swap(a, b);
            }
            continue;
        }
        if rng.random_bool(0.3) {
            // It saw what another like it saw.
            let other = &history.events[rng.random_range(0..history.events.len())];
            let event = &history.events[at];
            let sees =
                |event: &Event| matches!(event.phase, Phase::Ok(Ret::Value(_) | Ret::List(_)));
            if sees(event) && sees(other) && event.op == other.op {
                history.events[at].phase = other.phase.clone();
            }
            continue;
        }
        let event = &mut history.events[at];
        if event.phase != Phase::Invoke {
            event.phase = spoiled(event, rng);
        }
    }
    for (at, event) in history.events.iter_mut().enumerate() {
        event.index = at as u64;
        event.time = at as u64 * 1_000;
    }
}

fn spoiled(event: &Event, rng: &mut Pcg64) -> Phase {
    let mut number = || rng.random_range(0..6);
    let value = match (number(), &event.op) {
        (0, _) => Value::Nil,
        (n, Op::Read { .. }) if matches!(event.phase, Phase::Ok(Ret::Value(Value::Text(_)))) => {
            Value::Text(format!("v{n}").into())
        }
        (n, _) => Value::Int(n),
    };
    Phase::Ok(match (&event.op, &event.phase) {
        (op, Phase::Fail(_) | Phase::Info(_)) if op.gives_nothing() => Ret::Done,
        (Op::Acquire { .. }, Phase::Fail(_)) => Ret::Value(value),
        (_, Phase::Ok(Ret::Done)) if number() < 3 => return Phase::Fail(Reason::new("no")),
        (_, Phase::Ok(Ret::Value(_))) => Ret::Value(value),
        (_, Phase::Ok(Ret::List(seen))) => {
            let mut seen = seen.clone();
            match (number(), seen.len()) {
                (0 | 1, 2..) => seen.swap(0, 1),
                (0..=3, 1..) => drop(seen.pop()),
                (0..=4, _) => seen.push(number()),
                _ => seen.extend(seen.first().copied()),
            }
            Ret::List(seen)
        }
        (_, Phase::Ok(Ret::Map(seen))) => {
            let shown = seen.iter().map(|(key, _)| (key.clone(), value.clone()));
            Ret::Map(shown.collect())
        }
        (Op::Txn { ops }, Phase::Ok(Ret::Txn(_))) => {
            let seen = ops.iter().map(|op| match op {
                Mop::Read { .. } => Seen::Value(value.clone()),
                _ => Seen::Done,
            });
            Ret::Txn(seen.collect())
        }
        (_, phase) => return phase.clone(),
    })
}
