//! Consensus: decisions without I/O, clock, threads or randomness of its own.
//!
//! [`Raft`] takes what happened ([`Raft::tick`], [`Raft::receive`], [`Raft::propose`], [`Raft::stored`], ...) and
//! collects what is to be done in a [`Ready`]. Storage is asynchronous: a batch is written while messages
//! travel, and messages that promise something durable (votes, acknowledgements) leave only after
//! [`Raft::stored`] said so. A server's own vote and its own copy of an entry count by the same rule.
//!
//! By role: [`election`] (becoming a leader, and staying one), [`leader`] (replication and commit),
//! [`follower`] (accepting entries), [`read`] (ReadIndex), [`lease`] (reads without a round), [`snapshot`]
//! (InstallSnapshot), [`change`] and [`membership`] (who belongs), [`transfer`] (handing over).
//!
//! Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (Raft), Ongaro's
//! thesis for pre-vote (9.6), check-quorum (6.2), ReadIndex and leases (6.4), membership (4) and transfer (3.10).

mod change;
mod election;
mod follower;
mod leader;
mod lease;
mod log;
mod membership;
mod message;
mod progress;
mod read;
mod snapshot;
mod transfer;

pub use change::{Change, MAX_LAG, Outcome, Refused};
pub use message::{AppendResult, Message, TransferResult};
pub use snapshot::{ChunkData, ChunkRequest, Piece, TransferStats};

use crate::bugs::{Bug, planted};
use crate::types::{
    Entry, EntryKind, HardState, Index, Lineage, Membership, ServerId, SnapshotMeta, Term,
};
use log::Log;
use progress::{Flow, Progress};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A state that a correct cluster never reaches. The server must stop: going on could only spread it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("impossible state: {0}")]
pub struct Impossible(pub String);

#[derive(Clone, Debug)]
pub struct Config {
    pub id: ServerId,
    /// The voters of a new cluster; empty for a server that waits to be added. Of no meaning once there is a log.
    pub members: BTreeSet<ServerId>,
    /// Ticks without a leader before an election; each wait is this plus up to as much again, by chance.
    pub election_ticks: u32,
    pub heartbeat_ticks: u32,
    /// How long a leader may answer reads by itself after a heartbeat that a majority answered: less than
    /// `election_ticks` last by any server's clock. `None`: reads take a round. The same on all servers.
    pub lease_ms: Option<u64>,
    /// Seed of the elections' jitter.
    pub seed: u64,
    /// Limits of one Append message and of what is under way to one follower.
    pub max_append_bytes: usize,
    pub max_inflight_messages: usize,
    pub max_inflight_bytes: usize,
    /// How images travel to followers.
    pub transfer: TransferConfig,
}

/// Limits of images on their way to followers.
#[derive(Clone, Copy, Debug)]
pub struct TransferConfig {
    /// Size of one piece.
    pub chunk_bytes: usize,
    /// Bytes under way to one follower.
    pub window_bytes: usize,
    /// Bytes per tick, to all followers together; `None`: no limit.
    pub bytes_per_tick: Option<u64>,
    /// Whether only what changed may be sent.
    pub delta: bool,
}

/// What was found on disk at the start.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    pub hard_state: HardState,
    pub lineage: Lineage,
    /// What the checkpoint holds; the default if there is none.
    pub snapshot: SnapshotMeta,
    /// Index and term before the first of `entries`.
    pub base: (Index, Term),
    pub entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Follower,
    PreCandidate,
    Candidate,
    Leader,
}

/// What must be on disk before `stored(sequence)` is said. Batches are stored in order; an entry replaces
/// those at its index and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub sequence: u64,
    /// An installed image took the place of the log up to here; comes before the entries.
    pub mark: Option<(Index, Term)>,
    pub hard_state: Option<HardState>,
    pub entries: Vec<Entry>,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    pub store: Option<Batch>,
    pub send: Vec<(ServerId, Message)>,
    /// Committed entries, to be applied in order.
    pub apply: Vec<Entry>,
    /// Reads that may be served once this index is applied.
    pub reads: Vec<(u64, Index)>,
    /// Followers that need an image: to be answered by [`Raft::offer`].
    pub offers: Vec<ServerId>,
    /// How changes and transfers ended, by the ticket that was given to them.
    pub outcomes: Vec<(u64, Outcome)>,
    /// To be answered by [`Raft::chunk_read`].
    pub chunks: Vec<ChunkRequest>,
    /// To be answered by [`Raft::staged`].
    pub stage: Vec<Piece>,
}

