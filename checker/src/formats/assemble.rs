//! Makes events of the lines of other tools: gives processes their names, tells what kind of operation a line
//! means, and hands completions what their invocations said.
//!
//! Jepsen writes `:f :read` for every kind of read; what was read tells which it is: a single value, a list
//! or set, or several accounts. So an invocation may be changed by its completion. Until then it stands as
//! the read of a single value.

use super::NilReads;
use super::edn::Datum;
use super::fields::{self, Misfit, is_keyed, operation, result, value};
use crate::history::NemesisEvent;
use crate::history::jsonl::SINGLE_KEY;
use crate::{Event, History, Op, Phase, ProcessId, Reason, Ret, Value};
use std::collections::{HashMap, HashSet};

/// Between events of a file that tells no time, so that pictures have a width.
const UNTIMED_STEP: u64 = 1_000_000;

/// Names of processes that take over from crashed ones begin here, where no file's own are.
const SUCCESSORS: u64 = 1_000_000;

/// An event as it was written.
#[derive(Debug)]
pub struct Line {
    pub who: Who,
    /// `invoke`, `ok`, `fail` or `info`.
    pub kind: String,
    pub f: String,
    pub key: Option<Datum>,
    pub value: Datum,
    pub error: Option<Datum>,
    pub time: Option<u64>,
    pub index: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Process(u64),
    /// Whoever is no client.
    Nemesis,
}

pub struct Assembler {
    history: History,
    nil_reads: NilReads,
    /// What a process of the file is called here, if it has not crashed.
    names: HashMap<u64, ProcessId>,
    used: HashSet<ProcessId>,
    open: HashMap<u64, Open>,
    next_index: u64,
    next_successor: u64,
    time: u64,
}

struct Open {
    f: String,
    /// The place of the invocation among the events; a drain has none.
    event: Option<usize>,
    /// Values stand as `[key value]`.
    keyed: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            who: Who::Nemesis,
            kind: String::new(),
            f: String::new(),
            key: None,
            value: Datum::Nil,
            error: None,
            time: None,
            index: None,
        }
    }
}

impl Assembler {
    pub fn new(nil_reads: NilReads) -> Self {
        Self {
            history: History::default(),
            nil_reads,
            names: HashMap::new(),
            used: HashSet::new(),
            open: HashMap::new(),
            next_index: 0,
            next_successor: SUCCESSORS,
            time: 0,
        }
    }

    pub fn finish(mut self, truncated: bool) -> History {
        self.history.truncated = truncated;
        self.history
    }

    /// Takes in the next line.
    pub fn take(&mut self, line: Line) -> Result<(), Misfit> {
        let index = line.index.unwrap_or(0).max(self.next_index);
        if index > i64::MAX.cast_unsigned() {
            return Err(Misfit::new("index", "an index that no event has"));
        }
        self.time = line
            .time
            .unwrap_or_else(|| self.time.saturating_add(UNTIMED_STEP));
        match line.who {
            Who::Nemesis => {
                self.next_index = index + 1;
                self.history.nemesis.push(NemesisEvent {
                    index,
                    time: self.time,
                    f: line.f,
                    value: match line.value {
                        Datum::Nil => serde_json::Value::Null,
                        value => serde_json::Value::String(value.to_string()),
                    },
                });
                Ok(())
            }
            Who::Process(process) => {
                self.next_index = index;
                match line.kind.as_str() {
                    "invoke" => self.invoke(process, line),
                    "ok" | "fail" | "info" => self.complete(process, line),
                    other => Err(Misfit::new(
                        "type",
                        format!("unknown type :{other}; expected :invoke, :ok, :fail or :info"),
                    )),
                }
            }
        }
    }

