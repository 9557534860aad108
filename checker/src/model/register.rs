//! A register.

use super::{Footprint, Model};
use crate::{Op, Ret, Value};

/// A single value with read, write and cas. Without cas it is the plain register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    value: Value,
}

impl Register {
    /// A register that holds `value` at first.
    pub fn holding(value: Value) -> Self {
        Self { value }
    }
}

impl Default for Register {
    fn default() -> Self {
        Self::holding(Value::Nil)
    }
}

impl Model for Register {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let footprint = Self::footprint(op, ret)?;
        match (footprint.observes, footprint.installs) {
            (Some(observed), _) if observed != self.value => None,
            (_, Some(value)) => Some(Self { value }),
            (_, None) => Some(self.clone()),
        }
    }

    fn footprint(op: &Op, ret: Option<&Ret>) -> Option<Footprint> {
        let (observes, installs) = match (op, ret) {
            (Op::Read { .. }, None) => (None, None),
            (Op::Read { .. }, Some(Ret::Value(value))) => (Some(value.clone()), None),
            (Op::Write { value, .. }, None | Some(Ret::Done)) => (None, Some(value.clone())),
            (Op::Cas { from, to, .. }, None | Some(Ret::Done)) => {
                (Some(from.clone()), Some(to.clone()))
            }
            _ => return None,
        };
        Some(Footprint { observes, installs })
    }

    fn value(&self) -> Option<Value> {
        Some(self.value.clone())
    }
}
