//! What clients did and saw: operations, outcomes and the ordered events of a run.
//!
//! The vocabulary is closed on purpose: every workload, client and model speaks [`Op`], so N systems
//! and M workloads meet without generics or stringly-typed operations.

pub mod compressed;
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
    /// Read a whole list, set or log. `f` = `list`.
    List { key: Key },
    /// Make a register hold nothing. `f` = `delete`.
    Delete { key: Key },
    /// Lengthen a register's text; one that holds nothing counts as empty. `f` = `concat`.
    Concat { key: Key, suffix: Arc<str> },
    /// Put an element into a set, or add an amount to a counter. `f` = `add`.
    Add { key: Key, value: i64 },
    /// Take an element out of a set. `f` = `remove`.
    Remove { key: Key, value: i64 },
    /// Put a value at a queue's end. `f` = `enqueue`.
    Enqueue { key: Key, value: Value },
    /// Take the value at a queue's head; nil: the queue was empty. `f` = `dequeue`.
    Dequeue { key: Key },
    /// Put a value on top of a stack. `f` = `push`.
    Push { key: Key, value: Value },
    /// Take the value on top of a stack; nil: the stack was empty. `f` = `pop`.
    Pop { key: Key },
    /// Take a lock, or one permit of a semaphore. `owner` is nil where clients are not told apart. Gives a
    /// fencing token where the system has them. `f` = `acquire`.
    Acquire { key: Key, owner: Value },
    /// Give back a lock or a permit. `f` = `release`.
    Release { key: Key, owner: Value },
    /// Ask for an id that nobody else gets. `f` = `generate`.
    Generate { key: Key },
    /// Move an amount from one account to another. `f` = `transfer`.
    Transfer { from: Key, to: Key, amount: i64 },
    /// Read several registers at one moment. `f` = `read-all`.
    ReadAll { keys: Arc<[Key]> },
    /// Several reads and writes at one moment. `f` = `txn`.
    Txn { ops: Arc<[Mop]> },
}

/// One step of a transaction (Elle's micro-operation).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mop {
    /// Read a register or a list. In a file: `["r", key, null]`, completed by what was read.
    Read { key: Key },
    /// Set a register. In a file: `["w", key, value]`.
    Write { key: Key, value: Value },
    /// Append a number to a list. In a file: `["append", key, number]`.
    Append { key: Key, value: i64 },
}

/// What an operation that happened gave back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// It took effect. (A cas that found another value is a `Fail`.)
    Done,
    /// What a read, dequeue or pop saw, a new id, or the fencing token of an acquired lock.
    Value(Value),
    /// What a list read saw: oldest first where there is an order.
    List(Vec<i64>),
    /// What the registers of a read of several held.
    Map(Arc<[(Key, Value)]>),
    /// What each step of a transaction saw, in the order of its steps.
    Txn(Arc<[Seen]>),
}

/// What one step of a transaction gave back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// It wrote.
    Done,
    /// A register held this; nil also stands for an absent list.
    Value(Value),
    /// A list held these, oldest first.
    List(Arc<[i64]>),
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
    /// Set when the file ended in the middle of an event: everything before it was read.
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
            Op::Delete { .. } => "delete",
            Op::Concat { .. } => "concat",
            Op::Add { .. } => "add",
            Op::Remove { .. } => "remove",
            Op::Enqueue { .. } => "enqueue",
            Op::Dequeue { .. } => "dequeue",
            Op::Push { .. } => "push",
            Op::Pop { .. } => "pop",
            Op::Acquire { .. } => "acquire",
            Op::Release { .. } => "release",
            Op::Generate { .. } => "generate",
            Op::Transfer { .. } => "transfer",
            Op::ReadAll { .. } => "read-all",
            Op::Txn { .. } => "txn",
        }
    }

    /// The one object that the operation concerns; `None` for operations on several.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Op::Read { key }
            | Op::Write { key, .. }
            | Op::Cas { key, .. }
            | Op::Append { key, .. }
            | Op::List { key }
            | Op::Delete { key }
            | Op::Concat { key, .. }
            | Op::Add { key, .. }
            | Op::Remove { key, .. }
            | Op::Enqueue { key, .. }
            | Op::Dequeue { key }
            | Op::Push { key, .. }
            | Op::Pop { key }
            | Op::Acquire { key, .. }
            | Op::Release { key, .. }
            | Op::Generate { key } => Some(key),
            Op::Transfer { .. } | Op::ReadAll { .. } | Op::Txn { .. } => None,
        }
    }

    /// Whether the operation can change nothing, so that an unknown outcome leaves no trace.
    pub fn is_read_only(&self) -> bool {
        match self {
            Op::Read { .. } | Op::List { .. } | Op::ReadAll { .. } => true,
            Op::Txn { ops } => ops.iter().all(|op| matches!(op, Mop::Read { .. })),
            _ => false,
        }
    }

    /// Whether it gives nothing back: in a file, the `value` of its `ok` is that of its `invoke`.
    pub fn gives_nothing(&self) -> bool {
        matches!(
            self,
            Op::Write { .. }
                | Op::Cas { .. }
                | Op::Append { .. }
                | Op::Delete { .. }
                | Op::Concat { .. }
                | Op::Add { .. }
                | Op::Remove { .. }
                | Op::Enqueue { .. }
                | Op::Push { .. }
                | Op::Release { .. }
                | Op::Transfer { .. }
        )
    }
}

impl Mop {
    pub fn key(&self) -> &Key {
        match self {
            Mop::Read { key } | Mop::Write { key, .. } | Mop::Append { key, .. } => key,
        }
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
