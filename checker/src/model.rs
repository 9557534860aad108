//! What an object is when one client at a time uses it: the measure for what many may see.

use crate::{Key, Op, Ret, Value};
use std::fmt::Debug;
use std::hash::Hash;

/// A sequential object. Its value is its state.
pub trait Model: Clone + Eq + Hash + Debug + Send + Sync {
    /// The state after `op` gave `ret`, or `None` when it can't do so in this state. Without a `ret` the
    /// outcome is unknown: the state after `op` took effect, or `None` when it can't take effect here.
    ///
    /// Must agree with [`Op::is_read_only`]: such an operation leaves the state as it is.
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self>;

    /// The independent object that an operation concerns. Objects are judged one by one, which is exact
    /// (linearizability is local: Herlihy and Wing 1990, theorem 1). `None`: all is one object.
    fn partition(op: &Op) -> Option<Key> {
        op.key().cloned()
    }

    /// For models whose state is one value that operations compare and replace: what `op` does to it.
    /// Knowing this for every operation lets the search look ahead. Must say the same as
    /// [`step`](Self::step).
    fn footprint(_op: &Op, _ret: Option<&Ret>) -> Option<Footprint> {
        None
    }

    /// The value that the state is, for models with footprints.
    fn value(&self) -> Option<Value> {
        None
    }
}

/// What an operation does to an object that holds one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Possible only while the object holds this; `None`: always.
    pub observes: Option<Value>,
    /// The object holds this afterwards; `None`: what it held before.
    pub installs: Option<Value>,
}

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
