//! The steps from one configuration of an object to the next.
//!
//! Operations take effect one by one, none before its call, each by its deadline. What has been decided
//! is a [`Configuration`]: the rank of the first deadline not yet met, which of the entries open then
//! have taken effect, and the state. As every entry of a lower rank has taken effect, and none that is
//! called later, these few words stand for the exact set of linearized operations.
//!
//! What keeps the number of configurations small, each time because a linearization that begins in one
//! way can be changed into one that begins in another, with no more optional entries:
//!
//! - *Reads first.* A read that is open and possible takes effect at once: moving it to the front of
//!   the rest changes nothing for the others.
//! - *Equals in order.* Of open entries of one class only the one with the earliest deadline is tried:
//!   if another came first, the two could change places.
//! - *Fewer is better.* An optional entry that changes nothing is not tried (a write of the value that
//!   is held does change something if unobserved writes wait to be overwritten). A configuration is not
//!   tried if one that differs only in having used fewer optional entries was
//!   ([`Memo`](super::memo::Memo)).
//! - *An optional entry waits for its observer*, where the state is a value. Take a linearization with
//!   the fewest optional entries. What directly follows one of these observes its value: if not, it
//!   would replace the value unseen, and the entry could be left out. So an optional entry is tried
//!   only while an observer of its value is open: an entry with a deadline, or an optional cas that
//!   can be tried for the same reason.
//! - *A unique value does not come back* (rule 4 of [`look_ahead`](super::look_ahead)).
//! - *An unobserved write waits* (rule 5): it takes effect together with the next write, just before
//!   it, or at its own deadline. Take a linearization that begins with an unobserved write x. Whatever
//!   follows directly can't observe, so it is another write, and so on until either an entry that is
//!   not an unobserved write, or the entry of the next deadline; all of these are open now, since the
//!   entry of the next deadline has not taken effect before. That one can be tried first with x, and
//!   all other open unobserved writes, just before it: in place they would have been overwritten
//!   unseen just the same.

use super::entries::NEVER;
use super::schedule::{Crowd, OptionalClass, Schedule};
use super::slots::Slots;
use super::states::Transitions;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration<S> {
    pub rank: u32,
    pub state: u32,
    /// Of the entries open at `rank`.
    pub done: S,
    /// Of the optional entries.
    pub used: S,
}

/// An entry that can take effect, and the state afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub entry: u32,
    pub state: u32,
}

/// What can happen in a configuration.
pub struct Moves<'s> {
    pub schedule: &'s Schedule,
    states: &'s mut dyn Transitions,
    /// Whether optional entries may take effect any number of times: fewer configurations, but only
    /// that there is no linearization then says something.
    relaxed: bool,
    /// For each value, when it was last found to be wanted.
    wanted: Vec<u64>,
    now: u64,
}

impl<'s> Moves<'s> {
    pub fn new(schedule: &'s Schedule, states: &'s mut dyn Transitions, relaxed: bool) -> Self {
        let values = schedule.values.as_ref().map_or(0, |values| values.count);
        let wanted = match schedule.optional.is_empty() {
            true => 0,
            false => values as usize,
        };
        Self {
            schedule,
            states,
            relaxed,
            wanted: vec![0; wanted],
            now: 0,
        }
    }

    /// Whether configurations differ by the optional entries that were used.
    pub fn counts_optional(&self) -> bool {
        !self.relaxed && !self.schedule.optional.is_empty()
    }

    /// The state at first.
    pub fn initial(&self) -> u32 {
        self.schedule
            .values
            .as_ref()
            .map_or(0, |values| values.initial)
    }

    pub fn memory(&self) -> usize {
        self.states.memory() + self.wanted.capacity() * size_of::<u64>()
    }

    pub fn transition(&mut self, state: u32, class: u32) -> Option<u32> {
        match &self.schedule.values {
            Some(values) => {
                let effect = values.effects[class as usize];
                let possible = effect.observes.is_none_or(|value| value == state);
                possible.then(|| effect.installs.unwrap_or(state))
            }
            None => self.states.step(state, class),
        }
    }

