//! Checkpoints, captures for followers, and installed images: when one begins, and what follows when it is done.

use super::{CaptureBy, Effect, Replica, Retention};
use crate::api::{CheckpointStatus, InstallStatus};
use crate::bugs::{Bug, planted};
use crate::checkpoint::chain;
use crate::checkpoint::{Captured, FileRef, Source};
use crate::machine::Machine;
use crate::raft::{Impossible, Piece};
use crate::types::{Index, Root, ServerId, SnapshotMeta};

pub struct Images {
    /// The files to restart from, oldest first.
    chain: Vec<FileRef>,
    /// A checkpoint is being written.
    writing: bool,
    /// One was asked for by hand.
    pub wanted: bool,
    /// A whole image is being verified and committed.
    installing: bool,
    last_index: Index,
    last_ms: u64,
    /// Bytes of commands since the last capture for a checkpoint, and since the last one that is durable.
    since_capture: u64,
    since_durable: u64,
    /// Index of the oldest restore point, as far as known.
    pub oldest: Index,
    /// Captures that were handed out for transfers.
    held: Vec<u64>,
    /// Bytes of the image that is being received.
    receiving_bytes: u64,
    receiving_base: Index,
    /// The checkpoint that is due was put off.
    deferring: bool,
    pub status: InstallStatus,
    pub checkpoint: CheckpointStatus,
}

impl Images {
    pub fn new(chain: Vec<FileRef>) -> Self {
        let mut images = Self {
            chain: Vec::new(),
            writing: false,
            wanted: false,
            installing: false,
            last_index: chain.last().map_or(0, |file| file.meta.index),
            last_ms: 0,
            since_capture: 0,
            since_durable: 0,
            oldest: 0,
            held: Vec::new(),
            receiving_bytes: 0,
            receiving_base: 0,
            deferring: false,
            status: InstallStatus::default(),
            checkpoint: CheckpointStatus::default(),
        };
        images.follow(chain);
        images
    }

    pub fn count(&mut self, bytes: u64) {
        self.since_capture += bytes;
        self.since_durable += bytes;
    }

    /// Bytes of commands that are in the log only.
    pub fn backlog(&self) -> u64 {
        self.since_durable
    }

    pub fn received(&mut self, piece: &Piece) {
        let bytes = piece.data.len() as u64;
        self.status.bytes_received += bytes;
        self.receiving_bytes += bytes;
        self.receiving_base = piece.base;
    }

    fn began(&mut self, index: Index, now_ms: u64) {
        (self.last_index, self.last_ms, self.since_capture) = (index, now_ms, 0);
    }

    /// The chain is this now.
    fn follow(&mut self, chain: Vec<FileRef>) {
        let checkpoint = &mut self.checkpoint;
        if let Some(tip) = chain.last() {
            checkpoint.index = tip.meta.index;
            checkpoint.bytes = tip.bytes;
        }
        checkpoint.chain = chain.iter().map(FileRef::describe).collect();
        checkpoint.chain_bytes = chain.iter().map(|file| file.bytes).sum();
        self.chain = chain;
    }

    /// How long a capture stopped the machine, as the program around it measured.
    pub fn paused(&mut self, micros: f64) {
        let checkpoint = &mut self.checkpoint;
        checkpoint.last_pause_us = micros;
        checkpoint.longest_pause_us = checkpoint.longest_pause_us.max(micros);
    }
}

