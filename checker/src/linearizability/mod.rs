//! Linearizability: every operation seems to take effect at one moment between its invocation and its
//! completion (Herlihy and Wing 1990).
//!
//! Objects are judged one by one:
//!
//! | where | what |
//! |---|---|
//! | [`special`](crate::special) | answers for some objects that need no search |
//! | `entries` | the operations of an object that happened, or may have, and what they do |
//! | `look_ahead`, `zones`, `chains` | what the whole history tells of objects that hold one value: often the answer |
//! | `schedule` | who can take effect when, as bare numbers |
//! | `moves`, `memo`, `states`, `slots` | the configurations of the search, and the steps between them |
//! | `search`, `depth`, `breadth`, `window` | the search for an order, in several ways |
//! | `explain` | why there is none |
//! | [`Online`] | the same while the history is still being recorded |
//!
//! This file deals the objects out to threads, under the limits of the budget.

mod breadth;
mod chains;
mod confirm;
mod depth;
mod entries;
mod explain;
mod look_ahead;
mod memo;
mod moves;
mod online;
mod schedule;
mod search;
mod slots;
mod states;
mod window;
mod zones;

#[cfg(test)]
mod tests;

pub use online::Online;

use crate::explain::sequential::Sequential;
use crate::history::Operation;
use crate::model::{Model, Register};
use crate::special::Decision;
use crate::verdict::{Budget, Checker, Validity, Verdict, Watch};
use crate::{History, Key, Op};
use entries::{Entries, NEVER, position};
use search::{Answer, Found, Limit, Limits, first_try, search};
use slots::BuildWordHasher;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At the first go an object gets so many configurations, or what [`search`] tries first if that is more,
/// and [`MORE`] times as many at each further one: so that one hard object does not keep an easy violation
/// from being found.
const FIRST_GO: u64 = 4_000;
const MORE: u64 = 8;

/// Objects with fewer operations in all are judged before a thread would have started.
const WORTH_THREADS: usize = 4_000;

/// More threads would share the memory without being faster.
const THREADS_MAX: usize = 8;

/// Judges the operations that `owns` picks, against a model.
#[derive(Clone)]
pub struct Linearizable<M> {
    initial: M,
    owns: Arc<dyn Fn(&Op) -> bool + Send + Sync>,
}

/// The operations on one object.
struct Object<'a> {
    key: Option<Key>,
    operations: Vec<Operation<'a>>,
}

impl Linearizable<Register> {
    /// Registers that hold nothing at first, with read, write and cas.
    pub fn cas_register() -> Self {
        Self::new(Register::default(), |op| {
            matches!(op, Op::Read { .. } | Op::Write { .. } | Op::Cas { .. })
        })
    }
}

impl<M: Model> Linearizable<M> {
    /// `initial` is the state of every object before its first operation.
    pub fn new(initial: M, owns: impl Fn(&Op) -> bool + Send + Sync + 'static) -> Self {
        Self {
            initial,
            owns: Arc::new(owns),
        }
    }

    /// The judgement of a history while it is being recorded.
    pub fn online(&self, budget: Budget) -> Online<M> {
        Online::new(self.clone(), budget)
    }

    fn objects<'a>(&self, operations: &[Operation<'a>]) -> Vec<Object<'a>> {
        let mut places: HashMap<Option<Key>, usize, BuildWordHasher> = HashMap::default();
        let mut objects: Vec<Object<'a>> = Vec::new();
        for operation in operations
            .iter()
            .filter(|operation| (self.owns)(operation.op()))
        {
            let key = M::partition(operation.op());
            let place = match places.get(&key) {
                Some(place) => *place,
                None => {
                    objects.push(Object {
                        key: key.clone(),
                        operations: Vec::new(),
                    });
                    places.insert(key, objects.len() - 1);
                    objects.len() - 1
                }
            };
            objects[place].operations.push(*operation);
        }
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        objects
    }

    /// Judges the objects with growing limits until all are decided, one is refuted, or the budget is
    /// used up. The answers are in the order of the objects.
    fn judge(&self, objects: &[Object<'_>], deadline: Instant, memory: usize) -> Vec<Found> {
        let mut answers: Vec<Option<Found>> = objects.iter().map(|_| None).collect();
        let mut configurations = FIRST_GO;
        loop {
            let undecided: Vec<usize> = (0..objects.len())
                .filter(|at| {
                    answers[*at]
                        .as_ref()
                        .is_none_or(|found| found.answer == Answer::OutOf(Limit::Configurations))
                })
                .collect();
            let refuted = answers
                .iter()
                .flatten()
                .any(|found| found.answer == Answer::NotLinearizable);
            if undecided.is_empty() || refuted {
                return answers.into_iter().flatten().collect();
            }
            let operations = undecided.iter().map(|at| objects[*at].operations.len());
            let threads =
                match configurations == FIRST_GO && operations.sum::<usize>() < WORTH_THREADS {
                    true => 1,
                    false => std::thread::available_parallelism()
                        .map_or(1, |threads| threads.get())
                        .min(THREADS_MAX)
                        .min(undecided.len()),
                };
            let limits = Limits {
                deadline,
                memory: memory / threads,
                configurations,
            };
            for (at, found) in self.go(objects, &undecided, limits, threads) {
                answers[at] = Some(found);
            }
            configurations = configurations.saturating_mul(MORE);
        }
    }

    fn go(
        &self,
        objects: &[Object<'_>],
        undecided: &[usize],
        limits: Limits,
        threads: usize,
    ) -> Vec<(usize, Found)> {
        if threads == 1 {
            return undecided
                .iter()
                .map(|at| (*at, self.judge_one(&objects[*at].operations, NEVER, limits)))
                .collect();
        }
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::with_capacity(undecided.len()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(at) = undecided.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let found = self.judge_one(&objects[*at].operations, NEVER, limits);
                        answers
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((*at, found));
                    }
                });
            }
        });
        answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges what one object's operations had shown just before position `end`. An order that shows it
    /// is one of positions among them.
    fn judge_one(&self, operations: &[Operation<'_>], end: u32, limits: Limits) -> Found {
        if Instant::now() > limits.deadline {
            return Found {
                answer: Answer::OutOf(Limit::Time),
                configurations: 0,
                reached: 0,
            };
        }
        if let Some(decision) = self.initial.decide(operations, end) {
            return Found {
                answer: match decision {
                    Decision::Linearizable(order) => {
                        Answer::Linearizable(order.into_iter().map(position).collect())
                    }
                    Decision::NotLinearizable => Answer::NotLinearizable,
                },
                configurations: 0,
                reached: 0,
            };
        }
        let entries = Entries::prepare(operations, end, self.initial.clone(), true);
        let at_least = first_try(operations.len());
        let mut found = search(
            &entries,
            Limits {
                configurations: limits.configurations.max(at_least),
                ..limits
            },
        );
        if let Answer::Linearizable(order) = &mut found.answer {
            for at in order {
                *at = entries.entries[*at as usize].at;
            }
        }
        found
    }
}

