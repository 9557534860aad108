//! Checks the witness of an anomaly against the history, without what found it.
//!
//! Every step of a cycle has to follow from a few events by itself: nothing is inferred in advance, so
//! an error of the inference can't hide here. It takes time in proportion to the history for each step.

use super::anomalies::{Name, Scope, Shape};
use super::{Anomaly, EdgeKind, Kind};
use crate::history::{Operation, StructureError};
use crate::{History, Key, Mop, Op, Ret, Seen, Value};
use std::collections::HashMap;

/// Why a witness does not show what it claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refuted {
    #[error("not a history: {0}")]
    Structure(#[from] StructureError),
    #[error("the witness has no steps")]
    Empty,
    #[error("{0} steps of the cycle are left out")]
    Shortened(usize),
    #[error("no transaction was invoked at index {0}")]
    NoTransaction(u64),
    #[error("the transaction at index {0} failed, or nothing shows that it happened")]
    DidNotHappen(u64),
    #[error("step {step} of the cycle has no edge")]
    NoEdge { step: usize },
    #[error("nothing shows that the transaction at index {from} precedes that at {to} by {kind}")]
    NoDependency { from: u64, to: u64, kind: EdgeKind },
    #[error("the cycle is none of {name}: it is {is}")]
    Misnamed { name: Name, is: Name },
    #[error("{0} is not shown by a cycle, and is not checked here")]
    NotACycle(Name),
}

/// A step of a transaction with what it saw.
#[derive(Clone, Copy, Debug)]
enum Did<'a> {
    Read(&'a [i64]),
    Append(i64),
    Get(&'a Value),
    Set(&'a Value),
}

struct Case<'a> {
    kind: Kind,
    operations: Vec<Operation<'a>>,
    by_index: HashMap<u64, usize>,
}

/// Checks that every step of a cycle is a dependency, and that the cycle is what its name says.
pub fn verify(history: &History, kind: Kind, anomaly: &Anomaly) -> Result<(), Refuted> {
    let Name::Cycle(..) = anomaly.name else {
        return Err(Refuted::NotACycle(anomaly.name));
    };
    if anomaly.left_out > 0 {
        return Err(Refuted::Shortened(anomaly.left_out));
    }
    if anomaly.steps.is_empty() {
        return Err(Refuted::Empty);
    }
    let operations = history.operations()?;
    let by_index = operations
        .iter()
        .enumerate()
        .map(|(at, operation)| (operation.invocation.index, at))
        .collect();
    let case = Case {
        kind,
        operations,
        by_index,
    };
    let mut kinds = Vec::new();
    for (at, step) in anomaly.steps.iter().enumerate() {
        let next = &anomaly.steps[(at + 1) % anomaly.steps.len()];
        let edge = step.edge.ok_or(Refuted::NoEdge { step: at })?;
        let (from, to) = (case.find(step.index)?, case.find(next.index)?);
        let scope = (from.invoked_at != to.invoked_at)
            .then(|| case.scope(from, to, edge))
            .flatten();
        let scope = scope.ok_or(Refuted::NoDependency {
            from: step.index,
            to: next.index,
            kind: edge,
        })?;
        kinds.push((edge, scope));
    }
    let is = name(&kinds);
    // It may be graver than its name says, where an edge needs less than it was said to.
    if !is.implies(anomaly.name) {
        return Err(Refuted::Misnamed {
            name: anomaly.name,
            is,
        });
    }
    Ok(())
}

/// The name of a cycle of such edges.
fn name(edges: &[(EdgeKind, Scope)]) -> Name {
    let scope = edges.iter().map(|(_, scope)| *scope).max();
    let rw: Vec<bool> = edges
        .iter()
        .map(|(kind, _)| *kind == EdgeKind::Rw)
        .collect();
    let adjacent = (0..rw.len()).any(|at| rw[at] && rw[(at + 1) % rw.len()]);
    let shape = match rw.iter().filter(|is_rw| **is_rw).count() {
        0 if edges.iter().any(|(kind, _)| *kind == EdgeKind::Wr) => Shape::G1c,
        0 => Shape::G0,
        1 => Shape::GSingle,
        _ if adjacent => Shape::G2Item,
        _ => Shape::GNonadjacent,
    };
    Name::Cycle(shape, scope.unwrap_or(Scope::Data))
}

impl<'a> Case<'a> {
    fn find(&self, index: u64) -> Result<&Operation<'a>, Refuted> {
        let at = self.by_index.get(&index);
        let at = *at.ok_or(Refuted::NoTransaction(index))?;
        let operation = &self.operations[at];
        let happened =
            operation.is_ok() || (operation.is_unknown() && self.was_read_from(operation));
        happened
            .then_some(operation)
            .ok_or(Refuted::DidNotHappen(index))
    }

    /// Whether one transaction certainly precedes the other in this way, and what that rests on.
    fn scope(&self, from: &Operation<'a>, to: &Operation<'a>, kind: EdgeKind) -> Option<Scope> {
        let is_earlier = from.is_ok() && from.completed_at.is_some_and(|at| at < to.invoked_at);
        match kind {
            EdgeKind::Realtime => is_earlier.then_some(Scope::Realtime),
            EdgeKind::Process => {
                let is_same = from.invocation.process == to.invocation.process;
                (is_same && from.invoked_at < to.invoked_at).then_some(Scope::Process)
            }
            EdgeKind::Wr => self.is_wr(from, to).then_some(Scope::Data),
            EdgeKind::Ww => self.is_ww(from, to).then_some(Scope::Data),
            EdgeKind::Rw => match self.kind {
                Kind::ListAppend => self.is_rw_of_lists(from, to).then_some(Scope::Data),
                Kind::RwRegister => self.rw_of_registers(from, to),
            },
        }
    }

    fn was_read_from(&self, writer: &Operation<'a>) -> bool {
        self.operations
            .iter()
            .any(|reader| reader.is_ok() && self.is_wr(writer, reader))
    }

    fn is_wr(&self, from: &Operation<'a>, to: &Operation<'a>) -> bool {
        let written = did(from);
        did(to).iter().any(|(key, read)| {
            match read {
            Did::Read(list) => written.iter().any(|(of, write)| {
                matches!(write, Did::Append(value) if of == key && list.contains(value))
            }),
            Did::Get(value) => written.iter().any(|(of, write)| {
                let is_set = matches!(write, Did::Set(set) if of == key && set == value);
                is_set && self.is_only_writer(from, key, value)
            }),
            _ => false,
        }
        })
    }

    /// Lists only grow: whatever a read shows came before what it shows later or not at all.
    fn is_ww(&self, from: &Operation<'a>, to: &Operation<'a>) -> bool {
        let (first, second) = (did(from), did(to));
        let reads = self.operations.iter().filter(|operation| operation.is_ok());
        reads.flat_map(did).any(|(key, read)| {
            let Did::Read(list) = read else {
                return false;
            };
            let place = |value: i64| list.iter().position(|element| *element == value);
            appends(&first, key).any(|a| {
                place(a)
                    .is_some_and(|a| appends(&second, key).any(|b| place(b).is_none_or(|b| a < b)))
            })
        })
    }

    fn is_rw_of_lists(&self, from: &Operation<'a>, to: &Operation<'a>) -> bool {
        let second = did(to);
        did(from).iter().any(|(key, read)| match read {
            Did::Read(list) => appends(&second, key).any(|value| !list.contains(&value)),
            _ => false,
        })
    }

    fn rw_of_registers(&self, from: &Operation<'a>, to: &Operation<'a>) -> Option<Scope> {
        let second = did(to);
        let scopes = did(from).into_iter().filter_map(|(key, read)| {
            let Did::Get(value) = read else {
                return None;
            };
            let sets = |(of, did): &(&Key, Did<'_>)| *of == key && matches!(did, Did::Set(_));
            let set_at = second.iter().position(sets)?;
            let writers = self.writers(key, value);
            if *value == Value::Nil {
                return writers.is_empty().then_some(Scope::Data);
            }
            let [writer] = writers[..] else {
                return None;
            };
            let read_too = second[..set_at]
                .iter()
                .any(|(of, did)| *of == key && matches!(did, Did::Get(got) if *got == value));
            if read_too {
                return Some(Scope::Data);
            }
            let is_late = writer.is_ok() && writer.completed_at? < to.invoked_at;
            is_late.then_some(Scope::Realtime)
        });
        scopes.min()
    }

    /// Those who wrote a value, unless they failed.
    fn writers(&self, key: &Key, value: &Value) -> Vec<&Operation<'a>> {
        let all = self.operations.iter();
        all.filter(|operation| operation.failure().is_none())
            .filter(|operation| {
                did(operation)
                    .iter()
                    .any(|(of, did)| *of == key && matches!(did, Did::Set(set) if *set == value))
            })
            .collect()
    }

    fn is_only_writer(&self, writer: &Operation<'a>, key: &Key, value: &Value) -> bool {
        let writers = self.writers(key, value);
        writers.len() == 1 && writers[0].invoked_at == writer.invoked_at && *value != Value::Nil
    }
}

