//! Checkers by the names of what they judge.

use crate::model::{self, Model};
use crate::transactions::Transactional;
use crate::verdict::Checker;
use crate::{
    Op, bank, causal, causal_reverse, counter_bounds, ledger, linearizability, long_fork,
    monotonic, set_full, stats, total_queue, unique_ids, weak,
};

/// Models that [`checkers_for`] knows, with what they judge.
pub const MODELS: &[(&str, &str)] = &[
    (
        "bank",
        "transfer and read-all: every read of all accounts shows the same total; `bank=TOTAL` says which, `bank=overdrafts` allows debts",
    ),
    (
        "bounded-staleness",
        "linearizable, but reads may be old: bounded-staleness=DURATION (else 1s), with :MODEL if it is not cas-register",
    ),
    (
        "cas-register",
        "read, write and cas of single values; linearizable, at first nil, or 0 in cas-register=0",
    ),
    (
        "causal",
        "reads and writes of unique values: whoever sees an effect sees its causes",
    ),
    (
        "causal-reverse",
        "registers written once, or sets: no write is seen without those acknowledged before it",
    ),
    (
        "counter",
        "add and read of numbers; linearizable, at first 0",
    ),
    (
        "counter-bounds",
        "add and read of numbers: each read lies between what was added and what may have been",
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
    (
        "ledger",
        "append and list: what was acknowledged must be there in the end, once and in order",
    ),
    (
        "list-append",
        "transactions that append to lists and read them; strict-serializable, or list-append=MODEL",
    ),
    ("log", "append and list; linearizable, at first empty"),
    (
        "long-fork",
        "registers written once: all reads of several see the writes in one order",
    ),
    (
        "monotonic",
        "read of numbers that may only grow; `monotonic=process`: as each process sees them",
    ),
    (
        "multi-register",
        "transactions and single reads and writes over all registers together; linearizable, at first nil",
    ),
    (
        "mutex",
        "acquire and release of locks, not reentrant; linearizable",
    ),
    (
        "register",
        "read and write of single values; linearizable, at first nil, or 0 in register=0",
    ),
    (
        "rw-register",
        "transactions that write and read registers; strict-serializable, or rw-register=MODEL",
    ),
    (
        "semaphore",
        "acquire and release of permits, as many as in semaphore=N (else 1); linearizable",
    ),
    (
        "sequential",
        "each object sequentially consistent, with :MODEL if it is not cas-register",
    ),
    (
        "session",
        "read your writes, monotonic reads, monotonic writes, writes follow reads, of registers with unique values; or session=SOME,MORE",
    ),
    (
        "set",
        "add, remove and list of numbers; linearizable, at first empty",
    ),
    (
        "set-full",
        "add and list: what became of each element; `set-full=linearizable`: seen at once, too",
    ),
    ("stack", "push and pop, nil: it was empty; linearizable"),
    (
        "total-queue",
        "enqueue and dequeue: what was put in comes out, once, in any order",
    ),
    ("unique-ids", "generate: no id is given twice"),
];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownModel {
    #[error("unknown model {name:?}; known: {known} (join several with +)")]
    Name { name: String, known: String },
    /// There is such a model, but not with what stands behind its name.
    #[error("model {name:?} can't be had like this; {base}: {help}")]
    Argument {
        name: String,
        base: &'static str,
        help: &'static str,
    },
}

impl UnknownModel {
    fn of(name: &str) -> Self {
        let base = name.split(['=', ':']).next().unwrap_or_default().trim();
        match MODELS.iter().find(|(known, _)| *known == base) {
            Some((base, help)) => UnknownModel::Argument {
                name: name.to_owned(),
                base,
                help,
            },
            None => {
                let known: Vec<&str> = MODELS.iter().map(|(name, _)| *name).collect();
                UnknownModel::Name {
                    name: name.to_owned(),
                    known: known.join(", "),
                }
            }
        }
    }
}

/// The checkers that judge a history of `model`, as named in its header: one model, or several joined
/// by `+`, each with its argument after `=` where it takes one. Statistics come first.
pub fn checkers_for(model: &str) -> Result<Vec<Box<dyn Checker>>, UnknownModel> {
    let mut checkers: Vec<Box<dyn Checker>> = vec![Box::new(stats::Stats)];
    for name in model.split('+').map(str::trim) {
        let (base, argument) = match name.split_once('=') {
            Some((base, argument)) => (base.trim(), Some(argument.trim())),
            None => (name, None),
        };
        let found = model::with(base, argument, Linearizable)
            .or_else(|| without_search(base, argument))
            .or_else(|| weak::by_name(name))
            .or_else(|| Some(Box::new(Transactional::by_name(name)?)));
        checkers.push(found.ok_or_else(|| UnknownModel::of(name))?);
    }
    Ok(checkers)
}

/// A checker that is no search for an order.
fn without_search(name: &str, argument: Option<&str>) -> Option<Box<dyn Checker>> {
    Some(match (name, argument) {
        ("bank", None) => Box::new(bank::Bank::new()),
        ("bank", Some("overdrafts")) => Box::new(bank::Bank::new().with_overdrafts()),
        ("bank", Some(total)) => Box::new(bank::Bank::new().with_total(total.parse().ok()?)),
        ("causal", None) => Box::new(causal::Causal),
        ("causal-reverse", None) => Box::new(causal_reverse::CausalReverse),
        ("counter-bounds", None) => Box::new(counter_bounds::CounterBounds),
        ("ledger", None) => Box::new(ledger::Ledger::new()),
        ("long-fork", None) => Box::new(long_fork::LongFork),
        ("monotonic", None) => Box::new(monotonic::Monotonic::new()),
        ("monotonic", Some("process")) => Box::new(monotonic::Monotonic::new().per_process()),
        ("set-full", None) => Box::new(set_full::SetFull::new()),
        ("set-full", Some("linearizable")) => Box::new(set_full::SetFull::new().linearizable()),
        ("total-queue", None) => Box::new(total_queue::TotalQueue),
        ("unique-ids", None) => Box::new(unique_ids::UniqueIds),
        _ => return None,
    })
}

/// Judges by any model whether it looks like one object.
struct Linearizable;

impl model::Visitor for Linearizable {
    type Output = Box<dyn Checker>;

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) -> Box<dyn Checker> {
        Box::new(linearizability::Linearizable::new(initial, owns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_by_name_and_joined() {
        for (name, _) in MODELS {
            assert_eq!(checkers_for(name).unwrap().len(), 2);
        }
        assert!(MODELS.is_sorted_by_key(|(name, _)| name));
        assert_eq!(checkers_for("cas-register+ledger").unwrap().len(), 3);
        let error = checkers_for("queue").map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "unknown model \"queue\"; known: bank, bounded-staleness, cas-register, "
            ),
            "{error}"
        );
        let error = checkers_for("semaphore=x").map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "model \"semaphore=x\" can't be had like this; semaphore: acquire and release of permits, \
             as many as in semaphore=N (else 1); linearizable"
        );
        for right in [
            "semaphore=3",
            "bank=-7",
            "bank=overdrafts",
            "set-full=linearizable",
            "sequential:register",
        ] {
            assert!(checkers_for(right).is_ok(), "{right}");
        }
        for wrong in [
            "semaphore=0",
            "semaphore=x",
            "mutex=2",
            "ledger=1",
            "bank=much",
            "monotonic=client",
            "causal=",
            "=",
            "",
        ] {
            assert!(checkers_for(wrong).is_err(), "{wrong}");
        }
    }
}
