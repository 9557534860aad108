//! Searches for a linearization of one object.
//!
//! The search of Wing and Gong (1993), in the just-in-time form of Lowe (2017): operations take effect
//! one by one, none before its call, each by its deadline. What has been decided is a *configuration*:
//! the rank of the first deadline not yet met, which of the entries open then have taken effect, and
//! the state. As every entry of a lower rank has taken effect, and none that is called later, these few
//! words stand for the exact set of linearized operations; a configuration that was tried is
//! remembered in full and never tried again. No hash stands in for a configuration, so no collision
//! can make a verdict false.
//!
//! What keeps the number of configurations small, each time because a linearization that begins in one
//! way can be changed into one that begins in another:
//!
//! - *Reads first.* A read that is open and possible takes effect at once: moving it to the front of
//!   the rest changes nothing for the others.
//! - *Equals in order.* Of open entries of one class only the one with the earliest deadline is tried:
//!   if another came first, the two could change places.
//! - *Fewer is better.* An optional entry that changes nothing is not tried (a write of the value that
//!   is held does change something if unobserved writes wait to be overwritten). A configuration is not
//!   tried if one that differs only in having used fewer optional entries was: whatever completes the
//!   former completes the latter.
//! - *A unique value does not come back* (rule 4 of [`look_ahead`](super::look_ahead)).
//! - *An unobserved write waits* (rule 5): it takes effect together with the next write, just before
//!   it, or at its own deadline. Take a linearization that begins with an unobserved write x. Whatever
//!   follows directly can't observe, so it is another write, and so on until either an entry that is
//!   not an unobserved write, or the entry of the next deadline; all of these are open now, since the
//!   entry of the next deadline has not taken effect before. That one can be tried first with x, and
//!   all other open unobserved writes, just before it: in place they would have been overwritten
//!   unseen just the same.
//!
//! The search keeps its own stack, so the length of a history does not matter to the machine's.

use super::entries::{Entries, NEVER};
use super::mask::{BuildWordHasher, Mask};
use crate::model::Model;
use std::collections::HashMap;
use std::time::Instant;

/// Where a search must stop.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub deadline: Instant,
    /// Bytes for configurations and states.
    pub memory: usize,
    pub configurations: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Time,
    Memory,
    Configurations,
    /// More operations are open at once than a configuration can hold.
    Width,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With the entries in an order that shows it.
    Linearizable(Vec<u32>),
    NotLinearizable,
    OutOf(Limit),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub answer: Answer,
    pub configurations: u64,
    /// Deadlines met by the best configuration.
    pub reached: u32,
}

/// How often the clock is read.
const CLOCK_EVERY: u64 = 128;

/// Searches within limits.
pub fn search<M: Model>(prepared: &Entries<'_, M>, limits: Limits) -> Found {
    if prepared.impossible {
        return Found {
            answer: Answer::NotLinearizable,
            configurations: 0,
            reached: 0,
        };
    }
    if prepared.too_wide || prepared.memory() > limits.memory {
        return Found {
            answer: Answer::OutOf(Limit::Memory),
            configurations: 0,
            reached: 0,
        };
    }
    match prepared.width {
        0..=64 => Search::<M, 1>::new(prepared, limits).run(),
        65..=128 => Search::<M, 2>::new(prepared, limits).run(),
        129..=256 => Search::<M, 4>::new(prepared, limits).run(),
        257..=1024 => Search::<M, 16>::new(prepared, limits).run(),
        1025..=4096 => Search::<M, 64>::new(prepared, limits).run(),
        _ => Found {
            answer: Answer::OutOf(Limit::Width),
            configurations: 0,
            reached: 0,
        },
    }
}

#[derive(Clone, Copy, Debug)]
struct Configuration<const W: usize> {
    rank: u32,
    state: u32,
    /// Of the entries open at `rank`.
    done: Mask<W>,
    /// Of the optional entries.
    used: Mask<W>,
}

