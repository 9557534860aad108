//! The session guarantees (Terry et al. 1994), for registers with unique values.
//!
//! The versions of a register are the values that it held, nil first. A system that gives all four
//! guarantees has one order of the versions such that each process, in its own order,
//!
//! - never reads a version older than one that it wrote (*read your writes*), or read before (*monotonic
//!   reads*);
//! - writes only versions newer than those that it wrote (*monotonic writes*), or read before (*writes
//!   follow reads*).
//!
//! Each of these is a demand that one version come before another, or be the same. An order that meets
//! all of them exists if and only if no cycle of demands holds two versions, or a demand for "newer".
//! To keep the demands few, what a process has written (or read) so far is a point of its own, which
//! comes after all of these versions and before whatever has to come after them: linear in the length of
//! the history, as is finding the cycles (Tarjan 1972).
//!
//! A cas is a read of what it found and a write of what it left. An operation of unknown outcome counts
//! if its value was seen. Values that were written twice can't be told apart: they are left out, and the
//! verdict is unknown if such a value was read and no violation is found.

mod graph;
mod versions;

use crate::history::Operation;
use crate::model::{Model, Register};
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Op, Value};
use graph::{Edge, Graph};
use serde_json::json;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use versions::{Access, Kind, accesses};

/// A promise to one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee {
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown session guarantee {0:?}; known: read-your-writes, monotonic-reads, monotonic-writes, writes-follow-reads"
)]
pub struct UnknownGuarantee(pub String);

/// Judges some of the guarantees, together.
#[derive(Clone, Debug)]
pub struct Session {
    guarantees: Vec<Guarantee>,
}

/// Why no order of versions suits everyone.
#[derive(Clone, Debug, PartialEq)]
pub struct Contradiction {
    /// One sentence.
    pub reason: String,
    /// Indexes of the invocations of the operations that it names.
    pub operations: Vec<u64>,
    pub broken: Vec<Guarantee>,
}

/// What is known of one register.
#[derive(Debug, Default)]
struct Judgement {
    contradiction: Option<Contradiction>,
    reads: u64,
    /// Reads of values that were written twice.
    ambiguous_reads: u64,
}

