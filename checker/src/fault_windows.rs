//! When something was broken on purpose, from the fault journal: what the judges of a whole run must hold
//! against nobody.

use crate::history::faults::{FaultRecord, Step};
use std::collections::BTreeMap;

/// One fault from the intention to the end of its healing, in nanoseconds since the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultWindow {
    pub kind: String,
    /// The nodes that were hit.
    pub targets: Vec<String>,
    pub from: u64,
    /// [`None`]: it was never healed.
    pub to: Option<u64>,
}

impl FaultWindow {
    /// The faults that were begun, in the order of their beginnings. One that failed counts until its last
    /// step: half of it may have taken effect. Records of what nobody intended are no faults.
    pub fn of(records: &[FaultRecord]) -> Vec<Self> {
        let mut lives: BTreeMap<u32, Vec<&FaultRecord>> = BTreeMap::new();
        for record in records {
            lives.entry(record.fault).or_default().push(record);
        }
        let mut windows: Vec<Self> = lives.values().filter_map(|life| Self::life(life)).collect();
        windows.sort_by_key(|window| window.from);
        windows
    }

    fn life(records: &[&FaultRecord]) -> Option<Self> {
        let begun = records.iter().find(|record| record.step == Step::Intend)?;
        let ended = records
            .iter()
            .rfind(|record| matches!(record.step, Step::Healed | Step::Failed));
        let mut targets: Vec<String> = records
            .iter()
            .flat_map(|record| record.targets.iter().cloned())
            .collect();
        targets.sort();
        targets.dedup();
        Some(Self {
            kind: begun.kind.clone(),
            targets,
            from: begun.time,
            to: ended.map(|record| record.time),
        })
    }

    pub fn covers(&self, time: u64) -> bool {
        self.from <= time && self.to.is_none_or(|to| time <= to)
    }

    pub fn hits(&self, node: &str) -> bool {
        self.targets.iter().any(|target| target == node)
    }
}

#[cfg(test)]
pub(crate) fn record(fault: u32, step: Step, time_ms: u64, kind: &str, node: &str) -> FaultRecord {
    FaultRecord {
        fault,
        step,
        time: time_ms * 1_000_000,
        kind: kind.into(),
        variant: String::new(),
        targets: vec![node.into()],
        leader: None,
        hit_leader: false,
        hit_majority: false,
        proof: Default::default(),
        error: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lasts_from_the_intention_to_the_last_step() {
        let records = [
            record(1, Step::Intend, 10, "kill", "n1"),
            record(1, Step::Effective, 11, "kill", "n1"),
            record(1, Step::Healed, 30, "kill", "n1"),
            record(2, Step::Intend, 40, "pause", "n2"),
            record(3, Step::Failed, 50, "unexpected-exit", "n3"),
        ];
        let windows = FaultWindow::of(&records);
        assert_eq!(windows.len(), 2);
        assert_eq!(
            (windows[0].from, windows[0].to),
            (10_000_000, Some(30_000_000))
        );
        assert!(windows[0].hits("n1") && !windows[0].hits("n2"));
        assert!(!windows[0].covers(31_000_000));
        assert!(windows[1].covers(u64::MAX), "it was never healed");
    }
}
