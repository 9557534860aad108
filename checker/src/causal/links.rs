//! Who did what after what, and who read from whom.

use super::is_nil;
use crate::findings::registers::{observed, written};
use crate::findings::{Exhausted, Limits, who};
use crate::history::Operation;
use crate::{Key, ProcessId, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Operations are given by their places in the history's list of them.
pub(super) struct Links<'a> {
    pub reads: Vec<Read<'a>>,
    /// Number of processes, which are counted through.
    pub sessions: usize,
    /// Of each operation that takes part, its process and its number there, counted from 1.
    pub session_of: Vec<Option<(usize, u32)>>,
    /// The operations of each process in its order.
    pub orders: Vec<Vec<usize>>,
    writes: HashMap<&'a Key, Vec<SessionWrites>>,
}

/// What one operation read in one register before it wrote there itself.
pub(super) struct Read<'a> {
    pub by: usize,
    pub key: &'a Key,
    pub value: &'a Value,
    pub source: Source,
}

/// Where a read value comes from.
pub(super) enum Source {
    Write(usize),
    /// Nil, of a register that nobody had written.
    Nobody,
    ThinAir {
        why: String,
        by: Option<usize>,
    },
}

/// The writes of one register by one process: its number there and the place, in order.
pub(super) struct SessionWrites {
    pub session: usize,
    writes: Vec<(u32, usize)>,
}

/// Who wrote a value.
enum Author {
    One(usize),
    /// It was never to be seen.
    Failed(usize),
    Replaced(usize),
    Several(usize, usize),
}

impl SessionWrites {
    /// The last write among the first `known` operations of the process.
    pub fn last_within(&self, known: u32) -> Option<usize> {
        let end = self.writes.partition_point(|(number, _)| *number <= known);
        let (_, at) = self.writes.get(end.checked_sub(1)?)?;
        Some(*at)
    }
}

impl<'a> Links<'a> {
    /// An error in words where a value that was read does not name its write.
    pub fn find(
        operations: &'a [Operation<'a>],
        limits: &mut Limits,
    ) -> Result<Result<Self, String>, Exhausted> {
        let mut links = Self {
            reads: Vec::new(),
            sessions: 0,
            session_of: vec![None; operations.len()],
            orders: Vec::new(),
            writes: HashMap::new(),
        };
        let mut numbers: HashMap<ProcessId, usize> = HashMap::new();
        let mut authors: HashMap<(&Key, &Value), Author> = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            let mut shown: Vec<(&Key, &Value)> = written(operation.op());
            let takes_part = operation.is_ok() || (operation.is_unknown() && !shown.is_empty());
            let failed = operation.failure().is_some();
            limits.spend(1 + shown.len())?;
            if let Some((key, _)) = shown.iter().find(|(_, value)| is_nil(value)) {
                return Ok(Err(format!(
                    "{} sets key {key} to nil: a read of nil does not say whether it saw that",
                    who(operation)
                )));
            }
            // Of several writes of a register by one transaction only the last shows.
            let mut last: Vec<(&Key, &Value)> = Vec::with_capacity(shown.len());
            while let Some((key, value)) = shown.pop() {
                let replaced = last.iter().any(|(other, _)| *other == key);
                if !replaced {
                    last.push((key, value));
                }
                let author = match (failed, replaced) {
                    (true, _) => Author::Failed(at),
                    (_, true) => Author::Replaced(at),
                    _ => Author::One(at),
                };
                wrote(authors.entry((key, value)), author);
            }
            let reads = operation.is_ok() && !observed(operation).is_empty();
            if !takes_part || (last.is_empty() && !reads) {
                continue;
            }
            let process = operation.invocation.process;
            let session = *numbers.entry(process).or_insert_with(|| {
                links.orders.push(Vec::new());
                links.orders.len() - 1
            });
            let order = &mut links.orders[session];
            order.push(at);
            let number = u32::try_from(order.len()).unwrap_or(u32::MAX);
            links.session_of[at] = Some((session, number));
            for (key, _) in last {
                let sessions = links.writes.entry(key).or_default();
                match sessions.last_mut().filter(|one| one.session == session) {
                    Some(one) => one.writes.push((number, at)),
                    None => match sessions.iter_mut().find(|one| one.session == session) {
                        Some(one) => one.writes.push((number, at)),
                        None => sessions.push(SessionWrites {
                            session,
                            writes: vec![(number, at)],
                        }),
                    },
                }
            }
        }
        links.sessions = links.orders.len();
        for (at, operation) in operations.iter().enumerate() {
            for (key, value) in observed(operation) {
                limits.spend(1)?;
                let source = match authors.get(&(key, value)) {
                    None if is_nil(value) => Source::Nobody,
                    None => Source::ThinAir {
                        why: "which nobody wrote".to_owned(),
                        by: None,
                    },
                    Some(Author::One(by)) if *by == at => Source::ThinAir {
                        why: "which it wrote itself only afterwards".to_owned(),
                        by: None,
                    },
                    Some(Author::One(by)) => Source::Write(*by),
                    Some(Author::Failed(by)) => Source::ThinAir {
                        why: format!("but the write of {} failed", who(&operations[*by])),
                        by: Some(*by),
                    },
                    Some(Author::Replaced(by)) => Source::ThinAir {
                        why: format!(
                            "which {} wrote and replaced in the same transaction",
                            who(&operations[*by])
                        ),
                        by: Some(*by),
                    },
                    Some(Author::Several(one, other)) => {
                        return Ok(Err(format!(
                            "{value} in key {key} was written by {} and by {}: which one {} read is not clear",
                            who(&operations[*one]),
                            who(&operations[*other]),
                            who(operation)
                        )));
                    }
                };
                links.reads.push(Read {
                    by: at,
                    key,
                    value,
                    source,
                });
            }
        }
        Ok(Ok(links))
    }

    /// The writes of a register, process by process.
    pub fn writes_of(&self, key: &Key) -> impl Iterator<Item = &SessionWrites> {
        self.writes.get(key).into_iter().flatten()
    }
}

/// Notes who wrote a value. A write that can't have been seen gives way to one that can.
fn wrote(entry: Entry<'_, (&Key, &Value), Author>, author: Author) {
    match entry {
        Entry::Vacant(entry) => {
            entry.insert(author);
        }
        Entry::Occupied(mut entry) => {
            let known = entry.get_mut();
            *known = match (&*known, author) {
                (Author::One(one) | Author::Several(one, _), Author::One(other)) => {
                    Author::Several(*one, other)
                }
                (Author::Failed(_) | Author::Replaced(_), author) => author,
                (Author::One(one), _) => Author::One(*one),
                (Author::Several(one, other), _) => Author::Several(*one, *other),
            };
        }
    }
}
