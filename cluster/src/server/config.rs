//! Settings of a server, as the command line gives them.

use crate::checkpoint::chain::Mode;
use crate::checkpoint::{Keep, Policy};
use crate::log::Segments;
use crate::raft;
use crate::replica::{self, Ack, CaptureBy, Reads, Retention, Trigger};
use crate::types::ServerId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Real time of one tick of the replica.
pub const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub struct Config {
    pub id: ServerId,
    pub data: PathBuf,
    pub client_listen: SocketAddr,
    pub peer_listen: SocketAddr,
    /// Where the other servers are reached, by id; may contain this one.
    pub peers: BTreeMap<ServerId, String>,
    pub sync: SyncPolicy,
    pub checkpoint: Trigger,
    pub mode: Mode,
    pub capture: CaptureBy,
    pub keep: Keep,
    /// Bytes per second.
    pub checkpoint_rate: u64,
    pub retention: Retention,
    pub archive: bool,
    pub backlog_bytes: u64,
    pub heartbeat: Duration,
    pub election_timeout: Duration,
    pub reads: Reads,
    pub ack: Ack,
    pub disk: DiskKind,
    pub segment_bytes: u64,
    pub segment_age: Option<Duration>,
    pub transfer: TransferLimits,
    /// Threads that load checkpoints and decode the log.
    pub threads: usize,
    pub exit_with_stdin: bool,
    /// Belongs to no cluster yet, and waits to be added to one.
    pub join: bool,
}

/// How images travel to followers.
#[derive(Clone, Copy, Debug)]
pub struct TransferLimits {
    pub chunk_bytes: u64,
    pub window_bytes: u64,
    pub bytes_per_s: Option<u64>,
    pub delta: bool,
    /// Bytes of the log kept for an image under way.
    pub pinned_bytes: u64,
}

/// When the log is synced, and so what a power loss may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before anything is acknowledged; one sync for all that waits (group commit).
    Always,
    /// In the background, this often: a power loss of a majority may cost what was acknowledged since.
    Interval(Duration),
    /// Never by the server: a power loss of a majority may cost anything since the last checkpoint.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    Direct,
    /// Unsynced writes stay in memory, so that a kill loses what a power loss would.
    PowerLoss,
}

/// By how much one server's clock may run faster than another's, in percent, for `--reads lease` to be safe.
pub const CLOCK_DRIFT: u32 = 10;

impl Config {
    /// How long a leader's lease lasts: what a follower's patience is at least, less the drift. Ticks are coarse: the
    /// first one after a heartbeat may come at once, the next at once after a delay, and the leader's own clock is
    /// up to one behind.
    pub fn lease(&self) -> Duration {
        let patience = TICK * (self.election_timeout.as_millis() / TICK.as_millis()) as u32;
        (patience * (100 - CLOCK_DRIFT) / 100).saturating_sub(3 * TICK)
    }

    /// Where the others reach this server, as far as it knows.
    pub fn own_address(&self) -> Option<String> {
        let listens = Some(self.peer_listen).filter(|addr| !addr.ip().is_unspecified());
        let named = self.peers.get(&self.id).cloned();
        named.or_else(|| listens.map(|addr| addr.to_string()))
    }

