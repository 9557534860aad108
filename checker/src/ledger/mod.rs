//! Durability: what was acknowledged must still be there. The source of RPO.
//!
//! Clients append numbers to lists, each number to its list once, and read the lists when everything
//! has recovered. The judgement compares the last such read of each list with what the clients were
//! told:
//!
//! - an acknowledged append must be in it, once: else work was *lost*, or done twice;
//! - an append that was acknowledged before another was invoked must precede it;
//! - an append of unknown outcome may be in it or not, and anywhere after what preceded it: it may take
//!   effect late;
//! - an append that was declared failed must not be in it, nor a number that nobody appended.
//!
//! As lists only grow, every read during the run must be a beginning of the final list, must hold what
//! was acknowledged before it was asked for, and must be no shorter than a read that ended before it
//! began.
//!
//! A *final* read is one that was invoked after every append of the history. `lists` collects what
//! happened to each list, `judge` compares, this file says it.

mod judge;
mod lists;

use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key};
use serde::Serialize;

/// How many offending operations a verdict names.
const NAMED: usize = 5;

/// Judges the `append` and `list` operations of a history.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    group: fn(&Key) -> Key,
}

/// What was kept and what was lost, in numbers. Counts are appends unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LedgerFigures {
    pub ledgers: u64,
    pub lists: u64,
    /// Lists without a successful final read: nothing is said of them.
    pub unread_lists: u64,
    pub acknowledged: u64,
    /// Acknowledged but gone.
    pub lost: u64,
    /// The longest stretch of acknowledged work that is gone from one ledger: from the last
    /// acknowledgement before it that survived (or the ledger's beginning) to its last
    /// acknowledgement.
    pub lost_seconds: f64,
    /// From the first acknowledgement of what is gone to the last, over all ledgers: of one loss, the least that it
    /// can have been, however far apart acknowledgements come.
    pub lost_span_seconds: f64,
    /// Of unknown outcome, and those of them that turned out to have happened.
    pub unacknowledged: u64,
    pub unacknowledged_survived: u64,
    /// Declared failed, yet there.
    pub failed_survived: u64,
    /// There more than once.
    pub duplicated: u64,
    /// There, but after what was appended later.
    pub out_of_order: u64,
    /// Numbers that nobody appended to this list, or not yet.
    pub phantom: u64,
    /// Reads that lacked what had been acknowledged, or read, before.
    pub stale_reads: u64,
    /// Reads that are no beginning of what the list finally held.
    pub contradicted_reads: u64,
}

/// Figures with what is wrong, worst first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    pub figures: LedgerFigures,
    /// One sentence for each kind of violation, with its first cases.
    pub violations: Vec<String>,
    /// The first lost appends, in the order of their acknowledgement.
    pub lost: Vec<LostAppend>,
    /// Why nothing can be said of some of it.
    pub unknown: Option<String>,
}

/// An acknowledged append that is gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostAppend {
    pub process: u64,
    pub key: Key,
    pub value: i64,
    pub acknowledged_ms: f64,
    /// Index of the acknowledging event.
    pub index: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// Takes each list for a ledger of its own.
    pub fn new() -> Self {
        Self { group: Key::clone }
    }

    /// Takes the lists for which `group` gives the same key for one ledger, so that lost time is
    /// measured across them.
    pub fn grouped(self, group: fn(&Key) -> Key) -> Self {
        Self { group }
    }

    /// The judgement with typed figures; [`check`](Checker::check) makes a verdict of it.
    pub fn judge(&self, history: &History) -> Judgement {
        match lists::collect(history) {
            Ok(lists) => judge::judge(&lists, self.group),
            Err(reason) => Judgement {
                unknown: Some(reason),
                ..Judgement::default()
            },
        }
    }
}

impl Checker for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    /// Linear in the length of the history, apart from sorting: the budget is not used.
    fn check(&self, history: &History, _budget: Budget) -> Verdict {
        let judgement = self.judge(history);
        let mut verdict = match (judgement.violations.first(), judgement.unknown) {
            (Some(worst), _) => Verdict::invalid(worst.clone()),
            (None, Some(reason)) => Verdict::unknown(reason),
            (None, None) => Verdict::valid(),
        };
        if let Ok(serde_json::Value::Object(figures)) = serde_json::to_value(&judgement.figures) {
            verdict.details.extend(figures);
        }
        if !judgement.lost.is_empty() {
            let lost = serde_json::to_value(&judgement.lost).unwrap_or_default();
            verdict = verdict.with("first_lost", lost);
        }
        if !judgement.violations.is_empty() {
            verdict = verdict.with("violations", judgement.violations);
        }
        verdict
    }
}