impl Replica {
    pub(super) fn begin_checkpoint_if_due(&mut self) {
        let applied = self.machine.applied();
        let trigger = self.config.checkpoint;
        let reached = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value >= limit);
        let images = &self.images;
        // Whatever the triggers: the log must not grow until writes are refused.
        let behind = self.checkpoints_fall_behind();
        let due = images.wanted
            || behind
            || reached(trigger.entries, applied - images.last_index)
            || reached(trigger.bytes, images.since_capture)
            || reached(trigger.millis, self.now_ms.saturating_sub(images.last_ms));
        if !due
            || images.writing
            || images.installing
            || self.raft.is_receiving()
            || applied <= images.checkpoint.index
        {
            return;
        }
        let Some(meta) = self.meta_here() else {
            return;
        };
        let (state, changed) = {
            let counters = self.machine.counters();
            (counters.bytes, counters.changed_bytes)
        };
        let may_wait = !self.images.wanted && !behind && !self.images.chain.is_empty();
        if may_wait && !chain::worth_it(state, changed) {
            // It would cost more than its share of writing: the log grows instead.
            if !std::mem::replace(&mut self.images.deferring, true) {
                self.images.checkpoint.deferred += 1;
            }
            return;
        }
        let plan = chain::plan(self.config.mode, &self.images.chain, state, changed);
        self.images.wanted = false;
        self.images.deferring = false;
        self.images.writing = true;
        self.images.began(applied, self.now_ms);
        self.images.checkpoint.bytes_changed += changed;
        // The state at exactly this index: nothing is applied between the decision and the capture.
        let captured = match self.config.capture {
            CaptureBy::Cow | CaptureBy::Stop => Captured::state(self.machine.capture()),
            CaptureBy::DirtyFlush => {
                let pages = self.machine.capture_changed(plan.base);
                Captured {
                    applied,
                    root: Root(self.machine.counters().sum),
                    source: Source::Changed(pages),
                }
            }
        };
        self.machine.mark_captured();
        if planted(Bug::TruncateBeforeManifest) {
            self.effects.push(Effect::TruncateLog {
                first: applied + 1,
                oldest: 0,
            });
        }
        self.effects.push(Effect::WriteCheckpoint {
            meta,
            captured: Box::new(captured),
            plan,
            wait: self.config.capture == CaptureBy::Stop,
        });
    }

    /// What a capture of now would stand for; `None` while the term of the last applied entry is not known.
    fn meta_here(&self) -> Option<SnapshotMeta> {
        let index = self.machine.applied();
        Some(SnapshotMeta {
            index,
            term: self.raft.term_at(index)?,
            members: if planted(Bug::MembersNotInImage) {
                crate::types::Membership::of(self.config.raft.members.iter().copied())
            } else {
                self.raft.members_at(index)
            },
        })
    }

    pub(super) fn checkpoint_written(
        &mut self,
        meta: SnapshotMeta,
        file: Option<FileRef>,
        chain: Vec<FileRef>,
        millis: f64,
    ) {
        self.images.writing = false;
        self.images.follow(chain);
        self.images.since_durable = self.images.since_capture;
        let checkpoint = &mut self.images.checkpoint;
        if let Some(file) = file {
            checkpoint.written += 1;
            checkpoint.bytes_written += file.bytes;
        }
        checkpoint.last_duration_ms = millis;
        // Only now is the log before it superfluous.
        let compact_to = self.keeps_after(meta.index);
        self.raft.checkpointed(meta, compact_to);
        self.effects.push(Effect::TruncateLog {
            first: self.raft.first_index(),
            oldest: self.images.oldest,
        });
    }

    /// Up to where the log may be forgotten when there is a checkpoint at `index`.
    fn keeps_after(&self, index: Index) -> Index {
        let policy = match self.config.retention {
            Retention::Discard => index,
            Retention::Trailing(entries) => index.saturating_sub(entries),
            Retention::KeepForFollowers(bytes) => {
                let everybody = self.raft.matched_by_all().unwrap_or(0);
                everybody
                    .max(self.raft.lowest_within(index, bytes))
                    .min(index)
            }
        };
        let images = self.raft.transfers();
        match images.iter().map(|(_, index)| *index).min() {
            // An image under way is of use only with the log after it.
            Some(under_way) if under_way < policy => {
                let within = self.raft.lowest_within(policy, self.config.pinned_bytes);
                under_way.max(within).min(policy)
            }
            _ => policy,
        }
    }

    /// A follower needs an image: of the state as it is now.
    pub(super) fn capture_for(&mut self, follower: ServerId) {
        let Some(mut meta) = self.meta_here() else {
            return;
        };
        if planted(Bug::ImageNewerThanItsIndex)
            && let Some(term) = self.raft.term_at(meta.index - 1)
        {
            (meta.index, meta.term) = (meta.index - 1, term);
        }
        if let Some(transfer) = self.raft.offer(follower, meta) {
            self.images.held.push(transfer);
            self.images.status.sent += 1;
            let capture = Box::new(self.machine.capture());
            self.effects.push(Effect::HoldCapture { transfer, capture });
        }
    }

    /// Captures whose transfers have ended need not be held.
    pub(super) fn let_captures_go(&mut self) {
        if self.images.held.is_empty() {
            return;
        }
        let needed = self.raft.transfers();
        let held = self.images.held.len();
        self.images
            .held
            .retain(|held| needed.iter().any(|(number, _)| number == held));
        if self.images.held.len() < held {
            self.effects
                .push(Effect::KeepCaptures(self.images.held.clone()));
        }
    }

    pub(super) fn begin_install_if_whole(&mut self) {
        // One writer of images at a time: a checkpoint under way goes first.
        if self.images.installing || self.images.writing {
            return;
        }
        if let Some((meta, root)) = self.raft.installing().cloned() {
            self.images.installing = true;
            let live = Box::new(self.machine.capture());
            self.effects.push(Effect::Install { meta, root, live });
        }
    }

    pub(super) fn image_installed(
        &mut self,
        meta: SnapshotMeta,
        machine: Machine,
        chain: Vec<FileRef>,
    ) -> Result<(), Impossible> {
        self.images.installing = false;
        if machine.applied() != meta.index {
            return Err(Impossible(format!(
                "the image of {} has applied {}",
                meta.index,
                machine.applied()
            )));
        }
        if meta.index > self.machine.applied() {
            if planted(Bug::ImageWithoutData) {
                self.machine.skip(meta.index);
            } else {
                self.machine = machine;
            }
            self.images.began(meta.index, self.now_ms);
            self.images.since_durable = 0;
        }
        let images = &mut self.images;
        let status = &mut images.status;
        status.installed += 1;
        status.installed_total += 1;
        status.installed_delta += u64::from(images.receiving_base > 0);
        status.last_bytes = std::mem::take(&mut images.receiving_bytes);
        status.last_full_bytes = self.machine.counters().bytes;
        status.last_base = images.receiving_base;
        images.follow(chain);
        self.raft.installed(meta);
        self.effects.push(Effect::TruncateLog {
            first: self.raft.first_index(),
            oldest: self.images.oldest,
        });
        Ok(())
    }

    pub(super) fn image_refused(&mut self) {
        self.images.installing = false;
        self.images.receiving_bytes = 0;
        self.raft.install_failed();
    }
}
