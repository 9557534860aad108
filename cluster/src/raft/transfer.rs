//! Handing the leadership over (Raft thesis, 3.10).
//!
//! The leader takes no more proposals, lets the other catch up and tells it to stand for election at once. The other
//! asks for votes in the leader's name, so that those who hear the leader do not refuse. If it has not taken over
//! within an election timeout, the leader goes on as if nothing had been.

use super::{Flow, Impossible, Message, Outcome, Raft, Refused, Role};
use crate::types::{ServerId, Term};

/// A hand-over under way. It outlives the leadership, until it is known who leads next.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    ticket: u64,
    pub to: ServerId,
    ticks: u32,
    /// It was told to stand.
    sent: bool,
}

impl Raft {
    /// Hands the leadership to a voter; to the one that is furthest if none is named. The outcome comes in
    /// [`super::Ready::outcomes`] under this ticket.
    pub fn transfer(&mut self, ticket: u64, to: Option<ServerId>) -> Result<ServerId, Refused> {
        if self.role != Role::Leader {
            return Err(Refused::NotLeader);
        }
        if self.transfer.is_some() {
            return Err(Refused::Transferring);
        }
        let to = match to {
            Some(to) => to,
            None => self
                .best_successor()
                .ok_or(Refused::LastVoter(self.config.id))?,
        };
        if !self.members().voters.contains(&to) {
            return Err(Refused::NotVoter(to));
        }
        if to == self.config.id {
            let index = self.log.commit;
            self.ready.outcomes.push((ticket, Outcome::Done { index }));
            return Ok(to);
        }
        self.transfer = Some(Transfer {
            ticket,
            to,
            ticks: 0,
            sent: false,
        });
        self.send_entries(to);
        self.hand_over();
        Ok(to)
    }

    /// The voter with the longest log among those that answer.
    pub(super) fn best_successor(&self) -> Option<ServerId> {
        let candidates = self.progress.iter().filter(|(id, follower)| {
            follower.active
                && self.members().voters.contains(id)
                && !matches!(follower.flow, Flow::Snapshot { .. })
        });
        candidates
            .max_by_key(|(id, follower)| (follower.matched, std::cmp::Reverse(**id)))
            .map(|(&id, _)| id)
    }

    /// Tells the successor to stand, once it has everything.
    pub(super) fn hand_over(&mut self) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let matched = self
            .progress
            .get(&transfer.to)
            .map_or(0, |follower| follower.matched);
        if transfer.sent || self.role != Role::Leader || matched < self.log.last() {
            return;
        }
        transfer.sent = true;
        // Wherever that message is, and however late it arrives, it may end this leadership at once: nobody
        // is bound to wait any more.
        self.lease.give_up();
        let term = self.term;
        self.ready
            .send
            .push((transfer.to, Message::TimeoutNow { term }));
    }

    pub(super) fn tick_transfer(&mut self) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        transfer.ticks += 1;
        if transfer.ticks >= self.config.election_ticks {
            let outcome = Outcome::NotTakenOver { to: transfer.to };
            self.end_transfer(outcome);
        }
    }

    /// Somebody leads: whoever asked for the hand-over learns whether it is the right one.
    pub(super) fn transferred_to(&mut self, leader: ServerId) {
        if let Some(to) = self.transfer.as_ref().map(|transfer| transfer.to) {
            let index = self.log.commit;
            self.end_transfer(if leader == to {
                Outcome::Done { index }
            } else {
                Outcome::NotTakenOver { to }
            });
        }
    }

    fn end_transfer(&mut self, outcome: Outcome) {
        if let Some(transfer) = self.transfer.take() {
            self.ready.outcomes.push((transfer.ticket, outcome));
        }
    }

    /// The leader wants this server to lead: no question is asked first, and nobody's patience is waited for.
    pub(super) fn receive_timeout_now(
        &mut self,
        from: ServerId,
        term: Term,
    ) -> Result<(), Impossible> {
        let follows = self.role == Role::Follower && self.leader == Some(from);
        let stands = self.members().is_voter(self.config.id) && self.installing().is_none();
        if term == self.term && follows && stands {
            self.become_candidate(true)
        } else {
            Ok(())
        }
    }
}
