//! What a server says of itself.

use super::Replica;
use crate::api::{InstallStatus, Status};
use crate::raft::Message;
use crate::types::Index;

/// Whether the server has caught up with the cluster since its start: it has applied what a leader had
/// committed when it first heard of one.
#[derive(Debug, Default)]
pub struct Join {
    target: Option<Index>,
    done: bool,
}

impl Join {
    pub fn observe(&mut self, message: &Message) {
        if self.target.is_none() {
            self.target = match message {
                Message::Append { commit, .. } => Some(*commit),
                Message::Offer { meta, .. } => Some(meta.index),
                _ => None,
            };
        }
    }

    pub fn advance(&mut self, applied: Index, leads: bool) {
        self.done = self.done || leads || self.target.is_some_and(|target| applied >= target);
    }
}

impl Replica {
    /// Whether the server has caught up since its start.
    pub fn has_joined(&self) -> bool {
        self.join.done
    }

    /// Entries of the log that were applied before the server was ready.
    pub fn replayed(&self) -> u64 {
        self.replayed
    }

    pub fn waiting_requests(&self) -> usize {
        self.requests.waiting()
    }

    /// All that the replica knows; the program around it adds times.
    pub fn status(&self) -> Status {
        Status {
            name: self.raft.id().to_string(),
            role: self.role().into(),
            term: self.raft.term(),
            leader: self.raft.leader().map(|leader| leader.to_string()),
            commit: self.raft.commit(),
            applied: self.machine.applied(),
            first_index: self.raft.first_index(),
            last_index: self.raft.last_index(),
            checkpoint: self.images.checkpoint.clone(),
            install: InstallStatus {
                bytes_sent: self.raft.transfer_stats().bytes,
                bytes_resent: self.raft.transfer_stats().resent,
                ..self.images.status.clone()
            },
            members: self.members_status(),
            keys: self.machine.keys(),
            bytes: self.machine.bytes(),
            phase: if self.join.done { "serving" } else { "join" }.into(),
            ..Status::default()
        }
    }
}
