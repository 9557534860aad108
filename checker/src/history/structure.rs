//! What makes a sequence of events a history: a process has at most one open operation, and a
//! completion answers the invocation that its process has open.
//!
//! [`Structure`] watches events one by one (the reader uses it, so that an error names the line);
//! [`History::operations`] pairs invocations with completions for the checkers.

use super::{Event, History, Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen};
use std::collections::HashMap;

/// How the events of a process contradict one another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructureError {
    #[error("process {process} completes {f} without having invoked it")]
    NotInvoked { process: u64, f: &'static str },
    #[error(
        "process {process} invokes {f} while its {open} (index {index}) is still open; after an unknown outcome a client goes on as a new process"
    )]
    StillOpen {
        process: u64,
        f: &'static str,
        open: &'static str,
        index: u64,
    },
    #[error("process {process} invoked {open}{open_key} (index {index}) but completes {f}{key}")]
    Different {
        process: u64,
        f: &'static str,
        key: String,
        open: &'static str,
        open_key: String,
        index: u64,
    },
    #[error("process {process} completes {f} with the result of another kind of operation")]
    WrongResult { process: u64, f: &'static str },
}

/// The open operation of each process while events pass by.
#[derive(Debug, Default)]
pub struct Structure {
    open: OpenOf,
}

/// What each process has open. Almost all processes have small numbers, and are found by them.
#[derive(Debug, Default)]
struct OpenOf {
    small: Vec<Option<Open>>,
    large: HashMap<ProcessId, Open>,
}

/// Processes from this number on are large.
const LARGE: u64 = 1 << 14;

#[derive(Debug)]
struct Open {
    op: Op,
    index: u64,
    /// Where the invocation stands among those seen; lets [`History::operations`] find it again.
    position: usize,
    /// An `info` leaves the operation open for ever: it may yet happen.
    crashed: bool,
}

/// An operation from invocation to completion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation<'a> {
    pub invocation: &'a Event,
    /// Absent when the history ended first.
    pub completion: Option<&'a Event>,
    /// Positions in [`History::events`]; they give the real-time order.
    pub invoked_at: usize,
    pub completed_at: Option<usize>,
}

impl Structure {
    /// The operation that a process has open, for readers of completions that leave things out.
    pub fn open(&self, process: ProcessId) -> Option<&Op> {
        self.open
            .get(process)
            .filter(|open| !open.crashed)
            .map(|open| &open.op)
    }

    /// Takes in the next event; for a completion returns the position of its invocation.
    pub fn accept(
        &mut self,
        position: usize,
        event: &Event,
    ) -> Result<Option<usize>, StructureError> {
        let process = event.process.0;
        let f = event.op.name();
        if event.phase == Phase::Invoke {
            if let Some(open) = self.open.get(event.process) {
                return Err(StructureError::StillOpen {
                    process,
                    f,
                    open: open.op.name(),
                    index: open.index,
                });
            }
            let open = Open {
                op: event.op.clone(),
                index: event.index,
                position,
                crashed: false,
            };
            self.open.insert(event.process, open);
            return Ok(None);
        }
        let Some(open) = self
            .open
            .get_mut(event.process)
            .filter(|open| !open.crashed)
        else {
            return Err(StructureError::NotInvoked { process, f });
        };
        if open.op != event.op {
            return Err(StructureError::Different {
                process,
                f,
                key: on_key(event.op.key()),
                open: open.op.name(),
                open_key: on_key(open.op.key()),
                index: open.index,
            });
        }
        if let Phase::Ok(ret) = &event.phase
            && !event.op.returns(ret)
        {
            return Err(StructureError::WrongResult { process, f });
        }
        let position = open.position;
        if matches!(event.phase, Phase::Info(_)) {
            open.crashed = true;
        } else {
            self.open.remove(event.process);
        }
        Ok(Some(position))
    }
}

impl OpenOf {
    fn get(&self, process: ProcessId) -> Option<&Open> {
        match process.0 < LARGE {
            true => self.small.get(process.0 as usize)?.as_ref(),
            false => self.large.get(&process),
        }
    }

    fn get_mut(&mut self, process: ProcessId) -> Option<&mut Open> {
        match process.0 < LARGE {
            true => self.small.get_mut(process.0 as usize)?.as_mut(),
            false => self.large.get_mut(&process),
        }
    }

    fn insert(&mut self, process: ProcessId, open: Open) {
        if process.0 >= LARGE {
            self.large.insert(process, open);
            return;
        }
        let at = process.0 as usize;
        if at >= self.small.len() {
            self.small.resize_with(at + 1, || None);
        }
        self.small[at] = Some(open);
    }

    fn remove(&mut self, process: ProcessId) {
        match process.0 < LARGE {
            true => {
                if let Some(open) = self.small.get_mut(process.0 as usize) {
                    *open = None;
                }
            }
            false => {
                self.large.remove(&process);
            }
        }
    }
}

/// The key of an operation, as it follows the operation's name in messages.
pub(super) fn on_key(key: Option<&Key>) -> String {
    key.map_or_else(String::new, |key| format!(" on key {key}"))
}

impl History {
    /// The operations in the order of their invocations.
    pub fn operations(&self) -> Result<Vec<Operation<'_>>, StructureError> {
        let mut structure = Structure::default();
        let mut operations: Vec<Operation<'_>> = Vec::with_capacity(self.events.len() / 2 + 1);
        for (at, event) in self.events.iter().enumerate() {
            match structure.accept(operations.len(), event)? {
                None => operations.push(Operation {
                    invocation: event,
                    completion: None,
                    invoked_at: at,
                    completed_at: None,
                }),
                Some(position) => {
                    operations[position].completion = Some(event);
                    operations[position].completed_at = Some(at);
                }
            }
        }
        Ok(operations)
    }
}

impl<'a> Operation<'a> {
    pub fn op(&self) -> &'a Op {
        &self.invocation.op
    }

    /// What it gave back, if it certainly happened.
    pub fn ret(&self) -> Option<&'a Ret> {
        match self.completion.map(|event| &event.phase) {
            Some(Phase::Ok(ret)) => Some(ret),
            _ => None,
        }
    }

    pub fn is_ok(&self) -> bool {
        self.ret().is_some()
    }

    /// Why it certainly did not happen.
    pub fn failure(&self) -> Option<&'a Reason> {
        match self.completion.map(|event| &event.phase) {
            Some(Phase::Fail(reason)) => Some(reason),
            _ => None,
        }
    }

    /// Whether it may or may not have happened.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self.completion.map(|event| &event.phase),
            None | Some(Phase::Info(_))
        )
    }
}

impl Op {
    /// Whether `ret` is the kind of result that this operation can have.
    pub fn returns(&self, ret: &Ret) -> bool {
        match (self, ret) {
            (Op::Acquire { .. }, Ret::Done | Ret::Value(_)) => true,
            (
                Op::Read { .. } | Op::Dequeue { .. } | Op::Pop { .. } | Op::Generate { .. },
                Ret::Value(_),
            ) => true,
            (Op::List { .. }, Ret::List(_)) => true,
            (Op::ReadAll { keys }, Ret::Map(entries)) => {
                keys.iter().eq(entries.iter().map(|(key, _)| key))
            }
            (Op::Txn { ops }, Ret::Txn(seen)) => {
                ops.len() == seen.len()
                    && ops.iter().zip(&**seen).all(|(op, seen)| {
                        matches!(op, Mop::Read { .. }) != matches!(seen, Seen::Done)
                    })
            }
            (op, Ret::Done) => op.gives_nothing(),
            _ => false,
        }
    }
}
