//! One object of an online judgement.

use crate::history::Operation;
use crate::linearizability::breadth::Breadth;
use crate::linearizability::ends;
use crate::linearizability::entries::{Entries, NEVER, Stretch, Values};
use crate::linearizability::moves::{Configuration, Moves};
use crate::linearizability::search::{Limit, Limits, Watch};
use crate::linearizability::slots::{Mask, Slots, Span};
use crate::linearizability::states::States;
use crate::model::Model;
use crate::verdict::{Budget, Verdict};
use crate::{Event, Phase, Value};
use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::take;
use std::time::Instant;

/// Of stands that differ only in which operations of unknown outcome took effect, so many are followed:
/// their number could double with each of these operations. As long as one leads on, all is well; if
/// none of those followed does, it is unknown whether one of the others would have.
const ALTERNATIVES_MAX: usize = 8;

/// An operation that is not judged yet, or not for good. Times count the events of the judgement.
#[derive(Clone, Debug)]
pub struct Held {
    invoked_at: u64,
    invocation: Event,
    completion: Option<(u64, Event)>,
}

/// A configuration between two stretches of a history.
#[derive(Clone, Debug)]
struct Stand<M> {
    state: M,
    /// When the operations were invoked that have taken effect, of those still carried on; sorted.
    done: Vec<u64>,
}

/// An object, and what it was seen to do.
pub struct Stream<M> {
    /// Where the object may stand at the time `passed`.
    stands: Vec<Stand<M>>,
    passed: u64,
    /// Operations that were open then and some stand has yet to let take effect; and those of unknown
    /// outcome that took effect in some stands only.
    carried: Vec<Held>,
    /// For objects that hold one value: operations of unknown outcome that have not taken effect, by
    /// the value that they install. They are of interest only when that is observed.
    shelf: HashMap<Value, Vec<Held>>,
    shelved: usize,
    /// Operations invoked at `passed` or later.
    coming: VecDeque<Held>,
    completed: usize,
    /// Whether some stands were let go: see [`ALTERNATIVES_MAX`].
    thinned: bool,
    lost: Option<String>,
}

pub enum Advance {
    Done,
    /// No order lets this operation be complete when it is.
    Refuted(Culprit),
}

pub struct Culprit(Box<Held>);

impl Held {
    /// About; events are small but for texts and lists.
    pub const BYTES: usize = size_of::<Self>() + 64;

    pub fn new(invocation: &Event, invoked_at: u64) -> Self {
        Self {
            invoked_at,
            invocation: invocation.clone(),
            completion: None,
        }
    }

    /// As part of a stretch that begins at `from`.
    fn operation(&self, from: u64) -> Operation<'_> {
        let within = |at: u64| at.checked_sub(from).map_or(0, |at| at as usize + 1);
        Operation {
            invocation: &self.invocation,
            completion: self.completion.as_ref().map(|(_, event)| event),
            invoked_at: within(self.invoked_at),
            completed_at: self.completion.as_ref().map(|(at, _)| within(*at)),
        }
    }

    fn is_ok(&self) -> bool {
        matches!(&self.completion, Some((_, event)) if matches!(event.phase, Phase::Ok(_)))
    }

    /// Whether it is gone without a trace: it failed, or only read.
    fn left_no_trace(&self) -> bool {
        match self.completion.as_ref().map(|(_, event)| &event.phase) {
            Some(Phase::Ok(_)) => false,
            Some(Phase::Fail(_)) => true,
            _ => self.invocation.op.is_read_only(),
        }
    }
}

impl Culprit {
    pub fn verdict(&self, key: &str) -> Verdict {
        let Held {
            invocation,
            completion,
            ..
        } = &*self.0;
        let completed = completion.as_ref().map(|(_, event)| event.index);
        Verdict::invalid(format!(
            "{key} is not linearizable: the {} of process {} (index {} to {}) can't be put into any order with what came before",
            invocation.op.name(),
            invocation.process,
            invocation.index,
            completed.map_or("the end".to_owned(), |index| index.to_string()),
        ))
        .with("operations", vec![invocation.index])
    }
}

impl<M: Model> Stream<M> {
    pub fn new(initial: M) -> Self {
        Self {
            stands: vec![Stand {
                state: initial,
                done: Vec::new(),
            }],
            passed: 0,
            carried: Vec::new(),
            shelf: HashMap::new(),
            shelved: 0,
            coming: VecDeque::new(),
            completed: 0,
            thinned: false,
            lost: None,
        }
    }

    pub fn invoke(&mut self, operation: Held) {
        if self.lost.is_none() {
            self.coming.push_back(operation);
        }
    }

    /// Completes the operation that was invoked at that time; false if it was another one.
    pub fn complete(&mut self, invoked_at: u64, event: &Event, at: u64) -> bool {
        let found = self
            .coming
            .binary_search_by_key(&invoked_at, |held| held.invoked_at);
        let Ok(place) = found else {
            // A stream that is lost has forgotten it.
            return self.lost.is_some();
        };
        let held = &mut self.coming[place];
        if held.invocation.op != event.op {
            return false;
        }
        held.completion = Some((at, event.clone()));
        self.completed += 1;
        true
    }

