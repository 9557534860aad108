use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, before, operations};
use checker::counter_bounds::CounterBounds;
use checker::{History, Op, Ret, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

fn add(value: i64) -> Op {
    Op::Add {
        key: 1.into(),
        value,
    }
}

fn read() -> Op {
    Op::Read { key: 1.into() }
}

fn number(n: i64) -> Ret {
    Ret::Value(Value::Int(n))
}

struct Leaky {
    sum: i64,
    flaws: f64,
}

impl Object for Leaky {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        match rng.random_bool(0.5) {
            true => read(),
            false => add(rng.random_range(-2..4)),
        }
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        match op {
            Op::Add { value, .. } => {
                if !rng.random_bool(self.flaws) {
                    self.sum += value;
                }
                Ret::Done
            }
            _ if self.sum == 0 => Ret::Value(Value::Nil),
            _ => number(self.sum),
        }
    }
}

fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let adds: Vec<_> = all
        .iter()
        .filter(|o| o.failure().is_none())
        .filter_map(|o| match o.op() {
            Op::Add { value, .. } => Some((o, *value)),
            _ => None,
        })
        .collect();
    // A key that nobody adds to is no counter.
    if !all.iter().any(|o| matches!(o.op(), Op::Add { .. })) {
        return Validity::Unknown;
    }
    let mut verdict = Validity::Unknown;
    for read in &all {
        let seen = match read.ret() {
            Some(Ret::Value(Value::Int(n))) => *n,
            Some(Ret::Value(Value::Nil)) => 0,
            _ => continue,
        };
        let (mut low, mut high) = (0, 0);
        for (add, value) in &adds {
            if add.is_ok() && before(add, read) {
                low += value;
                high += value;
            } else if Some(add.invoked_at) < read.completed_at {
                low += value.min(&0);
                high += value.max(&0);
            }
        }
        if seen < low || seen > high {
            return Validity::Invalid;
        }
        verdict = Validity::Valid;
    }
    verdict
}

#[test]
fn random_counters_are_judged_by_the_definition() {
    agree(
        &CounterBounds,
        |rng| Leaky {
            sum: 0,
            flaws: [0.0, 0.1, 0.3][rng.random_range(0..3)],
        },
        oracle,
        Witness::InContext,
    );
}

#[test]
fn a_counter_that_lost_an_add_is_told_with_its_bounds() {
    let mut scene = Scene::default();
    scene
        .done(0, add(5), Ret::Done)
        .invoke(1, add(2))
        .done(0, read(), number(3))
        .info(1);
    assert_eq!(
        check(&CounterBounds, &scene.history()).reason,
        "process 0 at 3.0 ms (index 3) read counter 1 as 3, but it must be in 5..=7 then; the last add \
         acknowledged before was by process 0 at 0.0 ms (index 0)"
    );
}
