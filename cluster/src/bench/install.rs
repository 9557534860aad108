//! `strata bench install`: what InstallSnapshot sends when little changed, against a full image, and what it sends
//! again when the connection breaks in the middle.
//!
//! Two consensus cores in this process talk to each other; the leader's captures and the follower's staging are the
//! server's own code. The wire is a queue that is emptied at the break.

use super::engine::{Engine, raft_config};
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::{BenchError, Common};
use crate::checkpoint::chain::{Mode, Plan};
use crate::checkpoint::{Captured, Checkpoints, Keep, Piece, Policy};
use crate::disk::RealDisk;
use crate::machine::Machine;
use crate::raft::{Message, Raft, Ready, Restored, Role};
use crate::transfer::Captures;
use crate::types::{HardState, Membership, ServerId, SnapshotMeta};
use clap::Args;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

#[derive(Args)]
pub struct Install {
    /// Size of the state in MiB
    #[arg(long, default_value_t = 256)]
    mib: u64,
    /// Parts of the pages that change while the follower is away, in percent
    #[arg(long, value_delimiter = ',', default_values_t = [0.1, 1.0, 10.0])]
    percent: Vec<f64>,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

const LEADER: ServerId = ServerId(1);
const FOLLOWER: ServerId = ServerId(2);

impl Install {
    pub async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        let facts = vec![
            ("MiB", json!(self.mib)),
            ("value bytes", json!(self.value_bytes)),
            ("window MiB", json!(4)),
            ("break", json!("once, in the middle")),
        ];
        let columns = &[
            "changed %",
            "page bytes",
            "full bytes",
            "sent",
            "per page byte",
            "of full",
            "again",
            "ms",
        ];
        let mut report = Report::new("install", columns, facts);
        let (mut ratios, mut again) = (Samples::default(), Samples::default());
        let mut engine = Engine::filled(self.mib, self.value_bytes);
        for (number, &percent) in self.percent.iter().enumerate() {
            let mut follower = engine.machine.clone();
            let base = engine.machine.applied();
            engine.machine.capture();
            engine.machine.mark_captured();
            let pages = engine.machine.counters().pages;
            let wanted = ((pages as f64 * percent / 100.0) as u64).clamp(1, pages);
            for page in 0..wanted {
                let key = (page * engine.keys / wanted + 3) % engine.keys;
                engine.put(key);
            }
            let changed = engine.machine.counters().changed_bytes;
            let dir = scratch.dir(&format!("install{number}"))?;
            let mut stage = Stage::new(&dir, &mut follower, base)?;
            let began = Instant::now();
            let (sent, resent) = stage.transfer(&mut engine.machine, &mut follower, changed / 2)?;
            let ms = began.elapsed().as_secs_f64() * 1e3;
            let full = engine.machine.counters().bytes;
            let ratio = (sent - resent) as f64 / changed as f64;
            ratios.push(ratio);
            again.push(resent as f64 / (1 << 20) as f64);
            report.run(vec![
                json!(percent),
                json!(changed),
                json!(full),
                json!(sent),
                json!(ratio),
                json!(sent as f64 / full as f64),
                json!(resent),
                json!(ms),
            ]);
        }
        report.result(
            "bytes sent per changed page byte, without the break",
            ratios,
        );
        report.result("MiB sent again after the break", again);
        report.note("time includes laying the pages over the state, verifying its root and writing the increment");
        Ok(report)
    }
}

struct Stage {
    leader: Raft,
    follower: Raft,
    checkpoints: Checkpoints,
    captures: Captures,
    wire: VecDeque<(ServerId, Message)>,
    now_ms: u64,
}

fn wrong(what: &str, error: impl ToString) -> BenchError {
    BenchError::Answer {
        what: what.into(),
        answer: error.to_string(),
    }
}

impl Stage {
    /// The follower has a checkpoint at `base`; the leader's log begins after its own last entry.
    fn new(dir: &std::path::Path, machine: &mut Machine, base: u64) -> Result<Self, BenchError> {
        let disk = Arc::new(RealDisk::open(dir).map_err(BenchError::io("scratch folder"))?);
        let policy = Policy {
            mode: Mode::Incremental,
            keep: Keep::default(),
        };
        let mut checkpoints = Checkpoints::open(disk, 1, policy).map_err(|e| wrong("folder", e))?;
        let captured = Captured::state(machine.capture());
        let full = Plan {
            level: crate::checkpoint::chain::FULL,
            base: 0,
        };
        checkpoints
            .write(&meta(base), &captured, full, 0)
            .map_err(|error| wrong("checkpoint", error))?;
        let follower = raft(FOLLOWER, base)?;
        Ok(Self {
            leader: raft(LEADER, base)?,
            follower,
            checkpoints,
            captures: Captures::default(),
            wire: VecDeque::new(),
            now_ms: 0,
        })
    }

