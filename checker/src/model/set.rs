//! A set of numbers.

use super::Model;
use crate::history::Operation;
use crate::special::{self, Decision};
use crate::{Op, Ret};

/// A set that is empty at first. To add what is there, or remove what is not, succeeds and changes
/// nothing. A read may list the elements in any order, but each only once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    /// Sorted.
    elements: Vec<i64>,
}

impl Model for Set {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let mut next = self.clone();
        match (op, ret) {
            (Op::Add { value, .. }, None | Some(Ret::Done)) => {
                if let Err(at) = next.elements.binary_search(value) {
                    next.elements.insert(at, *value);
                }
            }
            (Op::Remove { value, .. }, None | Some(Ret::Done)) => {
                if let Ok(at) = next.elements.binary_search(value) {
                    next.elements.remove(at);
                }
            }
            (Op::List { .. }, None) => {}
            (Op::List { .. }, Some(Ret::List(seen))) => {
                if seen.len() != self.elements.len() {
                    return None;
                }
                let mut seen = seen.clone();
                seen.sort_unstable();
                if seen != self.elements {
                    return None;
                }
            }
            _ => return None,
        }
        Some(next)
    }

    fn decide(&self, operations: &[Operation<'_>], end: u32) -> Option<Decision> {
        match self.elements.is_empty() {
            true => special::set::decide(operations, end),
            false => None,
        }
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.elements.capacity() * size_of::<i64>()
    }

    fn describe(&self) -> String {
        let elements: Vec<String> = self.elements.iter().map(i64::to_string).collect();
        format!("{{{}}}", elements.join(" "))
    }
}
