use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, operations};
use checker::history::Operation;
use checker::total_queue::TotalQueue;
use checker::{History, Op, Ret, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

fn enqueue(n: i64) -> Op {
    Op::Enqueue {
        key: 1.into(),
        value: n.into(),
    }
}

fn dequeue() -> Op {
    Op::Dequeue { key: 1.into() }
}

fn value(n: i64) -> Ret {
    Ret::Value(Value::Int(n))
}

fn nothing() -> Ret {
    Ret::Value(Value::Nil)
}

/// A queue that loses and repeats.
struct Lossy {
    held: Vec<i64>,
    values: i64,
    flaws: f64,
}

impl Object for Lossy {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        match rng.random_bool(0.45) {
            true => enqueue(rng.random_range(0..self.values)),
            false => dequeue(),
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        let flawed = rng.random_bool(self.flaws);
        match op {
            Op::Enqueue {
                value: Value::Int(n),
                ..
            } => {
                if !flawed {
                    self.held.push(*n);
                }
                Ret::Done
            }
            _ if self.held.is_empty() => nothing(),
            _ => {
                let n = self.held[0];
                if !flawed {
                    self.held.remove(0);
                }
                value(n)
            }
        }
    }
}

/// Whether each dequeue can be given an enqueue of its own such that all enqueues in `due` are given away,
/// but for as many as `excused`; by trying all.
fn matches(
    dequeues: &[&Operation<'_>],
    enqueues: &[&Operation<'_>],
    taken: &mut Vec<bool>,
    due: &dyn Fn(&Operation<'_>) -> bool,
    excused: usize,
) -> bool {
    let Some((dequeue, rest)) = dequeues.split_first() else {
        let missing = enqueues
            .iter()
            .zip(&*taken)
            .filter(|(e, taken)| !**taken && due(e));
        return missing.count() <= excused;
    };
    let Some(Ret::Value(got)) = dequeue.ret() else {
        panic!("a dequeue that succeeded");
    };
    (0..enqueues.len()).any(|i| {
        let fits = matches!(enqueues[i].op(), Op::Enqueue { value, .. } if value == got)
            && Some(enqueues[i].invoked_at) < dequeue.completed_at;
        if taken[i] || !fits {
            return false;
        }
        taken[i] = true;
        let found = matches(rest, enqueues, taken, due, excused);
        taken[i] = false;
        found
    })
}

fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let enqueues: Vec<&Operation<'_>> = all
        .iter()
        .filter(|o| matches!(o.op(), Op::Enqueue { .. }) && o.failure().is_none())
        .collect();
    let taken: Vec<&Operation<'_>> = all.iter().filter(|o| o.op() == &dequeue()).collect();
    let dequeues: Vec<&Operation<'_>> = taken
        .iter()
        .filter(|o| o.ret().is_some_and(|ret| *ret != nothing()))
        .copied()
        .collect();
    let empty = taken.iter().rfind(|o| o.ret() == Some(&nothing()));
    let excused = taken.iter().filter(|o| o.is_unknown()).count();
    let lost = |e: &Operation<'_>| {
        e.is_ok() && empty.is_some_and(|empty| e.completed_at < Some(empty.invoked_at))
    };
    let none_taken = &mut vec![false; enqueues.len()];
    if !matches(&dequeues, &enqueues, none_taken, &lost, excused) {
        return Validity::Invalid;
    }
    // What is missing beyond that may still be in it.
    let acknowledged = |e: &Operation<'_>| e.is_ok();
    let mut fewest = |due: &dyn Fn(&Operation<'_>) -> bool| {
        (0..).find(|missing| matches(&dequeues, &enqueues, none_taken, due, *missing))
    };
    let all_out = fewest(&acknowledged) == fewest(&lost);
    let nothing_came = dequeues.is_empty() && empty.is_none();
    match enqueues.iter().any(|e| e.is_ok()) && all_out && !nothing_came {
        true => Validity::Valid,
        false => Validity::Unknown,
    }
}

#[test]
fn random_queues_are_judged_by_trying_all_pairings() {
    agree(
        &TotalQueue,
        |rng| Lossy {
            held: Vec::new(),
            values: [3, 100][rng.random_range(0..2)],
            flaws: [0.0, 0.1, 0.3][rng.random_range(0..3)],
        },
        oracle,
        Witness::InContext,
    );
}

#[test]
fn a_value_that_never_came_out_is_lost_once_the_queue_is_empty() {
    let mut scene = Scene::default();
    scene
        .done(0, enqueue(1), Ret::Done)
        .done(0, enqueue(2), Ret::Done)
        .done(1, dequeue(), value(2));
    let verdict = check(&TotalQueue, &scene.history());
    assert_eq!(verdict.valid, Validity::Unknown);
    assert_eq!(
        verdict.reason,
        "1 acknowledged values were not dequeued, and no queue was found empty after them"
    );
    scene.done(1, dequeue(), nothing());
    assert_eq!(
        check(&TotalQueue, &scene.history()).reason,
        "value 1 of queue 1 is lost: its enqueue by process 0 at 0.0 ms (index 0) was acknowledged and \
         nobody dequeued it, but process 1 at 6.0 ms (index 6) found the queue empty"
    );
}

#[test]
fn a_dequeue_of_unknown_outcome_accounts_for_one_value() {
    let mut scene = Scene::default();
    scene
        .done(0, enqueue(1), Ret::Done)
        .invoke(1, dequeue())
        .info(1)
        .done(0, dequeue(), nothing());
    let verdict = check(&TotalQueue, &scene.history());
    assert_eq!(verdict.valid, Validity::Valid);
    scene
        .done(0, enqueue(2), Ret::Done)
        .done(0, dequeue(), nothing());
    let verdict = check(&TotalQueue, &scene.history());
    assert!(
        verdict.reason.starts_with("of the values 1, 2 of queue 1, which were acknowledged and never seen again, only 1 can"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_value_that_came_out_twice_is_told_with_both_dequeues() {
    let mut scene = Scene::default();
    scene
        .done(0, enqueue(1), Ret::Done)
        .done(1, dequeue(), value(1))
        .done(2, dequeue(), value(1))
        .done(2, dequeue(), nothing());
    assert_eq!(
        check(&TotalQueue, &scene.history()).reason,
        "value 1 of queue 1 came out more often than it went in: process 1 at 2.0 ms (index 2) dequeued \
         it, and process 2 at 4.0 ms (index 4) again"
    );
}

#[test]
fn a_value_from_nowhere_is_told_with_what_is_known_of_it() {
    let mut scene = Scene::default();
    scene
        .invoke(0, enqueue(1))
        .fail(0)
        .done(1, dequeue(), value(1))
        .done(1, dequeue(), nothing());
    assert_eq!(
        check(&TotalQueue, &scene.history()).reason,
        "process 1 at 2.0 ms (index 2) dequeued 1 from queue 1, but the enqueue of process 0 at 0.0 ms \
         (index 0) failed"
    );
}
