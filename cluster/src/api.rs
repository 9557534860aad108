//! The HTTP interface: what clients send and receive.
//!
//! `POST /v1/kv` takes a [`Request`] and answers 200 with an [`Answer`], or an [`ApiError`] with status 409
//! (`cas-mismatch`, `condition-failed`, `not-a-number`), 400 (`bad-request`), 413 (`too-large`), 503 (definite:
//! `no-leader`, `not-ready`, `overloaded`) or 504 (indefinite: `timeout`). `POST /v1/txn` takes a transaction and
//! `POST /v1/scan` a scan. `docs/strata-api.md` has all of it; [`limits`] what is too large.
//! `POST /admin/members` takes a [`MembersRequest`] and `POST /admin/transfer` a [`TransferRequest`], both of the
//! leader only; they answer 200 with the index of the last entry of the change when it is committed, or an
//! [`ApiError`] (`docs/membership.md` has the codes).
//! `GET /status` answers [`Status`], `GET /metrics` the Prometheus text format.

pub mod limits;
mod request;

pub use request::{
    Condition, KvOp, OpName, Request, RequestError, Scan, Session, Step, Transaction,
};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// For `get`: the value, or null where there is none. For `add`: the sum. Null for others.
    pub value: Option<String>,
    /// The log index at which the operation took effect, or the read was served.
    pub index: u64,
    /// For `txn`, by step: for `get` the value, for `add` the sum, null for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Option<String>>>,
    /// For `scan`: keys with their values, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Entry>>,
    /// For `scan`: the first key that the limit left out; scan from it to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Kebab-case.
    pub code: String,
    /// True: the operation did not take effect and never will. False: unknown.
    pub definite: bool,
    pub message: String,
    /// Name of the server that leads, as far as this one knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
}

/// An operator's change of the members. Repeating one that took effect is answered 200 at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersRequest {
    #[serde(flatten)]
    pub change: MemberChange,
    /// Give up waiting, not the change, after this time; 40,000 if absent, 60,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `addr` is where the other servers reach it; absent, they know by their own configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberChange {
    /// Shall vote: a learner first, promoted when it has caught up.
    Add {
        id: u64,
        #[serde(default)]
        addr: Option<String>,
    },
    /// Shall receive everything and decide nothing.
    Learner {
        id: u64,
        #[serde(default)]
        addr: Option<String>,
    },
    /// A learner that has caught up shall vote.
    Promote {
        id: u64,
    },
    Remove {
        id: u64,
    },
    /// `add` shall vote in place of `remove`.
    Replace {
        remove: u64,
        add: u64,
        #[serde(default)]
        addr: Option<String>,
    },
}

/// Hands the leadership over; to the server with the longest log if none is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `n1`, `n2`, ...
    pub name: String,
    /// `leader`, `follower`, `learner`, `pre-candidate`, `candidate`, or `outsider`: not a member yet, or not any
    /// more.
    pub role: String,
    pub term: u64,
    pub leader: Option<String>,
    pub commit: u64,
    pub applied: u64,
    pub first_index: u64,
    pub last_index: u64,
    pub checkpoint: CheckpointStatus,
    pub install: InstallStatus,
    pub recovery: RecoveryStatus,
    pub members: MembersStatus,
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    pub uptime_ms: u64,
    /// `open`, `load`, `replay`, `join` or `serving`.
    pub phase: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckpointStatus {
    /// Index of the newest durable checkpoint; 0: none.
    pub index: u64,
    pub bytes: u64,
    /// Checkpoints written since the server started.
    pub written: u64,
    pub last_duration_ms: f64,
    /// The files to restart from, oldest first: `full 1000`, `L1 1000..1600`, ...
    pub chain: Vec<String>,
    /// Bytes of all files of the chain.
    pub chain_bytes: u64,
    /// Bytes of checkpoints written since the server started, and of the pages that had changed between them.
    pub bytes_written: u64,
    pub bytes_changed: u64,
    /// Checkpoints that were put off because they would have cost more than they saved.
    pub deferred: u64,
    /// How long the last capture stopped the machine.
    pub last_pause_us: f64,
    pub longest_pause_us: f64,
}

/// Who belongs to the cluster, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MembersStatus {
    pub voters: Vec<String>,
    /// Those who voted before a change that is under way.
    pub outgoing: Vec<String>,
    pub learners: Vec<String>,
}

/// Images received by InstallSnapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstallStatus {
    /// Since the server started.
    pub installed: u64,
    /// Since the data folder was made.
    pub installed_total: u64,
    pub bytes_received: u64,
    /// Of `installed`: those that brought only what had changed.
    pub installed_delta: u64,
    /// Of the last image installed: bytes that travelled, and bytes that the whole state would have taken.
    pub last_bytes: u64,
    pub last_full_bytes: u64,
    /// Index that the last one was based on; 0: it was a full one.
    pub last_base: u64,
    pub sent: u64,
    pub bytes_sent: u64,
    /// Bytes that were sent a second time, after a break.
    pub bytes_resent: u64,
}

/// How the last start went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoveryStatus {
    /// Milliseconds of `open` (manifest and log), `load` (checkpoint), `replay` (committed log after it),
    /// `join` (until the commit index of a leader was reached).
    pub phases_ms: BTreeMap<String, f64>,
    pub checkpoint_index: u64,
    pub replayed_entries: u64,
    /// Bytes of checkpoint files that were read.
    pub loaded_bytes: u64,
    /// Bytes cut from the log's torn tail.
    pub torn_bytes: u64,
}
