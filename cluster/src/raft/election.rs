//! Becoming a leader, and knowing when one no longer is (Raft, sections 5.2 and 5.4.1; thesis 6.2, 9.6).

use super::{Impossible, Message, Outcome, Progress, Raft, Role, lease, read};
use crate::bugs::{Bug, planted};
use crate::types::{EntryKind, Index, ServerId, Term};
use std::sync::Arc;

/// What a candidate says of itself.
pub(super) struct VoteRequest {
    pub term: Term,
    pub pre: bool,
    pub transfer: bool,
    /// Term and index of its last entry.
    pub last: (Term, Index),
}

impl Raft {
    pub(super) fn tick_election(&mut self) -> Result<(), Impossible> {
        self.ticks_since_election += 1;
        // Who decides alone need not wait for others to fall silent, but for the lease that the last leader may hold:
        // it may have led more members than are left.
        let alone = self.members().has_quorum(|id| id == self.config.id);
        let at_once = alone && !self.is_bound_by_lease();
        let waits = self.ticks_since_election < self.timeout && !at_once;
        if waits || self.receiving.installing.is_some() {
            return Ok(());
        }
        if !self.configs.may_stand(self.config.id, self.log.commit) {
            // It stands for nothing, but says that it hears nobody.
            self.become_follower(None);
            return Ok(());
        }
        // Ask first whether an election could be won: a server that was away must not depose a leader
        // merely by its higher term.
        self.leader = None;
        self.role = Role::PreCandidate;
        self.ask_for_votes(true, false)
    }

    /// Asks those who vote in the membership that holds here. Whether they think so too does not matter: a learner
    /// may have been promoted without having heard of it.
    fn ask_for_votes(&mut self, pre: bool, transfer: bool) -> Result<(), Impossible> {
        self.reset_timeout();
        self.votes.clear();
        let term = if pre { self.term + 1 } else { self.term };
        let (last_index, last_term) = (self.log.last(), self.log.last_term());
        for peer in self.peers() {
            if !self.members().is_voter(peer) {
                continue;
            }
            let message = Message::VoteRequest {
                term,
                pre,
                transfer,
                last_index,
                last_term,
            };
            if pre {
                self.ready.send.push((peer, message));
            } else {
                // The own vote must be durable before anybody is asked for theirs.
                self.promise(peer, message);
            }
        }
        let own = Message::VoteReply {
            term,
            pre,
            granted: true,
        };
        if pre {
            self.receive_vote_reply(self.config.id, term, true, true)
        } else {
            self.promise(self.config.id, own);
            Ok(())
        }
    }

    pub(super) fn become_candidate(&mut self, transfer: bool) -> Result<(), Impossible> {
        self.set_term(self.term + 1);
        self.vote = Some(self.config.id);
        self.role = Role::Candidate;
        self.ask_for_votes(false, transfer)
    }

    fn become_leader(&mut self) -> Result<(), Impossible> {
        self.role = Role::Leader;
        self.leader = Some(self.config.id);
        self.ticks_since_election = 0;
        self.ticks_since_heartbeat = 0;
        self.reads = read::Reads::default();
        self.stop_receiving();
        self.lease = lease::Lease::default();
        self.transferred_to(self.config.id);
        let next = self.log.last() + 1;
        self.progress = self
            .peers()
            .map(|peer| (peer, Progress::new(next)))
            .collect();
        // Entries of earlier terms commit only together with one of this term (Raft, 5.4.2). The very first entry of
        // a cluster is its membership, so that no server's configuration matters after that.
        if self.log.last() == 0 {
            self.append_as_leader(EntryKind::Config, self.members().encode())?;
        } else {
            self.append_as_leader(EntryKind::Noop, Arc::from([]))?;
        }
        Ok(())
    }

    /// Goes back to following, in this term, whoever leads it.
    pub(super) fn become_follower(&mut self, leader: Option<ServerId>) {
        self.end_change(Outcome::LeadershipLost);
        self.role = Role::Follower;
        self.leader = leader;
        self.progress.clear();
        self.reads = read::Reads::default();
        self.reset_timeout();
    }

    /// A message that only a leader of this term sends.
    pub(super) fn follow(&mut self, leader: ServerId) -> Result<(), Impossible> {
        if self.role == Role::Leader {
            return Err(Impossible(format!("{leader} leads term {} too", self.term)));
        }
        if self.role != Role::Follower || self.leader != Some(leader) {
            self.become_follower(Some(leader));
            self.transferred_to(leader);
        }
        self.ticks_since_election = 0;
        self.ticks_since_heard = 0;
        Ok(())
    }

