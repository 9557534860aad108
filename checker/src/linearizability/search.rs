//! Searches for a linearization of one object.
//!
//! Several ways are taken in turn, each with more configurations than the time before: depth first
//! ([`depth`]), which is quick to find a linearization; the same as if operations of unknown outcome
//! could take effect again and again, which is quick to find that there is none; a short part of the
//! history before the deadline that none got past ([`window`]), which is quicker still if it is
//! enough; and breadth first ([`breadth`]), which needs the least memory and bears the most operations
//! of unknown outcome. All take the same [`steps`](super::moves), and any answer but that of a limit is
//! exact.

use super::entries::{Entries, Entry};
use super::moves::Moves;
use super::schedule::Schedule;
use super::slots::{Mask, Slots, Span};
use super::states::{States, Transitions};
use super::{breadth, depth, window};
use crate::model::Model;
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

/// Configurations for each way at first: enough for an object of `entries` without surprises.
pub fn first_try(entries: usize) -> u64 {
    4 * entries as u64 + 1_000
}

/// Configurations for which the first try goes on without meeting another deadline.
const PATIENCE: u64 = 2_000;

/// How many times as many configurations each way gets at the next try.
const MORE: u64 = 8;

/// Counts configurations and looks at the limits.
#[derive(Debug)]
pub struct Watch {
    limits: Limits,
    /// Bytes held by others.
    held: usize,
    configurations: u64,
    pub reached: u32,
}

impl Watch {
    pub fn new(limits: Limits, held: usize) -> Self {
        Self {
            limits,
            held,
            configurations: 0,
            reached: 0,
        }
    }

    /// Counts a configuration; the limit that is exceeded now, if one is.
    pub fn exceeded(&mut self, memory: impl Fn() -> usize) -> Option<Limit> {
        self.configurations += 1;
        if self.configurations > self.limits.configurations {
            return Some(Limit::Configurations);
        }
        if !self.configurations.is_multiple_of(CLOCK_EVERY) {
            return None;
        }
        if Instant::now() > self.limits.deadline {
            return Some(Limit::Time);
        }
        (self.held + memory() > self.limits.memory).then_some(Limit::Memory)
    }

    pub fn configurations(&self) -> u64 {
        self.configurations
    }

    pub fn found(self, answer: Answer) -> Found {
        Found {
            answer,
            configurations: self.configurations,
            reached: self.reached,
        }
    }
}

/// Searches within limits.
pub fn search<M: Model>(prepared: &Entries<'_, M>, limits: Limits) -> Found {
    let at_once = |answer: Answer| Found {
        answer,
        configurations: 0,
        reached: 0,
    };
    if let Some(answer) = &prepared.answer {
        return at_once(answer.clone());
    }
    let held = prepared.memory();
    if held > limits.memory {
        return at_once(Answer::OutOf(Limit::Memory));
    }
    let schedule = &prepared.schedule;
    let mut states = States::new(&prepared.classes);
    if schedule.values.is_none() {
        states.number(prepared.initial.clone());
    }
    let in_turn = match schedule.width.max(schedule.optional_width) {
        0..=64 => in_turn::<Mask<1>>,
        65..=256 => in_turn::<Mask<4>>,
        _ => in_turn::<Span>,
    };
    in_turn(&prepared.entries, schedule, &mut states, limits, held)
}

fn in_turn<S: Slots>(
    entries: &[Entry<'_>],
    schedule: &Schedule,
    states: &mut dyn Transitions,
    limits: Limits,
    held: usize,
) -> Found {
    let mut ways = vec![Way::Depth];
    if schedule.values.is_some() {
        // Other states may grow without end when the same operations happen again and again.
        if !schedule.optional.is_empty() {
            ways.push(Way::Relaxed);
        }
        ways.push(Way::Window);
    }
    ways.push(Way::Breadth);
    let mut configurations = first_try(schedule.len() as usize).min(limits.configurations);
    let mut patience = PATIENCE;
    let (mut all, mut reached) = (0, 0);
    loop {
        let now = Limits {
            configurations,
            ..limits
        };
        let mut timed_out = false;
        let mut answer = None;
        ways.retain(|way| {
            if answer.is_some() || timed_out {
                return true;
            }
            let found = match way {
                Way::Window => {
                    let (refuted, spent) =
                        window::refutes(entries, schedule, states, reached, now, held);
                    Found {
                        answer: match refuted {
                            Ok(true) => Answer::NotLinearizable,
                            Ok(false) => Answer::OutOf(Limit::Configurations),
                            Err(limit) => Answer::OutOf(limit),
                        },
                        configurations: spent,
                        reached,
                    }
                }
                _ => way.search::<S>(schedule, states, now, patience, held),
            };
            all += found.configurations;
            // As if unknown operations happened twice, one gets further than one can.
            if *way != Way::Relaxed {
                reached = reached.max(found.reached);
            }
            match found.answer {
                // The relaxed way may also have ended without an answer.
                Answer::OutOf(Limit::Configurations) => {
                    *way != Way::Relaxed || found.configurations > configurations
                }
                Answer::OutOf(limit) => {
                    timed_out |= limit == Limit::Time;
                    false
                }
                found => {
                    answer = Some(found);
                    true
                }
            }
        });
        let out_of = if timed_out {
            Some(Limit::Time)
        } else if ways.iter().all(|way| *way == Way::Window) {
            Some(Limit::Memory)
        } else {
            (configurations == limits.configurations).then_some(Limit::Configurations)
        };
        if let Some(answer) = answer.or(out_of.map(Answer::OutOf)) {
            return Found {
                answer,
                configurations: all,
                reached,
            };
        }
        patience = u64::MAX;
        configurations = configurations
            .saturating_mul(MORE)
            .min(limits.configurations);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Depth,
    /// Depth first, as if operations of unknown outcome could take effect any number of times.
    Relaxed,
    /// See [`window`].
    Window,
    Breadth,
}

impl Way {
    fn search<S: Slots>(
        self,
        schedule: &Schedule,
        states: &mut dyn Transitions,
        limits: Limits,
        patience: u64,
        held: usize,
    ) -> Found {
        let moves = &mut Moves::new(schedule, states, self == Way::Relaxed);
        match self {
            Way::Depth => depth::search::<S>(moves, limits, patience, held),
            Way::Relaxed => depth::search_relaxed::<S>(moves, limits, held),
            Way::Breadth | Way::Window => breadth::search::<S>(moves, limits, held),
        }
    }
}

/// Searches in one way only; `wide`: as if very many operations were open at once.
#[cfg(test)]
pub fn search_one_way<M: Model>(
    prepared: &Entries<'_, M>,
    way: Way,
    wide: bool,
    limits: Limits,
) -> Found {
    if prepared.answer.is_some() {
        return search(prepared, limits);
    }
    let mut states = States::new(&prepared.classes);
    if prepared.schedule.values.is_none() {
        states.number(prepared.initial.clone());
    }
    match wide {
        true => way.search::<Span>(&prepared.schedule, &mut states, limits, u64::MAX, 0),
        false => way.search::<Mask<1>>(&prepared.schedule, &mut states, limits, u64::MAX, 0),
    }
}
