//! Linearizable reads without writing: ReadIndex (Raft thesis, section 6.4).
//!
//! A read may be served at the commit index of the moment it arrived, once the leader has made sure that
//! it still leads: by a round of heartbeats that *began after* the read arrived. Reads that arrive
//! while a round is under way share the next one.

use super::{Message, Raft, Role};
use crate::bugs::{Bug, planted};
use crate::types::{Index, ServerId};

#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// The newest round that was begun.
    begun: u64,
    /// Reads that wait for a round to be confirmed: who asked, its id, the index, the round.
    waiting: Vec<(ServerId, u64, Index, u64)>,
    /// Reads that came before this term's first commit.
    early: Vec<(ServerId, u64)>,
}

impl Reads {
    pub fn round(&self) -> u64 {
        self.begun
    }

    pub fn next_round(&mut self) {
        self.begun += 1;
    }
}

impl Raft {
    /// A client's read; false if nobody leads. The answer comes in [`super::Ready::reads`], or never.
    pub fn read(&mut self, id: u64) -> bool {
        if self.role == Role::Leader {
            self.receive_read_index(self.config.id, id);
            return true;
        }
        match self.leader {
            Some(leader) => {
                self.ready.send.push((leader, Message::ReadIndex { id }));
                true
            }
            None => false,
        }
    }

    pub(super) fn receive_read_index(&mut self, from: ServerId, id: u64) {
        if self.role != Role::Leader {
            return;
        }
        if self.log.term(self.log.commit) != Some(self.term) && !planted(Bug::ReadBeforeFirstCommit)
        {
            // What earlier leaders committed is not known before an entry of this term is committed.
            self.reads.early.push((from, id));
            return;
        }
        if self.holds_lease() || planted(Bug::ReadWithoutRound) {
            self.admit_read(from, id, self.log.commit);
            return;
        }
        let under_way = self
            .reads
            .waiting
            .iter()
            .any(|&(.., round)| round == self.reads.begun);
        let round = self.reads.begun + 1;
        self.reads.waiting.push((from, id, self.log.commit, round));
        if !under_way {
            self.begin_round();
        }
    }

    fn admit_read(&mut self, from: ServerId, id: u64, index: Index) {
        if from == self.config.id {
            self.ready.reads.push((id, index));
        } else {
            self.ready
                .send
                .push((from, Message::ReadIndexReply { id, index }));
        }
    }

    pub(super) fn admit_waiting_reads(&mut self) {
        for (from, id) in std::mem::take(&mut self.reads.early) {
            self.receive_read_index(from, id);
        }
    }

    fn begin_round(&mut self) {
        if self.config.lease_ms.is_none() {
            self.reads.next_round();
        }
        self.broadcast_heartbeat();
        if self.members().has_quorum(|id| id == self.config.id) {
            self.confirm_reads();
        }
    }

    pub(super) fn confirm_reads(&mut self) {
        let confirmed = self.members().agreed(|id| {
            if id == self.config.id {
                return self.reads.begun;
            }
            self.progress.get(&id).map_or(0, |follower| follower.round)
        });
        let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.reads.waiting)
            .into_iter()
            .partition(|&(.., round)| round <= confirmed);
        self.reads.waiting = waiting;
        for (from, id, index, _) in ready {
            self.admit_read(from, id, index);
        }
        let next = self.reads.begun + 1;
        let under_way = self.reads.waiting.iter().any(|&(.., round)| round < next);
        if !under_way && self.reads.waiting.iter().any(|&(.., round)| round == next) {
            self.begin_round();
        }
    }
}
