//! Values that may only grow: a read that begins after another has ended must not give less.
//!
//! For counters, log positions, timestamps of an oracle and the like. Nil stands for a value that nobody
//! has set yet and is less than every number. In the default, real-time order counts: over all
//! processes. With [`per_process`](Monotonic::per_process) each process is only compared with itself
//! (the session guarantee "monotonic reads").

use crate::findings::registers::observed;
use crate::findings::{Case, Findings, Moment, examine, moments, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, ProcessId, Value};
use std::collections::HashMap;

/// Judges what was read from registers, alone or several at once, in O(n log n).
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic {
    per_process: bool,
}

/// The greatest value that has been read, and by which operation.
type Peak<'a> = (&'a Value, usize);

impl Monotonic {
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares each process with itself only.
    pub fn per_process(self) -> Self {
        Self { per_process: true }
    }
}

impl Checker for Monotonic {
    fn name(&self) -> &'static str {
        "monotonic"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            let mut findings = Findings::of(&[
                ("went_back", "reads went back"),
                ("not_a_number", "reads gave no number"),
            ]);
            let mut peaks: HashMap<(&Key, Option<ProcessId>), Peak<'_>> = HashMap::new();
            // The peaks of what an open read asks for, as they were when it was invoked.
            let mut before: HashMap<usize, Vec<Option<Peak<'_>>>> = HashMap::new();
            let mut reads = 0u64;
            for moment in moments(operations) {
                let (Moment::Invoked(i) | Moment::Done(i)) = moment;
                let operation = &operations[i];
                let seen = observed(operation);
                limits.spend(1 + seen.len())?;
                let process = operation.invocation.process;
                let whose = |key| (key, self.per_process.then_some(process));
                if seen.is_empty() {
                    continue;
                }
                if let Moment::Invoked(_) = moment {
                    let known = seen.iter().map(|&(key, _)| peaks.get(&whose(key)).copied());
                    before.insert(i, known.collect());
                    continue;
                }
                let known = before.remove(&i).unwrap_or_default();
                for (&(key, value), known) in seen.iter().zip(known) {
                    reads += 1;
                    if matches!(value, Value::Text(_)) {
                        findings.add("not_a_number", || {
                            let text = format!("{} read key {key} as {value}", who(operation));
                            Case::new(text, [operation])
                        });
                        continue;
                    }
                    if let Some((peak, by)) = known.filter(|(peak, _)| *peak > value) {
                        findings.add_weighed("went_back", distance(peak, value), || {
                            went_back(key, (peak, &operations[by]), (value, operation))
                        });
                    }
                    let peak = peaks.entry(whose(key)).or_insert((value, i));
                    if value > peak.0 {
                        *peak = (value, i);
                    }
                }
            }
            let verdict = findings.verdict(|| match reads {
                0 => Verdict::unknown("nothing was read"),
                _ => Verdict::valid(),
            });
            Ok(verdict.with("reads", reads))
        })
    }
}

/// How far a value fell. To nil is the deepest fall.
fn distance(peak: &Value, value: &Value) -> u128 {
    match (peak, value) {
        (Value::Int(peak), Value::Int(value)) => u128::from(peak.abs_diff(*value)),
        _ => u128::MAX,
    }
}

fn went_back<'a>(
    key: &Key,
    (peak, earlier): (&Value, &'a Operation<'a>),
    (value, later): (&Value, &'a Operation<'a>),
) -> Case {
    let text = format!(
        "key {key} went back from {peak}, read by {}, to {value}, read by {} after that",
        who(earlier),
        who(later)
    );
    Case::new(text, [earlier, later])
}
