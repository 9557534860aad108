//! Accounts whose total is always 0, as every transfer takes from one what it gives to another; and a count of the
//! transfers.
//!
//! A transfer is a transaction; all accounts are read by another one, or by a scan. Whoever sees another total saw a
//! transaction in part, or twice.

use super::invariants::Violation;
use crate::api::{Answer, ApiError, Condition, KvOp, Scan, Step, Transaction};
use crate::machine::Machine;

const ACCOUNTS: u64 = 4;
const COUNT: &str = "transfers";

/// What is known of the transfers.
#[derive(Default)]
pub struct Accounts {
    asked: i64,
    acknowledged: i64,
    refused: i64,
    wrong: Option<Violation>,
}

/// A request of these, as its answer is to be understood.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Transfer,
    Read,
}

fn account(number: u64) -> String {
    format!("account{number}")
}

fn total<'a>(balances: impl Iterator<Item = &'a str>) -> Option<i64> {
    balances
        .map(|balance| balance.parse::<i64>().ok())
        .sum::<Option<i64>>()
}

impl Accounts {
    /// The next request. `draw` gives a number below what it is told.
    pub fn ask(&mut self, draw: &mut dyn FnMut(u64) -> u64) -> (KvOp, Request) {
        match draw(4) {
            0 => {
                let gets = (0..ACCOUNTS).map(|number| Step::Get {
                    key: account(number),
                });
                let transaction = Transaction {
                    conditions: Vec::new(),
                    steps: gets.collect(),
                };
                (KvOp::Txn(transaction), Request::Read)
            }
            1 => {
                let scan = Scan {
                    from: "account".into(),
                    to: Some("accounu".into()),
                    ..Scan::default()
                };
                (KvOp::Scan(scan), Request::Read)
            }
            limited => {
                self.asked += 1;
                let (number, distance) = (draw(ACCOUNTS), 1 + draw(ACCOUNTS - 1));
                let amount = 1 + draw(9) as i64;
                let from = account(number);
                let to = account((number + distance) % ACCOUNTS);
                let least = Condition::AtLeast {
                    key: from.clone(),
                    amount: -20,
                };
                let add = |key: &str, amount| Step::Add {
                    key: key.into(),
                    amount,
                };
                let transaction = Transaction {
                    conditions: Vec::from_iter((limited == 2).then_some(least)),
                    steps: vec![add(&from, -amount), add(&to, amount), add(COUNT, 1)],
                };
                (KvOp::Txn(transaction), Request::Transfer)
            }
        }
    }

    pub fn answered(&mut self, request: Request, result: &Result<Answer, ApiError>) {
        match (request, result) {
            (Request::Transfer, Ok(_)) => self.acknowledged += 1,
            (Request::Transfer, Err(error)) => self.refused += i64::from(error.definite),
            (Request::Read, Ok(answer)) => {
                let steps = answer.steps.iter().flatten().flatten().map(String::as_str);
                let entries = answer.entries.iter().flatten();
                let entries = entries.map(|entry| entry.value.as_str());
                let total = total(steps.chain(entries));
                if total != Some(0) && self.wrong.is_none() {
                    self.wrong = Some(Violation(format!(
                        "a read of all accounts at index {} shows a total of {total:?}: {answer:?}",
                        answer.index
                    )));
                }
            }
            (Request::Read, Err(_)) => {}
        }
    }

    /// At the end: no read was wrong, the total is 0, and every acknowledged transfer was made once.
    pub fn check(&self, machine: &Machine) -> Result<(), Violation> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let balances: Vec<_> = (0..ACCOUNTS)
            .filter_map(|number| machine.get(&account(number)))
            .collect();
        let total = total(balances.iter().map(|balance| &**balance));
        let made = machine
            .get(COUNT)
            .map_or(Some(0), |count| count.parse().ok());
        // Some have no answer yet, and some never will.
        let possible = self.acknowledged..=self.asked - self.refused;
        if total != Some(0) || !made.is_some_and(|made: i64| possible.contains(&made)) {
            return Err(Violation(format!(
                "the accounts hold {total:?} together after {made:?} transfers; asked for were {}, acknowledged {}, refused {}",
                self.asked, self.acknowledged, self.refused
            )));
        }
        Ok(())
    }
}
