//! The workloads of a run, by the names in its spec.

use crate::exit::{Failure, Result};
use checker::{Checker, History};
use workloads::Workload;

/// All named workloads as one.
pub fn by_names(names: &[String]) -> Result<Box<dyn Workload>> {
    workloads::by_name(&names.join("+"))
        .map_err(|error| Failure::usage(format!("workloads: {error}")))
}

/// What judges a history of these workloads.
pub fn checkers(names: &[String]) -> Result<Vec<Box<dyn Checker>>> {
    let mut checkers = by_names(names)?.checkers();
    checkers.push(Box::new(checker::stats::Stats));
    Ok(checkers)
}

/// The figures behind the RPO; none for a run without a ledger.
pub fn ledgers(names: &[String], history: &History) -> Vec<results::LedgerFigures> {
    if !names.iter().any(|name| name == "ledger") {
        return Vec::new();
    }
    let ledger = checker::ledger::Ledger::new().grouped(workloads::ledger::ledger_of);
    let figures = ledger.judge(history).figures;
    vec![results::LedgerFigures {
        name: "ledger".into(),
        acknowledged: figures.acknowledged,
        lost: figures.lost,
        lost_seconds: figures.lost_seconds,
        lost_span_seconds: figures.lost_span_seconds,
        unacknowledged: figures.unacknowledged,
        unacknowledged_survived: figures.unacknowledged_survived,
    }]
}