    /// The next entry with a deadline to try, after the first `tried` of those open.
    pub fn next_required<S: Slots>(
        &mut self,
        from: &Configuration<S>,
        tried: &mut u32,
    ) -> Option<Step> {
        let schedule = self.schedule;
        if let Some(crowd) = schedule.crowd() {
            return self.next_of_crowd(&crowd, from, tried);
        }
        let open = schedule.mutators_at(from.rank);
        while let Some(entry) = open.get(*tried as usize) {
            let at = *tried as usize;
            *tried += 1;
            let item = schedule.item(*entry);
            let waits = item.unobserved && *entry != schedule.order[from.rank as usize];
            if waits
                || item.read
                || from.done.contains(item.slot)
                || !schedule.is_open(item, from.rank)
                || self.has_equal(from, item.class, &open[..at])
            {
                continue;
            }
            if let Some(state) = self.transition(from.state, item.class)
                && self.may_leave(from, *entry, state)
            {
                return Some(Step {
                    entry: *entry,
                    state,
                });
            }
        }
        None
    }

    /// As [`next_required`](Self::next_required): the entry of the next deadline, then the first open
    /// entry of each other class.
    fn next_of_crowd<S: Slots>(
        &mut self,
        crowd: &Crowd<'_>,
        from: &Configuration<S>,
        tried: &mut u32,
    ) -> Option<Step> {
        let schedule = self.schedule;
        let first = schedule.order[from.rank as usize];
        while *tried as usize <= crowd.classes() {
            let entry = match *tried {
                0 => Some(first),
                class => crowd.at(class - 1, from.rank).find(|entry| {
                    let item = schedule.item(*entry);
                    !from.done.contains(item.slot) && schedule.is_open(item, from.rank)
                }),
            };
            let is_first = *tried == 0;
            *tried += 1;
            let Some(entry) = entry else {
                continue;
            };
            let item = schedule.item(entry);
            if item.read || (!is_first && (item.unobserved || entry == first)) {
                continue;
            }
            if let Some(state) = self.transition(from.state, item.class)
                && self.may_leave(from, entry, state)
            {
                return Some(Step { entry, state });
            }
        }
        None
    }

    /// All optional entries to try, the last first.
    pub fn optional<S: Slots>(&mut self, from: &Configuration<S>, steps: &mut Vec<Step>) {
        let schedule = self.schedule;
        if schedule.optional_classes.is_empty() {
            return;
        }
        let start = steps.len();
        self.find_wanted(from);
        for class in &schedule.optional_classes {
            let wanted = schedule.values.as_ref().is_none_or(|values| {
                let installs = values.effects[class.class as usize].installs;
                installs.is_some_and(|value| self.wanted[value as usize] == self.now)
            });
            let open = schedule.mutators_at(from.rank);
            if !wanted || self.has_equal(from, class.class, open) {
                continue;
            }
            if let Some(entry) = self.usable(from, class)
                && let Some(state) = self.transition(from.state, class.class)
                && (state != from.state || self.takes_others(from, class.class))
                && self.may_leave(from, entry, state)
            {
                steps.push(Step { entry, state });
            }
        }
        steps[start..].reverse();
    }

    /// The next optional entry of a class.
    fn usable<S: Slots>(&self, from: &Configuration<S>, class: &OptionalClass) -> Option<u32> {
        let slot = match self.relaxed {
            true => Some(class.start),
            false => (class.start..class.end).find(|slot| !from.used.contains(*slot)),
        }?;
        let entry = self.schedule.optional[slot as usize];
        let item = self.schedule.item(entry);
        self.schedule.is_open(item, from.rank).then_some(entry)
    }

    /// Marks the values that some open entry with a deadline observes, or a usable cas that leads to one.
    fn find_wanted<S: Slots>(&mut self, configuration: &Configuration<S>) {
        let schedule = self.schedule;
        let Some(values) = &schedule.values else {
            return;
        };
        self.now += 1;
        let open = [
            schedule.reads_at(configuration.rank),
            schedule.mutators_at(configuration.rank),
        ];
        for entry in open.into_iter().flatten() {
            let item = schedule.item(*entry);
            if let Some(value) = values.effects[item.class as usize].observes
                && schedule.is_open(item, configuration.rank)
                && !configuration.done.contains(item.slot)
            {
                self.wanted[value as usize] = self.now;
            }
        }
        let mut found = true;
        while std::mem::take(&mut found) {
            for class in &schedule.optional_classes {
                let effect = values.effects[class.class as usize];
                if let (Some(from), Some(to)) = (effect.observes, effect.installs)
                    && self.wanted[to as usize] == self.now
                    && self.wanted[from as usize] != self.now
                    && self.usable(configuration, class).is_some()
                {
                    self.wanted[from as usize] = self.now;
                    found = true;
                }
            }
        }
    }

