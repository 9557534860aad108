use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, operations};
use checker::unique_ids::UniqueIds;
use checker::{History, Op, Ret, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

fn generate(key: i64) -> Op {
    Op::Generate { key: key.into() }
}

struct Ids {
    among: i64,
}

impl Object for Ids {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        generate(rng.random_range(0..2))
    }

    fn apply(&mut self, _: &Op, rng: &mut Pcg64) -> Ret {
        Ret::Value(Value::Int(rng.random_range(0..self.among)))
    }
}

fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let given: Vec<_> = all
        .iter()
        .filter_map(|o| Some((o.op(), o.ret()?)))
        .collect();
    match given
        .iter()
        .enumerate()
        .any(|(i, id)| given[..i].contains(id))
    {
        true => Validity::Invalid,
        false if given.is_empty() => Validity::Unknown,
        false => Validity::Valid,
    }
}

#[test]
fn random_ids_are_judged_by_the_definition() {
    agree(
        &UniqueIds,
        |rng| Ids {
            among: rng.random_range(5..200),
        },
        oracle,
        Witness::Alone,
    );
}

#[test]
fn an_id_that_two_clients_got_is_told_with_both() {
    let id = |n| Ret::Value(Value::Int(n));
    let mut scene = Scene::default();
    scene
        .done(0, generate(1), id(7))
        .done(0, generate(2), id(7))
        .done(1, generate(1), id(7));
    assert_eq!(
        check(&UniqueIds, &scene.history()).reason,
        "id 7 of key 1 was given twice: to process 0 at 0.0 ms (index 0) and to process 1 at 4.0 ms (index 4)"
    );
}
