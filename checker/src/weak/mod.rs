//! Promises that are weaker than linearizability, for systems that make no more.
//!
//! | name | what holds | where |
//! |---|---|---|
//! | `sequential:MODEL` | all operations on an object have one order, which keeps the order of each process, if not real time | [`Sequential`] |
//! | `bounded-staleness=DURATION:MODEL` | writes are linearizable; a read may show what was there up to so long before it began | [`BoundedStaleness`] |
//! | `session` | the four session guarantees: read your writes, monotonic reads, monotonic writes, writes follow reads | [`Session`] |
//!
//! All three judge each object by itself: what a system promises across objects is not looked at. Without
//! `:MODEL`, objects are cas-registers.

mod bounded_staleness;
mod sequential;
mod session;

pub use bounded_staleness::BoundedStaleness;
pub use sequential::Sequential;
pub use session::{Guarantee, Session};

use crate::history::Operation;
use crate::model::{self, Model};
use crate::verdict::Checker;
use crate::{Key, Op};
use std::collections::BTreeMap;
use std::time::Duration;

/// How old a read may be where nothing else is said.
const BOUND: Duration = Duration::from_secs(1);

/// The checker of this name, with its arguments; `None`: there is none.
pub fn by_name(name: &str) -> Option<Box<dyn Checker>> {
    let (head, of) = match name.split_once(':') {
        Some((head, of)) => (head, of),
        None => (name, "cas-register"),
    };
    let (of, of_argument) = match of.split_once('=') {
        Some((of, argument)) => (of, Some(argument)),
        None => (of, None),
    };
    let (head, argument) = match head.split_once('=') {
        Some((head, argument)) => (head, Some(argument)),
        None => (head, None),
    };
    match (head, argument) {
        ("sequential", None) => model::with(of, of_argument, MakeSequential),
        ("bounded-staleness", argument) => {
            let bound = argument.map_or(Some(BOUND), duration)?;
            model::with(of, of_argument, MakeBoundedStaleness(bound))
        }
        ("session", argument) if !name.contains(':') => {
            let guarantees = match argument {
                None => Guarantee::ALL.to_vec(),
                Some(names) => {
                    let guarantees = names.split(',').map(|name| name.parse().ok());
                    guarantees.collect::<Option<_>>()?
                }
            };
            Some(Box::new(Session::of(guarantees)))
        }
        _ => None,
    }
}

struct MakeSequential;

impl model::Visitor for MakeSequential {
    type Output = Box<dyn Checker>;

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) -> Box<dyn Checker> {
        Box::new(Sequential::new(initial, owns))
    }
}

struct MakeBoundedStaleness(Duration);

impl model::Visitor for MakeBoundedStaleness {
    type Output = Box<dyn Checker>;

    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) -> Box<dyn Checker> {
        Box::new(BoundedStaleness::new(self.0, initial, owns))
    }
}

/// A whole number with its unit: `500ms`, `5s`, `1m`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_nanos)
}

/// The operations on each object, in the order of their invocations.
fn objects<'a, M: Model>(
    operations: &[Operation<'a>],
    owns: impl Fn(&Op) -> bool,
) -> BTreeMap<Option<Key>, Vec<Operation<'a>>> {
    let mut objects: BTreeMap<Option<Key>, Vec<Operation<'a>>> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| owns(operation.op())) {
        let object = objects.entry(M::partition(operation.op())).or_default();
        object.push(*operation);
    }
    objects
}

fn name_of(key: &Option<Key>) -> String {
    key.as_ref()
        .map_or_else(|| "the object".to_owned(), |key| format!("key {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weaker_models_are_found_by_name() {
        for name in [
            "sequential",
            "sequential:key-value",
            "sequential:semaphore=2",
            "bounded-staleness",
            "bounded-staleness=500ms",
            "bounded-staleness=5s:set",
            "session",
            "session=monotonic-reads",
            "session=read-your-writes,monotonic-writes",
        ] {
            assert!(by_name(name).is_some(), "{name}");
        }
        for name in [
            "sequential:bank",
            "sequential=3",
            "bounded-staleness=5",
            "bounded-staleness=s",
            "bounded-staleness=-1s",
            "session=monotonic",
            "session:register",
            "causal",
        ] {
            assert!(by_name(name).is_none(), "{name}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("99999999999999h"), None);
        assert_eq!(duration(""), None);
    }
}
