//! The words that consensus, storage and the machine share.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A position in the replicated log; the first entry has index 1. Also the LSN of the delta log.
pub type Index = u64;
pub type Term = u64;

/// One member of the cluster; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    /// Proposed by a new leader so that entries of earlier terms commit (Raft, section 5.4.2).
    Noop,
    /// An encoded [`crate::machine::Command`].
    Command,
}

/// One entry of the replicated log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub term: Term,
    pub index: Index,
    pub kind: EntryKind,
    pub data: Arc<[u8]>,
}

/// What Raft must never forget (Raft, figure 2), and the commit index as a hint for restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    pub term: Term,
    pub vote: Option<ServerId>,
    pub commit: Index,
}

/// Which point of the log an image of the machine stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMeta {
    pub index: Index,
    pub term: Term,
    /// The members as of `index`.
    pub members: BTreeSet<ServerId>,
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}
