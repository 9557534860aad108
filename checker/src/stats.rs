//! Counts outcomes, and refuses to call a run good in which a kind of operation never succeeded.

use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Phase};
use serde::Serialize;
use std::collections::BTreeMap;

/// How the operations of one kind ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub ok: u64,
    pub fail: u64,
    /// Unknown, also those that were open when the history ended.
    pub info: u64,
}

/// Unknown if there was no operation, or if some kind of operation never succeeded; else valid.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats;

/// Counts by kind of operation.
pub fn counts<'a>(operations: &[Operation<'a>]) -> BTreeMap<&'static str, Counts> {
    let mut counts: BTreeMap<&'static str, Counts> = BTreeMap::new();
    for operation in operations {
        let counts = counts.entry(operation.op().name()).or_default();
        match operation.completion.map(|event| &event.phase) {
            Some(Phase::Ok(_)) => counts.ok += 1,
            Some(Phase::Fail(_)) => counts.fail += 1,
            _ => counts.info += 1,
        }
    }
    counts
}

impl Checker for Stats {
    fn name(&self) -> &'static str {
        "stats"
    }

    fn check(&self, history: &History, _budget: Budget) -> Verdict {
        let operations = match history.operations() {
            Ok(operations) => operations,
            Err(error) => return Verdict::unknown(format!("not a history: {error}")),
        };
        let counts = counts(&operations);
        let never: Vec<&str> = counts
            .iter()
            .filter(|(_, counts)| counts.ok == 0)
            .map(|(name, _)| *name)
            .collect();
        let verdict = if operations.is_empty() {
            Verdict::unknown("the history has no operations")
        } else if never.is_empty() {
            Verdict::valid()
        } else {
            Verdict::unknown(format!("no {} ever succeeded", never.join(", no ")))
        };
        verdict
            .with("operations", operations.len())
            .with("by_f", serde_json::to_value(&counts).unwrap_or_default())
    }
}
