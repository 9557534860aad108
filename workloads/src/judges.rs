//! What judges a workload's histories: the checkers of its model, and only its own operations.

use crate::objects::Kind;
use checker::explain::frontier::Frontier;
use checker::explain::sequential::Sequential;
use checker::explain::verify::{Limits, Refutation};
use checker::history::Operation;
use checker::store::BLOCK;
use checker::{Budget, Checker, Event, History, Key, Mop, Op, Verdict, Watch};
use std::collections::BTreeMap;

/// The checkers of a model, as [`checker::checkers_for`] knows them.
pub(crate) fn of(model: &str) -> Vec<Box<dyn Checker>> {
    match checker::checkers_for(model) {
        // How operations ended is judged for the whole run, once.
        Ok(checkers) => checkers
            .into_iter()
            .filter(|checker| checker.name() != "stats")
            .collect(),
        Err(_) => vec![Box::new(Nobody {
            model: model.to_owned(),
        })],
    }
}

/// Stands where no checker knows the model: a history that nobody judged is not valid.
struct Nobody {
    model: String,
}

impl Checker for Nobody {
    fn name(&self) -> &'static str {
        "nobody"
    }

    fn check(&self, _: &History, _: Budget) -> Verdict {
        Verdict::unknown(format!("no checker knows the model {}", self.model))
    }
}

/// Shows a checker only the operations on keys of some blocks, in a history of several workloads.
pub(crate) struct Scoped {
    pub blocks: Vec<i64>,
    pub checker: Box<dyn Checker>,
}

impl Checker for Scoped {
    fn name(&self) -> &'static str {
        self.checker.name()
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        let own = history
            .events
            .iter()
            .filter(|event| concerns(&event.op, &self.blocks));
        let own = part(history, own.cloned().collect());
        self.checker.check(&own, budget)
    }

    fn object(&self) -> Option<&dyn Sequential> {
        self.checker.object().map(|_| self as &dyn Sequential)
    }

    fn watch(&self, budget: Budget) -> Option<Box<dyn Watch>> {
        Some(Box::new(ScopedWatch {
            blocks: self.blocks.clone(),
            watch: self.checker.watch(budget)?,
        }))
    }
}

impl Scoped {
    /// What the checker holds histories against. Only asked for by who knows that there is one.
    fn whole(&self) -> &dyn Sequential {
        self.checker
            .object()
            .expect("this is an object only if the checker has one")
    }
}

impl Sequential for Scoped {
    fn owns(&self, op: &Op) -> bool {
        concerns(op, &self.blocks) && self.whole().owns(op)
    }

    fn partition(&self, op: &Op) -> Option<Key> {
        self.whole().partition(op)
    }

