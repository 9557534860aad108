//! Counters by their bounds: each read lies between what was certainly added before it and what may have
//! been added by its end.
//!
//! An add that was acknowledged before the read was invoked counts in full. One that was invoked before
//! the read ended, and neither acknowledged before it began nor declared failed, may count or not: it
//! raises the upper bound if it is positive and lowers the lower bound if it is negative. A read of nil
//! is a read of 0.
//!
//! This is necessary for linearizability, not sufficient: a sum between the bounds may be made by no
//! choice of adds, and reads are not compared with one another. The model `counter` does both.

use crate::findings::{Case, Findings, Limits, Moment, examine, moments, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Op, Ret, Value};
use std::collections::{HashMap, HashSet};

/// Judges `add` and `read` of keys that are read as numbers, in O(n log n).
#[derive(Clone, Copy, Debug, Default)]
pub struct CounterBounds;

/// Sums of one counter up to a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// Of adds that were invoked and are not declared failed later.
    invoked: Signed,
    acknowledged: Signed,
    /// The add that was acknowledged last.
    last: Option<usize>,
}

/// Positive and negative amounts apart.
#[derive(Clone, Copy, Debug, Default)]
struct Signed {
    up: i128,
    down: i128,
}

impl Signed {
    fn add(&mut self, amount: i64) {
        match amount {
            0.. => self.up += i128::from(amount),
            _ => self.down += i128::from(amount),
        }
    }
}

impl Checker for CounterBounds {
    fn name(&self) -> &'static str {
        "counter-bounds"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, judge)
    }
}

fn judge(
    operations: &[Operation<'_>],
    limits: &mut Limits,
) -> Result<Verdict, crate::findings::Exhausted> {
    let counters: HashSet<&Key> = counters(operations);
    let mut findings = Findings::of(&[
        ("out_of_bounds", "reads are out of bounds"),
        ("not_a_number", "reads gave no number"),
    ]);
    let mut sums: HashMap<&Key, Sums> = HashMap::new();
    // What had been summed up when each open read was invoked.
    let mut began: HashMap<usize, Sums> = HashMap::new();
    let (mut reads, mut adds, mut off_by_max) = (0u64, 0u64, 0u128);
    for moment in moments(operations) {
        limits.spend(1)?;
        let (Moment::Invoked(i) | Moment::Done(i)) = moment;
        let operation = &operations[i];
        let Some(key) = operation.op().key().filter(|key| counters.contains(key)) else {
            continue;
        };
        let sums = sums.entry(key).or_default();
        match (operation.op(), moment) {
            (Op::Add { value, .. }, Moment::Invoked(_)) if operation.failure().is_none() => {
                adds += 1;
                sums.invoked.add(*value);
            }
            (Op::Add { value, .. }, Moment::Done(_)) => {
                sums.acknowledged.add(*value);
                sums.last = Some(i);
            }
            (Op::Read { .. }, Moment::Invoked(_)) if operation.is_ok() => {
                began.insert(i, *sums);
            }
            (Op::Read { .. }, Moment::Done(_)) => {
                reads += 1;
                let before = began.remove(&i).unwrap_or_default();
                let lowest = before.acknowledged.up + sums.invoked.down;
                let highest = before.acknowledged.down + sums.invoked.up;
                let read = match operation.ret() {
                    Some(Ret::Value(Value::Nil)) => 0,
                    Some(Ret::Value(Value::Int(n))) => i128::from(*n),
                    other => {
                        findings.add("not_a_number", || {
                            let what = match other {
                                Some(Ret::Value(value)) => value.to_string(),
                                _ => "nothing".to_owned(),
                            };
                            let text = format!("{} read counter {key} as {what}", who(operation));
                            Case::new(text, [operation])
                        });
                        continue;
                    }
                };
                let off_by = if read < lowest {
                    read.abs_diff(lowest)
                } else if read > highest {
                    read.abs_diff(highest)
                } else {
                    continue;
                };
                off_by_max = off_by_max.max(off_by);
                findings.add_weighed("out_of_bounds", off_by, || {
                    let (mut text, mut named) = (
                        format!(
                            "{} read counter {key} as {read}, but it must be in {lowest}..={highest} then",
                            who(operation)
                        ),
                        vec![operation],
                    );
                    if let Some(last) = before.last {
                        let add = &operations[last];
                        text += &format!("; the last add acknowledged before was by {}", who(add));
                        named.push(add);
                    }
                    Case::new(text, named)
                });
            }
            _ => {}
        }
    }
    let verdict = findings.verdict(|| match reads {
        0 => Verdict::unknown("no counter was read"),
        _ => Verdict::valid(),
    });
    Ok(verdict
        .with("counters", counters.len())
        .with("adds", adds)
        .with("reads", reads)
        .with("off_by_max", u64::try_from(off_by_max).unwrap_or(u64::MAX)))
}

/// Keys that are added to, without those that are read as sets.
fn counters<'a>(operations: &[Operation<'a>]) -> HashSet<&'a Key> {
    let mut counters = HashSet::new();
    let mut sets = HashSet::new();
    for operation in operations {
        match operation.op() {
            Op::Add { key, .. } => counters.insert(key),
            Op::List { key } | Op::Remove { key, .. } => sets.insert(key),
            _ => false,
        };
    }
    &counters - &sets
}
