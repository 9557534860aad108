//! Reads without a round, on the strength of a lease (Raft thesis, 6.4.1). An option: it trusts the clocks to run at
//! about the same pace, which ReadIndex does not.
//!
//! A server that answered a heartbeat helps nobody else to lead for an election timeout after that, and that timeout
//! began after the heartbeat was *sent*. So a leader that a majority answered leads alone for that long after
//! sending, less a margin for the clocks' drift, and may answer reads by itself. Time is what the caller says
//! it is, never a count of ticks: a leader that was paused finds its lease run out.
//!
//! To keep the promise, a server that may have answered refuses its vote whatever else it has forgotten: its leader
//! because of a higher term, or everything because of a restart. A hand-over breaks the promise with the
//! leader's consent; such a leader has no lease for the rest of its term.

use super::{Raft, Role};
use std::collections::VecDeque;

/// When each round of heartbeats left.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    /// Round and time, oldest first; only as far back as a lease lasts.
    sent: VecDeque<(u64, u64)>,
    given_up: bool,
}

impl Lease {
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    pub fn sent(&mut self, round: u64, now_ms: u64, lasts_ms: u64) {
        while self
            .sent
            .pop_front_if(|(_, sent_ms)| *sent_ms + lasts_ms <= now_ms)
            .is_some()
        {}
        self.sent.push_back((round, now_ms));
    }

    /// When a round left; none if that is too long ago to matter.
    pub fn sent_ms(&self, round: u64) -> Option<u64> {
        let found = self
            .sent
            .binary_search_by_key(&round, |(round, _)| *round)
            .ok()?;
        Some(self.sent[found].1)
    }
}

impl Raft {
    /// Whether a majority is bound to this leader at this moment.
    pub fn holds_lease(&self) -> bool {
        let Some(lasts_ms) = self.config.lease_ms else {
            return false;
        };
        if self.role != Role::Leader || self.lease.given_up {
            return false;
        }
        self.members().has_quorum(|id| {
            id == self.config.id
                || self
                    .progress
                    .get(&id)
                    .and_then(|follower| self.lease.sent_ms(follower.round))
                    .is_some_and(|sent_ms| self.now_ms < sent_ms + lasts_ms)
        })
    }

    /// Whether this server may have promised, lately, to help nobody but the leader.
    pub(super) fn is_bound_by_lease(&self) -> bool {
        self.config.lease_ms.is_some() && self.ticks_since_heard < self.config.election_ticks
    }

    /// The heartbeats that leave now are a round of their own, so that the lease can be told from them.
    pub(super) fn note_round(&mut self) {
        if let Some(lasts_ms) = self.config.lease_ms {
            self.reads.next_round();
            self.lease.sent(self.reads.round(), self.now_ms, lasts_ms);
        }
    }
}
