//! The `bank` workload: transfers between accounts, and reads of all of them, which must show one total.
//!
//! The bank opens before anything else: each account gets its balance by a cas from nil, which can be repeated
//! without harm when its outcome is unknown. Only when all have it do transfers begin.

use crate::finale::until_ok;
use crate::generator::{Boxed, Endless, Phases};
use crate::{Context, Generator, Next, Workload, judges, seed};
use checker::store::BLOCK;
use checker::{Checker, Event, Key, Op, Phase, ProcessId, Value};
use rand::RngExt;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub const FIRST_KEY: i64 = 72 * BLOCK;

/// The most that one transfer moves.
const LARGEST: i64 = 5;
/// Between two tries to open an account.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Bank {
    accounts: Arc<[Key]>,
    balance: i64,
    model: String,
}

/// Gives every account its balance, once.
struct Opening {
    balance: i64,
    /// When each may be tried.
    waiting: VecDeque<(u64, Key)>,
    open: BTreeMap<ProcessId, Key>,
}

impl Bank {
    /// At least two accounts, each with this balance at first.
    pub fn new(accounts: u64, balance: u64) -> Self {
        let accounts = accounts.max(2) as i64;
        let balance = balance as i64;
        Self {
            accounts: (FIRST_KEY..FIRST_KEY + accounts).map(Key::Int).collect(),
            balance,
            model: format!("bank={}", accounts * balance),
        }
    }
}

impl Workload for Bank {
    fn name(&self) -> &str {
        "bank"
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn generator(&self, seed: u64) -> Boxed {
        let opening = Opening {
            balance: self.balance,
            waiting: self.accounts.iter().map(|key| (0, key.clone())).collect(),
            open: BTreeMap::new(),
        };
        let accounts = Arc::clone(&self.accounts);
        let mut rng = seed::stream(seed, "bank");
        let business = Endless::new(move |_, _| {
            if rng.random_bool(0.5) {
                return Op::ReadAll {
                    keys: Arc::clone(&accounts),
                };
            }
            let from = rng.random_range(0..accounts.len());
            let distance = rng.random_range(1..accounts.len());
            Op::Transfer {
                from: accounts[from].clone(),
                to: accounts[(from + distance) % accounts.len()].clone(),
                amount: rng.random_range(1..=LARGEST),
            }
        });
        Box::new(Phases::new([
            Box::new(opening) as Boxed,
            Box::new(business),
        ]))
    }

    fn finale(&self, _seed: u64) -> Boxed {
        until_ok([Op::ReadAll {
            keys: Arc::clone(&self.accounts),
        }])
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        judges::of(&self.model)
    }

    fn blocks(&self) -> Vec<i64> {
        vec![FIRST_KEY]
    }
}

impl Generator for Opening {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if self.waiting.is_empty() && self.open.is_empty() {
            return Next::Done;
        }
        let Some(process) = ctx.free.first() else {
            return Next::Pending { until: None };
        };
        let due = self.waiting.iter().position(|(at, _)| *at <= ctx.time);
        let Some((_, key)) = due.and_then(|at| self.waiting.remove(at)) else {
            let until = self.waiting.iter().map(|(at, _)| *at).min();
            return Next::Pending { until };
        };
        self.open.insert(*process, key.clone());
        Next::Op(
            *process,
            Op::Cas {
                key,
                from: Value::Nil,
                to: Value::Int(self.balance),
            },
        )
    }

    fn observe(&mut self, event: &Event) {
        if event.phase == Phase::Invoke {
            return;
        }
        let Some(key) = self.open.remove(&event.process) else {
            return;
        };
        let has_it = match &event.phase {
            Phase::Ok(_) => true,
            // An earlier try got through.
            Phase::Fail(reason) => reason.code() == "cas-mismatch",
            _ => false,
        };
        if !has_it {
            let again = event.time.saturating_add(PAUSE.as_nanos() as u64);
            self.waiting.push_back((again, key));
        }
    }
}
