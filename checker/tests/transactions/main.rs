//! Transactions: scripts with their verdicts, executions made at random against all orders, and great
//! histories.

mod brute_force;
mod execution;
mod great;
mod notation;
mod random;
mod refuted;
mod scripts;

use checker::transactions::{Anomaly, Isolation, Kind, Name, Transactional, verify};
use checker::{Budget, Checker, History, Verdict};

/// The verdict by a model; every cycle in it is verified.
fn judge(history: &History, kind: Kind, model: Isolation) -> Verdict {
    let verdict = Transactional::new(kind, model).check(history, Budget::default());
    for anomaly in anomalies(&verdict) {
        if matches!(anomaly.name, Name::Cycle(..)) && anomaly.left_out == 0 {
            assert_eq!(verify(history, kind, &anomaly), Ok(()), "{anomaly:?}");
            assert!(
                anomaly.steps.iter().all(|step| !step.why.is_empty()),
                "{anomaly:?}"
            );
        }
    }
    verdict
}

fn anomalies(verdict: &Verdict) -> Vec<Anomaly> {
    let anomalies = verdict.details.get("anomalies").cloned();
    anomalies.map_or(Vec::new(), |found| serde_json::from_value(found).unwrap())
}
