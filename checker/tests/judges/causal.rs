use crate::agreement::{Witness, agree, check, evidence};
use crate::scene::{Object, Scene, operations};
use checker::causal::Causal;
use checker::history::Operation;
use checker::{History, Key, Mop, Op, Ret, Seen, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

const KEYS: i64 = 3;

fn write(key: i64, value: i64) -> Op {
    Op::Write {
        key: key.into(),
        value: value.into(),
    }
}

fn read(key: i64) -> Op {
    Op::Read { key: key.into() }
}

fn value(n: i64) -> Ret {
    Ret::Value(Value::Int(n))
}

fn nothing() -> Ret {
    Ret::Value(Value::Nil)
}

/// Replicas that pass on each write after a while, in any order.
struct Replicas {
    next: i64,
    states: Vec<Vec<Value>>,
    underway: Vec<(usize, usize, Value)>,
    prompt: f64,
    inventive: f64,
}

impl Replicas {
    fn set(&mut self, site: usize, key: &Key, value: &Value) {
        let Key::Int(at) = key else { panic!("{key}") };
        self.states[site][*at as usize] = value.clone();
        for other in 0..self.states.len() {
            self.underway.push((other, *at as usize, value.clone()));
        }
    }

    fn get(&self, site: usize, key: &Key, rng: &mut Pcg64) -> Value {
        let Key::Int(at) = key else { panic!("{key}") };
        match rng.random_bool(self.inventive) {
            true => Value::Int(rng.random_range(0..self.next + 2)),
            false => self.states[site][*at as usize].clone(),
        }
    }
}

impl Object for Replicas {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        let key = rng.random_range(0..KEYS);
        let other = (key + 1) % KEYS;
        self.next += 2;
        match rng.random_range(0..6) {
            0..=1 => write(key, self.next),
            2..=3 => read(key),
            4 => Op::Txn {
                ops: [
                    Mop::Read { key: key.into() },
                    Mop::Write {
                        key: other.into(),
                        value: self.next.into(),
                    },
                    Mop::Write {
                        key: key.into(),
                        value: (self.next + 1).into(),
                    },
                ]
                .into(),
            },
            _ => Op::ReadAll {
                keys: [Key::Int(key), Key::Int(other)].into(),
            },
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        while !self.underway.is_empty() && rng.random_bool(self.prompt) {
            let at = rng.random_range(0..self.underway.len());
            let (site, key, value) = self.underway.remove(at);
            self.states[site][key] = value;
        }
        let site = rng.random_range(0..self.states.len());
        match op {
            Op::Write { key, value } => {
                self.set(site, key, value);
                Ret::Done
            }
            Op::Read { key } => Ret::Value(self.get(site, key, rng)),
            Op::ReadAll { keys } => Ret::Map(
                keys.iter()
                    .map(|key| (key.clone(), self.get(site, key, rng)))
                    .collect(),
            ),
            Op::Txn { ops } => {
                let seen = ops.iter().map(|op| match op {
                    Mop::Write { key, value } => {
                        self.set(site, key, value);
                        Seen::Done
                    }
                    op => Seen::Value(self.get(site, op.key(), rng)),
                });
                Ret::Txn(seen.collect())
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What an operation read before it wrote there.
fn seen<'a>(operation: &Operation<'a>) -> Vec<(Key, Value)> {
    match (operation.op(), operation.ret()) {
        (Op::Read { key }, Some(Ret::Value(value))) => vec![(key.clone(), value.clone())],
        (Op::ReadAll { .. }, Some(Ret::Map(entries))) => entries.to_vec(),
        (Op::Txn { ops }, Some(Ret::Txn(seen))) => match (&ops[0], &seen[0]) {
            (Mop::Read { key }, Seen::Value(value)) => vec![(key.clone(), value.clone())],
            other => panic!("{other:?}"),
        },
        _ => Vec::new(),
    }
}

fn writes(operation: &Operation<'_>) -> Vec<(Key, Value)> {
    match operation.op() {
        Op::Write { key, value } => vec![(key.clone(), value.clone())],
        Op::Txn { ops } => ops
            .iter()
            .filter_map(|op| match op {
                Mop::Write { key, value } => Some((key.clone(), value.clone())),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// By the transitive closure of process order and reading.
fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let n = all.len();
    let took_place =
        |i: usize| all[i].is_ok() || (all[i].is_unknown() && !writes(&all[i]).is_empty());
    let mut causes = vec![vec![false; n]; n];
    for i in 0..n {
        for j in i + 1..n {
            let same = all[i].invocation.process == all[j].invocation.process;
            causes[i][j] = same && took_place(i) && took_place(j);
        }
    }
    let mut reads = Vec::new();
    for (reader, operation) in all.iter().enumerate() {
        for (key, value) in seen(operation) {
            let entry = (key.clone(), value.clone());
            let from = (0..n).find(|i| took_place(*i) && writes(&all[*i]).contains(&entry));
            if value != Value::Nil {
                match from {
                    Some(from) if from != reader => causes[from][reader] = true,
                    _ => return Validity::Invalid,
                }
            }
            reads.push((reader, key, from));
        }
    }
    for via in 0..n {
        for i in 0..n {
            for j in 0..n {
                causes[i][j] |= causes[i][via] && causes[via][j];
            }
        }
    }
    if (0..n).any(|i| causes[i][i]) {
        return Validity::Invalid;
    }
    for (reader, key, from) in &reads {
        for between in 0..n {
            let touches = writes(&all[between]).iter().any(|(k, _)| k == key);
            let after = from.is_none_or(|from| causes[from][between]);
            if touches && after && causes[between][*reader] {
                return Validity::Invalid;
            }
        }
    }
    match reads.is_empty() {
        true => Validity::Unknown,
        false => Validity::Valid,
    }
}

#[test]
fn random_replicas_are_judged_by_the_closure_of_their_causes() {
    agree(
        &Causal,
        |rng| Replicas {
            next: 0,
            states: vec![vec![Value::Nil; KEYS as usize]; rng.random_range(1..3)],
            underway: Vec::new(),
            prompt: [0.3, 0.9][rng.random_range(0..2)],
            inventive: [0.0, 0.0, 0.1][rng.random_range(0..3)],
        },
        oracle,
        Witness::Alone,
    );
}

#[test]
fn an_effect_seen_without_its_cause_is_told() {
    let mut scene = Scene::default();
    scene
        .done(0, write(1, 10), Ret::Done)
        .done(1, read(1), value(10))
        .done(1, write(2, 20), Ret::Done)
        .done(2, read(2), value(20))
        .done(2, read(1), nothing());
    let history = scene.history();
    let verdict = check(&Causal, &history);
    assert_eq!(
        verdict.reason,
        "process 2 at 8.0 ms (index 8) read nil in key 1, but what process 0 at 0.0 ms (index 0) wrote there \
         is among its causes, by way of process 1 at 2.0 ms (index 2), process 1 at 4.0 ms (index 4), process 2 at \
         6.0 ms (index 6)"
    );
    evidence(&Causal, &history, &verdict, Witness::Alone);
}

#[test]
fn a_process_that_does_not_read_its_own_write_is_told() {
    let mut scene = Scene::default();
    scene
        .done(1, write(1, 10), Ret::Done)
        .done(0, read(1), value(10))
        .done(0, write(1, 11), Ret::Done)
        .done(0, read(1), value(10));
    assert_eq!(
        check(&Causal, &scene.history()).reason,
        "process 0 at 6.0 ms (index 6) read 10 in key 1, written by process 1 at 0.0 ms (index 0), but process 0 \
         at 4.0 ms (index 4) overwrote that and is among the causes of the read, by way of process 0 at 2.0 ms \
         (index 2)"
    );
}

#[test]
fn what_is_concurrent_may_be_seen_in_any_order() {
    let mut scene = Scene::default();
    scene
        .done(0, write(1, 10), Ret::Done)
        .done(1, write(1, 11), Ret::Done)
        .done(2, read(1), value(10))
        .done(2, read(1), value(11))
        .done(3, read(1), value(11))
        .done(3, read(1), value(10));
    assert_eq!(check(&Causal, &scene.history()).valid, Validity::Valid);
}

#[test]
fn a_circle_of_causes_is_told_from_cause_to_effect() {
    let mut scene = Scene::default();
    scene
        .done(0, read(1), value(10))
        .done(0, write(2, 20), Ret::Done)
        .done(1, read(2), value(20))
        .done(1, write(1, 10), Ret::Done);
    let verdict = check(&Causal, &scene.history());
    assert_eq!(verdict.valid, Validity::Invalid);
    assert!(
        verdict
            .reason
            .starts_with("operations cause one another in a circle: "),
        "{}",
        verdict.reason
    );
    assert_eq!(verdict.details["operations"].as_array().unwrap().len(), 4);
}

#[test]
fn a_value_that_does_not_name_its_write_is_not_judged() {
    let mut scene = Scene::default();
    scene
        .done(0, write(1, 10), Ret::Done)
        .done(1, write(1, 10), Ret::Done)
        .done(2, read(1), value(10));
    let verdict = check(&Causal, &scene.history());
    assert_eq!(verdict.valid, Validity::Unknown);
    assert!(
        verdict.reason.ends_with("is not clear"),
        "{}",
        verdict.reason
    );
}
