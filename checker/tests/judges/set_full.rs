use crate::agreement::{Witness, agree, check, evidence};
use crate::scene::{Object, Scene, before, operations};
use checker::set_full::SetFull;
use checker::{History, Op, Ret, Validity};
use rand::RngExt;
use rand_pcg::Pcg64;
use serde_json::json;

fn add(value: i64) -> Op {
    Op::Add {
        key: 1.into(),
        value,
    }
}

fn list() -> Op {
    Op::List { key: 1.into() }
}

fn read(items: &[i64]) -> Ret {
    Ret::List(items.to_vec())
}

/// A set that sometimes forgets, shows an old state, or shows something twice.
struct Flawed {
    next: i64,
    states: Vec<Vec<i64>>,
    flaws: f64,
}

impl Object for Flawed {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        match rng.random_range(0..5) {
            0..=1 => {
                self.next += 1;
                add(self.next)
            }
            // Again, as by a client that tries twice.
            2 if self.next > 0 => add(self.next),
            _ => list(),
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        let mut state = self.states.last().cloned().unwrap_or_default();
        if let Op::Add { value, .. } = op {
            if !state.contains(value) {
                state.push(*value);
            }
            if rng.random_bool(self.flaws) {
                state.swap_remove(0);
            }
            self.states.push(state);
            return Ret::Done;
        }
        if rng.random_bool(self.flaws) && !self.states.is_empty() {
            let at = rng.random_range(0..self.states.len());
            state = self.states[at].clone();
        }
        if rng.random_bool(self.flaws / 4.0) {
            let twice = state.first().copied().unwrap_or(99);
            state.push(twice);
        }
        Ret::List(state)
    }
}

fn flawed(rng: &mut Pcg64) -> Flawed {
    Flawed {
        next: 0,
        states: Vec::new(),
        flaws: [0.0, 0.0, 0.05, 0.2][rng.random_range(0..4)],
    }
}

/// By the definition, element by element and read by read.
fn oracle(history: &History, linearizable: bool) -> Validity {
    let all = operations(history);
    let reads: Vec<_> = all
        .iter()
        .filter_map(|o| match o.ret() {
            Some(Ret::List(items)) => Some((o, items)),
            _ => None,
        })
        .collect();
    let adds: Vec<_> = all
        .iter()
        .filter_map(|o| match o.op() {
            Op::Add { value, .. } => Some((o, *value)),
            _ => None,
        })
        .collect();
    if reads.is_empty() {
        return Validity::Unknown;
    }
    let asked = |read: &checker::history::Operation<'_>, value: i64| {
        adds.iter().any(|(add, v)| {
            *v == value && add.failure().is_none() && Some(add.invoked_at) < read.completed_at
        })
    };
    let mut anything_seen = false;
    for (read, items) in &reads {
        for (i, value) in items.iter().enumerate() {
            if items[..i].contains(value) || !asked(read, *value) {
                return Validity::Invalid;
            }
            anything_seen = true;
        }
    }
    for (_, value) in &adds {
        let acknowledged = adds
            .iter()
            .filter(|(add, v)| v == value && add.is_ok())
            .filter_map(|(add, _)| add.completed_at);
        let shown = reads
            .iter()
            .filter(|(_, items)| items.contains(value))
            .filter_map(|(read, _)| read.completed_at);
        let Some(known) = acknowledged.chain(shown).min() else {
            continue;
        };
        for (missing, items) in &reads {
            if items.contains(value) || missing.invoked_at < known {
                continue;
            }
            let mut seers = reads.iter().filter(|(_, items)| items.contains(value));
            if linearizable || seers.all(|(read, _)| before(read, missing)) {
                return Validity::Invalid;
            }
        }
    }
    match anything_seen {
        true => Validity::Valid,
        false => Validity::Unknown,
    }
}

#[test]
fn random_sets_are_judged_by_the_definition() {
    agree(
        &SetFull::new(),
        flawed,
        |history| oracle(history, false),
        Witness::Alone,
    );
}

#[test]
fn random_sets_that_promise_linearizability_are_judged_by_the_definition() {
    agree(
        &SetFull::new().linearizable(),
        flawed,
        |history| oracle(history, true),
        Witness::Alone,
    );
}

#[test]
fn a_lost_element_is_named_with_who_knew_it_and_who_missed_it() {
    let mut scene = Scene::default();
    scene
        .done(0, add(1), Ret::Done)
        .done(0, add(2), Ret::Done)
        .done(1, list(), read(&[1, 2]))
        .done(1, list(), read(&[2]));
    let history = scene.history();
    let verdict = check(&SetFull::new(), &history);
    assert_eq!(
        verdict.reason,
        "element 1 of set 1 is lost: the add of process 0 at 0.0 ms (index 0) was acknowledged, then \
         process 1 at 6.0 ms (index 6) read the set without it, and nobody saw it after that"
    );
    assert_eq!(verdict.details["operations"], json!([0, 6]));
    assert_eq!(verdict.details["lost_elements"], json!([1]));
    evidence(&SetFull::new(), &history, &verdict, Witness::Alone);
}

#[test]
fn an_element_that_comes_late_is_stale_with_its_latency() {
    let mut scene = Scene::default();
    scene
        .done(0, add(1), Ret::Done)
        .done(1, list(), read(&[]))
        .done(1, list(), read(&[]))
        .done(1, list(), read(&[1]));
    let verdict = check(&SetFull::new(), &scene.history());
    assert_eq!(verdict.valid, Validity::Valid);
    assert_eq!(verdict.details["stale_elements"], json!([1]));
    assert_eq!(verdict.details["visible_ms"]["max"], json!(3.0));
    let verdict = check(&SetFull::new().linearizable(), &scene.history());
    assert_eq!(verdict.valid, Validity::Invalid);
    assert!(
        verdict.reason.contains("was read too late"),
        "{}",
        verdict.reason
    );
}

#[test]
fn an_element_that_is_there_twice_is_found() {
    let mut scene = Scene::default();
    scene
        .done(0, add(1), Ret::Done)
        .done(0, list(), read(&[1, 1]));
    let verdict = check(&SetFull::new(), &scene.history());
    assert_eq!(
        verdict.reason,
        "process 0 at 2.0 ms (index 2) read 1 twice in set 1, added by process 0 at 0.0 ms (index 0)"
    );
}

#[test]
fn what_nobody_added_and_what_failed_must_not_be_there() {
    let mut scene = Scene::default();
    scene
        .invoke(0, add(1))
        .fail(0)
        .done(0, list(), read(&[1, 7]));
    let verdict = check(&SetFull::new(), &scene.history());
    assert_eq!(
        verdict.reason,
        "process 0 at 2.0 ms (index 2) read 1 in set 1, but the add of process 0 at 0.0 ms (index 0) \
         failed (2 elements are there that nobody had added)"
    );
}

#[test]
fn elements_that_no_later_read_could_see_are_never_read_and_no_loss() {
    let mut scene = Scene::default();
    scene
        .done(0, add(1), Ret::Done)
        .done(0, list(), read(&[1]))
        .done(0, add(2), Ret::Done)
        .invoke(1, add(3))
        .info(1);
    let verdict = check(&SetFull::new(), &scene.history());
    assert_eq!(verdict.valid, Validity::Valid);
    assert_eq!(verdict.details["never_read_elements"], json!([2, 3]));
}
