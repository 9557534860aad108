//! A bank: transfers move money between accounts, so every read of all accounts shows the same total.
//!
//! A read that shows another total saw half a transfer, or one whose other half is lost (read skew). A
//! transfer never changes the total, so whether it happened never matters. Accounts must not be
//! overdrawn unless that is allowed, and each must hold a number.
//!
//! The accounts are those of the first `read-all`, or, without any, of the first transaction among those
//! that read the most registers. The total is the one given, or that of the first read of all accounts
//! that ended. A read of some accounts only is judged by its balances. Reads that found every account
//! empty before any that found money are taken for reads before the bank opened.

use crate::findings::registers::observed;
use crate::findings::{Case, Exhausted, Findings, Limits, examine, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Op, Value};
use serde_json::json;
use std::collections::BTreeSet;

/// How many wrong reads are listed in the details.
const LISTED: usize = 20;

/// Judges the snapshots in a history of transfers, in O(n log n) for n balances read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bank {
    total: Option<i64>,
    overdrafts: bool,
}

/// A successful read of registers.
struct Snapshot<'a> {
    operation: &'a Operation<'a>,
    balances: Vec<(&'a Key, &'a Value)>,
}

/// What the balances of all accounts must add up to, and which read said so.
#[derive(Clone, Copy)]
struct Total<'a> {
    amount: i128,
    by: Option<&'a Operation<'a>>,
    /// The last read that showed it.
    shown: Option<&'a Operation<'a>>,
}

/// What the reads showed.
#[derive(Default)]
struct Figures {
    judged: u64,
    partial: u64,
    before_opening: u64,
    lowest: Option<i128>,
    highest: Option<i128>,
    largest_deviation: u128,
    wrong_reads: Vec<serde_json::Value>,
}

impl Bank {
    pub fn new() -> Self {
        Self::default()
    }

    /// The accounts hold this together.
    pub fn with_total(self, total: i64) -> Self {
        Self {
            total: Some(total),
            ..self
        }
    }

    /// Accounts may be overdrawn.
    pub fn with_overdrafts(self) -> Self {
        Self {
            overdrafts: true,
            ..self
        }
    }

    fn judge(
        self,
        operations: &[Operation<'_>],
        limits: &mut Limits,
    ) -> Result<Verdict, Exhausted> {
        let snapshots = snapshots(operations);
        let accounts = accounts(&snapshots);
        let parties: BTreeSet<&Key> = operations
            .iter()
            .flat_map(|operation| match operation.op() {
                Op::Transfer { from, to, .. } => [Some(from), Some(to)],
                _ => [None, None],
            })
            .flatten()
            .collect();
        let mut findings = Findings::of(&[
            ("unknown_accounts", "reads show unknown accounts"),
            ("no_balance", "reads show accounts without a balance"),
            ("wrong_total", "reads have a wrong total"),
            ("overdrawn", "reads show overdrawn accounts"),
        ]);
        let mut figures = Figures::default();
        let mut total = self.total.map(|amount| Total {
            amount: i128::from(amount),
            by: None,
            shown: None,
        });
        let mut open = false;
        for snapshot in &snapshots {
            limits.spend(1 + snapshot.balances.len())?;
            let Snapshot {
                operation,
                balances,
            } = snapshot;
            if !open && balances.iter().all(|(_, balance)| **balance == Value::Nil) {
                figures.before_opening += 1;
                continue;
            }
            open = true;
            figures.judged += 1;
            if let Some((key, _)) = balances
                .iter()
                .find(|(key, _)| !accounts.contains(key) && !parties.contains(key))
            {
                findings.add("unknown_accounts", || {
                    let text = format!("{} read the unknown account {key}", who(operation));
                    Case::new(text, [*operation])
                });
            }
            let numbers: Vec<i64> = balances.iter().filter_map(number).collect();
            if !self.overdrafts
                && let Some((account, balance)) = balances
                    .iter()
                    .filter_map(|entry| Some((entry.0, number(entry)?)))
                    .min_by_key(|(_, balance)| *balance)
                    .filter(|(_, balance)| *balance < 0)
            {
                findings.add_weighed("overdrawn", u128::from(balance.unsigned_abs()), || {
                    let text = format!("{} read {balance} in account {account}", who(operation));
                    Case::new(text, [*operation])
                });
            }
            if let Some((account, held)) = balances.iter().find(|entry| number(entry).is_none()) {
                findings.add("no_balance", || {
                    let text = format!("{} read {held} in account {account}", who(operation));
                    Case::new(text, [*operation])
                });
                continue;
            }
            let known = balances.iter().filter(|(key, _)| accounts.contains(key));
            if known.count() < accounts.len() {
                figures.partial += 1;
                continue;
            }
            let sum: i128 = numbers.iter().map(|n| i128::from(*n)).sum();
            let total = total.get_or_insert(Total {
                amount: sum,
                by: Some(operation),
                shown: None,
            });
            figures.saw(sum, operation, *total);
            if sum == total.amount {
                total.shown = Some(operation);
            } else {
                findings.add_weighed("wrong_total", sum.abs_diff(total.amount), || {
                    wrong_total(operation, sum, *total)
                });
            }
        }
        let unjudged = figures.judged == figures.partial;
        let verdict = findings.verdict(|| match unjudged {
            true => Verdict::unknown("all accounts were never read at once"),
            false => Verdict::valid(),
        });
        Ok(figures
            .tell(verdict)
            .with("accounts", accounts.len())
            .with("total", total.map(|total| clamp(total.amount))))
    }
}

impl Checker for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            self.judge(operations, limits)
        })
    }
}

