//! Changing the membership (Raft thesis, chapter 4): proposing, following and finishing a change.
//!
//! A change of the voters takes two entries: a joint membership, under which both sets decide, and when that is
//! committed the new one alone, which the leader appends by itself; so does a later leader that finds the first
//! one committed. A membership holds from the moment it is in the log. A new voter is a learner first, until it
//! has caught up: a voter with an empty log would only make majorities harder to reach.
//!
//! Which server is on its way to becoming a voter is known to the leader alone: after a change of leader it stays a
//! learner until the operator asks again. Whoever was removed receives entries until that is committed, so that
//! it usually learns of it; a leader that was removed steps down at that moment.

use super::membership::Configs;
use super::{Config, Impossible, Message, Progress, Raft, Role};
use crate::types::{Entry, EntryKind, Index, Membership, ServerId, SnapshotMeta};
use std::collections::BTreeSet;

/// A learner that lacks at most so many entries may become a voter.
pub const MAX_LAG: u64 = 1_000;

/// Election timeouts after which a leader stops waiting for a learner to catch up.
const PATIENCE: u32 = 100;

/// What an operator wants. Each is idempotent: what holds already is done at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It shall receive everything and decide nothing.
    AddLearner {
        id: ServerId,
        address: Option<String>,
    },
    /// A learner that has caught up shall vote.
    Promote {
        id: ServerId,
    },
    /// It shall vote: a learner first, promoted when it has caught up.
    Add {
        id: ServerId,
        address: Option<String>,
    },
    Remove {
        id: ServerId,
    },
    /// `add` shall vote in place of `remove`; one change of the voters.
    Replace {
        remove: ServerId,
        add: ServerId,
        address: Option<String>,
    },
}

/// Why a change or a transfer did not begin. Nothing happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this server does not lead")]
    NotLeader,
    #[error("the leader has not committed anything in its term yet")]
    NotReady,
    #[error("another change of the members is under way")]
    UnderWay,
    #[error("the leadership is being handed over")]
    Transferring,
    #[error("{id} lacks {lag} entries; at most {MAX_LAG} are allowed")]
    Lags { id: ServerId, lag: u64 },
    #[error("{0} is no learner")]
    NotLearner(ServerId),
    #[error("{0} is no voter")]
    NotVoter(ServerId),
    #[error("{0} is the last voter")]
    LastVoter(ServerId),
    #[error("{id} is a member at {address}; remove it first")]
    OtherAddress { id: ServerId, address: String },
    #[error("{0} can't replace itself")]
    ReplacesItself(ServerId),
}

/// How a change or a transfer that had begun ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The last membership of the change is committed at this index; or the leadership was handed over.
    Done { index: Index },
    /// This server leads no more: whether the change comes about is for later leaders to decide.
    LeadershipLost,
    /// The learner did not catch up in time, and stays a learner.
    NotCaughtUp { id: ServerId, lag: u64 },
    /// The learner was removed before it had caught up.
    GivenUp,
    /// The other server did not take over in time.
    NotTakenOver { to: ServerId },
}

/// A change that somebody waits for.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Whoever asked.
    ticket: u64,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// A learner on its way to vote, in place of another one or not.
    CatchingUp {
        id: ServerId,
        replaces: Option<ServerId>,
        ticks: u32,
    },
    /// The newest membership, and what a joint one leads to, is not committed yet.
    Committing,
}

/// The memberships after a restart: what the image says, and what came after it in the log. What the configuration
/// says counts for a server that has neither.
pub(super) fn restored(
    config: &Config,
    snapshot: &SnapshotMeta,
    entries: &[Entry],
) -> Result<Configs, Impossible> {
    let mut configs = match snapshot.index {
        0 => Configs::new(0, Membership::of(config.members.iter().copied())),
        index if snapshot.members.voters.is_empty() => {
            return Err(Impossible(format!("the image of {index} has no members")));
        }
        index => Configs::new(index, snapshot.members.clone()),
    };
    for entry in entries {
        if entry.kind == EntryKind::Config && entry.index > snapshot.index {
            configs.push(entry.index, Membership::decode(entry)?);
        }
    }
    Ok(configs)
}

impl Raft {
    /// Changes the membership. The outcome comes in [`super::Ready::outcomes`] under this ticket, but not after a
    /// restart.
    pub fn change(
        &mut self,
        ticket: u64,
        change: Change,
    ) -> Result<Result<(), Refused>, Impossible> {
        if let Err(refused) = self.admits_change(&change) {
            return Ok(Err(refused));
        }
        match change {
            Change::AddLearner { id, address } => self.add_learner(ticket, id, address),
            Change::Promote { id } => self.promote(ticket, id),
            Change::Add { id, address } => self.add_voter(ticket, id, address, None),
            Change::Remove { id } => self.remove(ticket, id),
            Change::Replace { remove, add, .. } if remove == add => {
                Ok(Err(Refused::ReplacesItself(add)))
            }
            Change::Replace {
                remove,
                add,
                address,
            } => self.add_voter(ticket, add, address, Some(remove)),
        }
    }

