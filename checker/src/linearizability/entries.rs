//! Prepares the operations of one object for the search.
//!
//! An [`Entry`] is an operation that happened, or may have. It has a *call*, and a *deadline*: the
//! moment by which it must have taken effect. The deadline of an operation that succeeded is its
//! return; one of unknown outcome has none and may be left out. Failed operations did not happen, and
//! reads of unknown outcome tell and change nothing: both are gone from here on.

use super::look_ahead;
use crate::history::Operation;
use crate::model::{Footprint, Model};
use crate::{Op, Ret, Value};
use std::collections::HashMap;

/// The deadline of an operation that need not take effect.
pub const NEVER: u32 = u32::MAX;

/// Entries that [`Entries::open`] may list: 1 GiB.
const OPEN_MAX: usize = 1 << 28;

/// An operation as the search sees it. Times are positions in the history.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub operation: Operation<'a>,
    pub call: u32,
    pub deadline: u32,
    /// Entries of one class are interchangeable but for their times.
    pub class: u32,
    /// A write that nothing can observe; see [`look_ahead`].
    pub unobserved: bool,
}

/// The entries of one object with what the search needs to know of them.
#[derive(Debug)]
pub struct Entries<'a, M> {
    pub initial: M,
    pub entries: Vec<Entry<'a>>,
    pub classes: Vec<Class<'a>>,
    /// For models with footprints.
    pub values: Option<Values>,
    /// The entries with a deadline, by deadline. The position here is the entry's *rank*.
    pub order: Vec<u32>,
    /// For each rank, the entries that are open just before that deadline: called, and of this rank or
    /// a later one; by deadline. `open[starts[r]..starts[r + 1]]`.
    pub open: Vec<u32>,
    pub starts: Vec<u32>,
    /// By entry: its bit while it is open. Bits are used again after a deadline.
    pub slots: Vec<u32>,
    /// The entries without a deadline, by call; the position is the bit.
    pub optional: Vec<u32>,
    /// For each rank, how many of `optional` have been called.
    pub optional_called: Vec<u32>,
    /// Bits that a mask needs.
    pub width: u32,
    /// Whether it is plain without a search that there can be no linearization.
    pub impossible: bool,
    /// Whether so many operations are open for so long that listing them takes too much memory.
    pub too_wide: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class<'a> {
    pub op: &'a Op,
    pub ret: Option<&'a Ret>,
    /// Whether several entries have it.
    pub shared: bool,
}

/// The values of an object that holds one, as numbers.
#[derive(Debug, Default)]
pub struct Values {
    pub names: Vec<Value>,
    pub initial: u32,
    /// By class: what it observes and installs.
    pub observes: Vec<Option<u32>>,
    pub installs: Vec<Option<u32>>,
    /// By value: when the object may stop holding it.
    pub leave: Vec<look_ahead::Leave>,
}

