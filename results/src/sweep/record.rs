//! What a sweep records: its cells before anything runs, then one line per run.
//!
//! `sweep.yaml` (the resolved spec), `cells.json` and `calibration.json` are written once, `repeats.jsonl` grows by a line as each run
//! ends. All of a sweep's pages and figures come from these.

use checker::Validity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What happens to the cluster in the runs of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// No fault: what the setting costs.
    Control,
    KillLeader,
    KillFollower,
    /// All servers are killed and started again.
    KillAll,
    /// As before, and what was not synced is lost.
    PowerLoss,
    /// A follower is held away until the log no longer reaches back to it.
    Lag,
    /// The leader can't reach the others.
    Partition,
}

impl Scenario {
    pub const ALL: [Scenario; 7] = [
        Scenario::Control,
        Scenario::KillLeader,
        Scenario::KillFollower,
        Scenario::KillAll,
        Scenario::PowerLoss,
        Scenario::Lag,
        Scenario::Partition,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Scenario::Control => "control",
            Scenario::KillLeader => "kill-leader",
            Scenario::KillFollower => "kill-follower",
            Scenario::KillAll => "kill-all",
            Scenario::PowerLoss => "power-loss",
            Scenario::Lag => "lag",
            Scenario::Partition => "partition",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One point of the grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Counts from 1.
    pub number: u32,
    pub scenario: Scenario,
    /// What is varied, as written: settings of the system and fields of the spec.
    pub settings: BTreeMap<String, String>,
}

/// One run of a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repeat {
    pub cell: u32,
    pub seed: u64,
    /// The run's folder, relative to the sweep's.
    pub run: String,
    /// The command that runs this again.
    pub again: String,
    pub valid: Validity,
    pub reason: String,
    pub recoveries: Vec<Recovered>,
    pub cost: Cost,
    /// Acknowledged writes, and those of them that were gone.
    pub acknowledged: u64,
    pub lost: u64,
    pub lost_seconds: f64,
}

/// How the cluster came back from one fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recovered {
    /// Its number in the run.
    pub fault: u32,
    /// From the fault's effect to the first success of the service; absent if it did not come in time or the
    /// scenario takes no service away.
    pub service_ms: Option<f64>,
    /// From the beginning of the restart (or the end of the isolation) until the node, or all of them, had
    /// caught up; absent if that did not come in time.
    pub restart_ms: Option<f64>,
    /// What is absent above took longer than this.
    pub censored_ms: Option<f64>,
    /// Of the slowest of the nodes that were hit: detect, elect, manifest, load, deltas, replay, join, reconnect, ...
    pub phases_ms: BTreeMap<String, f64>,
    /// Since the last durable checkpoint of the slowest node, when the fault took effect.
    pub age_entries: Option<u64>,
    pub age_ms: Option<f64>,
    pub replayed_entries: Option<u64>,
    pub loaded_bytes: Option<u64>,
    /// Of an installed image: what travelled.
    pub received_bytes: Option<u64>,
}

/// What a run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Entries committed in a second of load, by all writers.
    pub entries_per_s: f64,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub checkpoints: u64,
    pub checkpoint_bytes: u64,
    pub write_amplification: Option<f64>,
    /// Of the largest server: data folder at the end, resident memory at the most.
    pub disk_bytes: Option<u64>,
    pub resident_bytes: Option<u64>,
}

/// What predictions are made of, measured in runs of their own, before the cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// Entries that a restart replays in a second.
    pub replay_per_s: Option<Measured>,
    /// Bytes of checkpoints that a restart loads in a second.
    pub load_per_s: Option<Measured>,
    /// Entries committed in a second under the sweep's load.
    pub write_per_s: Option<Measured>,
    /// A restart with nothing to load or replay.
    pub restart_ms: Option<Measured>,
    /// From the kill of a leader to the first success.
    pub failover_ms: Option<Measured>,
    /// Of a checkpoint: how long it takes to write, and what share of the throughput is lost meanwhile.
    pub checkpoint_ms: Option<Measured>,
    pub checkpoint_loss: Option<Measured>,
}

/// A mean with its spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub n: u64,
    pub mean: f64,
    pub least: f64,
    pub most: f64,
}

/// All that is known of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sweep {
    pub name: String,
    pub seed: u64,
    pub system: String,
    pub started: String,
    pub version: String,
    /// The command that goes on with it.
    pub resume: String,
    pub machine: Vec<(String, String)>,
    /// Repeats wanted for each cell.
    pub repeats_wanted: u32,
    pub cells: Vec<Cell>,
    pub calibration: Calibration,
    pub repeats: Vec<Repeat>,
}
