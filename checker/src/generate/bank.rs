//! A bank: transfers between accounts, and reads of all of them.

use super::Planted;
use super::script::Script;
use super::world::{Applied, Values, World, key};
use crate::{Key, Op, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::sync::Arc;

/// What every account holds at first.
const BALANCE: i64 = 100;

pub struct Bank {
    accounts: Arc<[Key]>,
    balances: Vec<i64>,
}

impl Bank {
    /// At least two accounts.
    pub fn new(keys: usize) -> Self {
        let keys = keys.max(2);
        Self {
            accounts: (0..keys).map(key).collect(),
            balances: vec![BALANCE; keys],
        }
    }

    fn read(&self) -> Op {
        Op::ReadAll {
            keys: Arc::clone(&self.accounts),
        }
    }

    fn shown(&self) -> Ret {
        let balances = self.balances.iter().map(|balance| Value::Int(*balance));
        Ret::Map(self.accounts.iter().cloned().zip(balances).collect())
    }
}

fn at(account: &Key) -> usize {
    match account {
        Key::Int(at) => *at as usize,
        Key::Text(_) => unreachable!("generated accounts are numbers"),
    }
}

impl World for Bank {
    fn next(&mut self, _worker: u32, rng: &mut Pcg64, _values: &mut Values) -> Op {
        if rng.random_bool(0.5) {
            return self.read();
        }
        let from = rng.random_range(0..self.balances.len());
        let step = rng.random_range(1..self.balances.len());
        Op::Transfer {
            from: key(from),
            to: key((from + step) % self.balances.len()),
            amount: rng.random_range(1..=5),
        }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let Op::Transfer { from, to, amount } = op else {
            return Applied::Ok(self.shown());
        };
        if self.balances[at(from)] < *amount {
            return Applied::Fail("insufficient");
        }
        self.balances[at(from)] -= amount;
        self.balances[at(to)] += amount;
        Applied::Ok(Ret::Done)
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let Some(rich) = self.balances.iter().position(|balance| *balance > 0) else {
            return false;
        };
        let poor = (rich + 1) % self.balances.len();
        let transfer = Op::Transfer {
            from: key(rich),
            to: key(poor),
            amount: 1,
        };
        // A read of all before tells the total.
        script.ok(self.read(), self.shown());
        self.balances[rich] -= 1;
        let torn = self.shown();
        self.balances[poor] += 1;
        script.both((transfer, Ret::Done), (self.read(), torn));
        planted == Planted::TornRead
    }
}
