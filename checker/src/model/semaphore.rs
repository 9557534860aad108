//! A number of permits.

use super::Model;
use crate::{Op, Ret, Value};

/// A counting semaphore. An owner may have several permits, and gives back only its own; where clients
/// are not told apart they are all one owner, nil.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Semaphore {
    permits: usize,
    /// Sorted, one entry for each permit that is out.
    holders: Vec<Value>,
}

impl Semaphore {
    pub fn with_permits(permits: usize) -> Self {
        Self {
            permits,
            holders: Vec::new(),
        }
    }
}

impl Model for Semaphore {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let mut next = self.clone();
        match (op, ret) {
            (Op::Acquire { owner, .. }, _) if self.holders.len() < self.permits => {
                let at = next.holders.partition_point(|other| other < owner);
                next.holders.insert(at, owner.clone());
            }
            (Op::Release { owner, .. }, None | Some(Ret::Done)) => {
                let at = next.holders.binary_search(owner).ok()?;
                next.holders.remove(at);
            }
            _ => return None,
        }
        Some(next)
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.holders.capacity() * size_of::<Value>()
    }

    fn describe(&self) -> String {
        let holders: Vec<String> = self.holders.iter().map(Value::to_string).collect();
        format!(
            "{} of {} permits out: [{}]",
            self.holders.len(),
            self.permits,
            holders.join(" ")
        )
    }
}
