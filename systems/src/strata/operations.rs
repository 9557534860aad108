//! What each operation is on strata's interface: which requests, and what their answers mean.
//!
//! | operations | keys | as |
//! |---|---|---|
//! | read, write, delete, cas | `register/<key>` | `get`, `put`, `delete`, `cas`; a cas to nil is a `txn` |
//! | concat | `register/<key>` | `append` |
//! | add to a counter | `register/<key>` | `add` |
//! | append, list | `list/<key>` | `append`, `get` |
//! | add to a set, remove, list | `set/<key>/<element>` | `put`, `delete`, `scan` |
//! | enqueue, push | `queue/<key>`, `stack/<key>` | `append` |
//! | dequeue, pop | the same | `get`, then `cas` from all values to the others, until it succeeds |
//! | acquire, release | `lock/<key>`, `fence/<key>` | `txn` with a condition |
//! | of a semaphore | `permits/<key>`, `held/<key>/<owner>`, `fence/<key>` | `txn` with conditions |
//! | generate | `id/<key>` | `add` of 1 |
//! | transfer | `register/<key>` | `txn`: if the account holds enough, `add` to both |
//! | read-all, txn | `register/<key>`, `list/<key>` | `txn` |
//!
//! An [`Exchange`] is pure: it says what to ask and is told the answers, so that the client on HTTP and simulated
//! clients do the same. Only its last request may change anything, so what became of the operation is what became
//! of that.

use checker::store::{self, Shape};
use checker::{Key, Mop, Op, Outcome, Reason, Ret, Seen, Value};
use cluster::api::limits::MAX_SCAN;
use cluster::api::{Answer, Condition, KvOp, Scan, Step, Transaction};
use std::sync::Arc;

/// One operation on its way.
#[derive(Clone, Debug)]
pub struct Exchange {
    op: Op,
    /// What was read first, by operations that read before they write.
    read: Option<String>,
    asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The only request, or the last one.
    All,
    /// What a queue or stack holds.
    Look,
    /// To take from it what was seen.
    Take,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    Ask(KvOp),
    End(Outcome),
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request did not take effect and never will.
    Definite(Reason),
    /// It may have, or may yet.
    Indefinite(Reason),
}

impl Exchange {
    /// The operation and its first request; nothing where strata has no such operation.
    pub fn begin(op: &Op) -> Option<(Self, KvOp)> {
        let (asked, request) = match op {
            Op::Dequeue { key } => (Asked::Look, look(queue(key))),
            Op::Pop { key } => (Asked::Look, look(stack(key))),
            _ => (Asked::All, request(op)?),
        };
        let exchange = Self {
            op: op.clone(),
            read: None,
            asked,
        };
        Some((exchange, request))
    }

    /// What to do with an answer.
    pub fn answered(&mut self, answer: Result<Answer, Failure>) -> Turn {
        let took = self.asked == Asked::Take;
        match (self.asked, answer) {
            (Asked::Look, Ok(answer)) => self.looked(answer),
            // Somebody else was first: look again.
            (Asked::Take, Err(Failure::Definite(reason))) if reason.code() == "cas-mismatch" => {
                self.asked = Asked::Look;
                Turn::Ask(look(self.place()))
            }
            (Asked::Take, Ok(_)) => Turn::End(self.taken()),
            (Asked::All, Ok(answer)) => Turn::End(decode(&self.op, answer)),
            (_, Err(Failure::Definite(reason))) => Turn::End(Outcome::Fail(reason)),
            (_, Err(Failure::Indefinite(reason))) => {
                // What only reads changed nothing, so nothing about it is unknown.
                let changes = took || (self.asked == Asked::All && !self.op.is_read_only());
                Turn::End(match changes {
                    true => Outcome::Info(reason),
                    false => Outcome::Fail(reason),
                })
            }
        }
    }

