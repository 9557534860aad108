//! What can go wrong in a generated history.

use std::fmt;
use std::str::FromStr;

/// A kind of violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Planted {
    /// A read shows what was there before an acknowledged change.
    StaleRead,
    /// An acknowledged change is gone for good.
    LostWrite,
    /// Two cas succeed from one value.
    SplitBrainCas,
    /// A change that was declared failed is seen.
    FailedWrite,
    /// Something is seen that nobody ever wrote.
    Phantom,
    /// Something is there, or is handed out, twice.
    Duplicate,
    /// Two things come out in the wrong order.
    Reorder,
    /// A lock is handed out while no permit is left.
    TooManyHolders,
    /// A lock is released by one who does not hold it.
    ForeignRelease,
    /// A lock comes with the fencing token of an earlier holder.
    StaleToken,
    /// A read sees one half of a transaction.
    TornRead,
    /// Two transactions overwrite one another (Adya 1999, as are the others that begin with G).
    G0,
    /// An aborted transaction is seen.
    G1a,
    /// A state in the middle of a transaction is seen.
    G1b,
    /// Two transactions each see the other.
    G1c,
    /// A transaction sees one effect of another and misses another one.
    GSingle,
    /// Two transactions each miss the other (write skew).
    G2Item,
    /// Two transactions change the same state, and neither sees the other.
    LostUpdate,
    /// A transaction does not see its own effect.
    Internal,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown violation {name:?}; known: {known}")]
pub struct UnknownPlanted {
    pub name: String,
    pub known: String,
}

impl Planted {
    pub const ALL: [Planted; 19] = [
        Planted::StaleRead,
        Planted::LostWrite,
        Planted::SplitBrainCas,
        Planted::FailedWrite,
        Planted::Phantom,
        Planted::Duplicate,
        Planted::Reorder,
        Planted::TooManyHolders,
        Planted::ForeignRelease,
        Planted::StaleToken,
        Planted::TornRead,
        Planted::G0,
        Planted::G1a,
        Planted::G1b,
        Planted::G1c,
        Planted::GSingle,
        Planted::G2Item,
        Planted::LostUpdate,
        Planted::Internal,
    ];

    pub fn name(&self) -> &'static str {
        match self {
            Planted::StaleRead => "stale-read",
            Planted::LostWrite => "lost-write",
            Planted::SplitBrainCas => "split-brain-cas",
            Planted::FailedWrite => "failed-write",
            Planted::Phantom => "phantom",
            Planted::Duplicate => "duplicate",
            Planted::Reorder => "reorder",
            Planted::TooManyHolders => "too-many-holders",
            Planted::ForeignRelease => "foreign-release",
            Planted::StaleToken => "stale-token",
            Planted::TornRead => "torn-read",
            Planted::G0 => "g0",
            Planted::G1a => "g1a",
            Planted::G1b => "g1b",
            Planted::G1c => "g1c",
            Planted::GSingle => "g-single",
            Planted::G2Item => "g2-item",
            Planted::LostUpdate => "lost-update",
            Planted::Internal => "internal",
        }
    }
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Planted {
    type Err = UnknownPlanted;

    fn from_str(text: &str) -> Result<Self, UnknownPlanted> {
        let found = Planted::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| {
            let known: Vec<&str> = Planted::ALL.iter().map(Planted::name).collect();
            UnknownPlanted {
                name: text.to_owned(),
                known: known.join(", "),
            }
        })
    }
}
