//! Checkpoints and installed images: when one begins, and what follows when it is done.

use super::{Effect, Replica};
use crate::api::{CheckpointStatus, InstallStatus};
use crate::machine::Machine;
use crate::raft::Impossible;
use crate::types::{Index, SnapshotMeta};

pub struct Images {
    /// A checkpoint is being written.
    writing: bool,
    /// One was asked for by hand.
    pub wanted: bool,
    /// A whole image is being verified and committed.
    pub installing: bool,
    last_index: Index,
    last_ms: u64,
    bytes_since: u64,
    pub status: InstallStatus,
    pub checkpoint: CheckpointStatus,
}

impl Images {
    pub fn new(index: Index) -> Self {
        Self {
            writing: false,
            wanted: false,
            installing: false,
            last_index: index,
            last_ms: 0,
            bytes_since: 0,
            status: InstallStatus::default(),
            checkpoint: CheckpointStatus {
                index,
                ..CheckpointStatus::default()
            },
        }
    }

    pub fn count(&mut self, bytes: u64) {
        self.bytes_since += bytes;
    }

    fn began(&mut self, index: Index, now_ms: u64) {
        (self.last_index, self.last_ms, self.bytes_since) = (index, now_ms, 0);
    }
}

impl Replica {
    pub(super) fn begin_checkpoint_if_due(&mut self) {
        let applied = self.machine.applied();
        let trigger = self.config.checkpoint;
        let reached = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value >= limit);
        let due = self.images.wanted
            || reached(trigger.entries, applied - self.images.last_index)
            || reached(trigger.bytes, self.images.bytes_since)
            || reached(
                trigger.millis,
                self.now_ms.saturating_sub(self.images.last_ms),
            );
        if !due
            || self.images.writing
            || self.images.installing
            || applied <= self.images.checkpoint.index
        {
            return;
        }
        let Some(term) = self.raft.term_at(applied) else {
            return;
        };
        self.images.wanted = false;
        self.images.writing = true;
        self.images.began(applied, self.now_ms);
        let meta = SnapshotMeta {
            index: applied,
            term,
            members: self.raft.members_at(applied),
        };
        // The state at exactly this index: nothing is applied between the decision and the capture.
        let image = Box::new(self.machine.clone());
        self.effects.push(Effect::WriteCheckpoint {
            meta,
            image,
            keep: self.raft.pinned(),
        });
    }

    pub(super) fn checkpoint_written(&mut self, meta: SnapshotMeta, bytes: u64, millis: f64) {
        self.images.writing = false;
        let checkpoint = &mut self.images.checkpoint;
        checkpoint.index = checkpoint.index.max(meta.index);
        checkpoint.bytes = bytes;
        checkpoint.written += 1;
        checkpoint.last_duration_ms = millis;
        // Only now is the log before it superfluous.
        let compact_to = meta.index.saturating_sub(self.config.trailing);
        self.raft.checkpointed(meta, compact_to);
        self.effects.push(Effect::TruncateLog {
            first: self.raft.first_index(),
        });
    }

    pub(super) fn begin_install_if_whole(&mut self) {
        // One writer of images at a time: a checkpoint under way goes first.
        if self.images.installing || self.images.writing {
            return;
        }
        if let Some(meta) = self.raft.installing() {
            self.images.installing = true;
            self.effects.push(Effect::Install { meta: meta.clone() });
        }
    }

    pub(super) fn image_installed(
        &mut self,
        meta: SnapshotMeta,
        machine: Machine,
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
            self.machine = machine;
            self.images.began(meta.index, self.now_ms);
        }
        self.images.status.installed += 1;
        self.images.status.installed_total += 1;
        self.images.checkpoint.index = self.images.checkpoint.index.max(meta.index);
        self.raft.installed(meta);
        self.effects.push(Effect::TruncateLog {
            first: self.raft.first_index(),
        });
        Ok(())
    }
}
