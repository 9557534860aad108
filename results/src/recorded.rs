//! Everything that a run recorded, put together for measuring and showing.

use crate::observe::{Probe, Sample};
use checker::history::faults::FaultRecord;
use checker::{History, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The input of [`crate::measure()`]. All times are nanoseconds since the start of the run.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    pub run: Run,
    pub history: History,
    pub faults: Vec<FaultRecord>,
    pub probes: Vec<Probe>,
    /// In the order of their time.
    pub samples: Vec<Sample>,
    pub marks: Marks,
    /// By name of the checker.
    pub verdicts: BTreeMap<String, Verdict>,
    pub ledgers: Vec<LedgerFigures>,
    pub method: Method,
}

/// The server program of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    pub path: String,
    pub bytes: u64,
    /// In hexadecimal digits, as `sha256sum` prints it.
    pub sha256: String,
}

impl Program {
    /// Whether it is the same program, wherever it lies.
    pub fn is_same(&self, other: &Program) -> bool {
        self.sha256 == other.sha256
    }

    /// The beginning of the hash: enough to tell builds apart.
    pub fn short(&self) -> &str {
        self.sha256.get(..12).unwrap_or(&self.sha256)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = crate::table::size(self.bytes);
        write!(f, "{}, {size}, sha256 {}", self.path, self.short())
    }
}

/// What was run: known before anything is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    pub name: String,
    pub seed: u64,
    pub system: String,
    /// Names of the workloads, joined by `+`.
    pub workload: String,
    /// Names of the faults that the schedule draws from.
    pub nemesis: Vec<String>,
    /// `netns`, `loopback`, ...
    pub environment: String,
    pub nodes: Vec<String>,
    /// Of shakedown.
    pub version: String,
    /// UTC, RFC 3339.
    pub started: String,
    /// The command line that repeats the run.
    pub repeat: String,
    /// What the servers ran, if the system has any.
    pub program: Option<Program>,
    /// The machine: name and value, in the order to show.
    pub machine: Vec<(String, String)>,
    /// What the run could have exercised and did not, one sentence each.
    pub not_exercised: Vec<String>,
    /// The largest folder of a node when the run ended: data and logs.
    pub data_bytes: Option<u64>,
    /// What went otherwise than planned, one sentence each.
    pub remarks: Vec<String>,
    /// Names of the checkers that were to judge the run.
    pub expected_checks: Vec<String>,
    /// How many faults the schedule was to inject; 0: a run without faults.
    pub faults_asked: u32,
    /// Fewer completed operations than this make the run's verdict unknown.
    pub operations_floor: u64,
}

/// The moments that divide a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Clients began.
    pub load_start: u64,
    /// Clients of the main phase stopped; the schedule of faults had ended.
    pub load_end: u64,
    /// All faults were healed.
    pub all_healed: u64,
    /// The quiet period was over, the final reads began.
    pub finale_start: u64,
    pub end: u64,
}

/// What a durability ledger found: the source of the RPO.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerFigures {
    pub name: String,
    /// Writes that clients were told had happened.
    pub acknowledged: u64,
    /// Of these, missing in the final reads.
    pub lost: u64,
    /// Time of the last acknowledged write minus time of the last surviving one; 0 if none was lost.
    pub lost_seconds: f64,
    /// Time of the last lost write minus time of the first; 0 if fewer than two were lost.
    pub lost_span_seconds: f64,
    /// Writes whose outcome the clients never learnt, and how many of them survived.
    pub unacknowledged: u64,
    pub unacknowledged_survived: u64,
}

/// How things are measured: intervals in nanoseconds, thresholds as ratios. Stored with the results,
/// because a number without its resolution says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Method {
    /// Between two probes of one lane (node and connection kind): the resolution of outages and RTO.
    pub probe_interval: u64,
    /// Between two status samples of one server: the resolution of detect, elect and rejoin.
    pub sample_interval: u64,
    /// An answer later than this after its intended time counts as an outage until it came.
    pub late: u64,
    /// Availability is judged in windows of this length...
    pub window: u64,
    /// ...and a window with a success ratio under this is part of an outage.
    pub threshold: f64,
    /// An outage belongs to a fault if it began at most this long after the fault took effect.
    pub attribution: u64,
    /// Steady: for this long...
    pub hold: u64,
    /// ...throughput at least this share of the baseline...
    pub steady_throughput: f64,
    /// ...and p99 at most this multiple of the baseline's.
    pub steady_p99: f64,
}

impl Marks {
    /// What the records themselves tell, for a run that ended before its marks were stored: all of it
    /// counts as load.
    pub fn of(history: &History, faults: &[FaultRecord]) -> Self {
        let times = || history.events.iter().map(|event| event.time);
        let load_end = times().max().unwrap_or_default();
        let end = faults
            .iter()
            .map(|record| record.time)
            .fold(load_end, u64::max);
        Self {
            load_start: times().min().unwrap_or_default(),
            load_end,
            all_healed: end,
            finale_start: end,
            end,
        }
    }
}

impl Default for Method {
    fn default() -> Self {
        Self {
            probe_interval: 20_000_000,
            sample_interval: 50_000_000,
            late: 250_000_000,
            window: 100_000_000,
            threshold: 0.5,
            attribution: 2_000_000_000,
            hold: 1_000_000_000,
            steady_throughput: 0.95,
            steady_p99: 1.5,
        }
    }
}