    /// Operations completed since the last time it was tried to advance.
    pub fn completed(&self) -> usize {
        self.completed
    }

    pub fn held(&self) -> usize {
        self.carried.len() + self.shelved + self.coming.len()
    }

    /// Why the object can't be judged any more.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Follows the object up to the invocation of its oldest operation without completion; `last`: up
    /// to the end.
    pub fn advance(
        &mut self,
        now: u64,
        last: bool,
        budget: Budget,
        configurations: &mut u64,
    ) -> Advance {
        self.completed = 0;
        let known = self
            .coming
            .iter()
            .position(|held| held.completion.is_none() && !last)
            .unwrap_or(self.coming.len());
        if self.lost.is_some() || (known == 0 && !last) {
            return Advance::Done;
        }
        let until = match self.coming.get(known) {
            Some(held) => held.invoked_at,
            None => now + 1,
        };
        let mut stretch = take(&mut self.carried);
        stretch.extend(
            self.coming
                .drain(..known)
                .filter(|held| !held.left_no_trace()),
        );
        self.take_from_shelf(&mut stretch);
        stretch.sort_unstable_by_key(|held| held.invoked_at);
        let passed = match self.pass(&stretch, until, budget, configurations) {
            Ok(passed) => passed,
            Err(Limit::Memory) => return self.lose("memory ran out", &stretch),
            Err(_) => return self.lose("time ran out", &stretch),
        };
        match passed {
            Passed::Refuted(culprit) => {
                Advance::Refuted(Culprit(Box::new(stretch.swap_remove(culprit))))
            }
            Passed::Nowhere => self.lose(
                "more ways in which operations of unknown outcome may have taken effect than could be followed",
                &stretch,
            ),
            Passed::To(stands, thinned) => {
                self.stands = stands;
                self.thinned |= thinned;
                self.passed = until;
                self.keep(stretch);
                Advance::Done
            }
        }
    }

    fn lose(&mut self, why: &str, stretch: &[Held]) -> Advance {
        let from = stretch.first().map_or(0, |held| held.invocation.index);
        self.lost = Some(format!("{why} in the operations from index {from} on"));
        self.stands = Vec::new();
        self.coming = VecDeque::new();
        self.shelf = HashMap::new();
        self.shelved = 0;
        Advance::Done
    }

    /// Adds what may be observed in the stretch, directly or through others on the shelf; all, if it is
    /// not known of some operation what it observes.
    fn take_from_shelf(&mut self, stretch: &mut Vec<Held>) {
        let mut at = 0;
        while at < stretch.len() && self.shelved > 0 {
            let held = &stretch[at];
            let event = held.completion.as_ref().map(|(_, event)| event);
            let ret = match event.map(|event| &event.phase) {
                Some(Phase::Ok(ret)) => Some(ret),
                _ => None,
            };
            let found = match M::footprint(&held.invocation.op, ret) {
                None => self.shelf.drain().flat_map(|(_, held)| held).collect(),
                Some(footprint) => footprint
                    .observes
                    .and_then(|value| self.shelf.remove(&value))
                    .unwrap_or_default(),
            };
            self.shelved -= found.len();
            stretch.extend(found);
            at += 1;
        }
    }

    /// Sorts out which operations are of interest later.
    fn keep(&mut self, stretch: Vec<Held>) {
        let mut settled: HashSet<u64> = HashSet::new();
        for held in stretch {
            let done = |stand: &Stand<M>| stand.done.binary_search(&held.invoked_at).is_ok();
            let past = held.is_ok()
                && held
                    .completion
                    .as_ref()
                    .is_some_and(|(at, _)| *at < self.passed);
            if past || self.stands.iter().all(done) {
                settled.insert(held.invoked_at);
                continue;
            }
            if !held.is_ok() && !self.stands.iter().any(done) {
                let footprint = M::footprint(&held.invocation.op, None);
                if let Some(value) = footprint.and_then(|footprint| footprint.installs) {
                    self.shelf.entry(value).or_default().push(held);
                    self.shelved += 1;
                    continue;
                }
            }
            self.carried.push(held);
        }
        for stand in &mut self.stands {
            stand
                .done
                .retain(|invoked_at| !settled.contains(invoked_at));
        }
    }

    /// Passes the deadlines of a stretch before the time `until`.
    fn pass(
        &self,
        stretch: &[Held],
        until: u64,
        budget: Budget,
        configurations: &mut u64,
    ) -> Result<Passed<M>, Limit> {
        let operations: Vec<Operation<'_>> = stretch
            .iter()
            .map(|held| held.operation(self.passed))
            .collect();
        let states: Vec<M> = self
            .stands
            .iter()
            .map(|stand| stand.state.clone())
            .collect();
        let prepared = Entries::prepare_stretch(&operations, &states);
        let schedule = &prepared.entries.schedule;
        let pass = match schedule.width.max(schedule.optional_width) {
            0..=64 => Self::pass_with::<Mask<1>>,
            65..=256 => Self::pass_with::<Mask<4>>,
            _ => Self::pass_with::<Span>,
        };
        let limits = Limits {
            deadline: ends(Instant::now(), budget),
            memory: budget.memory,
            configurations: u64::MAX,
        };
        let mut watch = Watch::new(limits, prepared.entries.memory());
        let until = until.saturating_sub(self.passed) + 1;
        let passed = pass(self, stretch, &prepared, until, &mut watch);
        *configurations += watch.configurations();
        passed
    }

