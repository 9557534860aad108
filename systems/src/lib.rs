//! What is tested: a [`System`] is deployed on nodes and hands out [`Client`]s.
//!
//! A client is written per system, a workload per data type. A client never repeats a request, follows
//! a redirect or hides an error: it returns an [`Outcome`], in which only a *definite* error is a `Fail`.
//!
//! [`registry`] knows every system by name. [`strata`] runs real servers; [`null`] answers from memory
//! and shows what the harness itself costs.

mod meaning;
pub mod null;
pub mod registry;
pub mod strata;
mod suggest;

pub use meaning::{Durability, Interval, Meaning};
pub use null::Null;
pub use registry::{by_name, list};
pub use strata::Strata;

use async_trait::async_trait;
use checker::{Op, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use testbed::{Environment, NodeId, Process};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    /// A setting that the system does not know or accept; the text names it and the allowed values.
    #[error("{0}")]
    Setting(String),
    #[error("{0}")]
    Failed(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// What a server says of itself, as far as the system can tell. Times are the server's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerStatus {
    /// `leader`, `follower`, `candidate`, `learner`, or `outsider`: no member of the cluster.
    pub role: String,
    pub term: u64,
    pub leader: Option<String>,
    pub commit: u64,
    pub applied: u64,
    /// First log index that is still kept.
    pub first_index: u64,
    pub last_index: u64,
    /// Index of the newest durable checkpoint.
    pub checkpoint_index: u64,
    /// Whole images received from a leader since the server started, and since its data folder was made.
    pub snapshots_installed: u64,
    pub snapshots_installed_total: u64,
    /// Of [`ServerStatus::snapshots_installed`]: those that brought only what had changed.
    pub snapshots_installed_delta: u64,
    /// Bytes of images received since the server started.
    pub snapshot_bytes_received: u64,
    /// Of the last image installed: bytes that travelled, bytes that the whole state would have taken, and
    /// the index of what it was added to; 0: it was a whole one.
    pub snapshot_last_bytes: u64,
    pub snapshot_last_full_bytes: u64,
    pub snapshot_last_base: u64,
    /// Bytes of images sent since the server started, and of these, those sent again after a break.
    pub snapshot_bytes_sent: u64,
    pub snapshot_bytes_resent: u64,
    /// Files that a restart would read: a full checkpoint and what was added to it; and their bytes.
    pub checkpoint_chain: u64,
    pub checkpoint_chain_bytes: u64,
    /// How long the last checkpoint took to write; 0: none was written yet.
    pub checkpoint_last_ms: f64,
    /// Since the server started: checkpoints written, their bytes, and the bytes that had changed between them.
    pub checkpoints_written: u64,
    pub checkpoint_bytes_written: u64,
    pub checkpoint_bytes_changed: u64,
    /// Longest time that taking a checkpoint stopped the server since it started, in microseconds.
    pub checkpoint_longest_pause_us: f64,
    /// The nodes whose servers vote, and those that only listen, as far as this server knows.
    pub voters: Vec<String>,
    pub learners: Vec<String>,
    /// Milliseconds that each phase of the last restart took: `load`, `replay`, `join`, ...
    pub recovery_ms: BTreeMap<String, f64>,
    /// What the last restart was made of: `checkpoint_index`, `replayed_entries`, ...
    pub recovery_counts: BTreeMap<String, u64>,
    pub uptime_ms: u64,
}

/// Documentation of a setting that `--set key=value` accepts.
#[derive(Clone, Debug, Serialize)]
pub struct SettingDoc {
    pub key: &'static str,
    pub default: &'static str,
    pub allowed: &'static str,
    pub help: &'static str,
}

/// A system under test, deployed on the nodes of one environment. Methods with a node act on its server.
#[async_trait]
pub trait System: Send + Sync {
    fn name(&self) -> &'static str;
    fn supports(&self, op: &Op) -> bool;
    fn settings(&self) -> Vec<SettingDoc>;
    /// What the chosen settings come to, in terms that all systems share.
    fn meaning(&self) -> Meaning {
        Meaning::default()
    }
    /// Whether it runs a process per node. Where it does not, there is nothing to start or to break, and
    /// [`System::start`] is an error.
    fn runs_processes(&self) -> bool {
        true
    }
    /// Whether its servers discard their log and say from where on they keep it, so that a follower can be
    /// left behind on purpose.
    fn compacts_log(&self) -> bool {
        false
    }
    /// Whether it has an interface that hands leadership over and adds and removes servers while it runs.
    fn has_admin(&self) -> bool {
        false
    }
    /// Prepares every node: folders, configuration, binaries. Starts nothing.
    async fn setup(&self, env: Arc<dyn Environment>) -> Result<()>;
    /// Starts the server of a node and returns when its process runs (not when it is ready).
    async fn start(&self, node: &NodeId) -> Result<Process>;
    /// Ends the server of a node in an orderly way; an error after a bound.
    async fn stop(&self, node: &NodeId) -> Result<()>;
    /// The server process of a node, if it was started.
    fn process(&self, node: &NodeId) -> Option<Process>;
    /// Tells the system that its server's process was killed from outside.
    fn forget(&self, node: &NodeId);
    /// Removes the data of a stopped server, and nothing else of its node. Its next start waits to be
    /// given the state by others.
    async fn wipe(&self, node: &NodeId) -> Result<()>;
    /// Whether a kill of the server loses what it had written but not synced, as a power loss would.
    fn kill_loses_unsynced(&self) -> bool;
    /// Waits until the whole cluster serves; an error naming the node after `limit`.
    async fn ready(&self, limit: Duration) -> Result<()>;
    /// A client that talks to this node's server. Does not connect yet.
    async fn connect(&self, node: &NodeId) -> Result<Box<dyn Client>>;
    /// The status of one server over the client network; an error when it does not answer within `limit`.
    async fn status(&self, node: &NodeId, limit: Duration) -> Result<ServerStatus>;
    /// Asks the leader to hand over to the server of this node, or to any. Returns when the leader has agreed;
    /// who leads then is to be looked at.
    async fn transfer_leadership(&self, _to: Option<&NodeId>, _limit: Duration) -> Result<()> {
        Err(unsupported(self.name(), "hand leadership over"))
    }
    /// Takes the server of a node out of the cluster. Returns when that is committed; the server may go on.
    async fn remove_member(&self, _node: &NodeId, _limit: Duration) -> Result<()> {
        Err(unsupported(self.name(), "remove servers"))
    }
    /// Takes the server of a node into the cluster. Returns when that is committed.
    async fn add_member(&self, _node: &NodeId, _limit: Duration) -> Result<()> {
        Err(unsupported(self.name(), "add servers"))
    }
    /// Files worth keeping after a run, per node.
    fn log_files(&self, node: &NodeId) -> Vec<PathBuf>;
}

fn unsupported(system: &str, what: &str) -> Error {
    Error::Failed(format!("not supported: {system} can't be told to {what}"))
}

/// One logical client's connection to one server.
#[async_trait]
pub trait Client: Send {
    /// Performs the operation. Returns by `deadline` at the latest (a timeout is an `Info`, or a `Fail`
    /// when the operation can't have reached the server).
    async fn invoke(&mut self, op: &Op, deadline: Duration) -> Outcome;
    /// Drops the connection, so that the next operation opens a new one.
    fn disconnect(&mut self);
}