    /// What the replica needs of it.
    pub fn replica(&self) -> replica::Config {
        let ticks = |span: Duration| (span.as_millis() / TICK.as_millis()).max(1) as u32;
        let seed = std::process::id().into();
        replica::Config {
            raft: raft::Config {
                id: self.id,
                members: if self.join {
                    BTreeSet::new()
                } else {
                    self.peers.keys().copied().chain([self.id]).collect()
                },
                election_ticks: ticks(self.election_timeout),
                heartbeat_ticks: ticks(self.heartbeat),
                lease_ms: (self.reads == Reads::Lease).then(|| self.lease().as_millis() as u64),
                seed,
                max_append_bytes: 1 << 20,
                max_inflight_messages: 256,
                max_inflight_bytes: 8 << 20,
                transfer: raft::TransferConfig {
                    chunk_bytes: self.transfer.chunk_bytes as usize,
                    window_bytes: self.transfer.window_bytes as usize,
                    bytes_per_tick: self
                        .transfer
                        .bytes_per_s
                        .map(|rate| (rate * TICK.as_millis() as u64 / 1_000).max(1)),
                    delta: self.transfer.delta,
                },
            },
            checkpoint: self.checkpoint,
            mode: self.mode,
            capture: self.capture,
            retention: self.retention,
            backlog_bytes: self.backlog_bytes,
            pinned_bytes: self.transfer.pinned_bytes,
            reads: self.reads,
            ack: self.ack,
        }
    }
}

impl Config {
    pub fn segments(&self) -> Segments {
        Segments {
            bytes: self.segment_bytes,
            millis: self.segment_age.map(|age| age.as_millis() as u64),
            archive: self.archive,
        }
    }

    pub fn checkpoint_policy(&self) -> Policy {
        Policy {
            mode: self.mode,
            keep: self.keep,
        }
    }
}

/// Parses `discard`, `trailing=N` or `keep-for-followers=SIZE`.
pub fn retention(text: &str) -> Result<Retention, String> {
    let expected = || format!("{text:?}: expected discard, trailing=N or keep-for-followers=SIZE");
    match text.split_once('=') {
        None if text == "discard" => Ok(Retention::Discard),
        Some(("trailing", entries)) => entries
            .parse()
            .map(Retention::Trailing)
            .map_err(|_| expected()),
        Some(("keep-for-followers", bytes)) => size(bytes).map(Retention::KeepForFollowers),
        _ => Err(expected()),
    }
}

/// Parses `1=host:port,2=host:port`.
pub fn peers(text: &str) -> Result<BTreeMap<ServerId, String>, String> {
    let mut peers = BTreeMap::new();
    for peer in text.split(',').filter(|peer| !peer.is_empty()) {
        let (id, addr) = peer
            .split_once('=')
            .ok_or_else(|| format!("{peer:?}: expected ID=HOST:PORT"))?;
        let id: u64 = id
            .parse()
            .ok()
            .filter(|&id| id > 0)
            .ok_or_else(|| format!("{id:?} is no server id"))?;
        if !is_address(addr) {
            return Err(format!("{addr:?}: expected HOST:PORT"));
        }
        if peers.insert(ServerId(id), addr.to_owned()).is_some() {
            return Err(format!("server {id} is named twice"));
        }
    }
    Ok(peers)
}

/// Whether a text has the form HOST:PORT.
pub fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Parses a duration with its unit: `50ms`, `2s`, `1m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let millis = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|_| factor > 0);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is no duration; write for example 50ms or 2s"))
}

/// Parses a size with its unit: `64MiB`, `4KiB`, `1000B`.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|_| factor > 0);
    bytes.ok_or_else(|| format!("{text:?} is no size; write for example 64MiB"))
}

impl FromStr for SyncPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "always" => Ok(SyncPolicy::Always),
            None if text == "never" => Ok(SyncPolicy::Never),
            Some(("interval", span)) => duration(span).map(SyncPolicy::Interval),
            _ => Err(format!(
                "{text:?}: expected always, interval=DURATION or never"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_durations_sizes_and_policies_are_read_and_nonsense_is_named() {
        assert_eq!(peers("1=a:1,2=b:2").unwrap().len(), 2);
        assert!(peers("1=a").unwrap_err().contains("HOST:PORT"));
        assert!(peers("1=a:1,1=b:1").unwrap_err().contains("twice"));
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert!(duration("50").is_err() && size("64").is_err());
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(
            "interval=50ms".parse(),
            Ok(SyncPolicy::Interval(Duration::from_millis(50)))
        );
        assert!("sometimes".parse::<SyncPolicy>().is_err());
    }
}
