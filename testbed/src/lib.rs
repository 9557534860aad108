//! Where systems run: nodes, the network between them, and the processes on them.
//!
//! An [`Environment`] gives [`Node`]s and, where it can, a [`Network`] whose every directed link can be
//! cut. Whatever an environment makes (namespaces, links, processes, proxies) ends with the process
//! that made it, however that process ends.
//!
//! | module | what it is |
//! |---|---|
//! | [`loopback`] | nodes on addresses 127.x.y.z, a proxy per directed pair; needs nothing |
//! | [`netns`] | nodes in network namespaces, a packet switch of our own; needs root or user namespaces |
//! | [`process`] | starting, signalling and reaping programs |
//! | [`doctor`] | what this machine can do, and the choice of an environment |

pub mod doctor;
mod ends;
mod files;
pub mod loopback;
pub mod netns;
pub mod process;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A machine's name: `n1`, `n2`, ...; [`NodeId::controller`] is where the clients are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(Arc<str>);

/// What went wrong, with the node or path it went wrong at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what}: {source}")]
    Io {
        what: String,
        source: std::io::Error,
    },
    /// The environment lacks what was asked for; the text says what and how to get it.
    #[error("{0}")]
    Unsupported(String),
    /// The process has ended (or its id belongs to another by now): there is nothing to signal.
    #[error("{}: process {} is gone", .0.node, .0.pid)]
    Gone(Process),
    #[error("{0}")]
    Failed(String),
}

/// Tells a program that `netns::enter` has started again which part it plays; never handed to nodes.
const STAGE_VARIABLE: &str = "TESTBED_STAGE";

pub type Result<T> = std::result::Result<T, Error>;

/// A program to run on a node.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Standard output and error are appended to this file.
    pub log: PathBuf,
}

/// A started program: its process id as seen by the controller, and the time the kernel started it, so
/// that a process id used again by another program is never mistaken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub node: NodeId,
    pub pid: i32,
    /// Field 22 of `/proc/<pid>/stat`, in clock ticks since boot.
    pub started: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Kill,
    Stop,
    Continue,
    Terminate,
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    Running,
    /// By SIGSTOP.
    Stopped,
    Gone,
}

/// Counts of one directed link since it was made: the proof that a network fault took effect.
/// Packets in `netns`; chunks of a byte stream in `loopback`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    pub passed: u64,
    /// Dropped (netns) or held back (loopback) because the link was cut.
    pub cut: u64,
    /// Dropped by the link's quality, or for want of room in a queue. Never in `loopback`.
    #[serde(default)]
    pub lost: u64,
}

/// How well a link that is not cut carries packets. The default is perfect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkQuality {
    /// The probability that a packet is lost, from 0 to 1.
    pub loss: f64,
    /// The probability that a packet arrives twice, from 0 to 1.
    pub duplicate: f64,
    /// How long every packet is under way.
    pub delay: Duration,
    /// The most that is added to the delay, evenly distributed: packets then overtake each other.
    pub jitter: Duration,
}

/// A machine of the environment.
#[async_trait]
pub trait Node: Send + Sync {
    fn id(&self) -> &NodeId;
    /// The address that programs on this node listen on.
    fn addr(&self) -> IpAddr;
    /// The node's own folder: binaries, data, logs.
    fn dir(&self) -> &Path;
    /// Where a program on this node reaches `port` of `peer`.
    fn route(&self, peer: &NodeId, port: u16) -> SocketAddr;
    /// Starts a program; it dies with the controller.
    async fn spawn(&self, program: &Program) -> Result<Process>;
    async fn signal(&self, process: &Process, signal: Signal) -> Result<()>;
    async fn state(&self, process: &Process) -> Result<ProcessState>;
    /// Waits until the process is in `state`; an error after `limit`.
    async fn await_state(
        &self,
        process: &Process,
        state: ProcessState,
        limit: Duration,
    ) -> Result<()>;

    // The node's files are reached through it, since they may be on another machine. Those of a node of this machine
    // are where their paths say.