    /// A queue or stack holds this: nothing, or something to take.
    fn looked(&mut self, answer: Answer) -> Turn {
        let Some(whole) = answer.value.filter(|whole| !whole.is_empty()) else {
            return Turn::End(Outcome::Ok(Ret::Value(Value::Nil)));
        };
        let rest = match split(&self.op, &whole) {
            Some((_, rest)) => rest,
            None => return Turn::End(Outcome::Fail(bad_answer("no values", &whole))),
        };
        let take = KvOp::Cas {
            key: self.place(),
            from: Some(whole.clone()),
            to: rest,
        };
        self.read = Some(whole);
        self.asked = Asked::Take;
        Turn::Ask(take)
    }

    fn taken(&self) -> Outcome {
        let whole = self.read.as_deref().unwrap_or_default();
        match split(&self.op, whole) {
            Some((value, _)) => Outcome::Ok(Ret::Value(value)),
            None => Outcome::Info(bad_answer("no values", whole)),
        }
    }

    fn place(&self) -> String {
        match &self.op {
            Op::Pop { key } => stack(key),
            op => queue(op.key().unwrap_or(&Key::Int(0))),
        }
    }
}

/// Whether [`Exchange::begin`] knows the operation.
pub fn supports(op: &Op) -> bool {
    Exchange::begin(op).is_some()
}

fn look(key: String) -> KvOp {
    KvOp::Get { key }
}

// Objects of different kinds are different objects even under equal keys.

fn register(key: &Key) -> String {
    format!("register/{key}")
}

fn list(key: &Key) -> String {
    format!("list/{key}")
}

fn queue(key: &Key) -> String {
    format!("queue/{key}")
}

fn stack(key: &Key) -> String {
    format!("stack/{key}")
}

/// The elements of a set sort by their numbers: 16 hexadecimal digits, the least number first.
fn element(key: &Key, value: i64) -> String {
    format!("set/{key}/{:016x}", value.cast_unsigned() ^ 1 << 63)
}

fn element_from(text: &str) -> Option<i64> {
    let digits = text.rsplit('/').next()?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some((number ^ 1 << 63).cast_signed())
}

/// A register's text: a number as it is, so that the server can add to it; a text as it is, so that the server can
/// append to it, after an apostrophe if it could be taken for a number. Nil is an absent key.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Nil => None,
        Value::Int(number) => Some(number.to_string()),
        Value::Text(text) if text.parse::<i64>().is_ok() || text.starts_with('\'') => {
            Some(format!("'{text}"))
        }
        Value::Text(text) => Some(text.to_string()),
    }
}

fn value(text: Option<String>) -> Value {
    match text {
        None => Value::Nil,
        Some(text) => match (text.parse(), text.strip_prefix('\'')) {
            (Ok(number), _) => Value::Int(number),
            (_, Some(text)) => Value::Text(text.into()),
            (_, None) => Value::Text(text.into()),
        },
    }
}

/// What may be appended to a register's text, whatever it holds, without making something else of it.
fn is_plain(suffix: &str) -> bool {
    suffix
        .chars()
        .next()
        .is_some_and(|first| !first.is_ascii_digit() && !"'+-".contains(first))
}

