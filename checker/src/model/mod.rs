//! What an object is when one client at a time uses it: the measure for what many may see.
//!
//! A [`Model`] is a value that knows which operations are possible and what they lead to. Each model has
//! its own file; [`with`] finds them by name, for everything that judges by a model.
//!
//! A model of your own takes one function:
//!
//! ```
//! use checker::linearizability::Linearizable;
//! use checker::model::Model;
//! use checker::{Budget, Checker, History, Op, Ret, Validity, Value};
//!
//! /// A register that keeps the greatest number written to it.
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! struct Maximum(i64);
//!
//! impl Model for Maximum {
//!     fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
//!         match (op, ret) {
//!             (Op::Write { value: Value::Int(n), .. }, _) => Some(Maximum(self.0.max(*n))),
//!             // Unknown outcome: a read changes nothing.
//!             (Op::Read { .. }, None) => Some(self.clone()),
//!             (Op::Read { .. }, Some(Ret::Value(Value::Int(n)))) => (*n == self.0).then(|| self.clone()),
//!             _ => None,
//!         }
//!     }
//! }
//!
//! let file = br#"{"process":0,"type":"invoke","f":"write","key":1,"value":5}
//! {"process":0,"type":"ok","f":"write","key":1,"value":5}
//! {"process":0,"type":"invoke","f":"write","key":1,"value":3}
//! {"process":0,"type":"ok","f":"write","key":1,"value":3}
//! {"process":1,"type":"invoke","f":"read","key":1}
//! {"process":1,"type":"ok","f":"read","key":1,"value":3}
//! "#;
//! let history = History::from_reader(&file[..], "example").unwrap();
//! let maximum = Linearizable::new(Maximum(0), |op| matches!(op, Op::Read { .. } | Op::Write { .. }));
//! let verdict = maximum.check(&history, Budget::default());
//! assert_eq!(verdict.valid, Validity::Invalid);
//! ```

mod catalogue;
mod counter;
mod fenced_lock;
mod fifo_queue;
mod key_value;
mod log;
mod multi_register;
mod mutex;
mod register;
mod semaphore;
mod set;
mod stack;

pub use catalogue::{Visitor, with};
pub use counter::Counter;
pub use fenced_lock::FencedLock;
pub use fifo_queue::FifoQueue;
pub use key_value::KeyValue;
pub use log::Log;
pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use register::Register;
pub use semaphore::Semaphore;
pub use set::Set;
pub use stack::Stack;

use crate::history::Operation;
use crate::special::Decision;
pub use crate::special::texts::Alike;
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

    /// The footprints of all operations on one object that holds `self` at first, where together they
    /// tell more than each by itself. They may say less than [`step`](Self::step), as long as whether there
    /// is a linearization stays the same.
    fn footprints(&self, operations: &[Alike<'_>]) -> Option<Vec<Footprint>> {
        let each = operations.iter();
        each.map(|alike| Self::footprint(alike.op, alike.ret))
            .collect()
    }

    /// The value that the state is, for models with footprints.
    fn value(&self) -> Option<Value> {
        None
    }

    /// Whether the operations on one object, which holds `self` at first, have a linearization: where
    /// that can be told without a search (see [`special`](crate::special)). Only what happened before
    /// position `end` of the history counts. `None`: search.
    fn decide(&self, _operations: &[Operation<'_>], _end: u32) -> Option<Decision> {
        None
    }

    /// Bytes that the state takes, about: what a search may spend depends on it. To be said by models
    /// whose state grows with the history.
    fn memory(&self) -> usize {
        size_of::<Self>()
    }

    /// The state in words, for explanations: `2`, `held by 3`, `[1 2 3]`.
    fn describe(&self) -> String {
        match self.value() {
            Some(value) => value.to_string(),
            None => crate::explain::words::plain(&format!("{self:?}")),
        }
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
