//! What a generated history is of.

use super::Planted;
use std::fmt;
use std::str::FromStr;

/// Named like the model that judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reads and writes.
    Register,
    /// Reads, writes and cas.
    CasRegister,
    /// Registers of text with deletes and concatenation as well.
    KeyValue,
    /// Transactions over several registers.
    MultiRegister,
    Mutex,
    FencedLock,
    /// With so many permits.
    Semaphore(u32),
    /// Additions of 1 to `values`, and reads.
    Counter,
    /// Additions and reads; removals too, unless every element is new.
    Set,
    FifoQueue,
    Stack,
    /// Appends and reads of whole lists.
    Log,
    /// The same with new numbers only, and every list read in the end.
    Ledger,
    /// Transactions of 1 to 4 appends and reads of lists.
    ListAppend,
    /// Transactions of 1 to 4 writes and reads of registers, every value new.
    RwRegister,
    /// Transfers and reads of all accounts.
    Bank,
    UniqueIds,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no histories of {name:?} can be generated; known: {known}")]
pub struct UnknownKind {
    pub name: String,
    pub known: String,
}

impl Kind {
    /// One of each.
    pub const ALL: [Kind; 17] = [
        Kind::Register,
        Kind::CasRegister,
        Kind::KeyValue,
        Kind::MultiRegister,
        Kind::Mutex,
        Kind::FencedLock,
        Kind::Semaphore(2),
        Kind::Counter,
        Kind::Set,
        Kind::FifoQueue,
        Kind::Stack,
        Kind::Log,
        Kind::Ledger,
        Kind::ListAppend,
        Kind::RwRegister,
        Kind::Bank,
        Kind::UniqueIds,
    ];

    /// Without the argument.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Register => "register",
            Kind::CasRegister => "cas-register",
            Kind::KeyValue => "key-value",
            Kind::MultiRegister => "multi-register",
            Kind::Mutex => "mutex",
            Kind::FencedLock => "fenced-lock",
            Kind::Semaphore(_) => "semaphore",
            Kind::Counter => "counter",
            Kind::Set => "set",
            Kind::FifoQueue => "fifo-queue",
            Kind::Stack => "stack",
            Kind::Log => "log",
            Kind::Ledger => "ledger",
            Kind::ListAppend => "list-append",
            Kind::RwRegister => "rw-register",
            Kind::Bank => "bank",
            Kind::UniqueIds => "unique-ids",
        }
    }

    /// What can go wrong in its histories.
    pub fn plantable(self) -> &'static [Planted] {
        use Planted::*;
        match self {
            Kind::Register => &[StaleRead, LostWrite, FailedWrite, Phantom],
            Kind::CasRegister | Kind::KeyValue => {
                &[StaleRead, LostWrite, SplitBrainCas, FailedWrite, Phantom]
            }
            Kind::MultiRegister => &[StaleRead, LostWrite, TornRead, FailedWrite, Phantom],
            Kind::Mutex | Kind::Semaphore(_) => &[TooManyHolders, ForeignRelease],
            Kind::FencedLock => &[TooManyHolders, ForeignRelease, StaleToken],
            Kind::Counter => &[StaleRead, LostWrite, FailedWrite, Phantom],
            Kind::Set => &[StaleRead, LostWrite, FailedWrite, Phantom, Duplicate],
            Kind::FifoQueue | Kind::Stack => &[LostWrite, FailedWrite, Phantom, Duplicate, Reorder],
            Kind::Log | Kind::Ledger => &[
                StaleRead,
                LostWrite,
                FailedWrite,
                Phantom,
                Duplicate,
                Reorder,
            ],
            Kind::ListAppend => &[
                StaleRead, G0, G1a, G1b, G1c, GSingle, G2Item, LostUpdate, Internal, Phantom,
                Duplicate, Reorder,
            ],
            Kind::RwRegister => &[
                StaleRead, G1a, G1b, G1c, GSingle, G2Item, LostUpdate, Internal, Phantom,
            ],
            Kind::Bank => &[TornRead],
            Kind::UniqueIds => &[Duplicate],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Kind::Semaphore(permits) => write!(f, "={permits}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    /// The name, with `=PERMITS` for a semaphore.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = match (found, argument) {
            (Some(Kind::Semaphore(_)), Some(permits)) => permits
                .parse()
                .ok()
                .filter(|permits| *permits > 0)
                .map(Kind::Semaphore),
            (kind, None) => kind,
            (_, Some(_)) => None,
        };
        kind.ok_or_else(|| {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            UnknownKind {
                name: text.to_owned(),
                known: known.join(", "),
            }
        })
    }
}