    /// Makes a folder and those above it. Idempotent.
    async fn make_folder(&self, path: &Path) -> Result<()> {
        files::make_folder(path)
    }
    /// Removes a folder with all that is in it. Idempotent.
    async fn remove_folder(&self, path: &Path) -> Result<()> {
        files::remove_folder(path)
    }
    /// The end of a file, so many bytes at most.
    async fn tail(&self, path: &Path, most: u64) -> Result<Vec<u8>> {
        files::tail(path, most)
    }
    /// Bytes of a file, or of all files in a folder.
    async fn bytes(&self, path: &Path) -> Result<u64> {
        files::bytes(path)
    }
    /// Bytes of a process's memory that are resident; 0 if it has ended.
    async fn resident(&self, process: &Process) -> Result<u64> {
        Ok(files::resident(process))
    }
}

/// The links between nodes. Every directed link (`from`, `to`) is separate; the controller is an end
/// like any node.
#[async_trait]
pub trait Network: Send + Sync {
    /// Nothing passes from `from` to `to` any more. Idempotent.
    async fn cut(&self, from: &NodeId, to: &NodeId) -> Result<()>;
    async fn mend(&self, from: &NodeId, to: &NodeId) -> Result<()>;
    /// Sets how well the link carries packets; a cut stays a cut. Refused where links carry no packets.
    async fn shape(&self, from: &NodeId, to: &NodeId, _quality: LinkQuality) -> Result<()> {
        Err(Error::Unsupported(format!(
            "the link from {from} to {to} can be cut, but not slowed or made lossy: that needs the netns environment"
        )))
    }
    /// Mends every link and makes it perfect.
    async fn heal(&self) -> Result<()>;
    fn counters(&self, from: &NodeId, to: &NodeId) -> LinkCounters;
    /// Sends something from `from` to `to` and says whether it arrived within `limit`: the proof of a
    /// cut, and of its healing.
    async fn probe(&self, from: &NodeId, to: &NodeId, limit: Duration) -> Result<bool>;
}

/// Where a run takes place.
#[async_trait]
pub trait Environment: Send + Sync {
    /// `netns` or `loopback`.
    fn name(&self) -> &'static str;
    fn nodes(&self) -> &[Arc<dyn Node>];
    fn network(&self) -> Option<Arc<dyn Network>>;
    /// Where the controller's clients reach `port` of a node (through the link that can be cut).
    fn client_addr(&self, node: &NodeId, port: u16) -> SocketAddr;
    /// Ends every process and undoes everything. Idempotent.
    async fn teardown(&self) -> Result<()>;
}

/// Makes the environment of that name (see [`doctor::choose`]) with nodes `n1`, `n2`, ... and their folders
/// in `dir`. For `netns` the program must have called [`netns::enter`] first.
pub async fn open(name: &str, nodes: usize, dir: &Path) -> Result<Arc<dyn Environment>> {
    match name {
        "netns" => Ok(netns::Netns::new(nodes, dir).await?),
        "loopback" => Ok(loopback::Loopback::new(nodes, dir).await?),
        other => Err(Error::Unsupported(format!(
            "no environment {other}: there are netns, loopback"
        ))),
    }
}

/// Makes and returns `<dir>/<node>`, as an absolute path.
fn node_folder(dir: &Path, node: &NodeId) -> Result<PathBuf> {
    let folder = dir.join(node.as_str());
    std::fs::create_dir_all(&folder)
        .and_then(|()| folder.canonicalize())
        .map_err(Error::io(folder.display().to_string()))
}

impl Error {
    /// For `map_err`: an I/O error with what was being done, or the path it was done to.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn unknown(node: &NodeId) -> Self {
        Self::Failed(format!("no node {node} in this environment"))
    }
}

impl NodeId {
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    pub fn controller() -> Self {
        Self::new("controller")
    }

    /// The name of the `number`-th node, counted from 1.
    pub fn numbered(number: usize) -> Self {
        Self::new(format!("n{number}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
