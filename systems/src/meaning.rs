//! What settings come to, in terms that all systems share: so that a sweep over one system's settings can be drawn
//! and judged like a sweep over another's.

use std::time::Duration;

/// What the settings of a system say; absent where it can't be told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meaning {
    pub interval: Option<Interval>,
    pub durability: Option<Durability>,
}

/// When a system checkpoints by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interval {
    /// Log entries.
    Entries(u64),
    /// Bytes of log.
    Bytes(u64),
    Time(Duration),
    Never,
}

/// How much of what was acknowledged a loss of power may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Durability {
    /// Nothing.
    Always,
    /// What was written in this time before.
    Within(Duration),
    /// All that is not in a durable checkpoint.
    Checkpointed,
}
