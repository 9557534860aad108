//! One simulated machine: a disk, a clock that does not run exactly, and a replica while it runs.

use super::coverage::Coverage;
use super::options::Options;
use crate::api::{Answer, ApiError};
use crate::bugs::{Bug, planted};
use crate::checkpoint::chain::{FULL, Mode, Plan};
use crate::checkpoint::{self, Captured, CheckpointError, Checkpoints, Keep, Policy};
use crate::disk::{CrashRng, SimDisk};
use crate::log::{DeltaLog, LogError, Segments};
use crate::machine::Capture;
use crate::raft::{self, Message, Piece};
use crate::replica::{Ack, Config, Effect, Input, Reads, Replica, Ticket, Trigger};
use crate::store::{self, StoreError};
use crate::transfer::Captures;
use crate::types::{Root, ServerId, SnapshotMeta};
use rand::SeedableRng;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Milliseconds between two ticks of a replica, by its own clock.
pub const TICK_MS: u64 = 10;
const ELECTION_TICKS: u32 = 20;
/// A lease lasts an election timeout less what two clocks may differ by in that time, and then some.
const LEASE_MS: u64 = ELECTION_TICKS as u64 * TICK_MS * 3 / 4;

pub struct Host {
    config: Config,
    segments: Segments,
    disk: SimDisk,
    pub replica: Option<Replica>,
    log: Option<DeltaLog>,
    checkpoints: Option<Checkpoints>,
    captures: Captures,
    /// What the thread for images has yet to do, the first of it under way.
    images: VecDeque<Work>,
    /// A checkpoint was committed, and the log was not cut yet.
    committed: bool,
    /// Counts starts; what belongs to an earlier one is void.
    pub life: u64,
    /// Its clock gains or loses so many thousandths.
    pub drift: i64,
    /// Its clock at the last tick.
    pub ticked_ms: u64,
    /// Stands still until then.
    pub paused_until: u64,
}

enum Work {
    Checkpoint {
        meta: SnapshotMeta,
        captured: Box<Captured>,
        plan: Plan,
    },
    Stage(Piece),
    Install {
        meta: SnapshotMeta,
        root: Root,
        live: Box<Capture>,
    },
}

/// What a step led to.
#[derive(Default)]
pub struct Outcome {
    pub send: Vec<(ServerId, Message)>,
    /// Inputs that come back from storage after so many milliseconds.
    pub later: Vec<(u64, Input)>,
    pub answers: Vec<(Ticket, Result<Answer, ApiError>)>,
    /// The thread for images has begun something that takes so long.
    pub image_work: Option<u64>,
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

impl From<LogError> for HostError {
    fn from(error: LogError) -> Self {
        HostError::Store(error.into())
    }
}

impl From<CheckpointError> for HostError {
    fn from(error: CheckpointError) -> Self {
        HostError::Store(error.into())
    }
}

impl HostError {
    /// Whether the disk failed, which the simulation asked for.
    pub fn is_disk(&self) -> bool {
        matches!(
            self,
            HostError::Store(
                StoreError::Log(LogError::Io { .. })
                    | StoreError::Checkpoint(CheckpointError::Io { .. })
            )
        )
    }
}

impl Host {
    pub fn new(id: ServerId, members: BTreeSet<ServerId>, seed: u64, options: &Options) -> Self {
        let lease = options.lease;
        let config = Config {
            raft: raft::Config {
                id,
                members,
                election_ticks: ELECTION_TICKS,
                heartbeat_ticks: 5,
                lease_ms: lease.then_some(LEASE_MS),
                seed,
                max_append_bytes: 2_048,
                max_inflight_messages: 8,
                max_inflight_bytes: 16_384,
                transfer: raft::TransferConfig {
                    chunk_bytes: options.chunk_bytes,
                    window_bytes: 4 * options.chunk_bytes,
                    bytes_per_tick: options.transfer_rate,
                    delta: true,
                },
            },
            checkpoint: Trigger {
                entries: Some(options.checkpoint_entries),
                ..Trigger::default()
            },
            mode: Mode::Levels,
            capture: options.capture,
            retention: options.retention,
            backlog_bytes: 1 << 30,
            pinned_bytes: 64 << 10,
            reads: if lease {
                Reads::Lease
            } else {
                Reads::Linearizable
            },
            ack: if planted(Bug::AckBeforeReplication) {
                Ack::Leader
            } else {
                Ack::Quorum
            },
        };
        Self {
            config,
            segments: Segments::of(options.segment_bytes),
            disk: SimDisk::new(),
            replica: None,
            log: None,
            checkpoints: None,
            captures: Captures::default(),
            images: VecDeque::new(),
            committed: false,
            life: 0,
            drift: 0,
            ticked_ms: 0,
            paused_until: 0,
        }
    }