/// Whether a proposal is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposed {
    /// Appended to this leader's log at this index.
    Appended(Index),
    /// Sent to the server that leads, as far as this one knows.
    Forwarded,
    /// Certainly not: nobody leads.
    NoLeader,
    /// Certainly not: the leadership is being handed over.
    Transferring,
}

pub struct Raft {
    config: Config,
    role: Role,
    term: Term,
    vote: Option<ServerId>,
    leader: Option<ServerId>,
    log: Log,
    /// The newest checkpoint on this server's disk.
    snapshot: SnapshotMeta,
    lineage: Lineage,

    /// The caller's clock at the last tick.
    now_ms: u64,
    ticks_since_election: u32,
    ticks_since_heartbeat: u32,
    /// Since any leader's message was accepted, or since the start.
    ticks_since_heard: u32,
    /// This election waits so many ticks.
    timeout: u32,
    rng: Pcg64Mcg,
    votes: BTreeMap<ServerId, bool>,

    progress: BTreeMap<ServerId, Progress>,
    reads: read::Reads,
    sending: snapshot::Sending,
    lease: lease::Lease,
    configs: membership::Configs,
    pending: Option<change::Pending>,
    transfer: Option<transfer::Transfer>,
    receiving: snapshot::Receiving,

    hard_state_changed: bool,
    unsaved_mark: Option<(Index, Term)>,
    unsaved: Vec<Entry>,
    next_sequence: u64,
    /// Last index and term of each batch under way.
    saving: VecDeque<(u64, Option<(Index, Term)>)>,
    /// Messages that leave when the batch is durable.
    promised: VecDeque<(u64, ServerId, Message)>,
    ready: Ready,
}

