//! What is observed beside the history: probes of availability (`probes.jsonl`) and what the servers
//! say of themselves (`status.jsonl`). One JSON object a line, times in nanoseconds since the start.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which kind of connection a probe used. A cut stalls an established connection for longer than the
/// cut itself (TCP's retransmission back-off), so the two are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// Kept open from probe to probe.
    Kept,
    /// Opened for this probe.
    New,
}

/// One request of an open-loop probe client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// When the schedule meant it to be sent: latency counts from here, so a stall is not omitted.
    pub intended: u64,
    pub sent: u64,
    pub done: u64,
    /// The node whose server was asked.
    pub node: String,
    pub connection: Connection,
    /// Whether it was a write (of a key of the prober's own) or a read.
    pub write: bool,
    pub ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One server's answer when asked for its status, or that it did not answer. What an earlier version did not
/// record yet is 0 or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub time: u64,
    pub node: String,
    /// False: no answer within the limit; the rest is then empty.
    pub up: bool,
    #[serde(default)]
    pub role: String,
    #[serde(default)]
    pub term: u64,
    #[serde(default)]
    pub leader: Option<String>,
    #[serde(default)]
    pub commit: u64,
    #[serde(default)]
    pub applied: u64,
    #[serde(default)]
    pub first_index: u64,
    #[serde(default)]
    pub checkpoint_index: u64,
    #[serde(default)]
    pub snapshots_installed: u64,
    #[serde(default)]
    pub snapshots_installed_total: u64,
    /// Of `snapshots_installed`: those that brought only what had changed.
    #[serde(default)]
    pub snapshots_installed_delta: u64,
    #[serde(default)]
    pub snapshot_bytes_received: u64,
    /// Of the last image installed: bytes that travelled, bytes of the whole state, and the index that it was
    /// based on; 0: a full image.
    #[serde(default)]
    pub snapshot_last_bytes: u64,
    #[serde(default)]
    pub snapshot_last_full_bytes: u64,
    #[serde(default)]
    pub snapshot_last_base: u64,
    #[serde(default)]
    pub snapshot_bytes_sent: u64,
    #[serde(default)]
    pub snapshot_bytes_resent: u64,
    /// Files that a restart would read.
    #[serde(default)]
    pub checkpoint_chain: u64,
    #[serde(default)]
    pub checkpoint_chain_bytes: u64,
    /// How long the last checkpoint took to write; 0: none yet.
    #[serde(default)]
    pub checkpoint_last_ms: f64,
    #[serde(default)]
    pub checkpoints_written: u64,
    #[serde(default)]
    pub checkpoint_bytes_written: u64,
    #[serde(default)]
    pub checkpoint_bytes_changed: u64,
    #[serde(default)]
    pub checkpoint_longest_pause_us: f64,
    /// Nodes whose servers vote, and those that only listen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voters: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learners: Vec<String>,
    #[serde(default)]
    pub recovery_ms: BTreeMap<String, f64>,
    #[serde(default)]
    pub recovery_counts: BTreeMap<String, u64>,
    #[serde(default)]
    pub uptime_ms: u64,
    /// Memory of the server's process that is resident, as the kernel says; 0: not known.
    #[serde(default)]
    pub resident_bytes: u64,
}
