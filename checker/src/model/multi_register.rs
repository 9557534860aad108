//! Registers that are used together.

use super::Model;
use crate::{Key, Mop, Op, Ret, Seen, Value};

/// Many registers as one object: transactions of reads and writes, reads of several, and all that one
/// register can do. All hold nil at first. A linearizable multi-register is a strictly serializable
/// store; what `list-append` and `rw-register` judge fast is judged here by the definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MultiRegister {
    /// Sorted by key; what holds nil is left out.
    held: Vec<(Key, Value)>,
}

impl MultiRegister {
    /// Registers that hold these values at first.
    pub fn holding(values: impl IntoIterator<Item = (Key, Value)>) -> Self {
        let mut registers = Self::default();
        for (key, value) in values {
            registers.set(&key, value);
        }
        registers
    }

    fn get(&self, key: &Key) -> &Value {
        match self.held.binary_search_by(|(other, _)| other.cmp(key)) {
            Ok(at) => &self.held[at].1,
            Err(_) => &Value::Nil,
        }
    }

    fn set(&mut self, key: &Key, value: Value) {
        let place = self.held.binary_search_by(|(other, _)| other.cmp(key));
        match (place, value) {
            (Ok(at), Value::Nil) => {
                self.held.remove(at);
            }
            (Ok(at), value) => self.held[at].1 = value,
            (Err(_), Value::Nil) => {}
            (Err(at), value) => self.held.insert(at, (key.clone(), value)),
        }
    }

    fn transact(&mut self, ops: &[Mop], seen: Option<&[Seen]>) -> Option<()> {
        for (at, op) in ops.iter().enumerate() {
            match (op, seen.map(|seen| seen.get(at))) {
                (Mop::Write { key, value }, None | Some(Some(Seen::Done))) => {
                    self.set(key, value.clone());
                }
                (Mop::Read { .. }, None) => {}
                (Mop::Read { key }, Some(Some(Seen::Value(value)))) if self.get(key) == value => {}
                _ => return None,
            }
        }
        Some(())
    }
}

impl Model for MultiRegister {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        let mut next = self.clone();
        match (op, ret) {
            (Op::Read { .. } | Op::ReadAll { .. }, None) => {}
            (Op::Read { key }, Some(Ret::Value(value))) if self.get(key) == value => {}
            (Op::ReadAll { .. }, Some(Ret::Map(seen)))
                if seen.iter().all(|(key, value)| self.get(key) == value) => {}
            (Op::Write { key, value }, None | Some(Ret::Done)) => next.set(key, value.clone()),
            (Op::Cas { key, from, to }, None | Some(Ret::Done)) if self.get(key) == from => {
                next.set(key, to.clone());
            }
            (Op::Delete { key }, None | Some(Ret::Done)) => next.set(key, Value::Nil),
            (Op::Txn { ops }, None) => next.transact(ops, None)?,
            (Op::Txn { ops }, Some(Ret::Txn(seen))) if seen.len() == ops.len() => {
                next.transact(ops, Some(seen))?;
            }
            _ => return None,
        }
        Some(next)
    }

    fn partition(_op: &Op) -> Option<Key> {
        None
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.held.capacity() * size_of::<(Key, Value)>()
    }

    fn describe(&self) -> String {
        let held = self
            .held
            .iter()
            .map(|(key, value)| format!("{key}: {value}"));
        format!("{{{}}}", held.collect::<Vec<_>>().join(", "))
    }
}
