//! What operators ask of the members: changes and hand-overs, from arrival to answer.
//!
//! Only the leader takes them; an operator is told whom to ask. Each is answered exactly once: when the last
//! membership is committed, when it is known that nothing comes of it, or at its deadline.

use super::{Effect, Replica, Ticket};
use crate::api::{Answer, ApiError, MembersStatus};
use crate::raft::{Change, Impossible, Outcome, Refused, Role};
use crate::types::ServerId;
use std::collections::{BTreeMap, BTreeSet};

/// Limit of a request that names none, and of those that name more.
pub const MAX_ADMIN_TIMEOUT_MS: u64 = 60_000;

/// What operators may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    Change(Change),
    /// Hand the leadership over; to the best one if none is named.
    Transfer(Option<ServerId>),
}

#[derive(Default)]
pub struct Members {
    /// Deadlines of what was asked.
    asked: BTreeMap<Ticket, u64>,
    /// Who was named last to the program around the replica.
    told: Option<(u64, BTreeSet<ServerId>)>,
    /// A membership was applied: those who left are gone for good.
    pub left: bool,
}

impl Replica {
    pub(super) fn take_admin(
        &mut self,
        ticket: Ticket,
        request: Admin,
        timeout_ms: u64,
    ) -> Result<(), Impossible> {
        let begun = match request {
            Admin::Change(change) => self.raft.change(ticket, change)?,
            Admin::Transfer(to) => self.raft.transfer(ticket, to).map(|_| ()),
        };
        match begun {
            Ok(()) => {
                let deadline_ms = self.now_ms + timeout_ms.min(MAX_ADMIN_TIMEOUT_MS);
                self.members.asked.insert(ticket, deadline_ms);
            }
            Err(refused) => {
                let code = match refused {
                    Refused::NotLeader if self.raft.leader().is_some() => "not-leader",
                    Refused::NotLeader => "no-leader",
                    Refused::NotReady => "not-ready",
                    Refused::UnderWay => "change-under-way",
                    Refused::Transferring => "transferring",
                    Refused::Lags { .. } => "not-caught-up",
                    Refused::NotLearner(_) => "not-learner",
                    Refused::NotVoter(_) => "not-voter",
                    Refused::LastVoter(_) => "last-voter",
                    Refused::OtherAddress { .. } => "other-address",
                    Refused::ReplacesItself(_) => "bad-request",
                };
                let error = self.error(code, true, &refused.to_string());
                self.answer(ticket, Err(error));
            }
        }
        Ok(())
    }

    pub(super) fn answer_admin(&mut self, ticket: Ticket, outcome: Outcome) {
        if self.members.asked.remove(&ticket).is_none() {
            // Answered at its deadline.
            return;
        }
        let result = self.result_of(outcome);
        self.answer(ticket, result);
    }

    fn result_of(&self, outcome: Outcome) -> Result<Answer, ApiError> {
        let (code, definite, message) = match outcome {
            Outcome::Done { index } => {
                return Ok(Answer {
                    index,
                    ..Answer::default()
                });
            }
            Outcome::LeadershipLost => (
                "lost-leadership",
                false,
                "this server leads no more; a later leader finishes the change or drops it".into(),
            ),
            Outcome::NotCaughtUp { id, lag } => (
                "not-caught-up",
                true,
                format!(
                    "{id} still lacks {lag} entries and stays a learner; ask again, or remove it"
                ),
            ),
            Outcome::GivenUp => (
                "given-up",
                true,
                "the learner was removed before it had caught up".into(),
            ),
            Outcome::NotTakenOver { to } => (
                "not-taken-over",
                false,
                format!("{to} has not taken over in time"),
            ),
        };
        Err(self.error(code, definite, &message))
    }

    pub(super) fn expire_admin(&mut self) {
        let now_ms = self.now_ms;
        let late: Vec<_> = self
            .members
            .asked
            .extract_if(.., |_, deadline_ms| *deadline_ms <= now_ms)
            .collect();
        for (ticket, _) in late {
            let message = "not finished in time; it goes on, see the members in the status";
            let error = self.error("timeout", false, message);
            self.answer(ticket, Err(error));
        }
    }

    /// Names those whom this server may have to reach, whenever they change.
    pub(super) fn name_peers(&mut self) {
        let version = self.raft.members_version();
        let told = self
            .members
            .told
            .as_ref()
            .is_some_and(|(told, _)| *told == version);
        if told && !self.members.left {
            return;
        }
        self.members.left = false;
        let keep = self.raft.recipients();
        if self
            .members
            .told
            .as_ref()
            .is_none_or(|(told, kept)| *told != version || *kept != keep)
        {
            let addresses = self.raft.members().addresses.clone();
            self.effects.push(Effect::Peers {
                keep: keep.clone(),
                addresses,
            });
        }
        self.members.told = Some((version, keep));
    }

    pub(super) fn members_status(&self) -> MembersStatus {
        let names = |ids: &BTreeSet<ServerId>| ids.iter().map(ServerId::to_string).collect();
        let members = self.raft.members();
        MembersStatus {
            voters: names(&members.voters),
            outgoing: names(&members.outgoing),
            learners: names(&members.learners),
        }
    }

    /// The role as the status names it.
    pub(super) fn role(&self) -> &'static str {
        let id = self.raft.id();
        match self.raft.role() {
            Role::Leader => "leader",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Follower if self.raft.members().is_voter(id) => "follower",
            Role::Follower if self.raft.members().contains(id) => "learner",
            Role::Follower => "outsider",
        }
    }
}