    fn invoke(&mut self, process: u64, line: Line) -> Result<(), Misfit> {
        if let Some(open) = self.open.get(&process) {
            return Err(Misfit::new(
                "process",
                format!(
                    "process {process} invokes {} while its {} is still open",
                    line.f, open.f
                ),
            ));
        }
        let keyed = line.key.is_none() && is_keyed(&line.f, &line.value);
        let event = match line.f.as_str() {
            "drain" => None,
            f => {
                let op = operation(f, line.key.as_ref(), &line.value, keyed)?;
                let name = self.name(process);
                Some(self.push(name, Phase::Invoke, op))
            }
        };
        let open = Open {
            f: line.f,
            event,
            keyed,
        };
        self.open.insert(process, open);
        Ok(())
    }

    fn complete(&mut self, process: u64, line: Line) -> Result<(), Misfit> {
        let Some(open) = self.open.remove(&process) else {
            return Err(Misfit::new(
                "process",
                format!(
                    "process {process} completes {} without having invoked it",
                    line.f
                ),
            ));
        };
        if open.f != line.f {
            return Err(Misfit::new(
                "f",
                format!(
                    "process {process} invoked {} but completes {}",
                    open.f, line.f
                ),
            ));
        }
        let name = self.name(process);
        if line.kind == "info" {
            // Whoever goes on under this number is a new process.
            self.names.remove(&process);
        }
        let Some(invocation) = open.event else {
            return self.drained(name, &line);
        };
        let reason = || {
            Reason::new(match &line.error {
                None if line.value.word().is_some() && line.kind == "info" => {
                    line.value.word().unwrap_or_default().to_owned()
                }
                None => "unstated".to_owned(),
                Some(error) => error
                    .word()
                    .map_or_else(|| error.to_string(), str::to_owned),
            })
        };
        let op = self.history.events[invocation].op.clone();
        let (op, phase) = match line.kind.as_str() {
            "fail" => (op, Phase::Fail(reason())),
            "info" => (op, Phase::Info(reason())),
            _ => {
                let value = match (open.keyed, line.value.items()) {
                    (true, Some([key, value])) if op.key() == Some(&fields::key(key)) => value,
                    (true, _) if !op.gives_nothing() => {
                        return Err(Misfit::value(
                            "[key value], as in its invocation",
                            &line.value,
                        ));
                    }
                    _ => &line.value,
                };
                let (op, ret) = result(op, value)?;
                let nothing = self.nil_reads == NilReads::Unknown
                    && matches!(op, Op::Read { .. })
                    && ret == Ret::Value(Value::Nil);
                match nothing {
                    true => (op, Phase::Fail(Reason::new("nil: nothing is known of it"))),
                    false => (op, Phase::Ok(ret)),
                }
            }
        };
        self.history.events[invocation].op = op.clone();
        self.push(name, phase, op);
        Ok(())
    }

    /// A drain is as many dequeues as it gave values, one after the other, at its end.
    fn drained(&mut self, name: ProcessId, line: &Line) -> Result<(), Misfit> {
        if line.kind != "ok" {
            return match line.kind.as_str() {
                "fail" => Ok(()),
                _ => Err(Misfit::new(
                    "type",
                    "a drain that may have taken anything cannot be judged",
                )),
            };
        }
        let Some(values) = line.value.items() else {
            return Err(Misfit::value("the drained values", &line.value));
        };
        for drained in values {
            let op = Op::Dequeue { key: SINGLE_KEY };
            self.push(name, Phase::Invoke, op.clone());
            self.push(name, Phase::Ok(Ret::Value(value(drained))), op);
        }
        Ok(())
    }

    fn push(&mut self, process: ProcessId, phase: Phase, op: Op) -> usize {
        self.history.events.push(Event {
            index: self.next_index,
            time: self.time,
            process,
            phase,
            op,
        });
        self.next_index += 1;
        self.history.events.len() - 1
    }

    /// What a process of the file is called here: as there, unless it crashed before.
    fn name(&mut self, process: u64) -> ProcessId {
        if let Some(name) = self.names.get(&process) {
            return *name;
        }
        let mut name = ProcessId(process);
        while !self.used.insert(name) {
            name = ProcessId(self.next_successor);
            self.next_successor += 1;
        }
        self.names.insert(process, name);
        name
    }
}