    fn pass_with<S: Slots>(
        &self,
        stretch: &[Held],
        prepared: &Stretch<'_, M>,
        until: u64,
        watch: &mut Watch,
    ) -> Result<Passed<M>, Limit> {
        let schedule = &prepared.entries.schedule;
        let mut states = States::new(&prepared.entries.classes);
        let numbers = match schedule.values {
            Some(_) => prepared.values.clone(),
            None => self
                .stands
                .iter()
                .map(|stand| states.number(stand.state.clone()))
                .collect(),
        };
        // Each operation of the stretch is an entry: those that are none left no trace.
        debug_assert_eq!(stretch.len(), schedule.items.len());
        let roots = self.stands.iter().zip(&numbers).map(|(stand, state)| {
            let mut root = Configuration {
                rank: 0,
                state: *state,
                done: S::empty(),
                used: S::empty(),
            };
            for invoked_at in &stand.done {
                let entry = stretch.partition_point(|held| held.invoked_at < *invoked_at);
                let item = &schedule.items[entry];
                match item.deadline {
                    NEVER => root.used.insert(item.slot),
                    _ => root.done.insert(item.slot),
                }
            }
            root
        });
        let roots: Vec<Configuration<S>> = roots.collect();
        let end = schedule
            .order
            .partition_point(|entry| u64::from(schedule.item(*entry).deadline) < until)
            as u32;
        let mut moves = Moves::new(schedule, &mut states, false);
        let mut breadth = Breadth::new(&mut moves, roots, false, ALTERNATIVES_MAX, watch);
        if !breadth.advance(end)? {
            if self.thinned || breadth.thinned() {
                return Ok(Passed::Nowhere);
            }
            let culprit = schedule.order[breadth.reached() as usize];
            return Ok(Passed::Refuted(culprit as usize));
        }
        let thinned = breadth.thinned();
        let configurations = breadth.into_configurations();
        let reached: Vec<M> = match &schedule.values {
            Some(values) => holding(
                self.stands.iter().map(|stand| &stand.state),
                prepared,
                values,
                &configurations,
            ),
            None => configurations
                .iter()
                .map(|configuration| states.get(configuration.state).clone())
                .collect(),
        };
        let stands = configurations
            .iter()
            .zip(reached)
            .map(|(configuration, state)| {
                let mut done: Vec<u64> = Vec::new();
                for (rank, entry) in (end..).zip(&schedule.order[end as usize..]) {
                    if rank < configuration.rank
                        || configuration.done.contains(schedule.item(*entry).slot)
                    {
                        done.push(stretch[*entry as usize].invoked_at);
                    }
                }
                for (slot, entry) in (0..).zip(&schedule.optional) {
                    if configuration.used.contains(slot) {
                        done.push(stretch[*entry as usize].invoked_at);
                    }
                }
                done.sort_unstable();
                Stand { state, done }
            });
        Ok(Passed::To(stands.collect(), thinned))
    }
}

/// The states of configurations of an object that holds one value: those that it was in before, and
/// those that operations of the stretch lead to.
fn holding<'m, M: Model + 'm, S>(
    before: impl Iterator<Item = &'m M>,
    prepared: &Stretch<'_, M>,
    values: &Values,
    configurations: &[Configuration<S>],
) -> Vec<M> {
    let mut known: Vec<Option<M>> = vec![None; values.count as usize];
    for (state, number) in before.zip(&prepared.values) {
        known[*number as usize] = Some(state.clone());
    }
    let is_known = |known: &[Option<M>]| {
        configurations
            .iter()
            .all(|configuration| known[configuration.state as usize].is_some())
    };
    while !is_known(&known) {
        let mut found = false;
        for (class, effect) in prepared.entries.classes.iter().zip(&values.effects) {
            let Some(to) = effect.installs.filter(|to| known[*to as usize].is_none()) else {
                continue;
            };
            let from = match effect.observes {
                Some(value) => known[value as usize].as_ref(),
                None => Some(&prepared.entries.initial),
            };
            known[to as usize] = from.and_then(|from| from.step(class.op, class.ret));
            found |= known[to as usize].is_some();
        }
        assert!(
            found,
            "a value that was reached was installed from one that was"
        );
    }
    configurations
        .iter()
        .filter_map(|configuration| known[configuration.state as usize].clone())
        .collect()
}

enum Passed<M> {
    /// Whether some stands were let go.
    To(Vec<Stand<M>>, bool),
    /// Nowhere from the stands that were kept.
    Nowhere,
    /// The place of an operation that can't take effect by its completion.
    Refuted(usize),
}
