//! One simulated machine: a disk, and a replica while it runs.

use super::{Coverage, Options, Weakness};
use crate::api::{Answer, ApiError};
use crate::checkpoint::chain::Mode;
use crate::checkpoint::{self, Checkpoints};
use crate::checkpoint::{Keep, Policy};
use crate::disk::{CrashRng, SimDisk};
use crate::log::{DeltaLog, Segments};
use crate::raft::{self, Message};
use crate::replica::{
    CaptureBy, Config, Effect, Input, Reads, Replica, Retention, Ticket, Trigger,
};
use crate::store::{self, StoreError};
use crate::transfer::Captures;
use crate::types::ServerId;
use rand::SeedableRng;
use std::collections::BTreeSet;
use std::sync::Arc;

const SEGMENT_BYTES: u64 = 2_048;
const CHUNK_BYTES: usize = 512;

pub struct Host {
    config: Config,
    disk: SimDisk,
    pub replica: Option<Replica>,
    log: Option<DeltaLog>,
    checkpoints: Option<Checkpoints>,
    captures: Captures,
    /// Counts starts; what belongs to an earlier one is void.
    pub life: u64,
    sync: bool,
}

/// What a step led to.
#[derive(Default)]
pub struct Outcome {
    pub send: Vec<(ServerId, Message)>,
    /// Inputs that come back from storage after so many milliseconds.
    pub later: Vec<(u64, Input)>,
    pub answers: Vec<(Ticket, Result<Answer, ApiError>)>,
    pub coverage: Coverage,
}

/// Why a host stopped.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Impossible(#[from] raft::Impossible),
}

impl Host {
    pub fn new(id: ServerId, members: BTreeSet<ServerId>, seed: u64, options: &Options) -> Self {
        let config = Config {
            raft: raft::Config {
                id,
                members,
                election_ticks: 20,
                heartbeat_ticks: 5,
                lease_ms: None,
                seed,
                max_append_bytes: 512,
                max_inflight_messages: 8,
                max_inflight_bytes: 4_096,
                transfer: raft::TransferConfig {
                    chunk_bytes: CHUNK_BYTES,
                    window_bytes: 4 * CHUNK_BYTES,
                    bytes_per_tick: None,
                    delta: true,
                },
            },
            checkpoint: Trigger {
                entries: Some(options.checkpoint_entries),
                ..Trigger::default()
            },
            mode: Mode::Levels,
            capture: CaptureBy::Cow,
            retention: Retention::Trailing(options.trailing),
            backlog_bytes: 1 << 30,
            pinned_bytes: 1 << 20,
            reads: Reads::Linearizable,
            ack: options.weakness.ack(),
        };
        let sync = options.weakness != Weakness::SyncNever;
        Self {
            config,
            disk: SimDisk::new(),
            replica: None,
            log: None,
            checkpoints: None,
            captures: Captures::default(),
            life: 0,
            sync,
        }
    }

    /// Starts the replica from what is on disk; returns the bytes of a torn tail.
    pub fn start(&mut self) -> Result<u64, HostError> {
        self.life += 1;
        let recovered = store::open(
            Arc::new(self.disk.clone()),
            Segments::of(SEGMENT_BYTES),
            0,
            Policy {
                mode: self.config.mode,
                keep: Keep::default(),
            },
            1,
        )?
        .load()?;
        self.log = Some(recovered.log);
        let chain = recovered.checkpoints.manifest().chain();
        self.checkpoints = Some(recovered.checkpoints);
        self.captures = Captures::default();
        let mut config = self.config.clone();
        config.raft.seed ^= self.life << 32;
        let mut replica = Replica::new(
            config,
            recovered.restored,
            recovered.loaded.machine,
            chain,
            recovered.boot,
        )?;
        replica.record_applied();
        self.replica = Some(replica);
        Ok(recovered.torn_bytes)
    }

