//! When the nodes that were hit had caught up, and what the servers say of elections and restarts.
//! All from status samples, so the resolution is the sampling interval.

use super::faults::FaultLife;
use super::ms;
use super::rto::Recovery;
use crate::observe::Sample;
use crate::recorded::Recorded;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rejoin {
    /// This long after the heal began, the slowest of the nodes.
    After(u64),
    Not(String),
}

/// A node has rejoined when it has applied everything that anyone had seen committed at the moment it
/// came back: its first answer after the heal began.
pub(crate) fn rejoin(recorded: &Recorded, lives: &[FaultLife], fault: &FaultLife) -> Rejoin {
    let Some(heal) = fault.heal else {
        return Rejoin::Not("not healed".into());
    };
    let mut slowest = None;
    for node in &fault.targets {
        let until = next_on(lives, fault, node).unwrap_or(recorded.marks.end);
        match rejoined_at(recorded, node, heal, until) {
            Ok(at) => slowest = slowest.max(Some(at - heal)),
            Err(reason) => return Rejoin::Not(reason),
        }
    }
    slowest.map_or(Rejoin::Not("no node was hit".into()), Rejoin::After)
}

fn rejoined_at(recorded: &Recorded, node: &str, heal: u64, until: u64) -> Result<u64, String> {
    let own = |sample: &&Sample| {
        sample.node == node && sample.up && sample.time >= heal && sample.time < until
    };
    let back = recorded
        .samples
        .iter()
        .find(own)
        .ok_or_else(|| format!("{node} did not answer after the heal"))?
        .time;
    let goal = recorded
        .samples
        .iter()
        .filter(|sample| sample.up && sample.time <= back)
        .map(|sample| sample.commit)
        .max()
        .unwrap_or_default();
    let mut after = recorded.samples.iter().filter(own);
    after
        .find(|sample| sample.applied >= goal)
        .map(|sample| sample.time)
        .ok_or_else(|| {
            format!("{node} had not applied index {goal} before its next fault or the end")
        })
}

/// When the next fault hits this node, if one does.
pub(super) fn next_on(lives: &[FaultLife], fault: &FaultLife, node: &str) -> Option<u64> {
    let from = fault.effective.unwrap_or(fault.intend);
    lives
        .iter()
        .filter(|life| life.id != fault.id && life.targets.iter().any(|t| t == node))
        .filter_map(|life| life.effective)
        .filter(|time| *time > from)
        .min()
}

/// How long it took until somebody noticed, and from then until there was a new leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Election {
    /// After t0: the first sample with a candidate, a higher term, or a server without a leader.
    pub detected: Option<u64>,
    /// After t0: the first sample of a leader of a higher term or on another node.
    pub elected: Option<u64>,
}

pub(crate) fn election(recorded: &Recorded, fault: &FaultLife, t0: u64) -> Election {
    let up = || recorded.samples.iter().filter(|sample| sample.up);
    let term = up()
        .filter(|sample| sample.time <= t0)
        .map(|sample| sample.term)
        .max()
        .unwrap_or_default();
    let old = fault.leader.as_deref();
    let window = || up().filter(|s| s.time > t0 && s.time < fault.window_end);
    // A leader on another node without a higher term: only if it is known who led before.
    let replaced = |s: &Sample| s.term == term && old.is_some_and(|old| s.node != old);
    let elected = window()
        .find(|s| s.role == "leader" && (s.term > term || replaced(s)))
        .map(|sample| sample.time);
    // Only where servers say who leads at all.
    let told = up().any(|sample| sample.leader.is_some());
    let orphaned = |s: &Sample| told && s.leader.is_none();
    let detected = window()
        .filter(|sample| Some(sample.node.as_str()) != old || fault.hit_majority)
        .find(|s| s.term > term || s.role.ends_with("candidate") || orphaned(s))
        .map(|sample| sample.time);
    Election {
        // Both between two samples: then it was noticed no later than it was over.
        detected: detected.min(elected.or(detected)).map(|time| time - t0),
        elected: elected.map(|time| time - t0),
    }
}

/// The restarted servers' own account of their recovery.
pub(crate) fn recoveries(
    recorded: &Recorded,
    lives: &[FaultLife],
    fault: &FaultLife,
) -> BTreeMap<String, Recovery> {
    let Some(heal) = fault.heal else {
        return BTreeMap::new();
    };
    fault
        .targets
        .iter()
        .filter_map(|node| {
            let until = next_on(lives, fault, node).unwrap_or(u64::MAX);
            // Started since the heal: its uptime does not reach back beyond it.
            let restarted = |s: &&Sample| {
                s.node == *node
                    && s.up
                    && s.time >= heal
                    && s.time < until
                    && s.uptime_ms * 1_000_000 <= s.time - heal + recorded.method.sample_interval
            };
            let last = recorded.samples.iter().rfind(restarted)?;
            let recovery = Recovery {
                phases_ms: round(&last.recovery_ms),
                counts: last.recovery_counts.clone(),
            };
            (!recovery.phases_ms.is_empty()).then(|| (node.clone(), recovery))
        })
        .collect()
}

fn round(phases: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    phases
        .iter()
        .map(|(name, value)| (name.clone(), ms((value * 1e6).max(0.0) as u64)))
        .collect()
}
