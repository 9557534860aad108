//! Runs several checkers over one history; none can take the others' verdicts down with it.

use crate::History;
use crate::verdict::{Budget, Checker, Verdict};
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
    for (name, checker) in named(checkers) {
        let verdict = catch_unwind(AssertUnwindSafe(|| checker.check(history, budget)))
            .unwrap_or_else(|panic| {
                Verdict::unknown(format!("the checker itself failed: {}", message(&*panic)))
            });
        verdicts.insert(name, verdict);
    }
    verdicts
}

/// The checkers by the names under which their verdicts are kept.
pub(crate) fn named(checkers: &[Box<dyn Checker>]) -> impl Iterator<Item = (String, &dyn Checker)> {
    checkers.iter().enumerate().map(|(at, checker)| {
        let before = checkers[..at].iter();
        let same = before
            .filter(|other| other.name() == checker.name())
            .count();
        let name = match same {
            0 => checker.name().to_owned(),
            same => format!("{}-{}", checker.name(), same + 1),
        };
        (name, &**checker)
    })
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
    use crate::{Validity, stats};

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
}
