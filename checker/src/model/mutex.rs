//! A lock that one owner holds at a time.

use super::{Footprint, Model};
use crate::{Op, Ret, Value};

/// A lock. It is not reentrant: whoever holds it can't acquire it again. Only who holds it can release
/// it; where clients are not told apart they are all one owner, nil.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mutex {
    holder: Option<Value>,
}

impl Model for Mutex {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match (op, ret) {
            (Op::Acquire { owner, .. }, _) if self.holder.is_none() => Some(Self {
                holder: Some(owner.clone()),
            }),
            (Op::Release { owner, .. }, None | Some(Ret::Done))
                if self.holder.as_ref() == Some(owner) =>
            {
                Some(Self::default())
            }
            _ => None,
        }
    }

    fn footprint(op: &Op, ret: Option<&Ret>) -> Option<Footprint> {
        let (observes, installs) = match (op, ret) {
            (Op::Acquire { owner, .. }, _) => (Value::Nil, held(owner)),
            (Op::Release { owner, .. }, None | Some(Ret::Done)) => (held(owner), Value::Nil),
            _ => return None,
        };
        Some(Footprint {
            observes: Some(observes),
            installs: Some(installs),
        })
    }

    fn value(&self) -> Option<Value> {
        Some(self.holder.as_ref().map_or(Value::Nil, held))
    }

    fn describe(&self) -> String {
        match &self.holder {
            None => "free".to_owned(),
            Some(Value::Nil) => "held".to_owned(),
            Some(owner) => format!("held by {owner}"),
        }
    }
}

/// The lock as a value: nil is free, so an owner called nil needs another name, which no owner has.
fn held(owner: &Value) -> Value {
    match owner {
        Value::Nil => Value::Text("held".into()),
        Value::Int(n) => Value::Int(*n),
        Value::Text(text) => Value::Text(format!("held by {text}").into()),
    }
}
