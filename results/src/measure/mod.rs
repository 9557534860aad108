//! Measures: from what was recorded to numbers with their resolution. One measure a file.
//!
//! [`measure`] reads as the table of contents of `results.json`. Times are milliseconds with the unit
//! in the key; a number that could not be had is null with its reason beside it, never a guess.

mod availability;
mod checkpoints;
mod exercise;
mod faults;
mod gates;
mod growth;
mod latency;
mod milestones;
mod quantiles;
mod rejoin;
mod restoration;
mod returns;
mod rpo;
mod rto;
mod steady;

pub(crate) use availability::served;
pub use availability::{Availability, Lane, Outage, Outages};
pub use checkpoints::{CheckpointFigures, Checkpoints};
pub use faults::{FaultLife, FaultSummary, lives};
pub use gates::{Gate, overall, overall_reason};
pub use latency::Latency;
pub(crate) use latency::completions;
pub use milestones::{Milestone, Moment};
pub(crate) use quantiles::nearest_rank;
pub use quantiles::{Distribution, Quantiles};
pub use returns::{By, Return};
pub use rpo::Rpo;
pub use rto::{KindRto, Recovery, Rto, RtoReport};
pub use steady::Rate;

use crate::recorded::{Marks, Method, Recorded, Run};
use checker::{Phase, Validity, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `results.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub valid: Validity,
    /// One sentence: why it is not valid, or what was shown to hold.
    pub reason: String,
    pub seed: u64,
    pub system: String,
    pub workload: String,
    pub nemesis: Vec<String>,
    pub ops: Ops,
    pub checks: BTreeMap<String, Verdict>,
    pub latency: Latency,
    pub availability: Availability,
    pub rto: RtoReport,
    pub rpo: Rpo,
    pub faults: Vec<FaultSummary>,
    #[serde(default)]
    pub checkpoints: Checkpoints,
    pub gates: BTreeMap<String, Gate>,
    pub run: Run,
    /// Nanoseconds since the start.
    pub marks: Marks,
    /// Nanoseconds and ratios.
    pub method: Method,
}

/// How the operations of the clients ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ops {
    pub ok: u64,
    pub fail: u64,
    /// Unknown outcome, among them the operations that never completed.
    pub info: u64,
}

/// Measures a run and judges it as a whole.
pub fn measure(recorded: &Recorded) -> Results {
    let lives = faults::lives(recorded);
    let ops = ops(recorded);
    let faults = faults::summaries(recorded, &lives);
    let mut run = recorded.run.clone();
    run.not_exercised = exercise::not_exercised(recorded, &faults);
    let gates = gates::gates(recorded, &lives, &faults, &ops);
    Results {
        valid: overall(recorded.verdicts.values(), gates.values()),
        reason: overall_reason(&recorded.verdicts, &gates, &faults),
        seed: recorded.run.seed,
        system: recorded.run.system.clone(),
        workload: recorded.run.workload.clone(),
        nemesis: recorded.run.nemesis.clone(),
        ops,
        checks: recorded.verdicts.clone(),
        latency: latency::latency(recorded),
        availability: availability::availability(recorded),
        rto: rto::report(recorded, &faults),
        rpo: rpo::rpo(&recorded.ledgers),
        faults,
        checkpoints: checkpoints::checkpoints(recorded),
        gates,
        run,
        marks: recorded.marks,
        method: recorded.method,
    }
}

fn ops(recorded: &Recorded) -> Ops {
    let mut ops = Ops::default();
    let mut invoked = 0;
    for event in &recorded.history.events {
        match event.phase {
            Phase::Invoke => invoked += 1,
            Phase::Ok(_) => ops.ok += 1,
            Phase::Fail(_) => ops.fail += 1,
            Phase::Info(_) => ops.info += 1,
        }
    }
    // What was still open when the run ended has an unknown outcome too.
    ops.info += u64::saturating_sub(invoked, ops.ok + ops.fail + ops.info);
    ops
}

/// Nanoseconds to milliseconds, to the microsecond: more digits would only be noise.
pub(crate) fn ms(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1e3).round() / 1e3
}

/// The time from `from` to `to` in milliseconds.
pub(crate) fn ms_between(from: u64, to: u64) -> f64 {
    ms(to.saturating_sub(from))
}
