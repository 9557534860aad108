//! Makes events of the lines of other tools: gives processes their names, tells what kind of operation a line
//! means, and hands completions what their invocations said.
//!
//! Jepsen writes `:f :read` for every kind of read; what was read tells which it is: a single value, a list
//! or set, or several accounts. So an invocation may be changed by its completion. Until then it stands as
//! the read of a single value.

use super::NilReads;
use super::edn::Datum;
use crate::history::NemesisEvent;
use crate::history::jsonl::SINGLE_KEY;
use crate::{Event, History, Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

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

/// What is wrong with a field of a line.
#[derive(Debug)]
pub struct Misfit {
    pub field: &'static str,
    pub problem: String,
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

impl Misfit {
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }

    fn value(expected: &str, found: &Datum) -> Self {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(40) {
            found.truncate(cut);
            found.push_str("...");
        }
        Self::new("value", format!("{found}; expected {expected}"))
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
                    (true, Some([key, value])) if op.key() == Some(&self::key(key)) => value,
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

/// Whether an invocation's value is a pair of a key and the value proper, as `jepsen.independent` makes them.
fn is_keyed(f: &str, value: &Datum) -> bool {
    let Some([_, second]) = value.items() else {
        return false;
    };
    match f {
        "txn" | "" => false,
        "cas" | "compare-and-set" => matches!(second, Datum::Vector(_)),
        _ => true,
    }
}

fn operation(f: &str, key_datum: Option<&Datum>, datum: &Datum, keyed: bool) -> Result<Op, Misfit> {
    let (key, datum) = match (key_datum, datum.items()) {
        (Some(key), _) => (self::key(key), datum),
        (None, Some([key, value])) if keyed => (self::key(key), value),
        _ => (SINGLE_KEY, datum),
    };
    Ok(match f {
        "read" | "r" | "get" => Op::Read { key },
        "list" => Op::List { key },
        "write" | "w" | "put" => Op::Write {
            key,
            value: value(datum),
        },
        "cas" | "compare-and-set" => match datum.items() {
            Some([from, to]) => Op::Cas {
                key,
                from: value(from),
                to: value(to),
            },
            _ => return Err(Misfit::value("[from to]", datum)),
        },
        "append" => match datum {
            Datum::Int(value) => Op::Append { key, value: *value },
            Datum::Text(suffix) => Op::Concat {
                key,
                suffix: Arc::from(suffix.as_str()),
            },
            Datum::Nil => Op::Concat {
                key,
                suffix: Arc::from(""),
            },
            _ => return Err(Misfit::value("a whole number or a text", datum)),
        },
        "delete" => Op::Delete { key },
        "add" => Op::Add {
            key,
            value: integer(datum)?,
        },
        "remove" => Op::Remove {
            key,
            value: integer(datum)?,
        },
        "enqueue" => Op::Enqueue {
            key,
            value: value(datum),
        },
        "dequeue" => Op::Dequeue { key },
        "push" => Op::Push {
            key,
            value: value(datum),
        },
        "pop" => Op::Pop { key },
        "acquire" | "lock" => Op::Acquire {
            key,
            owner: Value::Nil,
        },
        "release" | "unlock" => Op::Release {
            key,
            owner: Value::Nil,
        },
        "generate" => Op::Generate { key },
        "transfer" => transfer(datum)?,
        "txn" | "" => Op::Txn {
            ops: steps(datum)?
                .iter()
                .map(|step| Ok(mop(step)?.0))
                .collect::<Result<_, Misfit>>()?,
        },
        other => return Err(Misfit::new("f", format!("unknown operation :{other}"))),
    })
}

/// The operation, now that its result is known, and the result.
fn result(op: Op, datum: &Datum) -> Result<(Op, Ret), Misfit> {
    let ret = match &op {
        Op::Read { key } => match datum {
            Datum::Vector(items) | Datum::Set(items) => {
                let list = items.iter().map(integer).collect::<Result<_, _>>()?;
                return Ok((Op::List { key: key.clone() }, Ret::List(list)));
            }
            Datum::Map(pairs) => {
                let entries: Arc<[_]> = pairs
                    .iter()
                    .map(|(on, held)| (self::key(on), value(held)))
                    .collect();
                let keys = entries.iter().map(|(key, _)| key.clone()).collect();
                return Ok((Op::ReadAll { keys }, Ret::Map(entries)));
            }
            _ => Ret::Value(value(datum)),
        },
        Op::List { .. } => match datum {
            Datum::Nil => Ret::List(Vec::new()),
            Datum::Vector(items) | Datum::Set(items) => {
                Ret::List(items.iter().map(integer).collect::<Result<_, _>>()?)
            }
            _ => return Err(Misfit::value("a list of whole numbers", datum)),
        },
        Op::Dequeue { .. } | Op::Pop { .. } | Op::Generate { .. } => Ret::Value(value(datum)),
        Op::Acquire { .. } => match datum {
            Datum::Int(token) => Ret::Value(Value::Int(*token)),
            _ => Ret::Done,
        },
        Op::Txn { ops } => {
            let completed = steps(datum)?;
            let as_invoked = || Misfit::value("the steps that were invoked", datum);
            if completed.len() != ops.len() {
                return Err(as_invoked());
            }
            let seen = completed.iter().zip(&**ops).map(|(step, op)| {
                let (completed, seen) = mop(step)?;
                match completed == *op {
                    true => Ok(seen),
                    false => Err(as_invoked()),
                }
            });
            Ret::Txn(seen.collect::<Result<_, _>>()?)
        }
        _ => Ret::Done,
    };
    Ok((op, ret))
}

fn steps(datum: &Datum) -> Result<&[Datum], Misfit> {
    datum
        .items()
        .ok_or_else(|| Misfit::value("a list of steps such as [[:append 1 2] [:r 3 nil]]", datum))
}

fn mop(datum: &Datum) -> Result<(Mop, Seen), Misfit> {
    let wrong = || {
        Misfit::value(
            "steps as [:r key nil], [:w key value] or [:append key number]",
            datum,
        )
    };
    let Some([f, on, what]) = datum.items() else {
        return Err(wrong());
    };
    let key = key(on);
    Ok(match f.word() {
        Some("r" | "read") => {
            let seen = match what {
                Datum::Vector(items) => {
                    Seen::List(items.iter().map(integer).collect::<Result<_, _>>()?)
                }
                other => Seen::Value(value(other)),
            };
            (Mop::Read { key }, seen)
        }
        Some("w" | "write") => {
            let value = value(what);
            (Mop::Write { key, value }, Seen::Done)
        }
        Some("append") => {
            let value = integer(what)?;
            (Mop::Append { key, value }, Seen::Done)
        }
        _ => return Err(wrong()),
    })
}

fn transfer(datum: &Datum) -> Result<Op, Misfit> {
    let wrong = || Misfit::value("{:from a, :to b, :amount n}", datum);
    let account = |name| datum.get(name).map(key).ok_or_else(wrong);
    Ok(Op::Transfer {
        from: account("from")?,
        to: account("to")?,
        amount: match datum.get("amount") {
            Some(Datum::Int(amount)) => *amount,
            _ => return Err(wrong()),
        },
    })
}

fn integer(datum: &Datum) -> Result<i64, Misfit> {
    match datum {
        Datum::Int(number) => Ok(*number),
        _ => Err(Misfit::value("a whole number", datum)),
    }
}

fn key(datum: &Datum) -> Key {
    match datum {
        Datum::Int(number) => Key::Int(*number),
        Datum::Nil => SINGLE_KEY,
        _ => Key::Text(name(datum)),
    }
}

fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Nil => Value::Nil,
        Datum::Int(number) => Value::Int(*number),
        _ => Value::Text(name(datum)),
    }
}

/// Texts as they are; whatever else as EDN.
fn name(datum: &Datum) -> Arc<str> {
    match datum {
        Datum::Text(text) => Arc::from(text.as_str()),
        other => Arc::from(other.to_string()),
    }
}
