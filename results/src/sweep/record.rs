//! What a sweep records: its cells before anything runs, then one line per run.
//!
//! `sweep.json` (the grid and what is known before anything runs) and `calibration.json` are written once,
//! `repeats.jsonl` grows by a line as each run ends. All of a sweep's pages and figures come from these.

use crate::recorded::Program;
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

    /// Whether clients are to miss the service until others have taken over or the servers are back.
    pub fn takes_service(self) -> bool {
        match self {
            Scenario::Control | Scenario::KillFollower | Scenario::Lag => false,
            Scenario::KillLeader
            | Scenario::KillAll
            | Scenario::PowerLoss
            | Scenario::Partition => true,
        }
    }

    /// Whether servers end and start again, so that they recover from what they stored.
    pub fn restarts(self) -> bool {
        match self {
            Scenario::Control | Scenario::Lag | Scenario::Partition => false,
            Scenario::KillLeader
            | Scenario::KillFollower
            | Scenario::KillAll
            | Scenario::PowerLoss => true,
        }
    }

    /// Whether all servers are hit, so that nobody can take over and service waits for their restart.
    pub fn hits_all(self) -> bool {
        matches!(self, Scenario::KillAll | Scenario::PowerLoss)
    }

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

/// When a system checkpoints by itself, as its settings say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interval {
    /// Log entries.
    Entries(u64),
    /// Bytes of log.
    Bytes(u64),
    Seconds(f64),
    Never,
}

/// How much of what was acknowledged a power loss may take, as the settings promise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Nothing.
    Always,
    /// What was written in the last so many seconds.
    WithinSeconds(f64),
    /// All that is not in a durable checkpoint.
    Checkpointed,
}

/// One point of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Counts from 1.
    pub number: u32,
    pub scenario: Scenario,
    /// What is varied, as written: settings of the system and fields of the spec.
    pub settings: BTreeMap<String, String>,
    /// What they come to, if the system's adapter can tell.
    #[serde(default)]
    pub interval: Option<Interval>,
    #[serde(default)]
    pub durability: Option<Durability>,
    /// Recoveries, or runs of a control.
    #[serde(default)]
    pub wanted: u32,
}

/// One run of a cell: one fault or several of the cell's scenario, none for a control, just one for a power
/// loss, so that what it lost is its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repeat {
    pub cell: u32,
    /// Counts from 1 in its cell.
    pub number: u32,
    pub seed: u64,
    /// The run's folder, relative to the sweep's; empty if there was no run to keep.
    pub run: String,
    /// The command that runs this again.
    pub again: String,
    pub valid: Validity,
    pub reason: String,
    /// The faults that took effect.
    pub recoveries: Vec<Recovered>,
    pub cost: Cost,
    /// Acknowledged writes of the durability ledger, and those of them that were gone in the end.
    pub acknowledged: u64,
    pub lost: u64,
    /// From the last write that survived to the last that was acknowledged; 0 if none was lost.
    pub lost_seconds: f64,
    /// From the first write that was gone to the last: what was lost at least, since the ledger's writes are some time
    /// apart.
    pub lost_span_seconds: f64,
}

/// How the cluster came back from one fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recovered {
    /// Its number in the run.
    pub fault: u32,
    /// Until clients were served again, from the fault's effect; where all servers were hit, from the beginning of
    /// their restart. `None` if the scenario takes no service away, or it could not be seen.
    pub service: Option<Waited>,
    /// From the beginning of the restart (or the end of the isolation) until the node, or the slowest of them, had
    /// applied all that was committed when it came back.
    pub restart: Option<Waited>,
    /// Of the slowest of the nodes that were hit, by its own account: open, load (full and deltas are parts of it),
    /// replay, join. Besides, as far as seen from outside: detect and elect, of the service.
    pub phases_ms: BTreeMap<String, f64>,
    /// Since the last durable checkpoint of the slowest node, when the fault took effect.
    pub age_entries: Option<u64>,
    pub age_ms: Option<f64>,
    pub replayed_entries: Option<u64>,
    pub loaded_bytes: Option<u64>,
    /// Of an installed image: what travelled.
    pub received_bytes: Option<u64>,
}

