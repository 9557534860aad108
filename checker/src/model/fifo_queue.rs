//! First in, first out.

use super::Model;
use crate::history::Operation;
use crate::special::{self, Decision};
use crate::{Op, Ret, Value};
use std::collections::VecDeque;

/// A queue that is empty at first. A dequeue that gives nil found it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FifoQueue {
    values: VecDeque<Value>,
}

impl Model for FifoQueue {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let mut next = self.clone();
        match (op, ret) {
            (Op::Enqueue { value, .. }, None | Some(Ret::Done)) => {
                next.values.push_back(value.clone());
            }
            (Op::Dequeue { .. }, None) => {
                next.values.pop_front();
            }
            (Op::Dequeue { .. }, Some(Ret::Value(seen))) => {
                if next.values.pop_front().unwrap_or(Value::Nil) != *seen {
                    return None;
                }
            }
            _ => return None,
        }
        Some(next)
    }

    fn decide(&self, operations: &[Operation<'_>], end: u32) -> Option<Decision> {
        match self.values.is_empty() {
            true => special::fifo_queue::decide(operations, end),
            false => None,
        }
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<Value>()
    }

    fn describe(&self) -> String {
        let values: Vec<String> = self.values.iter().map(Value::to_string).collect();
        format!("[{}] from head to end", values.join(" "))
    }
}
