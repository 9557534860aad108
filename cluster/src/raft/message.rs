//! What servers say to each other.

use crate::types::{Entry, Index, SnapshotMeta, Term};
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
    /// A piece of an image of the state machine (InstallSnapshot; Raft, section 7).
    Chunk {
        term: Term,
        meta: SnapshotMeta,
        total: u64,
        offset: u64,
        data: Vec<u8>,
    },
    ChunkReply {
        term: Term,
        index: Index,
        result: ChunkResult,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkResult {
    /// The follower wants the image from this offset on.
    Want { offset: u64 },
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
            | Message::Chunk { term, .. }
            | Message::ChunkReply { term, .. }
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