    fn admits_change(&self, change: &Change) -> Result<(), Refused> {
        if self.role != Role::Leader {
            return Err(Refused::NotLeader);
        }
        if self.transfer.is_some() {
            return Err(Refused::Transferring);
        }
        // Only who knows what is committed may change who commits (the bug in the first version of the
        // thesis' one-server changes).
        if self.log.term(self.log.commit) != Some(self.term) {
            return Err(Refused::NotReady);
        }
        let gives_up = matches!(
            (&self.pending, change),
            (Some(Pending { stage: Stage::CatchingUp { id, .. }, .. }), Change::Remove { id: removed })
                if id == removed
        );
        if !self.is_settled() || (self.pending.is_some() && !gives_up) {
            return Err(Refused::UnderWay);
        }
        Ok(())
    }

    /// Whether the newest membership is committed and final.
    fn is_settled(&self) -> bool {
        self.configs.index() <= self.log.commit && !self.members().is_joint()
    }

    fn add_learner(
        &mut self,
        ticket: u64,
        id: ServerId,
        address: Option<String>,
    ) -> Result<Result<(), Refused>, Impossible> {
        if self.members().contains(id) {
            let same = self.same_address(id, address);
            return Ok(same.and_then(|()| self.done_already(ticket)));
        }
        self.append_learner(id, address)?;
        self.wait_for(ticket, Stage::Committing);
        Ok(Ok(()))
    }

    fn append_learner(&mut self, id: ServerId, address: Option<String>) -> Result<(), Impossible> {
        let mut members = self.members().clone();
        members.learners.insert(id);
        members
            .addresses
            .extend(address.map(|address| (id, address)));
        self.append_members(members)
    }