/// A configuration on the path from the beginning, and how many of its next steps were tried.
struct Frame<const W: usize> {
    configuration: Configuration<W>,
    tried: u32,
    /// The step that led here.
    entry: u32,
}

/// Sets of used optional entries from which the search has been tried: none contains another.
#[derive(Default)]
struct Tried<const W: usize> {
    sets: Vec<Mask<W>>,
}

struct Search<'p, 'a, M, const W: usize> {
    prepared: &'p Entries<'a, M>,
    limits: Limits,
    states: States<'p, 'a, M>,
    tried: HashMap<(u32, u32, Mask<W>), Tried<W>, BuildWordHasher>,
    /// Sets in `tried` beyond the first of each.
    sets: usize,
    configurations: u64,
    reached: u32,
}

impl<'p, 'a, M: Model, const W: usize> Search<'p, 'a, M, W> {
    fn new(prepared: &'p Entries<'a, M>, limits: Limits) -> Self {
        Self {
            prepared,
            limits,
            states: States::new(prepared),
            tried: HashMap::default(),
            sets: 0,
            configurations: 0,
            reached: 0,
        }
    }

    fn run(mut self) -> Found {
        let answer = self.explore();
        Found {
            answer,
            configurations: self.configurations,
            reached: self.reached,
        }
    }

    fn explore(&mut self) -> Answer {
        let end = self.prepared.order.len() as u32;
        let mut root = Configuration {
            rank: 0,
            state: self.states.initial(),
            done: Mask::EMPTY,
            used: Mask::EMPTY,
        };
        self.settle(&mut root, &mut |_| {});
        self.is_new(&root);
        let mut path = vec![Frame {
            configuration: root,
            tried: 0,
            entry: NEVER,
        }];
        while let Some(frame) = path.last_mut() {
            self.reached = self.reached.max(frame.configuration.rank);
            if frame.configuration.rank == end {
                let steps: Vec<u32> = path.iter().skip(1).map(|frame| frame.entry).collect();
                return Answer::Linearizable(self.replay(&steps));
            }
            let from = frame.configuration;
            let Some((entry, state)) = self.next_step(&from, &mut frame.tried) else {
                path.pop();
                continue;
            };
            let mut to = from;
            self.take(&mut to, entry, state, &mut |_| {});
            self.settle(&mut to, &mut |_| {});
            if !self.is_new(&to) {
                continue;
            }
            self.configurations += 1;
            if let Some(limit) = self.exceeded(path.len()) {
                return Answer::OutOf(limit);
            }
            path.push(Frame {
                configuration: to,
                tried: 0,
                entry,
            });
        }
        Answer::NotLinearizable
    }

    /// The next entry to try from a configuration, with the state after it.
    fn next_step(&mut self, from: &Configuration<W>, tried: &mut u32) -> Option<(u32, u32)> {
        let prepared = self.prepared;
        let open = prepared.open_at(from.rank);
        let optional = prepared.optional_at(from.rank);
        while (*tried as usize) < open.len() {
            let at = *tried as usize;
            *tried += 1;
            let entry = open[at];
            // Reads that are possible have been taken; others are not.
            let waits = prepared.entries[entry as usize].unobserved && at > 0;
            if waits
                || from.done.contains(prepared.slots[entry as usize])
                || self.is_read(entry)
                || self.has_equal(entry, &open[..at], |other| {
                    from.done.contains(prepared.slots[other as usize])
                })
            {
                continue;
            }
            if let Some(state) = self
                .states
                .step(from.state, prepared.entries[entry as usize].class)
                && self.may_leave(from, entry, state)
            {
                return Some((entry, state));
            }
        }
        while (*tried as usize) < open.len() + optional.len() {
            let at = *tried as usize - open.len();
            *tried += 1;
            let entry = optional[at];
            let done = |other: u32| from.done.contains(prepared.slots[other as usize]);
            let used = from.used.contains(at as u32);
            if used || self.has_equal(entry, open, done) {
                continue;
            }
            let equal_before = prepared.classes[prepared.entries[entry as usize].class as usize]
                .shared
                && (0..at).any(|other| {
                    self.equal(entry, optional[other]) && !from.used.contains(other as u32)
                });
            if equal_before {
                continue;
            }
            if let Some(state) = self
                .states
                .step(from.state, prepared.entries[entry as usize].class)
                && (state != from.state || self.takes_others(from, entry))
                && self.may_leave(from, entry, state)
            {
                return Some((entry, state));
            }
        }
        None
    }

