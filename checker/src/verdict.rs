//! What a checker says, and how much time and memory it may use to say it.

use crate::explain::sequential::Sequential;
use crate::{Event, History};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Three-valued; ordered so that the worst is the greatest: `max` combines verdicts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    Valid,
    #[default]
    Unknown,
    Invalid,
}

/// A judgement with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub valid: Validity,
    /// One sentence: what was violated, by which operations; or why it is unknown. Empty when valid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Figures and evidence of this checker, flattened into its entry in `results.json`.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// Limits of one check. When either runs out, the verdict is unknown with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub time: Duration,
    /// Bytes that the checker may hold in its own search structures.
    pub memory: usize,
}

/// Judges a history.
pub trait Checker: Send + Sync {
    /// Kebab-case; the key under `checks` in `results.json`.
    fn name(&self) -> &'static str;
    fn check(&self, history: &History, budget: Budget) -> Verdict;

    /// The validity alone. Shrinking asks for it thousands of times; checkers whose reasons take long
    /// to find say it here without them.
    fn decide(&self, history: &History, budget: Budget) -> Validity {
        self.check(history, budget).valid
    }

    /// For checkers that look for a legal order of the operations: the object that they are held
    /// against, so that a violation can be verified and drawn.
    fn object(&self) -> Option<&dyn Sequential> {
        None
    }

    /// For checkers that can judge a history while it is recorded: such a judgement, within this budget of
    /// time spent and memory held.
    fn watch(&self, _budget: Budget) -> Option<Box<dyn Watch>> {
        None
    }
}

/// A judgement that goes on while its history is recorded.
pub trait Watch: Send {
    /// Takes in the next event, in the order of the history.
    fn observe(&mut self, event: &Event);

    /// The verdict, if it is certain before the end: a violation, or that a limit was met.
    fn early(&self) -> Option<&Verdict>;

    /// The verdict on all that was taken in.
    fn finish(self: Box<Self>) -> Verdict;
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            memory: 2 << 30,
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Validity::Valid => "valid",
            Validity::Unknown => "unknown",
            Validity::Invalid => "invalid",
        })
    }
}

impl Verdict {
    pub fn valid() -> Self {
        Self {
            valid: Validity::Valid,
            reason: String::new(),
            details: Default::default(),
        }
    }

    pub fn unknown(reason: impl Into<String>) -> Self {
        Self {
            valid: Validity::Unknown,
            reason: reason.into(),
            details: Default::default(),
        }
    }

    pub fn invalid(reason: impl Into<String>) -> Self {
        Self {
            valid: Validity::Invalid,
            reason: reason.into(),
            details: Default::default(),
        }
    }

    /// Adds a figure or a piece of evidence.
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}