fn request(op: &Op) -> Option<KvOp> {
    Some(match op {
        Op::Read { key } => look(register(key)),
        Op::Write { key, value } => put(register(key), text(value)),
        Op::Cas { key, from, to } => match text(to) {
            Some(to) => KvOp::Cas {
                key: register(key),
                from: text(from),
                to,
            },
            None => KvOp::Txn(Transaction {
                conditions: vec![is(register(key), text(from))],
                steps: vec![Step::Delete { key: register(key) }],
            }),
        },
        Op::Delete { key } => KvOp::Delete { key: register(key) },
        Op::Concat { key, suffix } if is_plain(suffix) => KvOp::Append {
            key: register(key),
            value: suffix.to_string(),
        },
        Op::Concat { .. } => return None,
        Op::Append { key, value } => KvOp::Append {
            key: list(key),
            value: format!("{value} "),
        },
        Op::List { key } if store::shape(key) == Shape::Set => KvOp::Scan(Scan {
            from: format!("set/{key}/"),
            to: Some(format!("set/{key}0")),
            limit: MAX_SCAN,
        }),
        Op::List { key } => look(list(key)),
        Op::Add { key, value } if store::shape(key) == Shape::Set => KvOp::Put {
            key: element(key, *value),
            value: String::new(),
        },
        Op::Add { key, value } => KvOp::Add {
            key: register(key),
            amount: *value,
        },
        Op::Remove { key, value } => KvOp::Delete {
            key: element(key, *value),
        },
        Op::Enqueue { key, value } => KvOp::Append {
            key: queue(key),
            value: line(value)?,
        },
        Op::Push { key, value } => KvOp::Append {
            key: stack(key),
            value: line(value)?,
        },
        Op::Dequeue { key } => look(queue(key)),
        Op::Pop { key } => look(stack(key)),
        Op::Acquire { key, owner } => KvOp::Txn(acquire(key, owner)),
        Op::Release { key, owner } => KvOp::Txn(release(key, owner)),
        Op::Generate { key } => KvOp::Add {
            key: format!("id/{key}"),
            amount: 1,
        },
        Op::Transfer { from, to, amount } => KvOp::Txn(Transaction {
            conditions: vec![at_least(register(from), *amount)],
            steps: vec![
                add(register(from), amount.checked_neg()?),
                add(register(to), *amount),
            ],
        }),
        Op::ReadAll { keys } => reads(keys.iter().map(register).collect())?,
        Op::Txn { ops } => {
            let steps: Vec<Step> = ops.iter().map(step).collect();
            if steps.is_empty() {
                return None;
            }
            KvOp::Txn(Transaction {
                conditions: Vec::new(),
                steps,
            })
        }
    })
}

fn put(key: String, value: Option<String>) -> KvOp {
    match value {
        Some(value) => KvOp::Put { key, value },
        None => KvOp::Delete { key },
    }
}

fn is(key: String, value: Option<String>) -> Condition {
    Condition::Is { key, value }
}

fn at_least(key: String, amount: i64) -> Condition {
    Condition::AtLeast { key, amount }
}

fn add(key: String, amount: i64) -> Step {
    Step::Add { key, amount }
}

fn reads(keys: Vec<String>) -> Option<KvOp> {
    let steps: Vec<Step> = keys.into_iter().map(|key| Step::Get { key }).collect();
    (!steps.is_empty()).then(|| {
        KvOp::Txn(Transaction {
            conditions: Vec::new(),
            steps,
        })
    })
}

fn step(op: &Mop) -> Step {
    match op {
        Mop::Read { key } if store::shape(key) == Shape::List => Step::Get { key: list(key) },
        Mop::Read { key } => Step::Get { key: register(key) },
        Mop::Write { key, value } => match text(value) {
            Some(value) => Step::Put {
                key: register(key),
                value,
            },
            None => Step::Delete { key: register(key) },
        },
        Mop::Append { key, value } => Step::Append {
            key: list(key),
            value: format!("{value} "),
        },
    }
}

/// The holder's name: that of an owner who is nil as well.
fn holder(owner: &Value) -> String {
    text(owner).unwrap_or_else(|| "'".into())
}

/// A lock holds its holder; of a semaphore, the permits that are out are counted below 0.
fn acquire(key: &Key, owner: &Value) -> Transaction {
    let fence = add(format!("fence/{key}"), 1);
    match store::shape(key) {
        Shape::Semaphore(permits) => Transaction {
            conditions: vec![at_least(format!("permits/{key}"), 1 - permits)],
            steps: vec![
                fence,
                add(format!("permits/{key}"), -1),
                add(format!("held/{key}/{}", holder(owner)), 1),
            ],
        },
        _ => Transaction {
            conditions: vec![is(format!("lock/{key}"), None)],
            steps: vec![
                fence,
                Step::Put {
                    key: format!("lock/{key}"),
                    value: holder(owner),
                },
            ],
        },
    }
}

fn release(key: &Key, owner: &Value) -> Transaction {
    match store::shape(key) {
        Shape::Semaphore(_) => {
            let held = format!("held/{key}/{}", holder(owner));
            Transaction {
                conditions: vec![at_least(held.clone(), 1)],
                steps: vec![add(format!("permits/{key}"), 1), add(held, -1)],
            }
        }
        _ => {
            let lock = format!("lock/{key}");
            Transaction {
                conditions: vec![is(lock.clone(), Some(holder(owner)))],
                steps: vec![Step::Delete { key: lock }],
            }
        }
    }
}