    /// Whether a write would take waiting unobserved writes with it.
    fn takes_others(&self, from: &Configuration<W>, entry: u32) -> bool {
        let prepared = self.prepared;
        self.is_blind_write(entry)
            && prepared.open_at(from.rank).iter().any(|other| {
                prepared.entries[*other as usize].unobserved
                    && !from.done.contains(prepared.slots[*other as usize])
            })
    }

    fn is_read(&self, entry: u32) -> bool {
        self.prepared.entries[entry as usize]
            .operation
            .op()
            .is_read_only()
    }

    fn equal(&self, a: u32, b: u32) -> bool {
        self.prepared.entries[a as usize].class == self.prepared.entries[b as usize].class
    }

    /// Whether an entry of the same class is still to take effect among `before`.
    fn has_equal(&self, entry: u32, before: &[u32], done: impl Fn(u32) -> bool) -> bool {
        let class = self.prepared.entries[entry as usize].class;
        self.prepared.classes[class as usize].shared
            && before
                .iter()
                .any(|other| self.equal(entry, *other) && !done(*other))
    }

    /// Rule 4: whether the state may be replaced now by this entry.
    fn may_leave(&self, from: &Configuration<W>, entry: u32, state: u32) -> bool {
        let Some(values) = &self.prepared.values else {
            return true;
        };
        if state == from.state {
            return true;
        }
        let leave = &values.leave[from.state as usize];
        let reads_called = leave
            .last_read_call
            .is_none_or(|call| call < self.prepared.deadline_of(from.rank));
        reads_called && leave.only_by.is_none_or(|only| only == entry)
    }

    /// Lets an entry take effect, and before a write all open unobserved writes.
    fn take(&self, to: &mut Configuration<W>, entry: u32, state: u32, log: &mut dyn FnMut(u32)) {
        let prepared = self.prepared;
        if self.is_blind_write(entry) {
            for other in prepared.open_at(to.rank) {
                let slot = prepared.slots[*other as usize];
                let waits = prepared.entries[*other as usize].unobserved && *other != entry;
                if waits && !to.done.contains(slot) {
                    to.done.insert(slot);
                    log(*other);
                }
            }
        }
        log(entry);
        if prepared.entries[entry as usize].deadline == NEVER {
            let at = prepared
                .optional
                .binary_search_by_key(&self.call_of(entry), |other| self.call_of(*other));
            to.used
                .insert(at.expect("an entry without deadline is optional; calls differ") as u32);
        } else {
            to.done.insert(prepared.slots[entry as usize]);
        }
        to.state = state;
    }

    fn call_of(&self, entry: u32) -> u32 {
        self.prepared.entries[entry as usize].call
    }

    fn is_blind_write(&self, entry: u32) -> bool {
        let class = self.prepared.entries[entry as usize].class as usize;
        self.prepared.values.as_ref().is_some_and(|values| {
            values.observes[class].is_none() && values.installs[class].is_some()
        })
    }

    /// Lets possible reads take effect and passes the deadlines that are met, until neither is left.
    fn settle(&mut self, to: &mut Configuration<W>, log: &mut dyn FnMut(u32)) {
        let prepared = self.prepared;
        let end = prepared.order.len() as u32;
        while to.rank < end {
            for entry in prepared.open_at(to.rank) {
                let slot = prepared.slots[*entry as usize];
                let class = prepared.entries[*entry as usize].class;
                if self.is_read(*entry)
                    && !to.done.contains(slot)
                    && self.states.step(to.state, class) == Some(to.state)
                {
                    to.done.insert(slot);
                    log(*entry);
                }
            }
            let slot = prepared.slots[prepared.order[to.rank as usize] as usize];
            if !to.done.contains(slot) {
                return;
            }
            to.done.remove(slot);
            to.rank += 1;
        }
    }

