//! Last in, first out.

use super::Model;
use crate::{Op, Ret, Value};

/// A stack that is empty at first. A pop that gives nil found it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stack {
    values: Vec<Value>,
}

impl Model for Stack {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let mut next = self.clone();
        match (op, ret) {
            (Op::Push { value, .. }, None | Some(Ret::Done)) => next.values.push(value.clone()),
            (Op::Pop { .. }, None) => {
                next.values.pop();
            }
            (Op::Pop { .. }, Some(Ret::Value(seen))) => {
                if next.values.pop().unwrap_or(Value::Nil) != *seen {
                    return None;
                }
            }
            _ => return None,
        }
        Some(next)
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<Value>()
    }

    fn describe(&self) -> String {
        let values: Vec<String> = self.values.iter().map(Value::to_string).collect();
        format!("[{}] from bottom to top", values.join(" "))
    }
}
