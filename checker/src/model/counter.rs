//! A number that is added to.

use super::Model;
use crate::history::Operation;
use crate::special::{self, Decision};
use crate::{Op, Ret, Value};

/// A counter that starts at 0; amounts may be negative. A sum beyond 64 bits is not possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counter {
    sum: i64,
}

impl Model for Counter {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match (op, ret) {
            (Op::Add { value, .. }, None | Some(Ret::Done)) => Some(Self {
                sum: self.sum.checked_add(*value)?,
            }),
            (Op::Read { .. }, None) => Some(self.clone()),
            (Op::Read { .. }, Some(Ret::Value(Value::Int(sum)))) => {
                (*sum == self.sum).then(|| self.clone())
            }
            _ => None,
        }
    }

    fn decide(&self, operations: &[Operation<'_>], end: u32) -> Option<Decision> {
        match self.sum == 0 {
            true => special::counter::decide(operations, end),
            false => None,
        }
    }

    fn describe(&self) -> String {
        self.sum.to_string()
    }
}
