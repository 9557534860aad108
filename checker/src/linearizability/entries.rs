//! Prepares the operations of one object for the search.
//!
//! An [`Entry`] is an operation that happened, or may have. It has a *call*, and a *deadline*: the
//! moment by which it must have taken effect. The deadline of an operation that succeeded is its
//! return; one of unknown outcome has none and may be left out. Failed operations did not happen, and
//! reads of unknown outcome tell and change nothing: both are gone from here on.

use super::look_ahead;
use super::schedule::Schedule;
use super::search::Answer;
use super::slots::BuildWordHasher;
use crate::history::Operation;
use crate::model::{Alike, Footprint, Model};
use crate::{Op, Ret, Value};
use std::collections::HashMap;

/// The deadline of an operation that need not take effect.
pub const NEVER: u32 = u32::MAX;

/// An operation as the search sees it. Times are positions in the history.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub operation: Operation<'a>,
    /// Among the operations that the entries are of.
    pub at: u32,
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
    /// The answer, where it is plain without a search.
    pub answer: Option<Answer>,
    /// Empty where there is an answer.
    pub schedule: Schedule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class<'a> {
    pub op: &'a Op,
    pub ret: Option<&'a Ret>,
}

/// The values of an object that holds one, as numbers.
#[derive(Debug, Default)]
pub struct Values {
    pub count: u32,
    pub initial: u32,
    /// By class.
    pub effects: Vec<Effect>,
    /// By value: when the object may stop holding it. Empty without look-ahead.
    pub leave: Vec<look_ahead::Leave>,
}

/// What the entries of a class observe and install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    pub observes: Option<u32>,
    pub installs: Option<u32>,
}

impl Effect {
    /// Whether it replaces whatever is there.
    #[inline]
    pub fn is_blind(&self) -> bool {
        self.observes.is_none() && self.installs.is_some()
    }
}

/// The entries of a stretch of a history.
pub struct Stretch<'a, M> {
    pub entries: Entries<'a, M>,
    /// The numbers of the values in which the stretch begins, for objects that hold one.
    pub values: Vec<u32>,
}

impl<'a, M: Model> Entries<'a, M> {
    /// Prepares the operations of one object as far as they are known just before position `end` of
    /// the history: what completes later is of unknown outcome.
    ///
    /// `look_ahead` off leaves out everything that is not needed to be right (for tests).
    pub fn prepare(operations: &[Operation<'a>], end: u32, initial: M, look_ahead: bool) -> Self {
        let mut prepared = Self::collect(operations, end, initial);
        let values = match look_ahead {
            true => prepared.footprints(),
            false => None,
        }
        .and_then(|footprints| Some(prepared.number_values(footprints, &[])?.0));
        let values = values.map(|mut values| {
            prepared.answer = look_ahead::apply(&mut prepared.entries, &mut values);
            values
        });
        if prepared.answer.is_none() {
            prepared.schedule =
                Schedule::arrange(&prepared.entries, prepared.classes.len(), values);
        }
        prepared
    }

    /// Prepares a stretch of a history that began before it, in one of `states`, and goes on after it,
    /// so that nothing can be looked for ahead.
    pub fn prepare_stretch(operations: &[Operation<'a>], states: &[M]) -> Stretch<'a, M> {
        let initial = states.first().expect("an object is in some state");
        let mut entries = Self::collect(operations, NEVER, initial.clone());
        let (values, numbers) = entries
            .footprints_alone()
            .and_then(|footprints| entries.number_values(footprints, states))
            .unzip();
        entries.schedule = Schedule::arrange(&entries.entries, entries.classes.len(), values);
        Stretch {
            entries,
            values: numbers.unwrap_or_default(),
        }
    }

    fn collect(operations: &[Operation<'a>], end: u32, initial: M) -> Self {
        let mut classes: Vec<Class<'a>> = Vec::new();
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(operations.len());
        let mut known: HashMap<Class<'a>, u32, BuildWordHasher> = HashMap::default();
        for (at, operation) in operations.iter().enumerate() {
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
            let class = Class {
                op: operation.op(),
                ret,
            };
            let class = *known.entry(class).or_insert_with(|| {
                classes.push(class);
                position(classes.len() - 1)
            });
            entries.push(Entry {
                operation: *operation,
                at: position(at),
                call,
                deadline,
                class,
                unobserved: false,
            });
        }
        Self {
            initial,
            entries,
            classes,
            answer: None,
            schedule: Schedule::default(),
        }
    }

    /// What the operations of each class do, as the whole history tells; if the model says it of all.
    fn footprints(&self) -> Option<Vec<Footprint>> {
        let mut counts = vec![0; self.classes.len()];
        for entry in &self.entries {
            counts[entry.class as usize] += 1;
        }
        let classes = self.classes.iter().zip(counts);
        let classes: Vec<Alike<'_>> = classes
            .map(|(class, count)| Alike {
                op: class.op,
                ret: class.ret,
                count,
            })
            .collect();
        self.initial.footprints(&classes)
    }

    /// What the operations of each class do, each taken by itself.
    fn footprints_alone(&self) -> Option<Vec<Footprint>> {
        let classes = self.classes.iter();
        classes
            .map(|class| M::footprint(class.op, class.ret))
            .collect()
    }

    /// Numbers the values, if the state is one. With the numbers of the values that the `states` are.
    fn number_values(
        &self,
        footprints: Vec<Footprint>,
        states: &[M],
    ) -> Option<(Values, Vec<u32>)> {
        let mut numbers: HashMap<Value, u32, BuildWordHasher> = HashMap::default();
        let mut number = |value: Value| {
            let next = position(numbers.len());
            *numbers.entry(value).or_insert(next)
        };
        let initial = number(self.initial.value()?);
        let effects = footprints
            .into_iter()
            .map(|Footprint { observes, installs }| Effect {
                observes: observes.map(&mut number),
                installs: installs.map(&mut number),
            })
            .collect();
        let states = states
            .iter()
            .map(|state| state.value().map(&mut number))
            .collect::<Option<Vec<u32>>>()?;
        let values = Values {
            count: position(numbers.len()),
            initial,
            effects,
            leave: Vec::new(),
        };
        Some((values, states))
    }

    /// Bytes that this holds, about.
    pub fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<'_>>()
            + self.classes.capacity() * (size_of::<Class<'_>>() + size_of::<Effect>())
            + self.schedule.memory()
    }
}

pub fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a history of 4 billion events does not fit into memory")
}
