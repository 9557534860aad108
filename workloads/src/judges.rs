//! What judges a workload's histories: the checkers of its model, and only its own operations.

use checker::history::History;
use checker::{Budget, Checker, Key, Mop, Op, Verdict};
use std::ops::Range;

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

/// Shows a checker only the operations on some keys, in a history of several workloads.
pub(crate) struct Scoped {
    pub keys: Vec<Range<i64>>,
    pub checker: Box<dyn Checker>,
}

impl Checker for Scoped {
    fn name(&self) -> &'static str {
        self.checker.name()
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        let own = History {
            header: history.header.clone(),
            events: history
                .events
                .iter()
                .filter(|event| concerns(&event.op, &self.keys))
                .cloned()
                .collect(),
            nemesis: history.nemesis.clone(),
            truncated: history.truncated,
        };
        self.checker.check(&own, budget)
    }
}

/// Whether an operation is on one of these keys.
pub(crate) fn concerns(op: &Op, keys: &[Range<i64>]) -> bool {
    let of = |key: &Key| match key {
        Key::Int(number) => keys.iter().any(|keys| keys.contains(number)),
        Key::Text(_) => false,
    };
    match op {
        Op::Transfer { from, .. } => of(from),
        Op::ReadAll { keys } => keys.iter().any(of),
        Op::Txn { ops } => ops.iter().map(Mop::key).any(of),
        op => op.key().is_some_and(of),
    }
}
