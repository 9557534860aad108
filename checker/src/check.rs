//! Runs several checkers over one history; none can take the others' verdicts down with it.

use crate::model::{self, Model};
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Op, ledger, linearizability, stats, weak};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The verdict of every checker by its name. Each gets the whole budget. A checker that panics gives
/// `unknown` with the message; a second checker of the same name is called `name-2`.
pub fn check_all(
    history: &History,
    checkers: &[Box<dyn Checker>],
    budget: Budget,
) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    for checker in checkers {
        let verdict = catch_unwind(AssertUnwindSafe(|| checker.check(history, budget)))
            .unwrap_or_else(|panic| {
                Verdict::unknown(format!("the checker itself failed: {}", message(&*panic)))
            });
        let mut name = checker.name().to_owned();
        let mut count = 1;
        while verdicts.contains_key(&name) {
            count += 1;
            name = format!("{}-{count}", checker.name());
        }
        verdicts.insert(name, verdict);
    }
    verdicts
}

/// Models that [`checkers_for`] knows, with what they judge.
pub const MODELS: &[(&str, &str)] = &[
    (
        "register",
        "read and write of single values; linearizable, at first nil",
    ),
    (
        "cas-register",
        "read, write and cas of single values; linearizable, at first nil",
    ),
    (
        "ledger",
        "append and list: what was acknowledged must be there in the end, once and in order",
    ),
    (
        "counter",
        "add and read of numbers; linearizable, at first 0",
    ),
    (
        "fenced-lock",
        "acquire and release of locks whose tokens grow; linearizable",
    ),
    (
        "fifo-queue",
        "enqueue and dequeue, nil: it was empty; linearizable",
    ),
    (
        "key-value",
        "read, write, delete, cas and concat of single values; linearizable, at first nil",
    ),
    ("log", "append and list; linearizable, at first empty"),
    (
        "multi-register",
        "transactions and single reads and writes over all registers together; linearizable, at first nil",
    ),
    (
        "mutex",
        "acquire and release of locks, not reentrant; linearizable",
    ),
    (
        "semaphore",
        "acquire and release of permits, as many as in semaphore=N (else 1); linearizable",
    ),
    (
        "set",
        "add, remove and list of numbers; linearizable, at first empty",
    ),
    ("stack", "push and pop, nil: it was empty; linearizable"),
];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown model {name:?}; known: {known} (join several with +)")]
pub struct UnknownModel {
    pub name: String,
    pub known: String,
}

/// The checkers that judge a history of `model`, as named in its header: one model, or several joined
/// by `+`, each with its argument after `=` where it takes one.
pub fn checkers_for(model: &str) -> Result<Vec<Box<dyn Checker>>, UnknownModel> {
    let mut checkers: Vec<Box<dyn Checker>> = vec![Box::new(stats::Stats)];
    for name in model.split('+').map(str::trim) {
        let (base, argument) = match name.split_once('=') {
            Some((base, argument)) => (base, Some(argument)),
            None => (name, None),
        };
        let found: Option<Box<dyn Checker>> = match base {
            "ledger" if argument.is_none() => Some(Box::new(ledger::Ledger::new())),
            _ => model::with(base, argument, Linearizable).or_else(|| weak::by_name(name)),
        };
        checkers.push(found.ok_or_else(|| {
            let known: Vec<&str> = MODELS.iter().map(|(name, _)| *name).collect();
            UnknownModel {
                name: name.to_owned(),
                known: known.join(", "),
            }
        })?);
    }
    Ok(checkers)
}

/// Judges by any model whether it looks like one object.
struct Linearizable;

impl model::Visitor for Linearizable {
    type Output = Box<dyn Checker>;

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) -> Box<dyn Checker> {
        Box::new(linearizability::Linearizable::new(initial, owns))
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validity;

    struct Broken;

    impl Checker for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn check(&self, history: &History, _: Budget) -> Verdict {
            panic!("no room for {} events", history.events.len())
        }
    }

    #[test]
    fn a_checker_that_panics_is_unknown_and_spoils_nothing() {
        let checkers: Vec<Box<dyn Checker>> =
            vec![Box::new(Broken), Box::new(stats::Stats), Box::new(Broken)];
        let verdicts = check_all(&History::default(), &checkers, Budget::default());
        let names: Vec<&str> = verdicts.keys().map(String::as_str).collect();
        assert_eq!(names, ["broken", "broken-2", "stats"]);
        assert_eq!(verdicts["broken"].valid, Validity::Unknown);
        assert_eq!(
            verdicts["broken"].reason,
            "the checker itself failed: no room for 0 events"
        );
        assert_eq!(verdicts["stats"].reason, "the history has no operations");
    }

    #[test]
    fn models_are_found_by_name_and_joined() {
        for (name, _) in MODELS {
            assert_eq!(checkers_for(name).unwrap().len(), 2);
        }
        assert_eq!(checkers_for("cas-register+ledger").unwrap().len(), 3);
        let error = checkers_for("queue").map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with("unknown model \"queue\"; known: register, cas-register, ledger, "),
            "{error}"
        );
        assert!(checkers_for("semaphore=3").is_ok());
        for wrong in ["semaphore=0", "semaphore=x", "mutex=2", "ledger=1"] {
            assert!(checkers_for(wrong).is_err());
        }
    }
}