/// A duration in milliseconds, as far as it could be seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waited {
    Ms(f64),
    /// Nobody missed anything: it was over within the resolution of the probes.
    ShorterThanMs(f64),
    /// It had not come when the observation ended (censored).
    LongerThanMs(f64),
}

/// What a run cost, over its time of load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Entries committed in a second of load, by all writers.
    pub entries_per_s: f64,
    /// And in all of it.
    pub entries: u64,
    /// Of the history clients' operations.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// By all servers.
    pub checkpoints: u64,
    pub checkpoint_bytes: u64,
    /// Bytes of checkpoints for a byte of the pages that had changed between them.
    pub write_amplification: Option<f64>,
    /// Longest time that taking a checkpoint stopped a server.
    pub longest_pause_ms: Option<f64>,
    /// How long a checkpoint took to write, on average.
    pub checkpoint_ms: Option<f64>,
    /// Of the checkpoint files that a restart would read, at the most.
    pub state_bytes: Option<u64>,
    /// Of the largest server: data folder at the end, resident memory at the most.
    pub disk_bytes: Option<u64>,
    pub resident_bytes: Option<u64>,
}

/// What predictions are made of, measured in runs of their own before the cells. What could not be measured is
/// absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// Entries that a restart reads and replays in a second (r).
    pub replay_per_s: Option<Measured>,
    /// The same where one server restarts and the others go on (r₁): the longer its log takes, the more of what they
    /// write meanwhile it has to catch up with.
    pub replay_of_one_per_s: Option<Measured>,
    /// Bytes of checkpoints that a restart loads in a second (B).
    pub load_per_s: Option<Measured>,
    /// Entries committed in a second under the sweep's load (w).
    pub write_per_s: Option<Measured>,
    /// A restart of one server without what loading and replay took: starting, joining.
    pub restart_ms: Option<Measured>,
    /// From the restart of all servers to the first success, without what loading and replay took.
    pub cold_start_ms: Option<Measured>,
    /// From the kill of a leader to the first success.
    pub failover_ms: Option<Measured>,
    /// Bytes in a second that an image brings to a follower.
    pub install_per_s: Option<Measured>,
    /// Bytes of the state, as a full checkpoint holds it.
    pub state_bytes: Option<Measured>,
    /// A checkpoint takes this long to write (C).
    pub checkpoint_ms: Option<Measured>,
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
    /// What the servers run; all of a sweep's runs have the same.
    pub program: Option<Program>,
    pub machine: Vec<(String, String)>,
    /// What is varied, in the order of the spec.
    pub varied: Vec<String>,
    /// Recoveries wanted in each cell with faults, and runs in each control.
    pub recoveries_wanted: u32,
    pub controls_wanted: u32,
    /// Resolution of [`Recovered::service`] (between two probes) and of [`Recovered::restart`] (between two samples).
    pub probe_ms: f64,
    pub sample_ms: f64,
    pub cells: Vec<Cell>,
    /// Points of the grid that make no sense, each with the reason, one sentence.
    pub left_out: Vec<String>,
    pub calibration: Calibration,
    pub repeats: Vec<Repeat>,
}

impl Cell {
    /// Whether its runs were made with the settings of a control: those that both name are the same, and what they come
    /// to is.
    pub fn belongs_to(&self, control: &Cell) -> bool {
        let same = |(name, value): (&String, &String)| {
            let other = control.settings.get(name);
            other.is_none_or(|other| other == value)
        };
        self.interval == control.interval
            && self.durability == control.durability
            && self.settings.iter().all(same)
    }
}

impl Sweep {
    /// The cell of this number.
    pub fn cell(&self, number: u32) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.number == number)
    }

    /// The runs of a cell, in their order.
    pub fn repeats_of(&self, cell: u32) -> impl Iterator<Item = &Repeat> {
        self.repeats
            .iter()
            .filter(move |repeat| repeat.cell == cell)
    }
}

impl Measured {
    /// `None` of nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            n: values.len() as u64,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}