impl Figures {
    fn saw(&mut self, sum: i128, operation: &Operation<'_>, total: Total<'_>) {
        self.lowest = Some(self.lowest.map_or(sum, |lowest| lowest.min(sum)));
        self.highest = Some(self.highest.map_or(sum, |highest| highest.max(sum)));
        let deviation = sum.abs_diff(total.amount);
        self.largest_deviation = self.largest_deviation.max(deviation);
        if deviation > 0 && self.wrong_reads.len() < LISTED {
            self.wrong_reads.push(json!({
                "index": operation.invocation.index,
                "time_ms": operation.invocation.time as f64 / 1e6,
                "total": clamp(sum),
            }));
        }
    }

    fn tell(self, verdict: Verdict) -> Verdict {
        let verdict = verdict
            .with("reads", self.judged)
            .with("partial_reads", self.partial)
            .with("reads_before_opening", self.before_opening)
            .with("lowest_total", self.lowest.map(clamp))
            .with("highest_total", self.highest.map(clamp))
            .with(
                "largest_deviation",
                u64::try_from(self.largest_deviation).unwrap_or(u64::MAX),
            );
        match self.wrong_reads.is_empty() {
            true => verdict,
            false => verdict.with("wrong_reads", self.wrong_reads),
        }
    }
}

fn wrong_total<'a>(operation: &'a Operation<'a>, sum: i128, total: Total<'a>) -> Case {
    let amount = total.amount;
    let (more, by) = match sum > amount {
        true => ("more", sum - amount),
        false => ("less", amount - sum),
    };
    let witness = total.by.or(total.shown);
    let whose = match (total.by, witness) {
        (Some(first), _) => format!("the {amount} that {} read", who(first)),
        (None, Some(shown)) => format!("the {amount} there is, which {} had read", who(shown)),
        (None, None) => format!("the {amount} there is"),
    };
    let text = format!(
        "{} read a total of {sum}, {by} {more} than {whose}",
        who(operation)
    );
    Case::new(text, witness.into_iter().chain([operation]))
}

/// The successful reads in the order in which they ended.
fn snapshots<'a>(operations: &'a [Operation<'a>]) -> Vec<Snapshot<'a>> {
    let mut snapshots: Vec<Snapshot<'_>> = operations
        .iter()
        .filter(|operation| matches!(operation.op(), Op::ReadAll { .. } | Op::Txn { .. }))
        .map(|operation| Snapshot {
            operation,
            balances: observed(operation),
        })
        .filter(|snapshot| !snapshot.balances.is_empty())
        .collect();
    snapshots.sort_by_key(|snapshot| snapshot.operation.completed_at);
    snapshots
}

fn accounts<'a>(snapshots: &[Snapshot<'a>]) -> BTreeSet<&'a Key> {
    let first = snapshots
        .iter()
        .find(|snapshot| matches!(snapshot.operation.op(), Op::ReadAll { .. }));
    // Of equally long ones the first.
    let longest = || {
        snapshots
            .iter()
            .rev()
            .max_by_key(|snapshot| snapshot.balances.len())
    };
    first
        .or_else(longest)
        .into_iter()
        .flat_map(|snapshot| snapshot.balances.iter().map(|(key, _)| *key))
        .collect()
}

fn number((_, balance): &(&Key, &Value)) -> Option<i64> {
    match balance {
        Value::Int(n) => Some(*n),
        _ => None,
    }
}

/// Figures in files are 64 bits wide.
fn clamp(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}
