//! The fault journal, `faults.jsonl`: one line per step of each fault.
//!
//! The line with step `intend` is on disk before anything is broken, so whoever finds the file after
//! a crash knows what may still have to be undone. A fault's life is
//! `intend -> effective -> heal -> healed`, or `intend -> failed`; `effective` carries the proof.

use serde::{Deserialize, Serialize};

/// The kind of the record of a server that ended by itself. It stands in the journal, but is no fault that
/// was asked for.
pub const UNEXPECTED_EXIT: &str = "unexpected-exit";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// About to inject.
    Intend,
    /// Took effect, verified. Its time is the fault's `t0`.
    Effective,
    /// About to heal.
    Heal,
    /// Healed, verified.
    Healed,
    /// Could not be injected, had no effect, or could not be healed: `error` says which.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Counts from 1 within a run; the same in all records of one fault.
    pub fault: u32,
    pub step: Step,
    /// Nanoseconds since the start of the run.
    pub time: u64,
    /// Kebab-case kind: `kill`, `pause`, `partition`, `lag`.
    pub kind: String,
    /// Variant within the kind, for example `majority-ring`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Names of the nodes that were hit.
    pub targets: Vec<String>,
    /// The node that led when the fault was injected, if one was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// Whether the fault took the leader away from its majority (killed, paused or cut off), or left no
    /// majority connected: the faults for which an RTO is due. Set on `effective`.
    #[serde(default)]
    pub hit_leader: bool,
    #[serde(default)]
    pub hit_majority: bool,
    /// What was observed that shows the step to be true, as `name: value` pairs.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub proof: serde_json::Map<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
