//! What the checkers that need no search have in common: they go through the operations once, note what
//! contradicts their property, and say it.
//!
//! [`examine`] runs one of them under the limits of its budget, [`Findings`] keeps what it found until it
//! becomes a [`Verdict`], `moments` gives the real-time order, `registers` tells what an operation read
//! and wrote.

mod limits;
mod moments;
pub(crate) mod registers;

pub(crate) use limits::{Exhausted, Limits};
pub(crate) use moments::{Moment, moments};

use crate::History;
use crate::history::Operation;
use crate::verdict::{Budget, Verdict};
use serde_json::Value as Json;

/// What a checker holds for each operation, in bytes, by a generous estimate: the pairing of its events, and an
/// entry in a map or two.
const HELD_PER_OPERATION: usize = 256;

/// Violations by kind. Of each kind the count and the worst case are kept.
#[derive(Debug)]
pub(crate) struct Findings {
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    figure: &'static str,
    many: &'static str,
    count: u64,
    worst: Option<(u128, Case)>,
}

/// One violation in words, and the invocation indices of the operations that the words name.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub text: String,
    pub operations: Vec<u64>,
}

impl Findings {
    /// The kinds of violation that a checker knows, worst first: the name of the figure that counts
    /// them, and what many of them are called.
    pub fn of(kinds: &[(&'static str, &'static str)]) -> Self {
        let kinds = kinds.iter().map(|&(figure, many)| Kind {
            figure,
            many,
            count: 0,
            worst: None,
        });
        Self {
            kinds: kinds.collect(),
        }
    }

    /// Notes a violation; of those of one kind the first is told.
    pub fn add(&mut self, figure: &'static str, case: impl FnOnce() -> Case) {
        self.add_weighed(figure, 0, case);
    }

    /// Notes a violation; of those of one kind the first of the greatest weight is told.
    pub fn add_weighed(&mut self, figure: &'static str, weight: u128, case: impl FnOnce() -> Case) {
        let kind = self
            .kinds
            .iter_mut()
            .find(|kind| kind.figure == figure)
            .expect("a checker declares the kinds that it finds");
        kind.count += 1;
        if kind.worst.as_ref().is_none_or(|(worst, _)| weight > *worst) {
            kind.worst = Some((weight, case()));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| kind.count == 0)
    }

    /// Invalid with the worst kind as the reason, or what `otherwise` says; in any case with all counts.
    pub fn verdict(self, otherwise: impl FnOnce() -> Verdict) -> Verdict {
        let violations: Vec<String> = self.kinds.iter().filter_map(Kind::sentence).collect();
        let worst = self.kinds.iter().find_map(|kind| kind.worst.as_ref());
        let mut verdict = match (violations.first(), worst) {
            (Some(reason), Some((_, case))) => Verdict::invalid(reason.clone())
                .with("operations", sorted(&case.operations))
                .with("violations", violations),
            _ => otherwise(),
        };
        for kind in &self.kinds {
            verdict = verdict.with(kind.figure, kind.count);
        }
        verdict
    }
}

impl Kind {
    fn sentence(&self) -> Option<String> {
        let (_, case) = self.worst.as_ref()?;
        Some(match self.count {
            1 => case.text.clone(),
            count => format!("{} ({count} {})", case.text, self.many),
        })
    }
}

impl Case {
    pub fn new<'a>(text: String, operations: impl IntoIterator<Item = &'a Operation<'a>>) -> Self {
        Self {
            text,
            operations: operations
                .into_iter()
                .map(|operation| operation.invocation.index)
                .collect(),
        }
    }
}

/// Runs a checker: what stops it early becomes `unknown`.
pub(crate) fn examine(
    history: &History,
    budget: Budget,
    judge: impl FnOnce(&[Operation<'_>], &mut Limits) -> Result<Verdict, Exhausted>,
) -> Verdict {
    let mut limits = Limits::start(budget);
    let verdict = match history.operations() {
        Ok(operations) => limits
            .hold(
                "keeping the operations apart",
                operations.len() * HELD_PER_OPERATION,
            )
            .and_then(|()| judge(&operations, &mut limits))
            .unwrap_or_else(|exhausted| Verdict::unknown(exhausted.to_string())),
        Err(error) => Verdict::unknown(format!("not a history: {error}")),
    };
    verdict.with("check_ms", limits.elapsed().as_millis() as u64)
}

/// Who asked for an operation, and when: `process 3 at 12.0 ms (index 7)`.
pub(crate) fn who(operation: &Operation<'_>) -> String {
    let event = operation.invocation;
    format!(
        "process {} at {:.1} ms (index {})",
        event.process,
        event.time as f64 / 1e6,
        event.index
    )
}

/// The values at some quantiles of `latencies_ms`, which get sorted, as a map by quantile.
pub(crate) fn quantiles(latencies_ms: &mut [f64]) -> Json {
    latencies_ms.sort_by(f64::total_cmp);
    let Some(last) = latencies_ms.len().checked_sub(1) else {
        return Json::Null;
    };
    let at = |share: f64| latencies_ms[((latencies_ms.len() as f64 * share) as usize).min(last)];
    serde_json::json!({
        "min": at(0.0), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": latencies_ms[last],
    })
}

fn sorted(indices: &[u64]) -> Vec<u64> {
    let mut indices = indices.to_vec();
    indices.sort_unstable();
    indices.dedup();
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validity;
    use serde_json::json;

    fn case(text: &str, operations: &[u64]) -> Case {
        Case {
            text: text.to_owned(),
            operations: operations.to_vec(),
        }
    }

    #[test]
    fn the_worst_kind_and_its_worst_case_are_the_reason() {
        let mut findings = Findings::of(&[("lost", "are lost"), ("late", "are late")]);
        assert!(findings.is_empty());
        findings.add("late", || case("1 is late", &[9]));
        findings.add_weighed("lost", 2, || case("2 is lost", &[5, 3, 5]));
        findings.add_weighed("lost", 1, || case("3 is lost", &[1]));
        let verdict = findings.verdict(Verdict::valid);
        assert_eq!(verdict.valid, Validity::Invalid);
        assert_eq!(verdict.reason, "2 is lost (2 are lost)");
        assert_eq!(verdict.details["operations"], json!([3, 5]));
        assert_eq!(
            verdict.details["violations"],
            json!(["2 is lost (2 are lost)", "1 is late"])
        );
        assert_eq!(verdict.details["lost"], json!(2));
        assert_eq!(verdict.details["late"], json!(1));
    }

    #[test]
    fn without_time_a_checker_says_so() {
        let budget = Budget {
            time: std::time::Duration::ZERO,
            ..Budget::default()
        };
        let verdict = examine(&History::default(), budget, |_, limits| {
            limits.spend(1)?;
            Ok(Verdict::valid())
        });
        assert_eq!(verdict.valid, Validity::Unknown);
        assert_eq!(verdict.reason, "time ran out after 0.0 s");
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut latencies: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(
            quantiles(&mut latencies),
            json!({"min": 0.0, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 99.0})
        );
        assert_eq!(quantiles(&mut []), Json::Null);
    }
}