    /// Starts the replica from what is on disk; returns the bytes of a torn tail. Like the program, it numbers its
    /// starts by the time, so that a server that lost its disk does not take its own old commands for new ones.
    pub fn start(&mut self, now_ms: u64) -> Result<u64, HostError> {
        self.life += 1;
        let policy = Policy {
            mode: self.config.mode,
            keep: Keep::default(),
        };
        let disk = Arc::new(self.disk.clone());
        let recovered = store::open(disk, self.segments, now_ms + 1, policy, 1)?.load()?;
        let chain = recovered.checkpoints.manifest().chain();
        self.log = Some(recovered.log);
        self.checkpoints = Some(recovered.checkpoints);
        self.captures = Captures::default();
        self.images.clear();
        self.committed = false;
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

    /// The machine's own time.
    pub fn clock(&self, now_ms: u64) -> u64 {
        (now_ms as i64 + now_ms as i64 * self.drift / 1_000).max(0) as u64
    }

    /// The process ends; with `power`, so does the machine, and what was not synced may be gone. False if it was off.
    pub fn stop(&mut self, power: bool, seed: u64, coverage: &mut Coverage) -> bool {
        self.count_resent(coverage);
        let Some(replica) = self.replica.take() else {
            // It may have failed to start.
            self.disk.kill();
            return false;
        };
        if self.committed {
            coverage.count("crash-before-truncation");
        }
        if replica.raft().members().is_joint()
            && replica.raft().leader() == Some(replica.raft().id())
        {
            coverage.count("crash-while-joint");
        }
        (self.log, self.checkpoints) = (None, None);
        if power {
            self.disk.crash(&mut CrashRng::seed_from_u64(seed));
        } else {
            self.disk.kill();
        }
        true
    }

    pub fn count_resent(&self, coverage: &mut Coverage) {
        let resent = |replica: &Replica| replica.raft().transfer_stats().resent;
        if self.replica.as_ref().map_or(0, resent) > 0 {
            coverage.count("transfer-went-back");
        }
    }

    /// A new disk; from now on the server waits to be added.
    pub fn wipe(&mut self) {
        self.disk = SimDisk::new();
        self.config.raft.members.clear();
    }

    /// From the k-th change of the disk on, everything fails.
    pub fn fail_disk(&self, after: Option<u64>) {
        self.disk
            .crash_at(after.map(|after| self.disk.steps() + after));
    }

    /// Steps the replica and does what it asks of storage. Storage answers later, and a crash may come before.
    pub fn step(&mut self, input: Input) -> Result<Outcome, HostError> {
        if matches!(input, Input::Stored { .. })
            && let Some(log) = &mut self.log
        {
            // The sync ends now: a crash before this moment loses what was appended, or a part of it.
            log.sync()?;
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
        match effect {
            Effect::Send { to, message } => outcome.send.push((to, message)),
            Effect::Answer { ticket, result } => outcome.answers.push((ticket, result)),
            Effect::Peers { .. } => {}
            Effect::Store(batch) => {
                log.append(batch.mark, &batch.entries, batch.hard_state, 0)?;
                let sequence = batch.sequence;
                outcome.later.push((2, Input::Stored { sequence }));
            }
            Effect::TruncateLog { first, oldest } => {
                let before = log.count();
                log.remove_before(first, oldest)?;
                self.committed = false;
                let removed = (before - log.count()) as u64;
                outcome.coverage.add_to("truncation", removed);
            }
            Effect::HoldCapture { transfer, capture } => self.captures.hold(transfer, *capture),
            Effect::KeepCaptures(transfers) => self.captures.keep(&transfers),
            Effect::ReadChunk(request) => {
                let piece = self.captures.read(&request);
                outcome.later.push((1, Input::ChunkRead { request, piece }));
            }
            Effect::WriteCheckpoint {
                meta,
                captured,
                plan,
                ..
            } => self.enqueue(
                Work::Checkpoint {
                    meta,
                    captured,
                    plan,
                },
                outcome,
            ),
            Effect::Stage(piece) => self.enqueue(Work::Stage(piece), outcome),
            Effect::Install { meta, root, live } => {
                self.enqueue(Work::Install { meta, root, live }, outcome)
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, work: Work, outcome: &mut Outcome) {
        self.images.push_back(work);
        if self.images.len() == 1 {
            outcome.image_work = Some(self.images[0].takes_ms());
        }
    }

    pub fn writes_checkpoint(&self) -> bool {
        matches!(self.images.front(), Some(Work::Checkpoint { .. }))
    }

    /// Whether a crash within what the thread for images does now would be of interest, and by which name.
    pub fn image_work(&self) -> Option<&'static str> {
        match self.images.front()? {
            Work::Checkpoint { .. } => Some("crash-in-checkpoint"),
            Work::Install { .. } => Some("crash-in-install"),
            Work::Stage(_) => None,
        }
    }

    /// Does what the thread for images had begun; the answer, and how long the next work takes.
    pub fn finish_image_work(
        &mut self,
        coverage: &mut Coverage,
    ) -> Result<Option<(Input, Option<u64>)>, HostError> {
        let Some(work) = self.images.pop_front() else {
            return Ok(None);
        };
        let checkpoints = self
            .checkpoints
            .as_mut()
            .expect("a running host has checkpoints");
        let input = match work {
            Work::Checkpoint {
                meta,
                captured,
                plan,
            } => {
                let file = checkpoints.write(&meta, &captured, plan, 0)?;
                coverage.count(match plan.level {
                    FULL => "checkpoint-full",
                    0 => "checkpoint-increment",
                    _ => "checkpoint-merge",
                });
                self.committed = true;
                Input::CheckpointWritten {
                    meta,
                    file,
                    chain: checkpoints.manifest().chain(),
                    oldest: checkpoints.manifest().oldest(),
                    millis: 30.0,
                }
            }
            Work::Stage(piece) => {
                let (target, base) = (piece.meta.index, piece.base);
                let reached = checkpoints.stage(checkpoint::Piece {
                    base,
                    target,
                    reached: piece.reached,
                    data: piece.data,
                })?;
                Input::Staged {
                    target,
                    base,
                    reached,
                }
            }
            Work::Install { meta, root, live } => {
                let base = checkpoints.staged_base();
                match checkpoints.install(&meta, root, *live, 0) {
                    Ok(machine) => {
                        coverage.count(match base {
                            Some(0) | None => "install-full",
                            Some(_) => "install-delta",
                        });
                        Input::Installed {
                            meta,
                            machine: Box::new(machine),
                            chain: checkpoints.manifest().chain(),
                        }
                    }
                    Err(error @ CheckpointError::Io { .. }) => return Err(error.into()),
                    Err(error) => Input::InstallFailed {
                        meta,
                        why: error.to_string(),
                    },
                }
            }
        };
        Ok(Some((input, self.images.front().map(Work::takes_ms))))
    }
}

impl Work {
    fn takes_ms(&self) -> u64 {
        match self {
            Work::Checkpoint { .. } => 40,
            Work::Stage(_) => 1,
            Work::Install { .. } => 15,
        }
    }
}