impl Raft {
    pub fn new(config: Config, restored: Restored) -> Result<Self, Impossible> {
        let Restored {
            hard_state,
            lineage,
            snapshot,
            base,
            entries,
        } = restored;
        let last = base.0 + entries.len() as u64;
        let commit = hard_state.commit.max(snapshot.index).min(last);
        let configs = change::restored(&config, &snapshot, &entries)?;
        let log = Log::new(base, entries, commit, snapshot.index)?;
        let rng =
            Pcg64Mcg::seed_from_u64(config.seed ^ config.id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut raft = Self {
            role: Role::Follower,
            term: hard_state.term,
            vote: hard_state.vote,
            leader: None,
            log,
            snapshot,
            lineage,
            now_ms: 0,
            ticks_since_election: 0,
            ticks_since_heartbeat: 0,
            ticks_since_heard: 0,
            timeout: config.election_ticks,
            rng,
            votes: BTreeMap::new(),
            progress: BTreeMap::new(),
            reads: read::Reads::default(),
            sending: snapshot::Sending::default(),
            lease: lease::Lease::default(),
            configs,
            pending: None,
            transfer: None,
            receiving: snapshot::Receiving::default(),
            hard_state_changed: false,
            unsaved_mark: None,
            unsaved: Vec::new(),
            next_sequence: 1,
            saving: VecDeque::new(),
            promised: VecDeque::new(),
            ready: Ready::default(),
            config,
        };
        raft.reset_timeout();
        raft.hand_out();
        Ok(raft)
    }

    pub fn id(&self) -> ServerId {
        self.config.id
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn term(&self) -> Term {
        self.term
    }

    pub fn vote(&self) -> Option<ServerId> {
        self.vote
    }

    pub fn leader(&self) -> Option<ServerId> {
        self.leader
    }

    pub fn commit(&self) -> Index {
        self.log.commit
    }

    /// Everything up to here was handed out to be applied.
    pub fn applied(&self) -> Index {
        self.log.applied
    }

    pub fn first_index(&self) -> Index {
        self.log.first()
    }

    pub fn last_index(&self) -> Index {
        self.log.last()
    }

    /// The term of an entry that is still kept; for invariants in simulation.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        self.log.term(index)
    }

    /// How entries go to each follower, in words; for reports.
    pub fn flows(&self) -> Vec<String> {
        let flow = |follower: &Progress| match &follower.flow {
            Flow::Probe { waiting } => format!("probe{}", if *waiting { " (waiting)" } else { "" }),
            Flow::Replicate { inflight } => format!("replicate ({} under way)", inflight.len()),
            Flow::Snapshot(transfer) => transfer.describe(),
        };
        let flows = self.progress.iter();
        flows
            .map(|(id, follower)| format!("{id}: {}, matched {}", flow(follower), follower.matched))
            .collect()
    }

    /// The membership that holds: the newest in the log, committed or not.
    pub fn members(&self) -> &Membership {
        self.configs.current()
    }

    /// The membership that held at an index, from the newest image's on.
    pub fn members_at(&self, index: Index) -> Membership {
        self.configs.at(index).clone()
    }

    /// Everybody who belongs to the membership that is committed, or to a later one.
    pub fn recipients(&self) -> BTreeSet<ServerId> {
        self.configs.recipients(self.log.commit)
    }

    /// Changes whenever the membership does.
    pub fn members_version(&self) -> u64 {
        self.configs.version
    }

    /// Takes what is to be done since the last call.
    pub fn ready(&mut self) -> Ready {
        self.batch_up();
        std::mem::take(&mut self.ready)
    }

    /// One unit of time passed. `now_ms` counts from any fixed moment and must be fresh, after a pause too: leases
    /// are measured by it.
    pub fn tick(&mut self, now_ms: u64) -> Result<(), Impossible> {
        self.now_ms = now_ms;
        self.ticks_since_heard = self.ticks_since_heard.saturating_add(1);
        match self.role {
            Role::Leader => self.tick_leader(),
            _ => {
                self.tick_transfer();
                self.tick_election()
            }
        }
    }

    /// A message arrived. Anything may be lost, doubled or late.
    pub fn receive(&mut self, from: ServerId, message: Message) -> Result<(), Impossible> {
        let asks = matches!(message, Message::VoteRequest { .. });
        if !message.is_of_leader() && !asks && !self.belongs(from) {
            return Ok(());
        }
        if let Some(term) = message.term()
            && !self.accept_term(from, term, &message)
        {
            return Ok(());
        }
        match message {
            Message::VoteRequest {
                term,
                pre,
                transfer,
                last_index,
                last_term,
            } => {
                let request = election::VoteRequest {
                    term,
                    pre,
                    transfer,
                    last: (last_term, last_index),
                };
                self.receive_vote_request(from, request);
                Ok(())
            }
            Message::VoteReply { term, pre, granted } => {
                self.receive_vote_reply(from, term, pre, granted)
            }
            Message::Append {
                prev_index,
                prev_term,
                entries,
                commit,
                ..
            } => {
                self.follow(from)?;
                self.receive_append(from, prev_index, prev_term, entries, commit)
            }
            Message::AppendReply { result, .. } => self.receive_append_reply(from, result),
            Message::Heartbeat { commit, round, .. } => {
                self.follow(from)?;
                self.receive_heartbeat(from, commit, round);
                Ok(())
            }
            Message::HeartbeatReply { round, .. } => self.receive_heartbeat_reply(from, round),
            Message::Offer {
                transfer,
                meta,
                lineage,
                delta,
                ..
            } => {
                self.follow(from)?;
                self.receive_offer(from, transfer, meta, delta && lineage == self.lineage);
                Ok(())
            }
            Message::Chunk {
                transfer,
                base,
                from: start,
                reached,
                root,
                data,
                ..
            } => {
                self.follow(from)?;
                self.receive_chunk(from, transfer, base, &start, root, (reached, data));
                Ok(())
            }
            Message::TransferReply {
                transfer, result, ..
            } => self.receive_transfer_reply(from, transfer, result),
            Message::TimeoutNow { term } => self.receive_timeout_now(from, term),
            Message::Propose { data } => {
                if self.role == Role::Leader && self.transfer.is_none() {
                    self.append_as_leader(EntryKind::Command, data)?;
                }
                Ok(())
            }
            Message::ReadIndex { id } => {
                self.receive_read_index(from, id);
                Ok(())
            }
            Message::ReadIndexReply { id, index } => {
                self.ready.reads.push((id, index));
                Ok(())
            }
        }
    }

    /// A client's command.
    pub fn propose(&mut self, data: Arc<[u8]>) -> Result<Proposed, Impossible> {
        if self.role == Role::Leader {
            if self.transfer.is_some() {
                return Ok(Proposed::Transferring);
            }
            return Ok(Proposed::Appended(
                self.append_as_leader(EntryKind::Command, data)?,
            ));
        }
        match self.leader {
            Some(leader) => {
                self.ready.send.push((leader, Message::Propose { data }));
                Ok(Proposed::Forwarded)
            }
            None => Ok(Proposed::NoLeader),
        }
    }

    /// All batches up to this one are durable.
    pub fn stored(&mut self, sequence: u64) -> Result<(), Impossible> {
        while let Some((_, last)) = self.saving.pop_front_if(|(saved, _)| *saved <= sequence) {
            // A batch whose last entry was replaced meanwhile says nothing; the replacing one will.
            if let Some((index, term)) = last
                && self.log.term(index) == Some(term)
            {
                self.log.stable = self.log.stable.max(index);
            }
        }
        while let Some((_, to, message)) =
            self.promised.pop_front_if(|(saved, ..)| *saved <= sequence)
        {
            if to == self.config.id {
                self.receive(to, message)?;
            } else {
                self.ready.send.push((to, message));
            }
        }
        if self.role == Role::Leader {
            self.advance_commit()?;
        } else {
            // Known to be committed before it was durable here.
            self.hand_out();
        }
        Ok(())
    }

    /// An image of the machine at `meta` is durable here; entries up to `compact_to` may be forgotten.
    pub fn checkpointed(&mut self, meta: SnapshotMeta, compact_to: Index) {
        if meta.index > self.snapshot.index {
            self.configs.forget_before(meta.index);
            self.snapshot = meta;
            self.receiving.rebase(self.snapshot.index);
        }
        self.log.compact(compact_to.min(self.snapshot.index));
    }

    /// The lowest index such that the entries after it, up to `to`, have at most so many bytes.
    pub fn lowest_within(&self, to: Index, bytes: u64) -> Index {
        self.log.lowest_within(to, bytes)
    }

    /// Up to where every other member's log is known to agree; for a leader.
    pub fn matched_by_all(&self) -> Option<Index> {
        (self.role == Role::Leader)
            .then(|| {
                self.progress
                    .values()
                    .map(|follower| follower.matched)
                    .min()
            })
            .flatten()
    }

    /// Sends a message once everything that was decided so far is durable.
    fn promise(&mut self, to: ServerId, message: Message) {
        if planted(Bug::AckBeforeSync)
            && to != self.config.id
            && matches!(message, Message::AppendReply { .. })
        {
            self.ready.send.push((to, message));
            return;
        }
        self.promised.push_back((self.next_sequence, to, message));
    }

    /// Puts what was decided since the last batch into one.
    fn batch_up(&mut self) {
        let promises = self
            .promised
            .back()
            .is_some_and(|(sequence, ..)| *sequence == self.next_sequence);
        if !self.hard_state_changed
            && self.unsaved.is_empty()
            && self.unsaved_mark.is_none()
            && !promises
        {
            return;
        }
        let entries = std::mem::take(&mut self.unsaved);
        let last = entries.last().map(|entry| (entry.index, entry.term));
        let mark = self.unsaved_mark.take();
        // The commit index is only a hint: it rides along with what must be written anyway.
        let writes = self.hard_state_changed || !entries.is_empty() || mark.is_some();
        let hard_state = HardState {
            term: self.term,
            vote: self.vote,
            commit: self.log.commit,
        };
        self.saving.push_back((self.next_sequence, last));
        self.ready.store = Some(Batch {
            sequence: self.next_sequence,
            mark,
            hard_state: writes.then_some(hard_state),
            entries,
        });
        self.hard_state_changed = false;
        self.next_sequence += 1;
    }

    /// Hands committed entries out. Only what is durable here is applied here.
    fn hand_out(&mut self) {
        let to = self.log.commit.min(self.log.stable);
        if self.log.applied < to {
            let entries = self.log.read(self.log.applied + 1, to, usize::MAX);
            self.log.applied = to;
            self.ready.apply.extend(entries);
        }
    }

    fn commit_to(&mut self, index: Index) {
        self.log.commit = self.log.commit.max(index.min(self.log.last()));
        self.hand_out();
    }

    /// Everybody who receives entries, apart from this server.
    fn peers(&self) -> impl Iterator<Item = ServerId> + use<> {
        let id = self.config.id;
        let everybody = self.recipients().into_iter();
        everybody.filter(move |&member| member != id)
    }

    fn belongs(&self, id: ServerId) -> bool {
        id == self.config.id
            || self.members().contains(id)
            || self.progress.contains_key(&id)
            || self.leader == Some(id)
    }

    fn reset_timeout(&mut self) {
        self.ticks_since_election = 0;
        let jitter = (self.rng.next_u64() % u64::from(self.config.election_ticks.max(1))) as u32;
        self.timeout = self.config.election_ticks + jitter;
    }
}