/// A value on a line of its own, in JSON, which has no line breaks within texts.
fn line(value: &Value) -> Option<String> {
    match value {
        Value::Nil => None,
        value => Some(serde_json::to_string(value).ok()? + "\n"),
    }
}

/// The value that a dequeue or pop takes from all of them, and the others.
fn split(op: &Op, whole: &str) -> Option<(Value, String)> {
    let (taken, rest) = match op {
        Op::Pop { .. } => {
            let at = whole.strip_suffix('\n')?.rfind('\n').map_or(0, |at| at + 1);
            (&whole[at..], &whole[..at])
        }
        _ => whole.split_at(whole.find('\n')? + 1),
    };
    Some((serde_json::from_str(taken).ok()?, rest.to_owned()))
}

fn decode(op: &Op, answer: Answer) -> Outcome {
    match understood(op, answer) {
        Ok(ret) => Outcome::Ok(ret),
        // It was done, and what it gave is not known.
        Err(reason) if !op.is_read_only() => Outcome::Info(reason),
        Err(reason) => Outcome::Fail(reason),
    }
}

fn understood(op: &Op, answer: Answer) -> Result<Ret, Reason> {
    Ok(match op {
        Op::Read { key } => Ret::Value(seen(key, answer.value)),
        Op::List { key } if store::shape(key) == Shape::Set => {
            if answer.next.is_some() {
                let why = format!("too-many: a set of more than {MAX_SCAN} elements");
                return Err(Reason::new(why));
            }
            let entries = answer.entries.unwrap_or_default();
            let elements = entries.iter().map(|entry| {
                element_from(&entry.key).ok_or_else(|| bad_answer("no element", &entry.key))
            });
            Ret::List(elements.collect::<Result<_, _>>()?)
        }
        Op::List { .. } => Ret::List(numbers(answer.value)?),
        Op::Generate { .. } => match value(answer.value) {
            Value::Int(id) => Ret::Value(Value::Int(id)),
            other => return Err(bad_answer("no id", &other.to_string())),
        },
        Op::Acquire { .. } => {
            let mut steps = answer.steps.unwrap_or_default().into_iter();
            Ret::Value(value(steps.next().flatten()))
        }
        Op::ReadAll { keys } => {
            let values = given(answer, keys.len())?;
            let read = keys.iter().zip(values);
            Ret::Map(
                read.map(|(key, text)| (key.clone(), seen(key, text)))
                    .collect(),
            )
        }
        Op::Txn { ops } => {
            let given = given(answer, ops.len())?;
            let seen: Result<Arc<[Seen]>, Reason> = ops
                .iter()
                .zip(given)
                .map(|(op, text)| {
                    Ok(match op {
                        Mop::Read { key } if store::shape(key) == Shape::List => {
                            Seen::List(numbers(text)?.into())
                        }
                        Mop::Read { key } => Seen::Value(self::seen(key, text)),
                        Mop::Write { .. } | Mop::Append { .. } => Seen::Done,
                    })
                })
                .collect();
            Ret::Txn(seen?)
        }
        _ => Ret::Done,
    })
}

fn seen(key: &Key, text: Option<String>) -> Value {
    match text {
        None => store::unwritten(key),
        text => value(text),
    }
}

fn numbers(text: Option<String>) -> Result<Vec<i64>, Reason> {
    let text = text.unwrap_or_default();
    let numbers: Result<_, std::num::ParseIntError> =
        text.split_whitespace().map(str::parse).collect();
    numbers.map_err(|_| bad_answer("not a list", &text))
}

fn given(answer: Answer, count: usize) -> Result<Vec<Option<String>>, Reason> {
    let steps = answer.steps.unwrap_or_default();
    match steps.len() == count {
        true => Ok(steps),
        false => {
            let what = format!("{} of {count}", steps.len());
            Err(bad_answer("not all steps", &what))
        }
    }
}

fn bad_answer(what: &str, text: &str) -> Reason {
    Reason::new(format!("bad-answer: {what}: {text:?}"))
}

#[cfg(test)]
#[path = "operations_tests.rs"]
mod tests;
