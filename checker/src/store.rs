//! The reference store: what every operation does when one client at a time asks for it.
//!
//! The measure for systems and simulations: the harness's own null system answers from it, simulated clients run
//! against it, and tests compare others with it. Objects of different kinds under one key are different objects,
//! but a counter is a register that holds a number, and a balance is one that must not become negative.
//!
//! Most operations say by their name what they work on. Where one name serves two kinds of object, the key says which:
//! keys are numbered in blocks of [`BLOCK`], and some blocks are for [`LISTS`], [`SETS`], [`SEMAPHORES`] or
//! [`COUNTERS`].

use crate::{Key, Mop, Op, Reason, Ret, Seen, Value};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Keys are numbered in blocks of this size.
pub const BLOCK: i64 = 1 << 40;
/// Keys whose reads within transactions read lists.
pub const LISTS: Range<i64> = BLOCK..16 * BLOCK;
/// Keys to which [`Op::Add`] adds an element and of which [`Op::List`] lists the elements.
pub const SETS: Range<i64> = 16 * BLOCK..32 * BLOCK;
/// Keys of locks with several permits: one more in each block. All other locks have one.
pub const SEMAPHORES: Range<i64> = 32 * BLOCK..48 * BLOCK;

/// Keys of registers that hold 0 at first, and not nothing.
pub const COUNTERS: Range<i64> = 48 * BLOCK..64 * BLOCK;

/// What a key names, where the operation does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A register, which may hold a number.
    Register,
    /// A register that holds 0 at first.
    Counter,
    List,
    Set,
    /// A semaphore with so many permits.
    Semaphore(i64),
}

/// What a key names. Keys that are no numbers are registers.
pub fn shape(key: &Key) -> Shape {
    match key {
        Key::Int(number) if LISTS.contains(number) => Shape::List,
        Key::Int(number) if SETS.contains(number) => Shape::Set,
        Key::Int(number) if SEMAPHORES.contains(number) => {
            Shape::Semaphore((number - SEMAPHORES.start) / BLOCK + 2)
        }
        Key::Int(number) if COUNTERS.contains(number) => Shape::Counter,
        _ => Shape::Register,
    }
}

/// What a register holds that nobody has written to.
pub fn unwritten(key: &Key) -> Value {
    match shape(key) {
        Shape::Counter => Value::Int(0),
        _ => Value::Nil,
    }
}

/// How many may hold the lock of this key at once.
pub fn permits(key: &Key) -> i64 {
    match shape(key) {
        Shape::Semaphore(permits) => permits,
        _ => 1,
    }
}

/// All objects.
#[derive(Clone, Debug, Default)]
pub struct Store {
    registers: HashMap<Key, Value>,
    lists: HashMap<Key, Vec<i64>>,
    sets: HashMap<Key, BTreeSet<i64>>,
    queues: HashMap<Key, VecDeque<Value>>,
    stacks: HashMap<Key, Vec<Value>>,
    locks: HashMap<Key, Lock>,
    ids: HashMap<Key, i64>,
    /// Operations that may have changed something.
    changes: u64,
}

#[derive(Clone, Debug, Default)]
struct Lock {
    holders: Vec<Value>,
    /// The fencing token given last.
    token: i64,
}

impl Store {
    /// Counts the operations that took effect and were no reads, as a log would.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Performs an operation: what it gives back, or why it did nothing.
    pub fn apply(&mut self, op: &Op) -> Result<Ret, Reason> {
        let ret = self.perform(op)?;
        self.changes += u64::from(!op.is_read_only());
        Ok(ret)
    }

