use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, operations};
use checker::long_fork::LongFork;
use checker::{History, Key, Op, Ret, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::BTreeMap;

const KEYS: i64 = 5;

fn write(key: i64) -> Op {
    Op::Write {
        key: key.into(),
        value: Value::Int(key * 10),
    }
}

fn reads(keys: &[i64]) -> Op {
    Op::ReadAll {
        keys: keys.iter().map(|key| Key::Int(*key)).collect(),
    }
}

fn saw(entries: &[(i64, Option<i64>)]) -> Ret {
    let entries = entries.iter().map(|(key, value)| {
        let value = value.map_or(Value::Nil, Value::Int);
        (Key::Int(*key), value)
    });
    Ret::Map(entries.collect())
}

/// Two sites, each with its own order of the writes for a while.
struct Sites {
    unwritten: Vec<i64>,
    written: [Vec<i64>; 2],
    apart: f64,
    groups: usize,
}

impl Object for Sites {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        match self.unwritten.pop().filter(|_| rng.random_bool(0.6)) {
            Some(key) => write(key),
            None => match rng.random_range(0..self.groups) {
                0 => reads(&[0, 1, 2, 3, 4]),
                1 => reads(&[4, 2, 0]),
                2 => reads(&[1, 2]),
                _ => reads(&[3, 2, 1]),
            },
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        if !rng.random_bool(self.apart) {
            // They catch up with each other.
            let all: Vec<i64> = self.written.concat();
            self.written = [all.clone(), all];
        }
        let site = rng.random_range(0..2);
        match op {
            Op::ReadAll { keys } => {
                let entries = keys.iter().map(|key| {
                    let held = self.written[site].iter().any(|k| Key::Int(*k) == *key);
                    (key.clone(), if held { Value::Int(1) } else { Value::Nil })
                });
                Ret::Map(entries.collect())
            }
            Op::Write {
                key: Key::Int(key), ..
            } => {
                self.written[site].push(*key);
                Ret::Done
            }
            other => panic!("{other:?}"),
        }
    }
}

fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let seen: Vec<BTreeMap<&Key, bool>> = all
        .iter()
        .filter_map(|o| match o.ret() {
            Some(Ret::Map(entries)) => {
                let held = entries
                    .iter()
                    .map(|(key, value)| (key, *value != Value::Nil));
                Some(held.collect())
            }
            _ => None,
        })
        .collect();
    let only = |one: &BTreeMap<&Key, bool>, x: &Key, y: &Key| {
        one.get(x) == Some(&true) && one.get(y) == Some(&false)
    };
    let keys: Vec<Key> = (0..KEYS).map(Key::Int).collect();
    let fork = seen.iter().any(|one| {
        seen.iter().any(|other| {
            keys.iter()
                .any(|x| keys.iter().any(|y| only(one, x, y) && only(other, y, x)))
        })
    });
    match (fork, seen.is_empty()) {
        (true, _) => Validity::Invalid,
        (false, true) => Validity::Unknown,
        (false, false) => Validity::Valid,
    }
}

#[test]
fn random_sites_are_judged_by_comparing_all_reads() {
    agree(
        &LongFork,
        |rng| Sites {
            unwritten: (0..KEYS).collect(),
            written: [Vec::new(), Vec::new()],
            apart: [0.0, 0.95, 1.0][rng.random_range(0..3)],
            groups: rng.random_range(1..5),
        },
        oracle,
        Witness::Alone,
    );
}

#[test]
fn a_fork_is_told_with_both_reads_and_both_writes() {
    let mut scene = Scene::default();
    scene
        .done(0, write(1), Ret::Done)
        .done(1, write(2), Ret::Done)
        .done(2, reads(&[1, 2]), saw(&[(1, Some(10)), (2, None)]))
        .done(3, reads(&[2, 1]), saw(&[(2, Some(20)), (1, None)]));
    let verdict = check(&LongFork, &scene.history());
    assert_eq!(
        verdict.reason,
        "process 2 at 4.0 ms (index 4) saw key 1 (written by process 0 at 0.0 ms (index 0)) but not yet key 2, \
         and process 3 at 6.0 ms (index 6) saw key 2 (written by process 1 at 2.0 ms (index 2)) but not yet \
         key 1"
    );
}

#[test]
fn a_register_that_is_written_twice_is_not_judged() {
    let mut scene = Scene::default();
    scene
        .done(0, write(1), Ret::Done)
        .done(1, write(1), Ret::Done);
    let verdict = check(&LongFork, &scene.history());
    assert_eq!(verdict.valid, Validity::Unknown);
    assert!(verdict.reason.contains("written more than once"));
}
