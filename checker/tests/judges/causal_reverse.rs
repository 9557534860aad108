use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, before, operations};
use checker::causal_reverse::CausalReverse;
use checker::history::Operation;
use checker::{History, Key, Op, Ret, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::BTreeSet;

const KEYS: i64 = 6;

fn write(key: i64) -> Op {
    Op::Write {
        key: key.into(),
        value: Value::Int(1),
    }
}

fn read_all() -> Op {
    Op::ReadAll {
        keys: (0..KEYS).map(Key::Int).collect(),
    }
}

fn saw(keys: &[i64]) -> Ret {
    let entries = (0..KEYS).map(|key| {
        let held = keys.contains(&key);
        (Key::Int(key), if held { Value::Int(1) } else { Value::Nil })
    });
    Ret::Map(entries.collect())
}

fn add(value: i64) -> Op {
    Op::Add {
        key: 1.into(),
        value,
    }
}

fn list() -> Op {
    Op::List { key: 1.into() }
}

/// What was written shows at once or later, each by itself; as registers or as a set.
struct Clocks {
    unwritten: Vec<i64>,
    shown: Vec<i64>,
    hidden: Vec<i64>,
    late: f64,
    set: bool,
}

impl Object for Clocks {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        match (
            self.unwritten.pop().filter(|_| rng.random_bool(0.6)),
            self.set,
        ) {
            (Some(key), true) => add(key),
            (Some(key), false) => write(key),
            (None, true) => list(),
            (None, false) => read_all(),
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        if !self.hidden.is_empty() && rng.random_bool(0.2) {
            self.shown.push(self.hidden.remove(0));
        }
        let (Op::Write {
            key: Key::Int(item),
            ..
        }
        | Op::Add { value: item, .. }) = op
        else {
            return match self.set {
                true => Ret::List(self.shown.clone()),
                false => saw(&self.shown),
            };
        };
        match rng.random_bool(self.late) {
            true => self.hidden.push(*item),
            false => self.shown.push(*item),
        }
        Ret::Done
    }
}

fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let writes: Vec<(&Operation<'_>, i64)> = all
        .iter()
        .filter(|o| o.failure().is_none())
        .filter_map(|o| match o.op() {
            Op::Write {
                key: Key::Int(item),
                ..
            }
            | Op::Add { value: item, .. } => Some((o, *item)),
            _ => None,
        })
        .collect();
    let mut any = false;
    for read in &all {
        let seen: BTreeSet<i64> = match read.ret() {
            Some(Ret::List(items)) => items.iter().copied().collect(),
            Some(Ret::Map(entries)) => entries
                .iter()
                .filter(|(_, value)| *value != Value::Nil)
                .map(|(key, _)| match key {
                    Key::Int(item) => *item,
                    other => panic!("{other}"),
                })
                .collect(),
            _ => continue,
        };
        for (later, item) in &writes {
            any |= later.is_ok() || seen.contains(item);
            for (earlier, missed) in &writes {
                if seen.contains(item)
                    && !seen.contains(missed)
                    && earlier.is_ok()
                    && before(earlier, later)
                {
                    return Validity::Invalid;
                }
            }
        }
    }
    match any {
        true => Validity::Valid,
        false => Validity::Unknown,
    }
}

fn clocks(rng: &mut Pcg64) -> Clocks {
    Clocks {
        unwritten: (0..KEYS).collect(),
        shown: Vec::new(),
        hidden: Vec::new(),
        late: [0.0, 0.2, 0.6][rng.random_range(0..3)],
        set: rng.random_bool(0.5),
    }
}

#[test]
fn random_clocks_are_judged_by_comparing_all_writes() {
    agree(&CausalReverse, clocks, oracle, Witness::Alone);
}

#[test]
fn a_write_without_its_predecessor_is_told_with_both_and_the_read() {
    let mut scene = Scene::default();
    scene
        .done(0, write(1), Ret::Done)
        .done(1, write(2), Ret::Done)
        .done(2, read_all(), saw(&[2]));
    let history = scene.history();
    assert_eq!(
        check(&CausalReverse, &history).reason,
        "process 2 at 4.0 ms (index 4) read key 2 but not key 1, though the write of process 0 at 0.0 ms \
         (index 0) was acknowledged before that of process 1 at 2.0 ms (index 2) began"
    );
}

#[test]
fn an_element_of_a_set_counts_as_a_register() {
    let mut scene = Scene::default();
    scene
        .done(0, add(1), Ret::Done)
        .done(1, add(2), Ret::Done)
        .done(2, list(), Ret::List(vec![2]));
    let verdict = check(&CausalReverse, &scene.history());
    assert!(
        verdict
            .reason
            .contains("read element 2 of set 1 but not element 1 of set 1"),
        "{}",
        verdict.reason
    );
}