impl<'a, M: Model> Entries<'a, M> {
    /// Prepares the operations of one object as far as they are known just before position `end` of
    /// the history: what completes later is of unknown outcome.
    ///
    /// `look_ahead` off leaves out everything that is not needed to be right (for tests).
    pub fn prepare(operations: &[Operation<'a>], end: u32, initial: M, look_ahead: bool) -> Self {
        let mut prepared = Self {
            initial,
            entries: Vec::new(),
            classes: Vec::new(),
            values: None,
            order: Vec::new(),
            open: Vec::new(),
            starts: Vec::new(),
            slots: Vec::new(),
            optional: Vec::new(),
            optional_called: Vec::new(),
            width: 0,
            impossible: false,
            too_wide: false,
        };
        prepared.collect(operations, end);
        if look_ahead && let Some(values) = prepared.number_values() {
            prepared.values = Some(values);
            look_ahead::apply(&mut prepared);
        }
        if !prepared.impossible {
            prepared.arrange();
        }
        prepared
    }

    fn collect(&mut self, operations: &[Operation<'a>], end: u32) {
        let mut known: HashMap<(&Op, Option<&Ret>), u32> = HashMap::new();
        for operation in operations {
            let call = position(operation.invoked_at);
            if call >= end {
                break;
            }
            let completed = operation.completed_at.map(position).filter(|at| *at < end);
            // Known only later, but it never happened.
            if operation.failure().is_some() {
                continue;
            }
            let ret = operation.ret().filter(|_| completed.is_some());
            if ret.is_none() && operation.op().is_read_only() {
                continue;
            }
            let deadline = match (ret, completed) {
                (Some(_), Some(at)) => at,
                _ => NEVER,
            };
            let class = *known.entry((operation.op(), ret)).or_insert_with(|| {
                self.classes.push(Class {
                    op: operation.op(),
                    ret,
                    shared: false,
                });
                position(self.classes.len() - 1)
            });
            self.entries.push(Entry {
                operation: *operation,
                call,
                deadline,
                class,
                unobserved: false,
            });
        }
    }

    /// Numbers the values, if the model has footprints for all operations.
    fn number_values(&self) -> Option<Values> {
        let mut numbers: HashMap<Value, u32> = HashMap::new();
        let mut values = Values::default();
        let mut number = |value: Value| {
            *numbers.entry(value).or_insert_with_key(|value| {
                values.names.push(value.clone());
                position(values.names.len() - 1)
            })
        };
        let initial = self.initial.value()?;
        for class in &self.classes {
            let Footprint { observes, installs } = M::footprint(class.op, class.ret)?;
            values.observes.push(observes.map(&mut number));
            values.installs.push(installs.map(&mut number));
        }
        values.initial = number(initial);
        Some(values)
    }

    /// Orders the entries by deadline and notes which are open when.
    fn arrange(&mut self) {
        let mut uses = vec![0u32; self.classes.len()];
        for entry in &self.entries {
            uses[entry.class as usize] += 1;
        }
        for (class, uses) in self.classes.iter_mut().zip(uses) {
            class.shared = uses > 1;
        }
        let entries = &self.entries;
        let all = || 0..position(entries.len());
        let deadline = |entry: &u32| entries[*entry as usize].deadline;
        let call = |entry: &u32| entries[*entry as usize].call;
        self.order = all().filter(|entry| deadline(entry) != NEVER).collect();
        self.order
            .sort_by_key(|entry| (deadline(entry), call(entry)));
        self.optional = all().filter(|entry| deadline(entry) == NEVER).collect();
        self.slots = vec![0; entries.len()];
        let mut rank = vec![0u32; entries.len()];
        for (at, entry) in self.order.iter().enumerate() {
            rank[*entry as usize] = position(at);
        }
        let mut by_call = self.order.clone();
        by_call.sort_by_key(call);
        let mut by_call = by_call.into_iter().peekable();
        let mut open: Vec<u32> = Vec::new();
        let mut free_slots: Vec<u32> = Vec::new();
        let mut called = 0;
        for entry in &self.order {
            let deadline = deadline(entry);
            while let Some(new) = by_call.next_if(|new| call(new) < deadline) {
                let at = open.partition_point(|other| rank[*other as usize] < rank[new as usize]);
                open.insert(at, new);
                self.slots[new as usize] = free_slots.pop().unwrap_or_else(|| {
                    self.width += 1;
                    self.width - 1
                });
            }
            if self.open.len() + open.len() > OPEN_MAX {
                self.too_wide = true;
                return;
            }
            self.starts.push(position(self.open.len()));
            self.open.extend_from_slice(&open);
            while called < self.optional.len() && call(&self.optional[called]) < deadline {
                called += 1;
            }
            self.optional_called.push(position(called));
            // The entry itself is open: its call comes before its deadline.
            open.retain(|other| other != entry);
            free_slots.push(self.slots[*entry as usize]);
        }
        self.starts.push(position(self.open.len()));
        self.width = self.width.max(position(self.optional.len()));
    }

    pub fn open_at(&self, rank: u32) -> &[u32] {
        let rank = rank as usize;
        &self.open[self.starts[rank] as usize..self.starts[rank + 1] as usize]
    }

    pub fn optional_at(&self, rank: u32) -> &[u32] {
        &self.optional[..self.optional_called[rank as usize] as usize]
    }

    pub fn deadline_of(&self, rank: u32) -> u32 {
        self.entries[self.order[rank as usize] as usize].deadline
    }

    /// Bytes that this holds, about.
    pub fn memory(&self) -> usize {
        self.entries.len() * (size_of::<Entry<'_>>() + size_of::<Class<'_>>() + 64)
            + (self.open.len() + self.starts.len()) * size_of::<u32>()
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a history of 4 billion events does not fit into memory")
}
