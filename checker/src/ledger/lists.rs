//! What happened to each list: its appends by number, its reads in order.

use crate::history::{Event, Operation};
use crate::{History, Key, Op, Phase, Ret};
use std::collections::{BTreeMap, HashMap};

/// One list of a history. Positions are those in [`History::events`].
#[derive(Debug, Default)]
pub struct List<'a> {
    pub appends: HashMap<i64, Append<'a>>,
    /// Successful reads in the order of their invocations.
    pub reads: Vec<Read<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    pub value: i64,
    pub invoked_at: usize,
    pub invocation: &'a Event,
    pub outcome: AppendOutcome<'a>,
}

#[derive(Clone, Copy, Debug)]
pub enum AppendOutcome<'a> {
    Acknowledged { at: usize, by: &'a Event },
    Failed,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    pub invoked_at: usize,
    pub completed_at: usize,
    pub event: &'a Event,
    pub items: &'a [i64],
    /// Invoked after every append of the history.
    pub is_final: bool,
}

impl<'a> Append<'a> {
    pub fn acknowledged(&self) -> Option<(usize, &'a Event)> {
        match self.outcome {
            AppendOutcome::Acknowledged { at, by } => Some((at, by)),
            _ => None,
        }
    }
}

impl List<'_> {
    /// The read that tells what the list finally held.
    pub fn final_read(&self) -> Option<&Read<'_>> {
        self.reads.iter().rfind(|read| read.is_final)
    }
}

/// Collects the lists of a history; an error says why it can't be judged.
pub fn collect(history: &History) -> Result<BTreeMap<&Key, List<'_>>, String> {
    let operations = history
        .operations()
        .map_err(|error| format!("not a history: {error}"))?;
    let last_append = operations
        .iter()
        .rfind(|operation| matches!(operation.op(), Op::Append { .. }))
        .map(|operation| operation.invoked_at);
    let mut lists: BTreeMap<&Key, List<'_>> = BTreeMap::new();
    for operation in &operations {
        match operation.op() {
            Op::Append { key, value } => {
                let append = append(operation, *value);
                let known = lists.entry(key).or_default().appends.insert(*value, append);
                if let Some(first) = known {
                    return Err(format!(
                        "{value} is appended to key {key} twice (index {} and {}); only numbers used once tell what was lost",
                        first.invocation.index, operation.invocation.index
                    ));
                }
            }
            Op::List { key } => {
                let list = lists.entry(key).or_default();
                if let (Some(Ret::List(items)), Some(event), Some(completed_at)) = (
                    operation.ret(),
                    operation.completion,
                    operation.completed_at,
                ) {
                    list.reads.push(Read {
                        invoked_at: operation.invoked_at,
                        completed_at,
                        event,
                        items,
                        is_final: last_append.is_none_or(|last| operation.invoked_at > last),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(lists)
}

fn append<'a>(operation: &Operation<'a>, value: i64) -> Append<'a> {
    let outcome = match (operation.completion, operation.completed_at) {
        (Some(event), Some(at)) => match event.phase {
            Phase::Ok(_) => AppendOutcome::Acknowledged { at, by: event },
            Phase::Fail(_) => AppendOutcome::Failed,
            _ => AppendOutcome::Unknown,
        },
        _ => AppendOutcome::Unknown,
    };
    Append {
        value,
        invoked_at: operation.invoked_at,
        invocation: operation.invocation,
        outcome,
    }
}
