//! Several keys, with get, put, delete and cas: judged key by key, and as one object.

use super::decide;
use super::definition::linearizable;
use super::random::{SMALL, Shape, random_history};
use crate::linearizability::Linearizable;
use crate::model::{Footprint, Model, Register};
use crate::{Budget, Checker, Event, History, Key, Op, Phase, ProcessId, Ret, Validity, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::BTreeMap;

/// One key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Cell(Register);

impl Model for Cell {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match op {
            Op::Delete { .. } => Some(Self::default()),
            _ => self.0.step(op, ret).map(Self),
        }
    }

    fn footprint(op: &Op, ret: Option<&Ret>) -> Option<Footprint> {
        match op {
            Op::Delete { .. } => Some(Footprint {
                observes: None,
                installs: Some(Value::Nil),
            }),
            _ => Register::footprint(op, ret),
        }
    }

    fn value(&self) -> Option<Value> {
        self.0.value()
    }
}

/// All keys as one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Store(BTreeMap<Key, Cell>);

impl Model for Store {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let key = op.key()?;
        let cell = self.0.get(key).cloned().unwrap_or_default();
        let mut next = self.clone();
        next.0.insert(key.clone(), cell.step(op, ret)?);
        next.0.retain(|_, cell| *cell != Cell::default());
        Some(next)
    }

    fn partition(_: &Op) -> Option<Key> {
        None
    }
}

/// The events of one key with zero for nothing, as operations of a store.
fn on_key(key: i64, event: Event) -> Event {
    let nothing = |value: Value| match value {
        Value::Int(0) => Value::Nil,
        other => other,
    };
    let op = match event.op {
        Op::Write { value, .. } if nothing(value.clone()) == Value::Nil => {
            Op::Delete { key: key.into() }
        }
        Op::Write { value, .. } => Op::Write {
            key: key.into(),
            value,
        },
        Op::Cas { from, to, .. } => Op::Cas {
            key: key.into(),
            from: nothing(from),
            to: nothing(to),
        },
        _ => Op::Read { key: key.into() },
    };
    let phase = match event.phase {
        Phase::Ok(Ret::Value(value)) => Phase::Ok(Ret::Value(nothing(value))),
        other => other,
    };
    Event {
        process: ProcessId(event.process.0 + 1_000 * key as u64),
        op,
        phase,
        ..event
    }
}

fn store_history(rng: &mut Pcg64, shape: Shape) -> History {
    let mut keys: Vec<std::vec::IntoIter<Event>> = (0..2)
        .map(|_| random_history(rng, shape).events.into_iter())
        .collect();
    let mut events: Vec<Event> = Vec::new();
    loop {
        let first = rng.random_range(0..2);
        let next = [first, 1 - first]
            .into_iter()
            .find_map(|key| Some((key, keys[key].next()?)));
        let Some((key, event)) = next else {
            return History {
                events,
                ..History::default()
            };
        };
        let index = events.len() as u64;
        events.push(Event {
            index,
            time: index,
            ..on_key(key as i64, event)
        });
    }
}

#[test]
fn a_store_is_judged_by_its_keys_as_it_is_as_a_whole() {
    let shape = Shape {
        initial: Some(0),
        operations: 4,
        wrong: 15,
        ..SMALL
    };
    let shapes = [
        shape,
        Shape {
            values: Some(6),
            ..shape
        },
        Shape { info: 40, ..shape },
    ];
    let (mut good, mut bad) = (0, 0);
    for seed in 0..1_500 {
        let mut rng = Pcg64::seed_from_u64(seed);
        let history = store_history(&mut rng, shapes[seed as usize % shapes.len()]);
        let operations = history.operations().unwrap();
        let truth = linearizable(&Store::default(), &operations);
        let whole = decide(Store::default(), &operations, true);
        assert_eq!(whole, truth, "seed {seed} as a whole: {history:#?}");
        let by_key = Linearizable::new(Cell::default(), |_| true);
        let mut online = by_key.online(Budget::default()).with_stretch(2);
        for event in &history.events {
            online.observe(event);
        }
        for valid in [
            by_key.decide(&history, Budget::default()),
            online.finish().valid,
        ] {
            let expected = match truth {
                true => Validity::Valid,
                false => Validity::Invalid,
            };
            // Unknown: nothing succeeded.
            let agrees = valid == expected || (truth && valid == Validity::Unknown);
            assert!(agrees, "seed {seed} by key: {valid} in {history:#?}");
        }
        match truth {
            true => good += 1,
            false => bad += 1,
        }
    }
    assert!(good > 200 && bad > 200, "{good} good, {bad} bad");
}
