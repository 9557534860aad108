use crate::agreement::{Witness, agree, check};
use crate::scene::{Object, Scene, operations};
use checker::bank::Bank;
use checker::{History, Key, Mop, Op, Ret, Seen, Validity, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

const ACCOUNTS: i64 = 3;

fn keys() -> Vec<Key> {
    (0..ACCOUNTS).map(Key::Int).collect()
}

fn read_all() -> Op {
    Op::ReadAll {
        keys: keys().into(),
    }
}

fn balances(balances: &[i64]) -> Ret {
    let entries = keys()
        .into_iter()
        .zip(balances.iter().map(|b| Value::Int(*b)));
    Ret::Map(entries.collect())
}

fn transfer(from: i64, to: i64, amount: i64) -> Op {
    Op::Transfer {
        from: from.into(),
        to: to.into(),
        amount,
    }
}

/// A bank that sometimes does half a transfer, or one that is not covered.
struct Careless {
    balances: Vec<i64>,
    flaws: f64,
}

impl Object for Careless {
    fn ask(&mut self, rng: &mut Pcg64) -> Op {
        if rng.random_bool(0.5) {
            return read_all();
        }
        let from = rng.random_range(0..ACCOUNTS);
        let to = (from + 1) % ACCOUNTS;
        transfer(from, to, rng.random_range(1..5))
    }

    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret {
        let Op::Transfer {
            from: Key::Int(from),
            to: Key::Int(to),
            amount,
        } = op
        else {
            return balances(&self.balances);
        };
        if self.balances[*from as usize] >= *amount || rng.random_bool(self.flaws) {
            self.balances[*from as usize] -= amount;
            if !rng.random_bool(self.flaws) {
                self.balances[*to as usize] += amount;
            }
        }
        Ret::Done
    }
}

fn oracle(history: &History) -> Validity {
    let all = operations(history);
    let mut reads: Vec<(Option<usize>, Vec<i64>)> = all
        .iter()
        .filter_map(|o| match o.ret() {
            Some(Ret::Map(entries)) => {
                let numbers = entries.iter().map(|(_, value)| match value {
                    Value::Int(n) => *n,
                    other => panic!("{other}"),
                });
                Some((o.completed_at, numbers.collect()))
            }
            _ => None,
        })
        .collect();
    reads.sort();
    let Some((_, first)) = reads.first() else {
        return Validity::Unknown;
    };
    let total: i64 = first.iter().sum();
    let wrong = |balances: &Vec<i64>| {
        balances.iter().sum::<i64>() != total || balances.iter().any(|b| *b < 0)
    };
    match reads.iter().any(|(_, balances)| wrong(balances)) {
        true => Validity::Invalid,
        false => Validity::Valid,
    }
}

#[test]
fn random_banks_are_judged_by_the_definition() {
    agree(
        &Bank::new(),
        |rng| Careless {
            balances: vec![10; ACCOUNTS as usize],
            flaws: [0.0, 0.1, 0.3][rng.random_range(0..3)],
        },
        oracle,
        Witness::Alone,
    );
}

#[test]
fn a_read_of_half_a_transfer_is_told_with_the_difference() {
    let mut scene = Scene::default();
    scene
        .done(0, read_all(), balances(&[10, 10, 10]))
        .done(0, transfer(0, 1, 4), Ret::Done)
        .done(1, read_all(), balances(&[6, 10, 10]));
    let verdict = check(&Bank::new(), &scene.history());
    assert_eq!(
        verdict.reason,
        "process 1 at 4.0 ms (index 4) read a total of 26, 4 less than the 30 that process 0 at 0.0 ms \
         (index 0) read"
    );
    let verdict = check(&Bank::new().with_total(30), &scene.history());
    assert_eq!(
        verdict.reason,
        "process 1 at 4.0 ms (index 4) read a total of 26, 4 less than the 30 there is, which process 0 at \
         0.0 ms (index 0) had read"
    );
    let verdict = check(&Bank::new().with_total(26), &scene.history());
    assert!(
        verdict
            .reason
            .starts_with("process 0 at 0.0 ms (index 0) read a total of 30, 4 more than the 26"),
        "{}",
        verdict.reason
    );
}

#[test]
fn an_overdrawn_account_is_found_unless_that_is_allowed() {
    let mut scene = Scene::default();
    scene.done(0, read_all(), balances(&[-1, 11, 20]));
    let verdict = check(&Bank::new(), &scene.history());
    assert_eq!(
        verdict.reason,
        "process 0 at 0.0 ms (index 0) read -1 in account 0"
    );
    let verdict = check(&Bank::new().with_overdrafts(), &scene.history());
    assert_eq!(verdict.valid, Validity::Valid);
}

#[test]
fn transactions_that_read_all_accounts_are_judged_too_and_others_by_their_balances() {
    let reads = |keys: &[i64]| Op::Txn {
        ops: keys
            .iter()
            .map(|key| Mop::Read { key: (*key).into() })
            .collect(),
    };
    let seen = |balances: &[i64]| {
        Ret::Txn(
            balances
                .iter()
                .map(|b| Seen::Value(Value::Int(*b)))
                .collect(),
        )
    };
    let mut scene = Scene::default();
    scene
        .done(0, reads(&[0, 1]), seen(&[5, 5]))
        .done(0, reads(&[0]), seen(&[1]));
    let verdict = check(&Bank::new(), &scene.history());
    assert_eq!(verdict.valid, Validity::Valid);
    scene.done(0, reads(&[1, 0]), seen(&[6, 5]));
    let verdict = check(&Bank::new(), &scene.history());
    assert!(
        verdict.reason.contains("1 more than the 10"),
        "{}",
        verdict.reason
    );
}

#[test]
fn an_account_without_a_balance_is_found_once_the_bank_is_open() {
    let nothing = |_: &Key| Value::Nil;
    let empty = Ret::Map(
        keys()
            .into_iter()
            .map(|k| (k.clone(), nothing(&k)))
            .collect(),
    );
    let mut scene = Scene::default();
    scene
        .done(0, read_all(), empty.clone())
        .done(0, read_all(), balances(&[1, 1, 1]));
    assert_eq!(check(&Bank::new(), &scene.history()).valid, Validity::Valid);
    scene.done(0, read_all(), empty);
    assert_eq!(
        check(&Bank::new(), &scene.history()).reason,
        "process 0 at 4.0 ms (index 4) read nil in account 0"
    );
}
