//! InstallSnapshot in pieces (Raft, section 7).
//!
//! The leader sends one piece at a time and goes on from the offset that the follower asks for, so a lost,
//! doubled or late piece costs at most one round, and a transfer goes on where it broke. An image that
//! the follower has outgrown is answered with its commit index, and the leader goes on with the log.

use super::{ChunkRequest, ChunkResult, Flow, Impossible, Message, Piece, Raft, Role};
use crate::types::{Index, ServerId, SnapshotMeta};

/// Heartbeats without an answer after which a piece is sent again.
const RESEND_AFTER: u32 = 4;

/// The receiving side.
#[derive(Clone, Debug, Default)]
pub struct Receiving {
    /// The image under way, and the offset up to which it is staged.
    current: Option<(SnapshotMeta, u64)>,
    /// A piece is being written.
    staging: Option<(ServerId, u64)>,
    /// The whole image is there and about to replace the state.
    pub installing: Option<SnapshotMeta>,
}

impl Raft {
    pub(super) fn begin_transfer(&mut self, to: ServerId) {
        let Some(follower) = self.progress.get_mut(&to) else {
            return;
        };
        if self.snapshot.index == 0 || !follower.active {
            // Nothing to send, or nobody there: the next answer from it tries again.
            follower.flow = Flow::Probe { waiting: true };
            return;
        }
        let meta = self.snapshot.clone();
        follower.flow = Flow::Snapshot {
            meta,
            offset: 0,
            waiting: false,
            idle_ticks: 0,
        };
        self.request_chunk(to);
    }

    fn request_chunk(&mut self, to: ServerId) {
        let bytes = self.config.chunk_bytes;
        let Some(follower) = self.progress.get_mut(&to) else {
            return;
        };
        if let Flow::Snapshot {
            meta,
            offset,
            waiting,
            idle_ticks,
        } = &mut follower.flow
            && !*waiting
        {
            *waiting = true;
            *idle_ticks = 0;
            self.ready.chunks.push(ChunkRequest {
                to,
                index: meta.index,
                offset: *offset,
                bytes,
            });
        }
    }

    /// Sends again what seems lost. Called with each heartbeat.
    pub(super) fn resume_transfers(&mut self) {
        for peer in self.peers() {
            let Some(follower) = self.progress.get_mut(&peer) else {
                continue;
            };
            if let Flow::Snapshot {
                waiting,
                idle_ticks,
                ..
            } = &mut follower.flow
            {
                *idle_ticks += 1;
                if *idle_ticks >= RESEND_AFTER {
                    *waiting = false;
                    self.request_chunk(peer);
                }
            }
        }
    }

    /// The images that followers are being sent: they must stay readable.
    pub fn pinned(&self) -> Vec<Index> {
        let flows = self
            .progress
            .values()
            .filter_map(|follower| match &follower.flow {
                Flow::Snapshot { meta, .. } => Some(meta.index),
                _ => None,
            });
        flows.collect()
    }

    /// A piece was read from disk. `None`: that image is gone.
    pub fn chunk_read(
        &mut self,
        to: ServerId,
        index: Index,
        offset: u64,
        piece: Option<(u64, Vec<u8>)>,
    ) {
        let newest = self.snapshot.clone();
        let Some(follower) = self.progress.get_mut(&to) else {
            return;
        };
        let Flow::Snapshot {
            meta,
            offset: wanted,
            waiting,
            ..
        } = &mut follower.flow
        else {
            return;
        };
        if meta.index != index || *wanted != offset {
            return;
        }
        match piece {
            Some((total, data)) => {
                let chunk = Message::Chunk {
                    term: self.term,
                    meta: meta.clone(),
                    total,
                    offset,
                    data,
                };
                self.ready.send.push((to, chunk));
            }
            None => {
                *meta = newest;
                (*wanted, *waiting) = (0, false);
                if meta.index > index {
                    self.request_chunk(to);
                }
            }
        }
    }