    fn set_term(&mut self, term: Term) {
        self.term = term;
        self.vote = None;
        self.leader = None;
        self.hard_state_changed = true;
    }

    /// The term rule; false if the message is not for this term.
    pub(super) fn accept_term(&mut self, from: ServerId, term: Term, message: &Message) -> bool {
        if term > self.term {
            match message {
                // Somebody who has a leader that it hears does not help to depose it.
                Message::VoteRequest {
                    transfer: false, ..
                } if self.hears_leader() => return false,
                // These speak of a term that nobody has yet.
                Message::VoteRequest { pre: true, .. }
                | Message::VoteReply {
                    pre: true,
                    granted: true,
                    ..
                } => {}
                Message::Append { .. }
                | Message::Heartbeat { .. }
                | Message::Offer { .. }
                | Message::Chunk { .. } => {
                    self.set_term(term);
                    self.become_follower(Some(from));
                    self.transferred_to(from);
                }
                _ => {
                    self.set_term(term);
                    self.become_follower(None);
                }
            }
            return true;
        }
        if term < self.term {
            match message {
                // A leader of an earlier term, or a server that asks for votes in one, learns of this one.
                Message::Append { .. }
                | Message::Heartbeat { .. }
                | Message::Offer { .. }
                | Message::Chunk { .. } => {
                    self.ready.send.push((
                        from,
                        Message::HeartbeatReply {
                            term: self.term,
                            round: 0,
                        },
                    ));
                }
                Message::VoteRequest { pre, .. } => {
                    let reply = Message::VoteReply {
                        term: self.term,
                        pre: *pre,
                        granted: false,
                    };
                    self.ready.send.push((from, reply));
                }
                _ => {}
            }
            return false;
        }
        true
    }

    fn hears_leader(&self) -> bool {
        match self.role {
            Role::Leader => true,
            _ => {
                let heard = self.ticks_since_election < self.config.election_ticks;
                (self.leader.is_some() && heard) || self.is_bound_by_lease()
            }
        }
    }

    /// Anybody is answered, also one that does not belong here: it knows by which membership it counts.
    pub(super) fn receive_vote_request(&mut self, from: ServerId, request: VoteRequest) {
        let VoteRequest {
            term,
            pre,
            transfer,
            last,
        } = request;
        let up_to_date =
            planted(Bug::VoteForShorterLog) || last >= (self.log.last_term(), self.log.last());
        if pre {
            let granted = term > self.term && up_to_date && !self.hears_leader();
            let term = if granted { term } else { self.term };
            self.ready
                .send
                .push((from, Message::VoteReply { term, pre, granted }));
            return;
        }
        let bound = !transfer && self.is_bound_by_lease();
        let free = self.vote.is_none_or(|vote| vote == from) && self.leader.is_none() && !bound;
        let granted = free && up_to_date;
        if granted {
            self.vote = Some(from);
            self.hard_state_changed = true;
            self.ticks_since_election = 0;
        }
        let reply = Message::VoteReply { term, pre, granted };
        if planted(Bug::VoteNotStored) {
            self.hard_state_changed = false;
            self.ready.send.push((from, reply));
            return;
        }
        self.promise(from, reply);
    }

    pub(super) fn receive_vote_reply(
        &mut self,
        from: ServerId,
        term: Term,
        pre: bool,
        granted: bool,
    ) -> Result<(), Impossible> {
        let (role, asked) = if pre {
            (Role::PreCandidate, self.term + 1)
        } else {
            (Role::Candidate, self.term)
        };
        if self.role != role || (granted && term != asked) {
            return Ok(());
        }
        self.votes.insert(from, granted);
        let said = |id, what| self.votes.get(&id) == Some(&what);
        let won = self.members().has_quorum(|id| said(id, true));
        let lost = !self.members().has_quorum(|id| !said(id, false));
        if won && pre {
            self.become_candidate(false)
        } else if won {
            self.become_leader()
        } else {
            if lost {
                self.become_follower(None);
            }
            Ok(())
        }
    }

    /// A leader that a majority does not answer steps down: its clients must not wait for it, and its
    /// term ends where another's can begin.
    pub(super) fn check_quorum(&mut self) {
        let answered = self.members().has_quorum(|id| {
            id == self.config.id
                || self
                    .progress
                    .get(&id)
                    .is_some_and(|follower| follower.active)
        });
        for follower in self.progress.values_mut() {
            follower.active = false;
        }
        if !answered {
            self.become_follower(None);
        }
    }
}