    fn perform(&mut self, op: &Op) -> Result<Ret, Reason> {
        match op {
            Op::Read { key } => return Ok(Ret::Value(self.register(key))),
            Op::Write { key, value } => self.set(key, value.clone()),
            Op::Cas { key, from, to } => {
                let held = self.register(key);
                if held != *from {
                    return Err(Reason::new(format!("cas-mismatch: holds {held}")));
                }
                self.set(key, to.clone());
            }
            Op::Delete { key } => self.set(key, Value::Nil),
            Op::Concat { key, suffix } => {
                let whole = match self.register(key) {
                    Value::Nil => Arc::clone(suffix),
                    Value::Text(text) => [&*text, &**suffix].concat().into(),
                    Value::Int(_) => return Err(Reason::new("not-a-text: holds a number")),
                };
                self.set(key, Value::Text(whole));
            }
            Op::Append { key, value } => self.list(key).push(*value),
            Op::List { key } if shape(key) == Shape::Set => {
                return Ok(Ret::List(match self.sets.get(key) {
                    Some(set) => set.iter().copied().collect(),
                    None => Vec::new(),
                }));
            }
            Op::List { key } => {
                return Ok(Ret::List(self.lists.get(key).cloned().unwrap_or_default()));
            }
            Op::Add { key, value } if shape(key) == Shape::Set => {
                self.sets.entry(key.clone()).or_default().insert(*value);
            }
            Op::Add { key, value } => self.add(key, *value)?,
            Op::Remove { key, value } => {
                self.sets.entry(key.clone()).or_default().remove(value);
            }
            Op::Enqueue { key, value } => self.queue(key).push_back(value.clone()),
            Op::Dequeue { key } => {
                let head = self.queue(key).pop_front();
                return Ok(Ret::Value(head.unwrap_or(Value::Nil)));
            }
            Op::Push { key, value } => {
                self.stacks
                    .entry(key.clone())
                    .or_default()
                    .push(value.clone());
            }
            Op::Pop { key } => {
                let top = self.stacks.get_mut(key).and_then(Vec::pop);
                return Ok(Ret::Value(top.unwrap_or(Value::Nil)));
            }
            Op::Acquire { key, owner } => {
                let lock = self.locks.entry(key.clone()).or_default();
                if lock.holders.len() as i64 >= permits(key) {
                    return Err(Reason::new("held: no permit is left"));
                }
                lock.holders.push(owner.clone());
                lock.token += 1;
                return Ok(Ret::Value(Value::Int(lock.token)));
            }
            Op::Release { key, owner } => {
                let lock = self.locks.entry(key.clone()).or_default();
                let at = lock.holders.iter().position(|holder| holder == owner);
                let at = at.ok_or_else(|| Reason::new("not-held: by this owner"))?;
                lock.holders.remove(at);
            }
            Op::Generate { key } => {
                let id = self.ids.entry(key.clone()).or_default();
                *id += 1;
                return Ok(Ret::Value(Value::Int(*id)));
            }
            Op::Transfer { from, to, amount } => {
                if self.number(from)? < *amount {
                    return Err(Reason::new("insufficient: the account would be overdrawn"));
                }
                self.number(to)?;
                self.add(from, -amount)?;
                self.add(to, *amount)?;
            }
            Op::ReadAll { keys } => {
                let read = keys.iter().map(|key| (key.clone(), self.register(key)));
                return Ok(Ret::Map(read.collect()));
            }
            Op::Txn { ops } => return Ok(Ret::Txn(ops.iter().map(|op| self.step(op)).collect())),
        }
        Ok(Ret::Done)
    }

    fn step(&mut self, op: &Mop) -> Seen {
        match op {
            Mop::Read { key } if shape(key) == Shape::List => Seen::List(
                self.lists
                    .get(key)
                    .map_or([].into(), |list| list[..].into()),
            ),
            Mop::Read { key } => Seen::Value(self.register(key)),
            Mop::Write { key, value } => {
                self.set(key, value.clone());
                Seen::Done
            }
            Mop::Append { key, value } => {
                self.list(key).push(*value);
                Seen::Done
            }
        }
    }

    fn register(&self, key: &Key) -> Value {
        let held = self.registers.get(key).cloned();
        held.unwrap_or_else(|| unwritten(key))
    }

    fn set(&mut self, key: &Key, value: Value) {
        match value {
            Value::Nil => self.registers.remove(key),
            value => self.registers.insert(key.clone(), value),
        };
    }

    /// A register as a number; one that holds nothing holds 0.
    fn number(&self, key: &Key) -> Result<i64, Reason> {
        match self.register(key) {
            Value::Nil => Ok(0),
            Value::Int(number) => Ok(number),
            Value::Text(_) => Err(Reason::new("not-a-number: holds a text")),
        }
    }

    fn add(&mut self, key: &Key, amount: i64) -> Result<(), Reason> {
        let sum = self.number(key)?.checked_add(amount);
        let sum = sum.ok_or_else(|| Reason::new("overflow: the sum is no number of 64 bits"))?;
        self.set(key, Value::Int(sum));
        Ok(())
    }

    fn list(&mut self, key: &Key) -> &mut Vec<i64> {
        self.lists.entry(key.clone()).or_default()
    }