impl Guarantee {
    pub const ALL: [Guarantee; 4] = [
        Guarantee::ReadYourWrites,
        Guarantee::MonotonicReads,
        Guarantee::MonotonicWrites,
        Guarantee::WritesFollowReads,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Guarantee::ReadYourWrites => "read-your-writes",
            Guarantee::MonotonicReads => "monotonic-reads",
            Guarantee::MonotonicWrites => "monotonic-writes",
            Guarantee::WritesFollowReads => "writes-follow-reads",
        }
    }

    /// The one that is about an access of this kind before another of that kind.
    fn between(first: Kind, second: Kind) -> Self {
        match (first, second) {
            (Kind::Write, Kind::Read) => Guarantee::ReadYourWrites,
            (Kind::Read, Kind::Read) => Guarantee::MonotonicReads,
            (Kind::Write, Kind::Write) => Guarantee::MonotonicWrites,
            (Kind::Read, Kind::Write) => Guarantee::WritesFollowReads,
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Guarantee {
    type Err = UnknownGuarantee;

    fn from_str(text: &str) -> Result<Self, UnknownGuarantee> {
        let found = Guarantee::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| UnknownGuarantee(text.to_owned()))
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::of(Guarantee::ALL.to_vec())
    }
}

impl Session {
    pub fn of(guarantees: Vec<Guarantee>) -> Self {
        Self { guarantees }
    }

    /// Why the operations on one register contradict the guarantees, if they do. Nothing is said where
    /// some operation has no footprint in this model.
    pub fn contradiction<M: Model>(
        &self,
        initial: &Value,
        operations: &[Operation<'_>],
    ) -> Option<Contradiction> {
        let told = |operation: &Operation<'_>| {
            operation.failure().is_some() || M::footprint(operation.op(), operation.ret()).is_some()
        };
        match operations.iter().all(told) {
            true => self.judge::<M>(initial, operations).contradiction,
            false => None,
        }
    }

    fn judge<M: Model>(&self, initial: &Value, operations: &[Operation<'_>]) -> Judgement {
        let found = accesses::<M>(initial, operations);
        let mut judgement = Judgement {
            contradiction: None,
            reads: found.reads,
            ambiguous_reads: found.ambiguous_reads,
        };
        if let Some((at, value)) = &found.from_nowhere {
            let operation = &operations[*at];
            judgement.contradiction = Some(Contradiction {
                reason: format!("{}, but nobody wrote {value}", describe(operation)),
                operations: vec![operation.invocation.index],
                broken: Vec::new(),
            });
            return judgement;
        }
        let graph = self.demands(operations, &found.accesses, found.versions.len());
        judgement.contradiction = graph
            .contradiction()
            .map(|cycle| explain(operations, &found.versions, &cycle));
        judgement
    }

    /// The demands of all processes. Version 0 is the initial one.
    fn demands(&self, operations: &[Operation<'_>], accesses: &[Access], versions: usize) -> Graph {
        let mut graph = Graph::new(versions);
        for version in 1..versions {
            graph.demand(0, version, true, Edge::Initial);
        }
        // By process: the points after all that it has written, and read.
        let mut sofar: HashMap<u64, [Option<usize>; 2]> = HashMap::new();
        for (number, access) in accesses.iter().enumerate() {
            let process = operations[access.at].invocation.process.0;
            let points = sofar.entry(process).or_default();
            for first in [Kind::Write, Kind::Read] {
                let wanted = self
                    .guarantees
                    .contains(&Guarantee::between(first, access.kind));
                if let (Some(point), true) = (points[first as usize], wanted) {
                    let newer = access.kind == Kind::Write;
                    graph.demand(point, access.version, newer, Edge::Leave(number));
                }
            }
            let point = graph.point();
            graph.demand(access.version, point, false, Edge::Enter(number));
            if let Some(before) = points[access.kind as usize].replace(point) {
                graph.demand(before, point, false, Edge::Along);
            }
            // What a cas leaves is newer than what it found, whatever is guaranteed.
            if let Some(found) = access.found {
                graph.demand(found, access.version, true, Edge::Cas(number));
            }
        }
        graph.accesses = accesses.to_vec();
        graph
    }
}

impl Checker for Session {
    fn name(&self) -> &'static str {
        "session"
    }

    /// Linear in the length of the history: the budget is not used.
    fn check(&self, history: &History, _budget: Budget) -> Verdict {
        let operations = match history.operations() {
            Ok(operations) => operations,
            Err(error) => return Verdict::unknown(format!("not a history: {error}")),
        };
        let of_registers =
            |op: &Op| matches!(op, Op::Read { .. } | Op::Write { .. } | Op::Cas { .. });
        let objects = super::objects::<Register>(&operations, of_registers);
        let (mut reads, mut ambiguous) = (0, 0);
        let mut broken: Option<Verdict> = None;
        let mut refuted: Vec<String> = Vec::new();
        for (key, operations) in &objects {
            let judgement = self.judge::<Register>(&Value::Nil, operations);
            reads += judgement.reads;
            ambiguous += judgement.ambiguous_reads;
            let Some(found) = judgement.contradiction else {
                continue;
            };
            let name = super::name_of(key);
            let names: Vec<&str> = found.broken.iter().map(|one| one.name()).collect();
            let guarantees = match names.is_empty() {
                true => "the session guarantees".to_owned(),
                false => names.join(" and "),
            };
            broken.get_or_insert_with(|| {
                Verdict::invalid(format!("{name} breaks {guarantees}: {}", found.reason))
                    .with("key", json!(key))
                    .with("guarantees", names)
                    .with("operations", found.operations)
            });
            refuted.push(name);
        }
        let verdict = match broken {
            Some(verdict) => {
                refuted.truncate(20);
                verdict.with("refuted", refuted)
            }
            None if reads == 0 => {
                Verdict::unknown("no read of this model succeeded: nothing was shown")
            }
            None if ambiguous > 0 => Verdict::unknown(format!(
                "{ambiguous} of {reads} reads saw values that were written more than once; session guarantees can be judged for unique values only"
            )),
            None => Verdict::valid(),
        };
        verdict.with("objects", objects.len()).with("reads", reads)
    }
}

/// A cycle of demands in words.
fn explain(
    operations: &[Operation<'_>],
    versions: &[Value],
    cycle: &[graph::Demand],
) -> Contradiction {
    let mut sentences: Vec<String> = Vec::new();
    let mut named: Vec<u64> = Vec::new();
    let mut broken: Vec<Guarantee> = Vec::new();
    for demand in cycle {
        match demand {
            graph::Demand::Initial => {
                sentences.push(format!("{} was there first", versions[0]));
            }
            graph::Demand::Cas(access) => {
                let operation = &operations[access.at];
                sentences.push(describe(operation));
                named.push(operation.invocation.index);
            }
            graph::Demand::Process(first, second) => {
                let (a, b) = (&operations[first.at], &operations[second.at]);
                let guarantee = Guarantee::between(first.kind, second.kind);
                broken.push(guarantee);
                sentences.push(format!("{}, then {}", describe(a), act(b)));
                named.extend([a.invocation.index, b.invocation.index]);
            }
        }
    }
    named.sort_unstable();
    named.dedup();
    broken.sort_unstable();
    broken.dedup();
    Contradiction {
        reason: format!(
            "{}: no order of these values suits all",
            sentences.join("; ")
        ),
        operations: named,
        broken,
    }
}

fn describe(operation: &Operation<'_>) -> String {
    format!(
        "process {} {}",
        operation.invocation.process,
        act(operation)
    )
}

fn act(operation: &Operation<'_>) -> String {
    let what = match (operation.op(), operation.ret()) {
        (Op::Read { .. }, Some(crate::Ret::Value(value))) => format!("read {value}"),
        (Op::Write { value, .. }, _) => format!("wrote {value}"),
        (Op::Cas { from, to, .. }, _) => format!("changed {from} to {to} by cas"),
        (op, _) => op.name().to_owned(),
    };
    format!("{what} (index {})", operation.invocation.index)
}