    /// Brings the follower to the leader's state; the wire breaks once after so many bytes.
    fn transfer(
        &mut self,
        state: &mut Machine,
        live: &mut Machine,
        break_after: u64,
    ) -> Result<(u64, u64), BenchError> {
        self.leader = raft(LEADER, state.applied())?;
        let impossible = |error: crate::raft::Impossible| wrong("consensus", error);
        let mut broken = false;
        for _ in 0..2_000_000u64 {
            if self.follower.commit() >= state.applied() {
                let stats = self.leader.transfer_stats();
                return Ok((stats.bytes, stats.resent));
            }
            if !broken && self.leader.transfer_stats().bytes >= break_after.max(1) {
                broken = true;
                self.wire.clear();
            }
            match self.wire.pop_front() {
                Some((LEADER, message)) => {
                    self.leader.receive(FOLLOWER, message).map_err(impossible)?
                }
                Some((_, message)) => self.follower.receive(LEADER, message).map_err(impossible)?,
                None => {
                    self.now_ms += 10;
                    self.leader.tick(self.now_ms).map_err(impossible)?;
                    if self.leader.role() == Role::Leader {
                        continue_with(self, state, live)?;
                        continue;
                    }
                }
            }
            continue_with(self, state, live)?;
        }
        Err(wrong("transfer", "it did not end"))
    }

    fn leader_does(&mut self, ready: Ready, state: &mut Machine) -> Result<(), BenchError> {
        let send = ready.send.into_iter().filter(|(to, _)| *to == FOLLOWER);
        self.wire.extend(send);
        for to in ready.offers {
            if let Some(transfer) = self.leader.offer(to, meta(state.applied())) {
                self.captures.hold(transfer, state.capture());
            }
        }
        for request in ready.chunks {
            let piece = self.captures.read(&request);
            self.leader.chunk_read(&request, piece);
        }
        if let Some(batch) = ready.store {
            self.leader
                .stored(batch.sequence)
                .map_err(|error| wrong("consensus", error))?;
        }
        Ok(())
    }

    fn follower_does(&mut self, ready: Ready, live: &mut Machine) -> Result<(), BenchError> {
        let send = ready.send.into_iter().filter(|(to, _)| *to == LEADER);
        self.wire.extend(send);
        for piece in ready.stage {
            let (target, base) = (piece.meta.index, piece.base);
            let staged = self.checkpoints.stage(Piece {
                base,
                target,
                reached: piece.reached,
                data: piece.data,
            });
            let reached = staged.map_err(|error| wrong("stage", error))?;
            self.follower.staged(target, base, reached);
        }
        if let Some((meta, root)) = self.follower.installing().cloned() {
            let installed = self.checkpoints.install(&meta, root, live.capture(), 0);
            *live = installed.map_err(|error| wrong("install", error))?;
            self.follower.installed(meta);
        }
        if let Some(batch) = ready.store {
            self.follower
                .stored(batch.sequence)
                .map_err(|error| wrong("consensus", error))?;
        }
        Ok(())
    }
}

/// Carries out what both decided until nothing is left but messages.
fn continue_with(
    stage: &mut Stage,
    state: &mut Machine,
    live: &mut Machine,
) -> Result<(), BenchError> {
    loop {
        let (leader, follower) = (stage.leader.ready(), stage.follower.ready());
        if leader == Ready::default() && follower == Ready::default() {
            return Ok(());
        }
        stage.leader_does(leader, state)?;
        stage.follower_does(follower, live)?;
    }
}

fn meta(index: u64) -> SnapshotMeta {
    SnapshotMeta {
        index,
        term: 1,
        members: Membership::of([LEADER, FOLLOWER]),
    }
}

/// A server that has a checkpoint at `index` and no log after it.
fn raft(id: ServerId, index: u64) -> Result<Raft, BenchError> {
    let restored = Restored {
        hard_state: HardState {
            term: 1,
            vote: None,
            commit: index,
        },
        snapshot: meta(index),
        base: (index, 1),
        ..Restored::default()
    };
    Raft::new(raft_config(id, [LEADER, FOLLOWER].into()), restored)
        .map_err(|error| wrong("consensus", error))
}
