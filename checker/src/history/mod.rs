//! What clients did and saw: operations, outcomes and the ordered events of a run.
//!
//! The vocabulary is closed on purpose: every workload, client and model speaks [`Op`], so N systems
//! and M workloads meet without generics or stringly-typed operations.

pub mod faults;
pub mod jsonl;
mod structure;

pub use structure::{Operation, Structure, StructureError};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One logical client. A process whose operation ended with an unknown outcome never invokes again;
/// its worker goes on under a new process id (as in Jepsen).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub u64);

/// Names one object of the tested system. Numbers are what our workloads use; text comes from
/// histories of other tools.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    Int(i64),
    Text(Arc<str>),
}

/// What a register holds. `Nil`: never written, or deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Nil,
    Int(i64),
    Text(Arc<str>),
}

/// An operation as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Read a register. In a file: `f` = `read`.
    Read { key: Key },
    /// Set a register. `f` = `write`.
    Write { key: Key, value: Value },
    /// Set a register to `to` if it holds `from`. `f` = `cas`, `value` = `[from, to]`.
    Cas { key: Key, from: Value, to: Value },
    /// Append a number to a list. `f` = `append`.
    Append { key: Key, value: i64 },
    /// Read a whole list. `f` = `list`.
    List { key: Key },
}

/// What an operation that happened gave back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// A write, cas or append took effect. (A cas that found another value is a `Fail`.)
    Done,
    /// A read saw this.
    Value(Value),
    /// A list read saw these, oldest first.
    List(Vec<i64>),
}

/// How an operation ended. A client returns one of these for every call: nothing is left unclassified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Ok(Ret),
    /// It certainly did not happen and never will.
    Fail(Reason),
    /// Unknown: it may have happened, or may yet happen.
    Info(Reason),
}

/// Why an operation did not end well: a short kebab-case code, then optionally `: ` and detail,
/// for example `timeout` or `connect: connection refused`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub Arc<str>);

/// The stage of an operation that an event records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Invoke,
    Ok(Ret),
    Fail(Reason),
    Info(Reason),
}

/// One event of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the file, counted over client and nemesis events alike.
    pub index: u64,
    /// Nanoseconds since the start of the run.
    pub time: u64,
    pub process: ProcessId,
    pub phase: Phase,
    /// The operation as invoked; the same in the invocation and in its completion.
    pub op: Op,
}

/// One event of the nemesis: always `info`; kept for readers and plots, ignored by checkers.
#[derive(Clone, Debug, PartialEq)]
pub struct NemesisEvent {
    pub index: u64,
    pub time: u64,
    /// For example `kill` or `heal-kill`.
    pub f: String,
    pub value: serde_json::Value,
}

/// The first line of a history file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the file format.
    pub version: u32,
    /// Names of the workloads, joined by `+`.
    pub workload: String,
    /// Names of the models that judge it, joined by `+`: `cas-register+ledger`; see
    /// [`checkers_for`](crate::checkers_for).
    pub model: String,
}

/// The ordered events of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Absent in files of other tools.
    pub header: Option<Header>,
    pub events: Vec<Event>,
    pub nemesis: Vec<NemesisEvent>,
    /// Set when the file ended in the middle of a line: everything before it was read.
    pub truncated: bool,
}

impl Op {
    /// The operation's name in files and on screen.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Read { .. } => "read",
            Op::Write { .. } => "write",
            Op::Cas { .. } => "cas",
            Op::Append { .. } => "append",
            Op::List { .. } => "list",
        }
    }

    pub fn key(&self) -> &Key {
        match self {
            Op::Read { key }
            | Op::Write { key, .. }
            | Op::Cas { key, .. }
            | Op::Append { key, .. }
            | Op::List { key } => key,
        }
    }

    /// Whether the operation can change nothing, so that an unknown outcome leaves no trace.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Op::Read { .. } | Op::List { .. })
    }
}

impl Reason {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The part before the first `:`.
    pub fn code(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

impl From<Outcome> for Phase {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok(ret) => Phase::Ok(ret),
            Outcome::Fail(reason) => Phase::Fail(reason),
            Outcome::Info(reason) => Phase::Info(reason),
        }
    }
}

impl From<i64> for Key {
    fn from(n: i64) -> Self {
        Key::Int(n)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Key::Text(text.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(n) => write!(f, "{n}"),
            Key::Text(s) => f.write_str(s),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Text(s) => write!(f, "{s:?}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
