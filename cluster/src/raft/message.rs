//! What servers say to each other.

use crate::types::{Entry, Index, Lineage, Root, SnapshotMeta, Term};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message between two servers. Those with a term take part in Raft's term rule (Raft, section 5.1); a
/// pre-vote carries the term that its sender *would* have, and changes nobody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    VoteRequest {
        term: Term,
        pre: bool,
        /// The leader itself wants the sender to take over.
        transfer: bool,
        last_index: Index,
        last_term: Term,
    },
    VoteReply {
        term: Term,
        pre: bool,
        granted: bool,
    },
    Append {
        term: Term,
        prev_index: Index,
        prev_term: Term,
        entries: Vec<Entry>,
        commit: Index,
    },
    AppendReply {
        term: Term,
        result: AppendResult,
    },
    /// Keeps followers from electing, and confirms leadership to reads of this `round` and earlier.
    Heartbeat {
        term: Term,
        commit: Index,
        round: u64,
    },
    HeartbeatReply {
        term: Term,
        round: u64,
    },
    /// The follower needs what the log no longer has: an image of the state at `meta` (InstallSnapshot; Raft,
    /// section 7).
    Offer {
        term: Term,
        /// Counts the transfers of a leader.
        transfer: u64,
        meta: SnapshotMeta,
        lineage: Lineage,
        /// Whether the follower may ask for what changed only.
        delta: bool,
    },
    /// A piece of that image: its pages from key `from` up to key `reached`.
    Chunk {
        term: Term,
        transfer: u64,
        base: Index,
        from: Vec<u8>,
        /// `None`: this is the last one.
        reached: Option<Vec<u8>>,
        /// Of the whole state.
        root: Root,
        data: Vec<u8>,
    },
    TransferReply {
        term: Term,
        transfer: u64,
        result: TransferResult,
    },
    /// Stand for election at once: the leader hands over (Raft thesis, 3.10).
    TimeoutNow {
        term: Term,
    },
    /// A command for whoever leads. Lost without a trace if the receiver does not.
    Propose {
        data: Arc<[u8]>,
    },
    /// Asks the leader for an index at which a read is linearizable (ReadIndex; Raft thesis, section 6.4).
    ReadIndex {
        id: u64,
    },
    ReadIndexReply {
        id: u64,
        index: Index,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppendResult {
    /// The logs agree up to here, durably.
    Matched { index: Index },
    /// They differ at `at` (the `prev_index` that was sent). The follower has at most `last` entries that can
    /// agree, the last of them of `term`.
    Conflict { at: Index, last: Index, term: Term },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferResult {
    /// The follower wants what changed since its checkpoint at `base` (0: everything); of earlier transfers it has
    /// up to each of these keys, in order, the state at that index.
    Want {
        base: Index,
        have: Vec<(Vec<u8>, Index)>,
    },
    /// Everything up to this key arrived; `None`: all of it, and it is being installed.
    Reached { key: Option<Vec<u8>> },
    /// The follower has committed up to here already, by this image or without it.
    Have { commit: Index },
}

impl Message {
    /// The term that the message is sent in; none for messages outside the term rule.
    pub fn term(&self) -> Option<Term> {
        match self {
            Message::VoteRequest { term, .. }
            | Message::VoteReply { term, .. }
            | Message::Append { term, .. }
            | Message::AppendReply { term, .. }
            | Message::Heartbeat { term, .. }
            | Message::HeartbeatReply { term, .. }
            | Message::Offer { term, .. }
            | Message::Chunk { term, .. }
            | Message::TransferReply { term, .. }
            | Message::TimeoutNow { term } => Some(*term),
            Message::Propose { .. }
            | Message::ReadIndex { .. }
            | Message::ReadIndexReply { .. } => None,
        }
    }
    /// Whether only a leader sends it. Such a message is taken from anybody: a server that is being added, or that
    /// was away while the members changed, does not know who belongs.
    pub fn is_of_leader(&self) -> bool {
        matches!(
            self,
            Message::Append { .. }
                | Message::Heartbeat { .. }
                | Message::Chunk { .. }
                | Message::TimeoutNow { .. }
        )
    }
}
