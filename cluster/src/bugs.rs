//! Errors planted on purpose, each a pattern that was published for some real system, to show that the simulation
//! would find it. Only patterns that it does find are listed.
//!
//! Compiled in only with the cargo feature `bugs`; one at a time, chosen by name (`shakedown sim --bug NAME`). In the
//! code a bug is one condition, [`planted`], at the place where the pattern sits.

/// A bug of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Bug {
    TruncateBeforeManifest = 1,
    LogAndCheckpointApart,
    OfferNeverRepeated,
    ImageNewerThanItsIndex,
    DedupNotInImage,
    MembersNotInImage,
    ImageWithoutData,
    UnknownTermMatches,
    NewPagesMissing,
    ReachableBaseRemoved,
    DeltaMissesFirstIndex,
    InputsRemovedBeforeManifest,
    ManifestNotSynced,
    CheckpointNotSynced,
    VoteNotStored,
    AckBeforeSync,
    ReadWithoutRound,
    ReadBeforeFirstCommit,
    TruncateWithoutConflict,
    RetryAppliedTwice,
    VoteForShorterLog,
    AckBeforeReplication,
    TornTailTrusted,
}

/// What the catalogue says of a bug.
pub struct Entry {
    pub bug: Bug,
    pub name: &'static str,
    /// What is wrong.
    pub what: &'static str,
    /// Where the pattern was published.
    pub source: &'static str,
}

macro_rules! catalogue {
    ($($bug:ident, $name:literal, $what:literal, $source:literal;)*) => {
        /// All of them.
        pub const CATALOGUE: &[Entry] = &[
            $(Entry { bug: Bug::$bug, name: $name, what: $what, source: $source },)*
        ];
    };
}

catalogue! {
    TruncateBeforeManifest, "truncate-before-manifest",
        "the log is cut when a checkpoint begins, not when it is durable", "RedisRaft #43";
    LogAndCheckpointApart, "log-and-checkpoint-apart",
        "after a crash between image and log mark, the old log is taken as it is", "TiKV #12618, curvine #1551";
    OfferNeverRepeated, "offer-never-repeated",
        "a transfer whose answer was lost is never taken up again", "etcd #10225, TiKV #16435";
    ImageNewerThanItsIndex, "image-newer-than-its-index",
        "the image holds more than the index that it names", "convex #276";
    DedupNotInImage, "dedup-not-in-image",
        "which commands were applied is not part of the image", "etcd/raft session patterns";
    MembersNotInImage, "members-not-in-image",
        "a checkpoint names the first members, not those at its index", "etcd #13741, raft-rs #472";
    ImageWithoutData, "image-without-data",
        "an install moves the index on and leaves the state as it was", "nodedb #162";
    UnknownTermMatches, "unknown-term-matches",
        "entries are accepted after an index whose term is not known", "d-engine #442";
    NewPagesMissing, "new-pages-missing",
        "an increment lacks pages that were split off since its base", "litestream #1323, #1199";
    ReachableBaseRemoved, "reachable-base-removed",
        "retention removes files that a kept point is based on", "litestream #771";
    DeltaMissesFirstIndex, "delta-misses-first-index",
        "an increment begins one index too late", "off by one at the swap of dirty maps";
    InputsRemovedBeforeManifest, "inputs-removed-before-manifest",
        "files of the old chain go before the manifest names the new one", "LSM merge patterns";
    ManifestNotSynced, "manifest-not-synced",
        "the manifest is renamed before its content is durable", "the classic rename without fsync";
    CheckpointNotSynced, "checkpoint-not-synced",
        "the manifest names a checkpoint that is not durable", "camunda #6894";
    VoteNotStored, "vote-not-stored",
        "a vote is given before it is durable", "Raft, figure 2";
    AckBeforeSync, "ack-before-sync",
        "entries are acknowledged before they are durable", "etcd, Redis: everysec patterns";
    ReadWithoutRound, "read-without-round",
        "a leader answers reads without asking whether it still leads", "etcd before 2.x reads, Consul default";
    ReadBeforeFirstCommit, "read-before-first-commit",
        "a new leader answers reads before it knows what is committed", "Raft thesis, 6.4";
    TruncateWithoutConflict, "truncate-without-conflict",
        "an append cuts what follows it although nothing contradicts", "Raft, figure 2, AppendEntries 3";
    RetryAppliedTwice, "retry-applied-twice",
        "a command that was proposed twice takes effect twice", "RedisRaft #44";
    VoteForShorterLog, "vote-for-shorter-log",
        "votes are given to servers whose log is behind", "Raft, 5.4.1";
    AckBeforeReplication, "ack-before-replication",
        "a write is acknowledged when the leader has it", "asynchronous replication";
    TornTailTrusted, "torn-tail-trusted",
        "a server does not start when its log ends in a torn record", "NuRaft, wal repair patterns";
}

/// The bug of this name.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

#[cfg(feature = "bugs")]
mod choice {
    use super::Bug;
    use std::sync::atomic::{AtomicU8, Ordering};

    static CHOSEN: AtomicU8 = AtomicU8::new(0);

    /// Whether this bug is the chosen one.
    #[inline]
    pub fn planted(bug: Bug) -> bool {
        CHOSEN.load(Ordering::Relaxed) == bug as u8
    }

    /// Chooses a bug for this whole process, or none. False if this build has none.
    pub fn plant(bug: Option<Bug>) -> bool {
        CHOSEN.store(bug.map_or(0, |bug| bug as u8), Ordering::Relaxed);
        true
    }
}

#[cfg(not(feature = "bugs"))]
mod choice {
    use super::Bug;

    /// Whether this bug is the chosen one: this build has none.
    #[inline(always)]
    pub const fn planted(_: Bug) -> bool {
        false
    }

    /// Chooses a bug for this whole process, or none. False if this build has none.
    pub fn plant(bug: Option<Bug>) -> bool {
        bug.is_none()
    }
}

pub use choice::{plant, planted};
