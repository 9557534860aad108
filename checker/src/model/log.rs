//! A list that is appended to.

use super::Model;
use crate::history::Operation;
use crate::special::{self, Decision};
use crate::{Op, Ret};

/// A list that is empty at first; a read sees all of it, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    entries: Vec<i64>,
}

impl Model for Log {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match (op, ret) {
            (Op::Append { value, .. }, None | Some(Ret::Done)) => {
                let mut next = self.clone();
                next.entries.push(*value);
                Some(next)
            }
            (Op::List { .. }, None) => Some(self.clone()),
            (Op::List { .. }, Some(Ret::List(seen))) => {
                (*seen == self.entries).then(|| self.clone())
            }
            _ => None,
        }
    }

    fn decide(&self, operations: &[Operation<'_>], end: u32) -> Option<Decision> {
        match self.entries.is_empty() {
            true => special::log::decide(operations, end),
            false => None,
        }
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.entries.capacity() * size_of::<i64>()
    }

    fn describe(&self) -> String {
        let entries: Vec<String> = self.entries.iter().map(i64::to_string).collect();
        format!("[{}]", entries.join(" "))
    }
}
