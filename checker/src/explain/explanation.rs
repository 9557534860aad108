//! What an explanation says, as plain data: serialized into `results.json`, drawn by the pages.

use serde::{Deserialize, Serialize};

/// Why a verdict is invalid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What is wrong, by which operations, in one sentence.
    pub sentence: String,
    /// The object that was refuted, for example `key 7`; empty where there is no single one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    pub core: Core,
    /// The operations to be drawn, in the order of their invocations.
    pub operations: Vec<Shown>,
    /// Where an order of the operations gets stuck, for objects that are judged by order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The anomalies of transactions, the gravest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
    /// What was broken meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSpan>,
    pub witness: Witness,
    /// The core as lines of a history file, to be judged again by anyone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub history: String,
}

/// How small the violation became.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Core {
    /// Operations that are wrong by themselves.
    pub operations: usize,
    /// Operations of the whole history.
    pub of: usize,
    /// Leave out any one, with those that depend on it, and the rest is legal.
    pub minimal: bool,
    /// Why it may be larger than need be, or why some are not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// An operation in a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Index of the invocation event.
    pub index: u64,
    pub process: u64,
    /// Short: `read 1`.
    pub label: String,
    /// Whole, as part of a sentence.
    pub told: String,
    /// Nanoseconds since the start.
    pub from: u64,
    /// Absent if it never completed, or with unknown outcome.
    pub to: Option<u64>,
    /// Places of the invocation and of the completion among the events that are drawn: the order in real
    /// time, also where two moments are equal.
    pub invoked_at: usize,
    pub completed_at: Option<usize>,
    pub fate: Fate,
    /// Whether it is the one by whose completion the history became invalid.
    #[serde(default)]
    pub stuck: bool,
    /// Whether it is there only because the sentence names it: the core does without.
    #[serde(default)]
    pub beside: bool,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    Happened,
    Failed,
    /// It may have happened, then or later.
    Unknown,
}

/// The longest legal order, and what could have followed. Operations are positions in
/// [`Explanation::operations`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The operation that can't follow.
    pub stuck: usize,
    /// The state at first, or after the operations that are not drawn.
    pub initial: String,
    /// How many operations at the beginning of the order are not drawn.
    #[serde(default)]
    pub hidden: usize,
    pub order: Vec<Taken>,
    /// How many of `order` stand before the operation that can't follow, at the latest.
    pub before: usize,
    /// The states that it may have found, in all orders, and in which it can't do what it did.
    pub states: Vec<String>,
    /// The states in which it can, but then the others can't follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fitting: Vec<String>,
    /// Whether these are all.
    pub complete: bool,
}

/// A step of a legal order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    pub operation: usize,
    /// The state after it.
    pub after: String,
}

/// An anomaly of transactions: a cycle, or a few transactions that are wrong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    pub name: String,
    #[serde(default)]
    pub why: String,
    /// Those of a cycle each lead to the next, the last to the first.
    pub steps: Vec<Step>,
    /// Set when the explanation is made: what checking it again came to.
    #[serde(default)]
    pub witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Index of the invocation event.
    pub index: u64,
    /// `T3: r(x, [1]) append(y, 2)`
    pub text: String,
    /// `ww`, `wr`, `rw`, `process` or `realtime`: the dependency to the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// What shows it.
    #[serde(default)]
    pub why: String,
}

/// Whether a second look, by other means, agrees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    pub confirmed: bool,
    /// Whether the second look shares nothing with the first.
    #[serde(default)]
    pub independent: bool,
    /// How that is known, or why it is not.
    pub text: String,
}

/// A fault that was active while the operations ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultSpan {
    /// `kill n1`
    pub name: String,
    pub kind: String,
    /// Nanoseconds since the start.
    pub from: u64,
    pub to: Option<u64>,
    /// Places among the events that are drawn: it began after so many of them, and ended after so many.
    pub from_at: usize,
    pub to_at: usize,
}