    /// What was said of a member must agree with what is asked now.
    fn same_address(&self, id: ServerId, address: Option<String>) -> Result<(), Refused> {
        match (address, self.members().addresses.get(&id)) {
            (Some(asked), Some(known)) if asked != *known => Err(Refused::OtherAddress {
                id,
                address: known.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn promote(&mut self, ticket: u64, id: ServerId) -> Result<Result<(), Refused>, Impossible> {
        if self.members().voters.contains(&id) {
            return Ok(self.done_already(ticket));
        }
        if !self.members().learners.contains(&id) {
            return Ok(Err(Refused::NotLearner(id)));
        }
        let lag = self.lag(id);
        if lag > MAX_LAG {
            return Ok(Err(Refused::Lags { id, lag }));
        }
        self.wait_for(ticket, Stage::Committing);
        self.append_voters(Some(id), None)?;
        Ok(Ok(()))
    }

    fn add_voter(
        &mut self,
        ticket: u64,
        id: ServerId,
        address: Option<String>,
        replaces: Option<ServerId>,
    ) -> Result<Result<(), Refused>, Impossible> {
        if let Err(refused) = self.same_address(id, address.clone()) {
            return Ok(Err(refused));
        }
        if self.members().voters.contains(&id) {
            // What is left of a replacement that an earlier leader began.
            return match replaces {
                Some(replaced) => self.remove(ticket, replaced),
                None => Ok(self.done_already(ticket)),
            };
        }
        if !self.members().contains(id) {
            self.append_learner(id, address)?;
        }
        self.wait_for(
            ticket,
            Stage::CatchingUp {
                id,
                replaces,
                ticks: 0,
            },
        );
        self.follow_change()?;
        Ok(Ok(()))
    }

    fn remove(&mut self, ticket: u64, id: ServerId) -> Result<Result<(), Refused>, Impossible> {
        if !self.members().contains(id) {
            return Ok(self.done_already(ticket));
        }
        if self.members().voters.contains(&id) {
            if self.members().voters.len() == 1 {
                return Ok(Err(Refused::LastVoter(id)));
            }
            self.wait_for(ticket, Stage::Committing);
            self.append_voters(None, Some(id))?;
        } else {
            self.end_change(Outcome::GivenUp);
            let mut members = self.members().clone();
            members.learners.remove(&id);
            members.addresses.remove(&id);
            self.wait_for(ticket, Stage::Committing);
            self.append_members(members)?;
        }
        Ok(Ok(()))
    }

    fn done_already(&mut self, ticket: u64) -> Result<(), Refused> {
        let index = self.configs.index();
        self.ready.outcomes.push((ticket, Outcome::Done { index }));
        Ok(())
    }

    fn wait_for(&mut self, ticket: u64, stage: Stage) {
        self.pending = Some(Pending { ticket, stage });
    }

    /// Tells whoever waits for the change how it ended.
    pub(super) fn end_change(&mut self, outcome: Outcome) {
        if let Some(pending) = self.pending.take() {
            self.ready.outcomes.push((pending.ticket, outcome));
        }
    }

    /// Begins a joint membership: with one voter more, less, or both.
    fn append_voters(
        &mut self,
        more: Option<ServerId>,
        less: Option<ServerId>,
    ) -> Result<(), Impossible> {
        let mut voters = self.members().voters.clone();
        voters.extend(more);
        if let Some(less) = less {
            voters.remove(&less);
        }
        self.append_members(self.members().entering(voters))
    }

    fn append_members(&mut self, members: Membership) -> Result<(), Impossible> {
        self.append_as_leader(EntryKind::Config, members.encode())?;
        Ok(())
    }

    /// How many entries a server lacks, as far as its answers tell.
    fn lag(&self, id: ServerId) -> u64 {
        let matched = self
            .progress
            .get(&id)
            .map_or(0, |follower| follower.matched);
        self.log.last() - matched
    }

    /// Takes the next step of a change, if it can be taken. To be called whenever something was committed or a
    /// learner came nearer.
    pub(super) fn follow_change(&mut self) -> Result<(), Impossible> {
        if self.role != Role::Leader || self.transfer.is_some() {
            return Ok(());
        }
        if self.configs.index() > self.log.commit {
            return Ok(());
        }
        if self.members().is_joint() {
            return self.append_members(self.members().leaving());
        }
        self.reconcile_progress();
        let caught_up = match self.pending.as_ref().map(|pending| &pending.stage) {
            Some(&Stage::CatchingUp { id, replaces, .. }) if self.lag(id) <= MAX_LAG => {
                // An answer must have come: a lag is only known from what it acknowledged.
                let answered = self
                    .progress
                    .get(&id)
                    .is_some_and(|learner| learner.matched > 0);
                answered.then_some((id, replaces))
            }
            _ => None,
        };
        if let Some((id, replaces)) = caught_up {
            if let Some(pending) = &mut self.pending {
                pending.stage = Stage::Committing;
            }
            return self.append_voters(Some(id), replaces);
        }
        if let Some(Pending {
            stage: Stage::Committing,
            ..
        }) = self.pending
        {
            let index = self.configs.index();
            self.end_change(Outcome::Done { index });
        }
        if !self.members().is_voter(self.config.id) {
            self.retire();
        }
        Ok(())
    }

    /// This leader was removed, and that is committed. The best of the others need not wait for it to fall silent.
    fn retire(&mut self) {
        if let Some(to) = self.best_successor() {
            let term = self.term;
            self.ready.send.push((to, Message::TimeoutNow { term }));
        }
        self.become_follower(None);
    }

    /// A learner that can't be reached must not keep others from changing anything.
    pub(super) fn tick_change(&mut self) -> Result<(), Impossible> {
        let limit = PATIENCE.saturating_mul(self.config.election_ticks);
        if let Some(Pending {
            stage: Stage::CatchingUp { id, ticks, .. },
            ..
        }) = &mut self.pending
        {
            *ticks += 1;
            let id = *id;
            if *ticks >= limit {
                let lag = self.lag(id);
                self.end_change(Outcome::NotCaughtUp { id, lag });
            }
        }
        self.follow_change()
    }

    /// Puts an entry at the end of the log. A membership in it holds from now on.
    pub(super) fn put(&mut self, entry: Entry) -> Result<(), Impossible> {
        let members = match entry.kind {
            EntryKind::Config => Some((entry.index, Membership::decode(&entry)?)),
            _ => None,
        };
        self.log.push(entry.clone());
        self.unsaved.push(entry);
        if let Some((index, members)) = members {
            self.configs.push(index, members);
            self.reconcile_progress();
        }
        Ok(())
    }

    /// Removes the entries from `from` on, and the memberships that came with them.
    pub(super) fn take_back(&mut self, from: Index) -> Result<(), Impossible> {
        self.log.truncate(from)?;
        self.unsaved.retain(|unsaved| unsaved.index < from);
        self.configs.truncate(from);
        Ok(())
    }

    /// Those whom a leader sends to are those who belong, or may come to belong.
    pub(super) fn reconcile_progress(&mut self) {
        if self.role != Role::Leader {
            return;
        }
        let peers: BTreeSet<ServerId> = self.peers().collect();
        if self.progress.keys().eq(&peers) {
            return;
        }
        let next = self.log.last();
        self.progress.retain(|id, _| peers.contains(id));
        for peer in peers {
            self.progress
                .entry(peer)
                .or_insert_with(|| Progress::new(next));
        }
        self.configs.version += 1;
    }
}

#[cfg(test)]
mod tests;