    fn queue(&mut self, key: &Key) -> &mut VecDeque<Value> {
        self.queues.entry(key.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(store: &mut Store, op: Op) -> String {
        match store.apply(&op) {
            Ok(Ret::Done) => "done".into(),
            Ok(Ret::Value(value)) => value.to_string(),
            Ok(Ret::List(list)) => format!("{list:?}"),
            Ok(Ret::Map(map)) => {
                let values: Vec<String> = map.iter().map(|(_, value)| value.to_string()).collect();
                values.join(" ")
            }
            Ok(Ret::Txn(seen)) => format!("{seen:?}"),
            Err(reason) => format!("no, {}", reason.code()),
        }
    }

    fn key(number: i64) -> Key {
        Key::Int(number)
    }

    #[test]
    fn registers_are_counters_and_accounts_too() {
        let mut store = Store::default();
        let read = || Op::Read { key: key(1) };
        let add = |value| Op::Add { key: key(1), value };
        let cas = |from: Value, to: Value| Op::Cas {
            key: key(1),
            from,
            to,
        };
        let concat = |suffix: &str| Op::Concat {
            key: key(1),
            suffix: suffix.into(),
        };
        let transfer = |from, to, amount| Op::Transfer {
            from: key(from),
            to: key(to),
            amount,
        };
        let all = || Op::ReadAll {
            keys: [key(1), key(2)].into(),
        };
        for (op, expected) in [
            (read(), "nil"),
            (add(5), "done"),
            (read(), "5"),
            (concat("x"), "no, not-a-text"),
            (add(i64::MAX), "no, overflow"),
            (transfer(1, 2, 6), "no, insufficient"),
            (transfer(1, 2, 3), "done"),
            (all(), "2 3"),
            (cas(3.into(), 4.into()), "no, cas-mismatch"),
            (cas(2.into(), Value::Nil), "done"),
            (concat("a"), "done"),
            (concat("b"), "done"),
            (read(), "\"ab\""),
            (add(1), "no, not-a-number"),
            (transfer(2, 1, 1), "no, not-a-number"),
            (Op::Delete { key: key(1) }, "done"),
            (all(), "nil 3"),
        ] {
            assert_eq!(shown(&mut store, op.clone()), expected, "{op:?}");
        }
        assert_eq!(store.changes(), 6);
    }

    #[test]
    fn a_counter_begins_at_zero() {
        let key = || key(COUNTERS.start + 3);
        let mut store = Store::default();
        assert_eq!(shown(&mut store, Op::Read { key: key() }), "0");
        let add = Op::Add {
            key: key(),
            value: -2,
        };
        assert_eq!(shown(&mut store, add), "done");
        assert_eq!(shown(&mut store, Op::Read { key: key() }), "-2");
    }

    #[test]
    fn lists_keep_their_order_and_sets_each_element_once() {
        let mut store = Store::default();
        let set = || key(SETS.start);
        let append = |value| Op::Append { key: key(1), value };
        let add = |value| Op::Add { key: set(), value };
        for op in [append(2), append(1), append(2), add(9), add(-1), add(9)] {
            assert_eq!(shown(&mut store, op), "done");
        }
        assert_eq!(shown(&mut store, Op::List { key: key(1) }), "[2, 1, 2]");
        assert_eq!(shown(&mut store, Op::List { key: set() }), "[-1, 9]");
        let remove = Op::Remove {
            key: set(),
            value: -1,
        };
        assert_eq!(shown(&mut store, remove), "done");
        assert_eq!(shown(&mut store, Op::List { key: set() }), "[9]");
    }

    #[test]
    fn queues_give_the_oldest_stacks_the_newest_and_both_nil_in_the_end() {
        let mut store = Store::default();
        for value in [1, 2] {
            let (key, value) = (key(1), Value::Int(value));
            store
                .apply(&Op::Enqueue {
                    key: key.clone(),
                    value: value.clone(),
                })
                .unwrap();
            store.apply(&Op::Push { key, value }).unwrap();
        }
        let mut three = |op: Op| [(); 3].map(|()| shown(&mut store, op.clone())).join(" ");
        assert_eq!(three(Op::Dequeue { key: key(1) }), "1 2 nil");
        assert_eq!(three(Op::Pop { key: key(1) }), "2 1 nil");
        assert_eq!(three(Op::Generate { key: key(1) }), "1 2 3");
    }

    #[test]
    fn a_lock_has_one_holder_a_semaphore_some_and_only_they_release() {
        let acquire = |key: i64, owner: i64| Op::Acquire {
            key: Key::Int(key),
            owner: owner.into(),
        };
        let release = |key: i64, owner: i64| Op::Release {
            key: Key::Int(key),
            owner: owner.into(),
        };
        let mut store = Store::default();
        let sem = SEMAPHORES.start;
        for (op, expected) in [
            (acquire(1, 7), "1"),
            (acquire(1, 8), "no, held"),
            (acquire(1, 7), "no, held"),
            (release(1, 8), "no, not-held"),
            (release(1, 7), "done"),
            (acquire(1, 8), "2"),
            (acquire(sem, 7), "1"),
            (acquire(sem, 7), "2"),
            (acquire(sem, 8), "no, held"),
            (release(sem, 7), "done"),
            (acquire(sem, 8), "3"),
        ] {
            assert_eq!(shown(&mut store, op.clone()), expected, "{op:?}");
        }
        assert_eq!(permits(&key(sem + BLOCK)), 3);
    }

    #[test]
    fn the_steps_of_a_transaction_see_those_before_them() {
        let mut store = Store::default();
        let list = key(LISTS.start);
        let ops = [
            Mop::Read { key: list.clone() },
            Mop::Append {
                key: list.clone(),
                value: 3,
            },
            Mop::Read { key: list },
            Mop::Read { key: key(1) },
            Mop::Write {
                key: key(1),
                value: 4.into(),
            },
            Mop::Read { key: key(1) },
        ];
        let seen = Ret::Txn(
            [
                Seen::List([].into()),
                Seen::Done,
                Seen::List([3].into()),
                Seen::Value(Value::Nil),
                Seen::Done,
                Seen::Value(4.into()),
            ]
            .into(),
        );
        assert_eq!(store.apply(&Op::Txn { ops: ops.into() }), Ok(seen));
    }
}
