//! What the fields of a line mean: operations, their values and what they returned; see the [format](super).

use super::SINGLE_KEY;
use crate::{Key, Mop, Op, Ret, Seen, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// What is wrong with a field, before it is known where the field stands.
pub struct Problem {
    pub field: &'static str,
    pub text: String,
}

impl Problem {
    pub fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self {
            field,
            text: text.into(),
        }
    }

    pub fn missing(field: &'static str) -> Self {
        Self::new(field, format!("field \"{field}\" is missing"))
    }

    pub fn expected(field: &'static str, what: &str, found: &Json) -> Self {
        let mut found = found.to_string();
        if found.len() > 40 {
            let cut = (0..=40)
                .rev()
                .find(|at| found.is_char_boundary(*at))
                .unwrap_or(0);
            found.truncate(cut);
            found.push_str("...");
        }
        Self::new(
            field,
            format!("field \"{field}\" is {found}; expected {what}"),
        )
    }
}

pub fn key(json: &Json) -> Result<Key, Problem> {
    match json {
        Json::Null => Ok(SINGLE_KEY),
        Json::String(text) => Ok(Key::Text(Arc::from(text.as_str()))),
        other => other
            .as_i64()
            .map(Key::Int)
            .ok_or_else(|| Problem::expected("key", "a number or a text", other)),
    }
}

fn value(json: &Json) -> Result<Value, Problem> {
    match json {
        Json::Null => Ok(Value::Nil),
        Json::String(text) => Ok(Value::Text(Arc::from(text.as_str()))),
        other => other
            .as_i64()
            .map(Value::Int)
            .ok_or_else(|| Problem::expected("value", "a whole number, a text or null", other)),
    }
}

fn integer(json: &Json) -> Result<i64, Problem> {
    json.as_i64()
        .ok_or_else(|| Problem::expected("value", "a whole number", json))
}

/// What [`operation`] understands.
const OPERATIONS: &str = "read, write, cas, append, list, delete, concat, add, remove, enqueue, dequeue, push, pop, \
     acquire, release, generate, transfer, read-all or txn";

pub fn operation(f: &str, key: Key, json: &Json) -> Result<Op, Problem> {
    Ok(match f {
        "read" => Op::Read { key },
        "list" => Op::List { key },
        "write" => Op::Write {
            key,
            value: value(json)?,
        },
        "append" => Op::Append {
            key,
            value: integer(json)?,
        },
        "cas" => match json.as_array().map(Vec::as_slice) {
            Some([from, to]) => Op::Cas {
                key,
                from: value(from)?,
                to: value(to)?,
            },
            _ => return Err(Problem::expected("value", "[from, to]", json)),
        },
        "delete" => Op::Delete { key },
        "concat" => Op::Concat {
            key,
            suffix: match json {
                Json::String(text) => Arc::from(text.as_str()),
                _ => return Err(Problem::expected("value", "a text", json)),
            },
        },
        "add" => Op::Add {
            key,
            value: integer(json)?,
        },
        "remove" => Op::Remove {
            key,
            value: integer(json)?,
        },
        "enqueue" => Op::Enqueue {
            key,
            value: value(json)?,
        },
        "dequeue" => Op::Dequeue { key },
        "push" => Op::Push {
            key,
            value: value(json)?,
        },
        "pop" => Op::Pop { key },
        "acquire" => Op::Acquire {
            key,
            owner: value(json)?,
        },
        "release" => Op::Release {
            key,
            owner: value(json)?,
        },
        "generate" => Op::Generate { key },
        "transfer" => transfer(json)?,
        "read-all" => Op::ReadAll {
            keys: items(json, "a list of keys")?
                .iter()
                .map(self::key)
                .collect::<Result<_, _>>()?,
        },
        "txn" => Op::Txn {
            ops: items(json, "a list of steps")?
                .iter()
                .map(mop)
                .collect::<Result<_, _>>()?,
        },
        other => {
            return Err(Problem::new(
                "f",
                format!("unknown operation {other:?}; expected {OPERATIONS}"),
            ));
        }
    })
}

fn items<'j>(json: &'j Json, what: &str) -> Result<&'j [Json], Problem> {
    json.as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| Problem::expected("value", what, json))
}

fn transfer(json: &Json) -> Result<Op, Problem> {
    let wrong = || Problem::expected("value", "{\"from\", \"to\", \"amount\"}", json);
    let account = |name| json.get(name).ok_or_else(wrong).and_then(key);
    Ok(Op::Transfer {
        from: account("from")?,
        to: account("to")?,
        amount: json
            .get("amount")
            .and_then(Json::as_i64)
            .ok_or_else(wrong)?,
    })
}

fn mop(json: &Json) -> Result<Mop, Problem> {
    let wrong = || {
        Problem::expected(
            "value",
            "steps as [\"r\", key, null], [\"w\", key, value] or [\"append\", key, number]",
            json,
        )
    };
    let Some([Json::String(f), on, what]) = json.as_array().map(Vec::as_slice) else {
        return Err(wrong());
    };
    let key = key(on)?;
    match f.as_str() {
        "r" => Ok(Mop::Read { key }),
        "w" => Ok(Mop::Write {
            key,
            value: value(what)?,
        }),
        "append" => Ok(Mop::Append {
            key,
            value: integer(what)?,
        }),
        _ => Err(wrong()),
    }
}

pub fn result(op: &Op, json: &Json) -> Result<Ret, Problem> {
    Ok(match op {
        Op::Read { .. } | Op::Dequeue { .. } | Op::Pop { .. } | Op::Generate { .. } => {
            Ret::Value(value(json)?)
        }
        Op::Acquire { .. } => match value(json)? {
            Value::Nil => Ret::Done,
            token => Ret::Value(token),
        },
        Op::List { .. } => match json {
            // A list that was never appended to.
            Json::Null => Ret::List(Vec::new()),
            Json::Array(items) => Ret::List(items.iter().map(integer).collect::<Result<_, _>>()?),
            other => return Err(Problem::expected("value", "a list of whole numbers", other)),
        },
        Op::ReadAll { keys } => {
            let wrong = || {
                Problem::expected(
                    "value",
                    "[[key, value], ...], a pair for each key that was asked for",
                    json,
                )
            };
            let pairs = items(json, "a list of pairs")?;
            let read = pairs
                .iter()
                .map(|pair| match pair.as_array().map(Vec::as_slice) {
                    Some([on, held]) => Ok((key(on)?, value(held)?)),
                    _ => Err(wrong()),
                })
                .collect::<Result<Arc<[_]>, _>>()?;
            if !keys.iter().eq(read.iter().map(|(key, _)| key)) {
                return Err(wrong());
            }
            Ret::Map(read)
        }
        Op::Txn { ops } => {
            let wrong = || {
                Problem::expected(
                    "value",
                    "the steps that were invoked, with what they read",
                    json,
                )
            };
            let steps = items(json, "a list of steps")?;
            if steps.len() != ops.len() {
                return Err(wrong());
            }
            let seen = steps.iter().zip(&**ops).map(|(step, op)| {
                if mop(step)? != *op {
                    return Err(wrong());
                }
                Ok(match (op, &step[2]) {
                    (Mop::Read { .. }, Json::Array(items)) => {
                        Seen::List(items.iter().map(integer).collect::<Result<_, _>>()?)
                    }
                    (Mop::Read { .. }, held) => Seen::Value(value(held)?),
                    _ => Seen::Done,
                })
            });
            Ret::Txn(seen.collect::<Result<_, _>>()?)
        }
        _ => Ret::Done,
    })
}
