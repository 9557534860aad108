//! The words that consensus, storage and the machine share.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    /// An encoded [`Membership`].
    Config,
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
    pub members: Membership,
}

/// Who belongs to the cluster (Raft thesis, chapter 4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Those who vote.
    pub voters: BTreeSet<ServerId>,
    /// While a change is under way (joint consensus): those who voted before it; a decision needs a majority
    /// of both. Empty otherwise.
    pub outgoing: BTreeSet<ServerId>,
    /// Those who receive everything and decide nothing.
    pub learners: BTreeSet<ServerId>,
    /// Where the servers hear each other, for those that joined later than their configuration was written.
    pub addresses: BTreeMap<ServerId, String>,
}

impl Membership {
    /// A cluster of voters only.
    pub fn of(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self {
            voters: voters.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// The sum over all entries of a state: equal for equal content.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Root(pub u128);

/// Names a history. It changes when a state of the past is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub u64);

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({self})")
    }
}

impl TryFrom<String> for Root {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Root)
    }
}

impl From<Root> for String {
    fn from(root: Root) -> Self {
        root.to_string()
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