    pub(super) fn receive_chunk_reply(
        &mut self,
        from: ServerId,
        index: Index,
        result: ChunkResult,
    ) -> Result<(), Impossible> {
        if self.role != Role::Leader {
            return Ok(());
        }
        let last = self.log.last();
        let Some(follower) = self.progress.get_mut(&from) else {
            return Ok(());
        };
        follower.active = true;
        let Flow::Snapshot {
            meta,
            offset,
            waiting,
            ..
        } = &mut follower.flow
        else {
            return Ok(());
        };
        match result {
            ChunkResult::Want { offset: wanted } if meta.index == index => {
                if *waiting || wanted != *offset {
                    *offset = wanted;
                    *waiting = false;
                    self.request_chunk(from);
                }
            }
            ChunkResult::Want { .. } => {}
            ChunkResult::Have { commit } => {
                if commit > last {
                    return Err(Impossible(format!(
                        "{from} has committed {commit}, this leader's last is {last}"
                    )));
                }
                // What it has committed agrees with this log.
                follower.acknowledge(commit);
                follower.probe();
                self.advance_commit()?;
                self.send_entries(from);
            }
        }
        Ok(())
    }

    pub(super) fn receive_chunk(&mut self, from: ServerId, piece: Piece) {
        let index = piece.meta.index;
        if index <= self.log.commit {
            let result = ChunkResult::Have {
                commit: self.log.commit,
            };
            self.promise(
                from,
                Message::ChunkReply {
                    term: self.term,
                    index,
                    result,
                },
            );
            return;
        }
        if self.receiving.installing.is_some() {
            return;
        }
        let same = self
            .receiving
            .current
            .as_ref()
            .is_some_and(|(meta, _)| *meta == piece.meta);
        if !same {
            // The leader decides which image it sends; an older one may be all that a new leader has. A late
            // piece of another image costs a restart of the transfer at the worst.
            if piece.offset != 0 {
                let result = ChunkResult::Want { offset: 0 };
                self.ready.send.push((
                    from,
                    Message::ChunkReply {
                        term: self.term,
                        index,
                        result,
                    },
                ));
                return;
            }
            self.receiving.current = Some((piece.meta.clone(), 0));
            self.receiving.staging = None;
        }
        let staged = self
            .receiving
            .current
            .as_ref()
            .map_or(0, |(_, staged)| *staged);
        if self.receiving.staging.is_some() {
            return;
        }
        if piece.offset != staged {
            let result = ChunkResult::Want { offset: staged };
            self.ready.send.push((
                from,
                Message::ChunkReply {
                    term: self.term,
                    index,
                    result,
                },
            ));
            return;
        }
        self.receiving.staging = Some((from, piece.offset));
        self.ready.stage.push(piece);
    }

    /// A piece was written. The image is whole when `staged` reaches its size: then the caller installs it
    /// and says [`Raft::installed`] or [`Raft::install_failed`].
    pub fn staged(&mut self, index: Index, staged: u64, total: u64) {
        let Some((meta, offset)) = &mut self.receiving.current else {
            return;
        };
        if meta.index != index {
            return;
        }
        *offset = staged;
        let from = self.receiving.staging.take().map(|(from, _)| from);
        if staged >= total && meta.index > self.log.commit {
            self.receiving.installing = Some(meta.clone());
        } else if let Some(from) = from {
            let result = ChunkResult::Want { offset: staged };
            self.ready.send.push((
                from,
                Message::ChunkReply {
                    term: self.term,
                    index,
                    result,
                },
            ));
        }
    }

    /// Whether a whole image waits to replace the state.
    pub fn installing(&self) -> Option<&SnapshotMeta> {
        self.receiving.installing.as_ref()
    }

    /// The image is this server's durable state now.
    pub fn installed(&mut self, meta: SnapshotMeta) {
        self.receiving = Receiving::default();
        if meta.index > self.log.commit {
            self.unsaved.retain(|entry| entry.index > meta.index);
            let keeps = self.log.term(meta.index) == Some(meta.term);
            self.log.restore(meta.index, meta.term);
            self.configs
                .restore(meta.index, meta.members.clone(), self.log.last());
            self.unsaved_mark = Some((meta.index, meta.term));
            if !keeps {
                self.unsaved.clear();
            }
        }
        if meta.index > self.snapshot.index {
            self.snapshot = meta.clone();
        }
        if let Some(leader) = self.leader.filter(|_| self.role == Role::Follower) {
            let result = ChunkResult::Have {
                commit: self.log.commit,
            };
            self.promise(
                leader,
                Message::ChunkReply {
                    term: self.term,
                    index: meta.index,
                    result,
                },
            );
        }
    }

    /// The image turned out not to be one: it is asked for again from the start.
    pub fn install_failed(&mut self) {
        self.receiving = Receiving::default();
    }
}