    /// Whether a write would take waiting unobserved writes with it.
    fn takes_others<S: Slots>(&self, from: &Configuration<S>, class: u32) -> bool {
        let schedule = self.schedule;
        schedule.has_unobserved
            && self.is_blind(class)
            && schedule.mutators_at(from.rank).iter().any(|other| {
                let item = schedule.item(*other);
                item.unobserved
                    && !from.done.contains(item.slot)
                    && schedule.is_open(item, from.rank)
            })
    }

    /// Whether an entry of the class is still to take effect among `before`.
    fn has_equal<S: Slots>(&self, from: &Configuration<S>, class: u32, before: &[u32]) -> bool {
        let schedule = self.schedule;
        schedule.shared[class as usize]
            && before.iter().any(|other| {
                let item = schedule.item(*other);
                item.class == class
                    && !from.done.contains(item.slot)
                    && schedule.is_open(item, from.rank)
            })
    }

    /// Rule 4: whether the state may be replaced now by this entry.
    fn may_leave<S>(&self, from: &Configuration<S>, entry: u32, state: u32) -> bool {
        let leave = match &self.schedule.values {
            Some(values) if state != from.state => values.leave.get(from.state as usize),
            _ => None,
        };
        leave.is_none_or(|leave| {
            let reads_called = leave
                .last_read_call
                .is_none_or(|call| call < self.schedule.deadline_of(from.rank));
            reads_called && leave.only_by.is_none_or(|only| only == entry)
        })
    }

    fn is_blind(&self, class: u32) -> bool {
        let values = self.schedule.values.as_ref();
        values.is_some_and(|values| values.effects[class as usize].is_blind())
    }

    /// Lets an entry take effect, and before a write all open unobserved writes; then settles.
    pub fn take<S: Slots>(
        &mut self,
        to: &mut Configuration<S>,
        step: Step,
        log: &mut dyn FnMut(u32),
    ) {
        let schedule = self.schedule;
        let item = schedule.item(step.entry);
        if schedule.has_unobserved && self.is_blind(item.class) {
            for other in schedule.mutators_at(to.rank) {
                let waiting = schedule.item(*other);
                if waiting.unobserved
                    && *other != step.entry
                    && !to.done.contains(waiting.slot)
                    && schedule.is_open(waiting, to.rank)
                {
                    to.done.insert(waiting.slot);
                    log(*other);
                }
            }
        }
        log(step.entry);
        if item.deadline != NEVER {
            to.done.insert(item.slot);
        } else if !self.relaxed {
            to.used.insert(item.slot);
        }
        let changed = to.state != step.state;
        to.state = step.state;
        self.settle(to, changed, log);
    }

    /// Lets possible reads take effect and passes the deadlines that are met, until neither is left.
    /// `changed`: whether reads that were called before this rank may be possible only now.
    pub fn settle<S: Slots>(
        &mut self,
        to: &mut Configuration<S>,
        mut changed: bool,
        log: &mut dyn FnMut(u32),
    ) {
        let schedule = self.schedule;
        while to.rank < schedule.len() {
            let reads = match changed {
                true => schedule.reads_at(to.rank),
                false => schedule.new_reads_at(to.rank),
            };
            for entry in reads {
                let item = schedule.item(*entry);
                if item.read
                    && !to.done.contains(item.slot)
                    && schedule.is_open(item, to.rank)
                    && self.transition(to.state, item.class) == Some(to.state)
                {
                    to.done.insert(item.slot);
                    log(*entry);
                }
            }
            let slot = schedule.item(schedule.order[to.rank as usize]).slot;
            if !to.done.contains(slot) {
                return;
            }
            to.done.remove(slot);
            to.rank += 1;
            changed = false;
        }
    }
}
