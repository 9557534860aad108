//! What the fields of other tools' lines mean: operations, their values and what they returned.

use super::edn::Datum;
use crate::history::jsonl::SINGLE_KEY;
use crate::{Key, Mop, Op, Ret, Seen, Value};
use std::sync::Arc;

/// What is wrong with a field of a line.
#[derive(Debug)]
pub struct Misfit {
    pub field: &'static str,
    pub problem: String,
}

impl Misfit {
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }

    pub fn value(expected: &str, found: &Datum) -> Self {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(40) {
            found.truncate(cut);
            found.push_str("...");
        }
        Self::new("value", format!("{found}; expected {expected}"))
    }
}

/// Whether an invocation's value is a pair of a key and the value proper, as `jepsen.independent` makes them.
pub fn is_keyed(f: &str, value: &Datum) -> bool {
    let Some([_, second]) = value.items() else {
        return false;
    };
    match f {
        "txn" | "" => false,
        "cas" | "compare-and-set" => matches!(second, Datum::Vector(_)),
        _ => true,
    }
}

pub fn operation(
    f: &str,
    key_datum: Option<&Datum>,
    datum: &Datum,
    keyed: bool,
) -> Result<Op, Misfit> {
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
pub fn result(op: Op, datum: &Datum) -> Result<(Op, Ret), Misfit> {
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

pub fn key(datum: &Datum) -> Key {
    match datum {
        Datum::Int(number) => Key::Int(*number),
        Datum::Nil => SINGLE_KEY,
        _ => Key::Text(name(datum)),
    }
}

pub fn value(datum: &Datum) -> Value {
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
