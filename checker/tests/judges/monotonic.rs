use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, before, operations};
use checker::monotonic::Monotonic;
use checker::{History, Op, Ret, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

fn read(key: i64) -> Op {
    Op::Read { key: key.into() }
}

fn number(n: i64) -> Ret {
    Ret::Value(Value::Int(n))
}

struct Clock {
    now: [i64; 2],
    flaws: f64,
}

impl Object for Clock {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        read(rng.random_range(0..2))
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        let at = usize::from(*op == read(1));
        self.now[at] += rng.random_range(0..3);
        let back = i64::from(rng.random_bool(self.flaws)) * 2;
        match self.now[at] - back {
            ..=0 => Ret::Value(Value::Nil),
            n => number(n),
        }
    }
}

fn oracle(history: &History, per_process: bool) -> Validity {
    let all = operations(history);
    let reads: Vec<_> = all
        .iter()
        .filter_map(|o| match o.ret() {
            Some(Ret::Value(value)) => Some((o, value)),
            _ => None,
        })
        .collect();
    let wrong = reads.iter().any(|(earlier, high)| {
        reads.iter().any(|(later, low)| {
            let alike = !per_process || earlier.invocation.process == later.invocation.process;
            earlier.op() == later.op() && alike && before(earlier, later) && high > low
        })
    });
    match (wrong, reads.is_empty()) {
        (true, _) => Validity::Invalid,
        (false, true) => Validity::Unknown,
        (false, false) => Validity::Valid,
    }
}

fn clock(rng: &mut Pcg64) -> Clock {
    Clock {
        now: [0; 2],
        flaws: [0.0, 0.05, 0.2][rng.random_range(0..3)],
    }
}

#[test]
fn random_clocks_are_judged_by_the_definition() {
    let oracle = |history: &History| oracle(history, false);
    agree(&Monotonic::new(), clock, oracle, Witness::Alone);
}

#[test]
fn random_clocks_are_judged_by_the_definition_for_each_process() {
    let oracle = |history: &History| oracle(history, true);
    agree(
        &Monotonic::new().per_process(),
        clock,
        oracle,
        Witness::Alone,
    );
}

#[test]
fn a_value_that_went_back_is_told_with_both_reads() {
    let mut scene = Scene::default();
    scene
        .done(0, read(1), number(5))
        .done(1, read(1), number(4));
    let history = scene.history();
    assert_eq!(
        check(&Monotonic::new(), &history).reason,
        "key 1 went back from 5, read by process 0 at 0.0 ms (index 0), to 4, read by process 1 at 2.0 ms \
         (index 2) after that"
    );
    let verdict = check(&Monotonic::new().per_process(), &history);
    assert_eq!(verdict.valid, Validity::Valid);
}

#[test]
fn reads_at_once_may_disagree() {
    let mut scene = Scene::default();
    scene
        .invoke(0, read(1))
        .done(1, read(1), number(5))
        .ok(0, number(4));
    let verdict = check(&Monotonic::new(), &scene.history());
    assert_eq!(verdict.valid, Validity::Valid);
}