fn appends<'s, 'a>(
    steps: &'s [(&'a Key, Did<'a>)],
    key: &'s Key,
) -> impl Iterator<Item = i64> + 's {
    steps.iter().filter_map(move |(of, did)| match did {
        Did::Append(value) if *of == key => Some(*value),
        _ => None,
    })
}

/// The steps of a transaction; reads only where their result is known.
fn did<'a>(operation: &Operation<'a>) -> Vec<(&'a Key, Did<'a>)> {
    let ret = operation.ret();
    match (operation.op(), ret) {
        (Op::Append { key, value }, _) => vec![(key, Did::Append(*value))],
        (Op::List { key }, Some(Ret::List(list))) => vec![(key, Did::Read(list))],
        (Op::Write { key, value }, _) => vec![(key, Did::Set(value))],
        (Op::Read { key }, Some(Ret::Value(value))) => vec![(key, Did::Get(value))],
        (Op::ReadAll { .. }, Some(Ret::Map(entries))) => entries
            .iter()
            .map(|(key, value)| (key, Did::Get(value)))
            .collect(),
        (Op::Txn { ops }, ret) => {
            let seen = match ret {
                Some(Ret::Txn(seen)) => Some(seen),
                _ => None,
            };
            let step = |(at, op): (usize, &'a Mop)| match op {
                Mop::Append { key, value } => vec![(key, Did::Append(*value))],
                Mop::Write { key, value } => vec![(key, Did::Set(value))],
                Mop::Read { key } => match seen.map(|seen| &seen[at]) {
                    Some(Seen::List(list)) => vec![(key, Did::Read(list))],
                    // Nil is also an absent list.
                    Some(Seen::Value(Value::Nil)) => {
                        vec![(key, Did::Read(&[])), (key, Did::Get(&Value::Nil))]
                    }
                    Some(Seen::Value(value)) => vec![(key, Did::Get(value))],
                    _ => Vec::new(),
                },
            };
            ops.iter().enumerate().flat_map(step).collect()
        }
        _ => Vec::new(),
    }
}
