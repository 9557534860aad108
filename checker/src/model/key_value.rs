//! A register that can be deleted and lengthened.

use super::{Alike, Footprint, Model, Register};
use crate::special::texts;
use crate::{Op, Ret, Value};

/// One key of a store: get (`read`), put (`write`), `delete`, `cas` and append (`concat`). It holds
/// nothing at first; what holds nothing counts as empty text when something is appended. Nothing can be
/// appended to a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyValue {
    held: Register,
}

impl KeyValue {
    /// A key that holds `value` at first.
    pub fn holding(value: Value) -> Self {
        Self {
            held: Register::holding(value),
        }
    }
}

impl Model for KeyValue {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let held = match (op, ret) {
            (Op::Concat { suffix, .. }, None | Some(Ret::Done)) => {
                Register::holding(Value::Text(match self.held.value()? {
                    Value::Nil => suffix.clone(),
                    Value::Text(text) => [&*text, &**suffix].concat().into(),
                    Value::Int(_) => return None,
                }))
            }
            (Op::Delete { .. }, None | Some(Ret::Done)) => Register::holding(Value::Nil),
            _ => self.held.step(op, ret)?,
        };
        Some(Self { held })
    }

    fn footprint(op: &Op, ret: Option<&Ret>) -> Option<Footprint> {
        match (op, ret) {
            (Op::Delete { .. }, None | Some(Ret::Done)) => Some(Footprint {
                observes: None,
                installs: Some(Value::Nil),
            }),
            _ => Register::footprint(op, ret),
        }
    }

    fn footprints(&self, operations: &[Alike<'_>]) -> Option<Vec<Footprint>> {
        texts::footprints(&self.held.value()?, operations, Self::footprint)
    }

    fn value(&self) -> Option<Value> {
        self.held.value()
    }

    fn memory(&self) -> usize {
        let text = match self.held.value() {
            Some(Value::Text(text)) => text.len(),
            _ => 0,
        };
        size_of::<Self>() + text
    }
}
