//! What the engine's own benchmarks share: a machine of a given size, and random keys of it.

use super::BenchError;
use crate::api::KvOp;
use crate::checkpoint::chain::Mode;
use crate::machine::{Command, Machine};
use crate::raft;
use crate::replica::{self, Ack, CaptureBy, Reads, Replica, Retention, Trigger};
use crate::store::Recovered;
use crate::types::{Index, Membership, ServerId, SnapshotMeta};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;

/// A machine with values of equal size under numbered keys, filled in random order, as clients would.
pub struct Engine {
    pub machine: Machine,
    pub keys: u64,
    pub value_bytes: usize,
    rng: Pcg64Mcg,
}

impl Engine {
    /// Keys and values together have about so many MiB.
    pub fn filled(mib: u64, value_bytes: usize) -> Self {
        let keys = (mib << 20) / (value_bytes as u64 + KEY_BYTES);
        let mut engine = Self {
            machine: Machine::new(),
            keys,
            value_bytes,
            rng: Pcg64Mcg::seed_from_u64(mib),
        };
        // A step that shares no factor with the number of keys visits each once.
        let step = (0x9e37_79b9_7f4a_7c15u64 % keys.max(2)) | 1;
        let step = (step..).find(|step| gcd(*step, keys) == 1).unwrap_or(1);
        let mut key = 0;
        for _ in 0..keys {
            key = (key + step) % keys;
            engine.put(key);
        }
        engine
    }

    pub fn random(&mut self) -> u64 {
        self.rng.next_u64() % self.keys
    }

    /// Writes a new value under this key, as the next entry of the log.
    pub fn put(&mut self, key: u64) {
        let index = self.machine.applied() + 1;
        let command = self.command(key);
        self.machine.apply(index, &command);
    }

    pub fn command(&mut self, key: u64) -> Command {
        let mut value = format!("{:016x}", self.rng.next_u64());
        value.extend(std::iter::repeat_n(
            'v',
            self.value_bytes.saturating_sub(16),
        ));
        value.truncate(self.value_bytes);
        Command {
            origin: None,
            session: None,
            op: KvOp::Put {
                key: format!("key{key:013}"),
                value,
            },
        }
    }

    pub fn meta(&self) -> SnapshotMeta {
        meta(self.machine.applied())
    }
}

const KEY_BYTES: u64 = 16;

pub fn meta(index: Index) -> SnapshotMeta {
    SnapshotMeta {
        index,
        term: 1,
        members: Membership::of([ServerId(1)]),
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A replica of one server, from what was recovered: it has applied what was committed.
pub fn replica(recovered: Recovered) -> Result<Replica, BenchError> {
    let config = replica::Config {
        raft: raft_config(ServerId(1), [ServerId(1)].into()),
        checkpoint: Trigger::default(),
        mode: Mode::Levels,
        capture: CaptureBy::Cow,
        retention: Retention::Discard,
        backlog_bytes: u64::MAX,
        pinned_bytes: u64::MAX,
        reads: Reads::Linearizable,
        ack: Ack::Quorum,
    };
    let chain = recovered.checkpoints.manifest().chain();
    Replica::new(
        config,
        recovered.restored,
        recovered.loaded.machine,
        chain,
        recovered.boot,
    )
    .map_err(|error| BenchError::Answer {
        what: "replica".into(),
        answer: error.to_string(),
    })
}

/// As the server's defaults are, in ticks of 10 ms.
pub fn raft_config(id: ServerId, members: BTreeSet<ServerId>) -> raft::Config {
    raft::Config {
        id,
        members,
        election_ticks: 30,
        heartbeat_ticks: 5,
        lease_ms: None,
        seed: 1,
        max_append_bytes: 1 << 20,
        max_inflight_messages: 256,
        max_inflight_bytes: 8 << 20,
        transfer: raft::TransferConfig {
            chunk_bytes: 256 << 10,
            window_bytes: 4 << 20,
            bytes_per_tick: None,
            delta: true,
        },
    }
}
