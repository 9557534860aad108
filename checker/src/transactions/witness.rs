//! Anomalies as they are reported: the transactions concerned, and a sentence for every step.

use super::anomalies::Name;
use super::graph::{EdgeKind, Kinds, PROCESS, REALTIME};
use super::infer::Evidence;
use super::intern::{Action, Transactions, TxnId};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// An anomaly with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    pub name: Name,
    /// One sentence.
    pub why: String,
    /// The transactions concerned. Those of a cycle each lead to the next, the last to the first.
    pub steps: Vec<Step>,
    /// So many steps of a very long cycle are left out before its last.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A transaction of an anomaly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The index of its invocation event; `T` with this number names the transaction in sentences.
    pub index: u64,
    /// The transaction as it was seen: `T3: r(x, [1]) append(y, 2)`.
    pub text: String,
    /// In a cycle: the kind of its dependency to the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<EdgeKind>,
    /// In a cycle: what shows that dependency.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A list, shortened in the middle where it is long.
pub(super) struct Shortened<'a>(pub &'a [i64]);

/// Of a long list so many elements are shown at the beginning and at the end.
const SHOWN_FIRST: usize = 3;
const SHOWN_LAST: usize = 5;

impl Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.0;
        let cut = list.len() > SHOWN_FIRST + SHOWN_LAST + 1;
        f.write_str("[")?;
        for (at, element) in list.iter().enumerate() {
            if cut && at == SHOWN_FIRST {
                f.write_str(" ...")?;
            }
            if cut && (SHOWN_FIRST..list.len() - SHOWN_LAST).contains(&at) {
                continue;
            }
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{element}")?;
        }
        f.write_str("]")
    }
}

impl Transactions<'_> {
    /// The index of the invocation.
    pub fn index(&self, id: TxnId) -> u64 {
        self.get(id).operation.invocation.index
    }

    /// `T` and the index of the invocation.
    pub fn name(&self, id: TxnId) -> String {
        format!("T{}", self.index(id))
    }

    /// The transaction with what it saw.
    pub fn text(&self, id: TxnId) -> String {
        let mut text = self.name(id) + ":";
        for step in self.steps(id) {
            let key = self.keys[step.key.at()];
            text += &match step.action {
                Action::Append(value) => format!(" append({key}, {value})"),
                Action::Write(value) => format!(" w({key}, {value})"),
                Action::ReadList(list) => format!(" r({key}, {})", Shortened(list)),
                Action::Read(value) => format!(" r({key}, {value})"),
                Action::Unseen => format!(" r({key}, ?)"),
            };
        }
        text
    }

    /// An anomaly that shows without a cycle.
    pub fn anomaly(&self, name: Name, concerned: &[TxnId], why: String) -> Anomaly {
        let steps = concerned
            .iter()
            .map(|id| Step {
                index: self.index(*id),
                text: self.text(*id),
                edge: None,
                why: String::new(),
            })
            .collect();
        Anomaly {
            name,
            why,
            steps,
            left_out: 0,
        }
    }

    /// A cycle of dependencies: each transaction with the kind of its dependency to the next.
    pub fn cycle(&self, name: Name, cycle: &[(TxnId, Kinds)], data: &impl Evidence) -> Anomaly {
        let shown = |at: &usize| *at < STEPS_SHOWN || *at + 1 == cycle.len();
        let mut steps = Vec::new();
        for at in (0..cycle.len()).filter(shown) {
            let (from, kind) = cycle[at];
            let (to, _) = cycle[(at + 1) % cycle.len()];
            let why = match kind {
                PROCESS => Some(format!(
                    "process {} did {} before {}",
                    self.get(from).operation.invocation.process,
                    self.name(from),
                    self.name(to)
                )),
                REALTIME => Some(format!(
                    "{} was completed before {} was invoked",
                    self.name(from),
                    self.name(to)
                )),
                _ => data.why(from, to, kind),
            };
            steps.push(Step {
                index: self.index(from),
                text: self.text(from),
                edge: EdgeKind::of(kind),
                why: why.unwrap_or_default(),
            });
        }
        let whys: Vec<&str> = steps.iter().map(|step| step.why.as_str()).collect();
        Anomaly {
            name,
            why: sentence(&whys, cycle.len()),
            left_out: cycle.len() - steps.len(),
            steps,
        }
    }
}

/// Of a long cycle so many steps are kept, besides the last.
const STEPS_SHOWN: usize = 500;

/// Of a long cycle so many reasons are told in its sentence.
const REASONS_TOLD: usize = 4;

fn sentence(whys: &[&str], length: usize) -> String {
    if length <= REASONS_TOLD {
        return whys.join("; ");
    }
    let told = whys[..REASONS_TOLD].join("; ");
    format!("{told}; and {} steps more", length - REASONS_TOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_shortened_in_the_middle() {
        let list: Vec<i64> = (1..=20).collect();
        assert_eq!(Shortened(&list).to_string(), "[1 2 3 ... 16 17 18 19 20]");
        assert_eq!(Shortened(&list[..9]).to_string(), "[1 2 3 4 5 6 7 8 9]");
        assert_eq!(Shortened(&[]).to_string(), "[]");
    }
}