    /// The machine loses its power: the replica is gone, and what was not synced may be. False if it was off.
    pub fn crash(&mut self, seed: u64) -> bool {
        let ran = self.replica.take().is_some();
        (self.log, self.checkpoints) = (None, None);
        if ran {
            self.disk.crash(&mut CrashRng::seed_from_u64(seed));
        }
        ran
    }

    /// Steps the replica and does what it asks of storage. Storage answers later, and a crash may come before.
    pub fn step(&mut self, input: Input) -> Result<Outcome, HostError> {
        if self.sync
            && matches!(input, Input::Stored { .. })
            && let Some(log) = &mut self.log
        {
            // The sync ends now: a crash before this moment loses what was appended, or a part of it.
            log.sync().map_err(StoreError::from)?;
        }
        let replica = self
            .replica
            .as_mut()
            .expect("only a running host is stepped");
        let mut effects = replica.step(input)?;
        effects.extend(replica.checkpoint_if_due());
        let mut outcome = Outcome::default();
        for effect in effects {
            self.carry_out(effect, &mut outcome)?;
        }
        Ok(outcome)
    }

    fn carry_out(&mut self, effect: Effect, outcome: &mut Outcome) -> Result<(), HostError> {
        let log = self.log.as_mut().expect("a running host has a log");
        let checkpoints = self
            .checkpoints
            .as_mut()
            .expect("a running host has checkpoints");
        match effect {
            Effect::Send { to, message } => outcome.send.push((to, message)),
            // Every simulated server reaches every other.
            Effect::Peers { .. } => {}
            Effect::Answer { ticket, result } => outcome.answers.push((ticket, result)),
            Effect::Store(batch) => {
                log.append(batch.mark, &batch.entries, batch.hard_state, 0)
                    .map_err(StoreError::from)?;
                outcome.later.push((
                    2,
                    Input::Stored {
                        sequence: batch.sequence,
                    },
                ));
            }
            Effect::WriteCheckpoint {
                meta,
                captured,
                plan,
                ..
            } => {
                let file = checkpoints
                    .write(&meta, &captured, plan, 0)
                    .map_err(StoreError::from)?;
                outcome.coverage.checkpoints += 1;
                let chain = checkpoints.manifest().chain();
                outcome.later.push((
                    30,
                    Input::CheckpointWritten {
                        meta,
                        file,
                        chain,
                        oldest: checkpoints.manifest().oldest(),
                        millis: 30.0,
                    },
                ));
            }
            Effect::HoldCapture { transfer, capture } => self.captures.hold(transfer, *capture),
            Effect::KeepCaptures(transfers) => self.captures.keep(&transfers),
            Effect::TruncateLog { first, oldest } => {
                let before = log.count();
                log.remove_before(first, oldest).map_err(StoreError::from)?;
                outcome.coverage.truncations += u64::from(log.count() < before);
            }
            Effect::ReadChunk(request) => {
                let piece = self.captures.read(&request);
                outcome.later.push((1, Input::ChunkRead { request, piece }));
            }
            Effect::Stage(piece) => {
                let (target, base) = (piece.meta.index, piece.base);
                let reached = checkpoints
                    .stage(checkpoint::Piece {
                        base,
                        target,
                        reached: piece.reached,
                        data: piece.data,
                    })
                    .map_err(StoreError::from)?;
                outcome.later.push((
                    1,
                    Input::Staged {
                        target,
                        base,
                        reached,
                    },
                ));
            }
            Effect::Install { meta, root, live } => {
                let machine = checkpoints
                    .install(&meta, root, *live, 0)
                    .map_err(StoreError::from)?;
                outcome.coverage.installs += 1;
                let chain = checkpoints.manifest().chain();
                outcome.later.push((
                    5,
                    Input::Installed {
                        meta,
                        machine: Box::new(machine),
                        chain,
                    },
                ));
            }
        }
        Ok(())
    }
}