    /// Remembers a configuration; false if it, or one that used fewer optional entries, was tried.
    fn is_new(&mut self, configuration: &Configuration<W>) -> bool {
        let key = (configuration.rank, configuration.state, configuration.done);
        let used = configuration.used;
        let tried = self.tried.entry(key).or_default();
        if tried.sets.iter().any(|set| set.is_subset(&used)) {
            return false;
        }
        let before = tried.sets.len();
        tried.sets.retain(|set| !used.is_subset(set));
        tried.sets.push(used);
        self.sets = self.sets + tried.sets.len() - before;
        true
    }

    fn exceeded(&self, depth: usize) -> Option<Limit> {
        if self.configurations > self.limits.configurations {
            return Some(Limit::Configurations);
        }
        if !self.configurations.is_multiple_of(CLOCK_EVERY) {
            return None;
        }
        if Instant::now() > self.limits.deadline {
            return Some(Limit::Time);
        }
        let entry = size_of::<(u32, u32, Mask<W>)>() + size_of::<Tried<W>>() + 1;
        let memory = self.tried.capacity() * entry
            // A vector's first allocation holds four.
            + self.sets.max(4 * self.tried.len()) * size_of::<Mask<W>>()
            + depth * size_of::<Frame<W>>()
            + self.states.memory()
            + self.prepared.memory();
        (memory > self.limits.memory).then_some(Limit::Memory)
    }

    /// The order in which the entries took effect along a path.
    fn replay(&mut self, steps: &[u32]) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.prepared.entries.len());
        let mut at = Configuration {
            rank: 0,
            state: self.states.initial(),
            done: Mask::EMPTY,
            used: Mask::EMPTY,
        };
        self.settle(&mut at, &mut |entry| order.push(entry));
        for step in steps {
            let class = self.prepared.entries[*step as usize].class;
            let state = self
                .states
                .step(at.state, class)
                .expect("the path was found by these steps");
            self.take(&mut at, *step, state, &mut |entry| order.push(entry));
            self.settle(&mut at, &mut |entry| order.push(entry));
        }
        order
    }
}

/// States as numbers: the number of the value for objects that hold one, else in the order in which
/// they were found.
struct States<'p, 'a, M> {
    prepared: &'p Entries<'a, M>,
    known: HashMap<M, u32>,
    states: Vec<M>,
    steps: HashMap<(u32, u32), Option<u32>, BuildWordHasher>,
}

impl<'p, 'a, M: Model> States<'p, 'a, M> {
    fn new(prepared: &'p Entries<'a, M>) -> Self {
        Self {
            prepared,
            known: HashMap::from([(prepared.initial.clone(), 0)]),
            states: vec![prepared.initial.clone()],
            steps: HashMap::default(),
        }
    }

    fn initial(&self) -> u32 {
        self.prepared
            .values
            .as_ref()
            .map_or(0, |values| values.initial)
    }

    fn step(&mut self, state: u32, class: u32) -> Option<u32> {
        if let Some(values) = &self.prepared.values {
            let possible = values.observes[class as usize].is_none_or(|value| value == state);
            return possible.then(|| values.installs[class as usize].unwrap_or(state));
        }
        if let Some(known) = self.steps.get(&(state, class)) {
            return *known;
        }
        let described = self.prepared.classes[class as usize];
        let next = self.states[state as usize]
            .step(described.op, described.ret)
            .map(|next| {
                *self.known.entry(next).or_insert_with_key(|next| {
                    self.states.push(next.clone());
                    self.states.len() as u32 - 1
                })
            });
        self.steps.insert((state, class), next);
        next
    }

    fn memory(&self) -> usize {
        self.states.len() * 2 * (size_of::<M>() + 16) + self.steps.capacity() * 20
    }
}