impl<M: Model + 'static> Checker for Linearizable<M> {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn decide(&self, history: &History, budget: Budget) -> Validity {
        self.decide_only(history, budget)
    }

    fn object(&self) -> Option<&dyn Sequential> {
        Some(self)
    }

    fn watch(&self, budget: Budget) -> Option<Box<dyn Watch>> {
        Some(Box::new(self.online(budget)))
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        match history.operations() {
            Ok(operations) => self.check_operations(&operations, budget),
            Err(error) => Verdict::unknown(format!("not a history: {error}")),
        }
    }
}

impl<M: Model + 'static> Linearizable<M> {
    /// Judges operations, in the order of their positions of invocation, by these positions.
    pub fn check_operations(&self, operations: &[Operation<'_>], budget: Budget) -> Verdict {
        let started = Instant::now();
        let objects = self.objects(operations);
        let judged: usize = objects.iter().map(|object| object.operations.len()).sum();
        if !any_succeeded(&objects) {
            return Verdict::unknown("no operation of this model succeeded: nothing was shown")
                .with("judged", judged);
        }
        let answers = self.judge(&objects, ends(started, budget), budget.memory);
        let refuted: Vec<&Object<'_>> = objects
            .iter()
            .zip(&answers)
            .filter(|(_, found)| found.answer == Answer::NotLinearizable)
            .map(|(object, _)| object)
            .collect();
        let verdict = if let Some(object) = refuted.first() {
            self.explain(object, budget.memory).with(
                "refuted",
                refuted
                    .iter()
                    .take(20)
                    .map(|object| name(&object.key))
                    .collect::<Vec<_>>(),
            )
        } else {
            undecided(&objects, &answers, started.elapsed())
                .unwrap_or_else(|| self.confirm(&objects, &answers, started.elapsed()))
        };
        let configurations: u64 = answers.iter().map(|found| found.configurations).sum();
        verdict
            .with("objects", objects.len())
            .with("judged", judged)
            .with("configurations", configurations)
            .with("check_ms", started.elapsed().as_millis() as u64)
    }
}

/// When a budget ends. One too long for the clock is no limit.
fn ends(started: Instant, budget: Budget) -> Instant {
    let year = Duration::from_secs(365 * 24 * 3600);
    started + budget.time.min(year)
}

fn any_succeeded(objects: &[Object<'_>]) -> bool {
    objects
        .iter()
        .any(|object| object.operations.iter().any(Operation::is_ok))
}

/// The verdict if some object could not be judged.
fn undecided(objects: &[Object<'_>], answers: &[Found], elapsed: Duration) -> Option<Verdict> {
    let open: Vec<(&Object<'_>, &Found, Limit)> = objects
        .iter()
        .zip(answers)
        .filter_map(|(object, found)| match found.answer {
            Answer::OutOf(limit) => Some((object, found, limit)),
            _ => None,
        })
        .collect();
    let (object, found, limit) = open
        .iter()
        .max_by_key(|(_, found, _)| found.configurations)?;
    let what = match limit {
        Limit::Time | Limit::Configurations => {
            format!("time ran out after {:.1} s", elapsed.as_secs_f64())
        }
        Limit::Memory => "memory ran out".to_owned(),
    };
    let completed = object
        .operations
        .iter()
        .filter(|operation| operation.is_ok())
        .count();
    Some(
        Verdict::unknown(format!(
            "{what} with {} of {} objects undecided; the hardest, {}, was followed through {} of {completed} completed operations over {} configurations",
            open.len(),
            objects.len(),
            name(&object.key),
            found.reached,
            found.configurations,
        ))
        .with("undecided", open.iter().take(20).map(|(object, ..)| name(&object.key)).collect::<Vec<_>>()),
    )
}

fn name(key: &Option<Key>) -> String {
    key.as_ref()
        .map_or_else(|| "the object".to_owned(), |key| format!("key {key}"))
}