    fn refute(&self, operations: &[Operation<'_>], limits: Limits) -> Refutation {
        self.whole().refute(operations, limits)
    }

    fn frontier(&self, operations: &[Operation<'_>], culprit: usize) -> Option<Frontier> {
        self.whole().frontier(operations, culprit)
    }
}

/// The same while the history is recorded.
struct ScopedWatch {
    blocks: Vec<i64>,
    watch: Box<dyn Watch>,
}

impl Watch for ScopedWatch {
    fn observe(&mut self, event: &Event) {
        if concerns(&event.op, &self.blocks) {
            self.watch.observe(event);
        }
    }

    fn early(&self) -> Option<&Verdict> {
        self.watch.early()
    }

    fn finish(self: Box<Self>) -> Verdict {
        self.watch.finish()
    }
}

/// The same checkers, shown the objects of this kind one by one. That is exact, as no operation is on two of them
/// (linearizability is local: Herlihy and Wing 1990, theorem 1), and much cheaper.
pub(crate) fn one_by_one(checkers: Vec<Box<dyn Checker>>, kind: Kind) -> Vec<Box<dyn Checker>> {
    let checkers = checkers.into_iter();
    checkers
        .map(|checker| -> Box<dyn Checker> { Box::new(OneByOne { kind, checker }) })
        .collect()
}

struct OneByOne {
    kind: Kind,
    checker: Box<dyn Checker>,
}

impl Checker for OneByOne {
    fn name(&self) -> &'static str {
        self.checker.name()
    }

    /// The worst verdict of all objects. Each has an equal share of the time.
    fn check(&self, history: &History, budget: Budget) -> Verdict {
        let mut objects: BTreeMap<Option<i64>, Vec<Event>> = BTreeMap::new();
        for event in &history.events {
            let key = first_key(&event.op);
            let object = key.and_then(|key| self.kind.number(key));
            objects.entry(object).or_default().push(event.clone());
        }
        let count = objects.len();
        let share = Budget {
            time: budget.time / count.max(1) as u32,
            ..budget
        };
        let mut worst = Verdict::valid();
        for events in objects.into_values() {
            let verdict = self.checker.check(&part(history, events), share);
            if verdict.valid > worst.valid {
                worst = verdict;
            }
        }
        worst.with("objects", count)
    }
}

/// A history with only these events.
fn part(history: &History, events: Vec<Event>) -> History {
    History {
        header: history.header.clone(),
        events,
        nemesis: history.nemesis.clone(),
        truncated: history.truncated,
    }
}

/// Whether an operation is on a key of the blocks that begin here.
pub(crate) fn concerns(op: &Op, blocks: &[i64]) -> bool {
    match first_key(op) {
        Some(Key::Int(number)) => {
            let within = |first: &i64| (*first..first + BLOCK).contains(number);
            blocks.iter().any(within)
        }
        Some(Key::Text(_)) | None => false,
    }
}

/// The key of an operation, or the first of several: all are of one workload, and mostly of one object.
fn first_key(op: &Op) -> Option<&Key> {
    match op {
        Op::Transfer { from, .. } => Some(from),
        Op::ReadAll { keys } => keys.first(),
        Op::Txn { ops } => ops.first().map(Mop::key),
        op => op.key(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::MULTI_REGISTER;
    use checker::{Phase, ProcessId, Validity};

    /// Wants to see one object only, and no more than two events of it.
    struct Narrow;

    impl Checker for Narrow {
        fn name(&self) -> &'static str {
            "narrow"
        }

        fn check(&self, history: &History, _: Budget) -> Verdict {
            let numbers = history.events.iter().map(|event| {
                let key = first_key(&event.op).unwrap();
                MULTI_REGISTER.number(key)
            });
            let numbers: Vec<_> = numbers.collect();
            let one = numbers.windows(2).all(|pair| pair[0] == pair[1]);
            match one && numbers.len() <= 2 {
                true => Verdict::valid(),
                false => Verdict::invalid(format!("{numbers:?}")),
            }
        }
    }

    fn history(keys: &[i64]) -> History {
        let events = keys.iter().zip(0..).map(|(key, index)| Event {
            index,
            time: index,
            process: ProcessId(index),
            phase: Phase::Invoke,
            op: Op::ReadAll {
                keys: [Key::Int(MULTI_REGISTER.first_key + key)].into(),
            },
        });
        History {
            events: events.collect(),
            ..History::default()
        }
    }

    #[test]
    fn objects_are_shown_one_by_one_and_the_worst_verdict_counts() {
        let checkers = one_by_one(vec![Box::new(Narrow)], MULTI_REGISTER);
        let judge = |keys: &[i64]| checkers[0].check(&history(keys), Budget::default());
        // Three keys are one object.
        let verdict = judge(&[0, 3, 2, 7, 5]);
        assert_eq!(verdict.valid, Validity::Valid);
        assert_eq!(verdict.details["objects"], 3);
        let verdict = judge(&[0, 3, 4, 5]);
        assert_eq!(verdict.valid, Validity::Invalid);
        assert_eq!(verdict.reason, "[Some(1), Some(1), Some(1)]");
    }

    #[test]
    fn a_model_that_nobody_knows_makes_a_history_unknown() {
        let checkers = of("dreams");
        let verdict = checkers[0].check(&History::default(), Budget::default());
        assert_eq!(verdict.valid, Validity::Unknown);
        assert_eq!(verdict.reason, "no checker knows the model dreams");
    }
}
