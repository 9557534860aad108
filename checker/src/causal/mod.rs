//! Causal consistency of registers: whoever sees an effect sees its causes.
//!
//! An operation causes another if the same process did it before, or if the other read what it wrote, or
//! through a chain of such steps. Time on the clock causes nothing. Four things must not be (the bad
//! patterns of causal consistency in Bouajjani, Enea, Guerraoui and Hamza 2017, section 4):
//!
//! - *cyclic*: an operation causes itself;
//! - *thin air*: a value is read that nobody wrote, or whose write failed, or that a transaction wrote and
//!   replaced itself;
//! - *overwritten*: a write is read though another write of the register was caused by it and causes the
//!   read;
//! - *forgotten*: nil is read though a write of the register causes the read.
//!
//! An operation on several registers is one step: all that it reads it reads at once, all that it writes
//! appears at once. Where concurrent writes of a register must end up in the same order for everyone,
//! more is asked for than this.
//!
//! Each value that is read must have been written once, so that it names its write; else the verdict is
//! unknown. `links` finds who read from whom, `clocks` the causes of each operation, `chain` how one came to
//! cause another.

mod chain;
mod clocks;
mod links;

use crate::findings::{Case, Exhausted, Findings, Limits, examine, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Value};
use clocks::{Clocks, Order};
use links::{Links, Source};

/// Judges reads and writes of registers, alone or in transactions, in O(n p log n) time and O(n p) memory for
/// n operations by p processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Causal;

const KINDS: &[(&str, &str)] = &[
    ("cyclic", "operations cause themselves"),
    ("thin_air", "values were read that were never to be seen"),
    ("overwritten", "reads saw what had been overwritten"),
    ("forgotten", "reads forgot what had been written"),
];

impl Checker for Causal {
    fn name(&self) -> &'static str {
        "causal"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            judge(operations, limits)
        })
    }
}

fn judge<'a>(operations: &'a [Operation<'a>], limits: &mut Limits) -> Result<Verdict, Exhausted> {
    let links = match Links::find(operations, limits)? {
        Ok(links) => links,
        Err(ambiguous) => return Ok(Verdict::unknown(ambiguous)),
    };
    let mut findings = Findings::of(KINDS);
    for read in &links.reads {
        if let Source::ThinAir { why, by } = &read.source {
            findings.add("thin_air", || {
                let reader = &operations[read.by];
                let text = format!(
                    "{} read {} in key {}, {why}",
                    who(reader),
                    read.value,
                    read.key
                );
                Case::new(text, by.iter().map(|by| &operations[*by]).chain([reader]))
            });
        }
    }
    match Clocks::compute(operations.len(), &links, limits)? {
        Order::Cycle(cycle) => findings.add("cyclic", || {
            let steps: Vec<String> = cycle.iter().map(|at| who(&operations[*at])).collect();
            let text = format!(
                "operations cause one another in a circle: {}, and again the first",
                steps.join(", then ")
            );
            Case::new(text, cycle.iter().map(|at| &operations[*at]))
        }),
        Order::Clocks(clocks) => {
            for read in &links.reads {
                limits.spend(1 + links.sessions)?;
                compare(operations, &links, &clocks, read, &mut findings);
            }
        }
    }
    let reads = links.reads.len();
    let verdict = findings.verdict(|| match reads {
        0 => Verdict::unknown("nothing was read"),
        _ => Verdict::valid(),
    });
    Ok(verdict
        .with("reads", reads)
        .with("operations_linked", links.linked())
        .with("processes", links.sessions))
}

/// Looks among the causes of a read for a write that it must have seen instead.
fn compare<'a>(
    operations: &'a [Operation<'a>],
    links: &Links<'a>,
    clocks: &Clocks,
    read: &links::Read<'a>,
    findings: &mut Findings,
) {
    let later = |wrote: Option<usize>| {
        links.writes_of(read.key).find_map(|writes| {
            // Of the causes of the read, the last write of this process: if any of its writes is too
            // late, this one is.
            let known = clocks.known(read.by, writes.session);
            let last = writes.last_within(known)?;
            let too_late = wrote.is_none_or(|wrote| wrote != last && clocks.causes(wrote, last));
            too_late.then_some(last)
        })
    };
    let reader = &operations[read.by];
    let told = |text: String, chains: &[(usize, usize)]| {
        let mut steps: Vec<usize> = Vec::new();
        for (cause, effect) in chains {
            steps.extend(chain::between(operations.len(), links, *cause, *effect));
        }
        let between: Vec<usize> = steps
            .iter()
            .copied()
            .filter(|at| chains.iter().all(|(from, to)| at != from && at != to))
            .collect();
        let text = format!("{text}{}", by_way_of(operations, &between));
        Case::new(text, steps.iter().map(|at| &operations[*at]))
    };
    match read.source {
        Source::ThinAir { .. } => {}
        Source::Nobody => {
            if let Some(last) = later(None) {
                findings.add("forgotten", || {
                    let text = format!(
                        "{} read nil in key {}, but what {} wrote there is among its causes",
                        who(reader),
                        read.key,
                        who(&operations[last])
                    );
                    told(text, &[(last, read.by)])
                });
            }
        }
        Source::Write(wrote) => {
            if let Some(last) = later(Some(wrote)) {
                findings.add("overwritten", || {
                    let text = format!(
                        "{} read {} in key {}, written by {}, but {} overwrote that and is among the causes of the \
                         read",
                        who(reader),
                        read.value,
                        read.key,
                        who(&operations[wrote]),
                        who(&operations[last])
                    );
                    told(text, &[(wrote, last), (last, read.by)])
                });
            }
        }
    }
}

/// The steps between cause and effect, in words.
fn by_way_of(operations: &[Operation<'_>], between: &[usize]) -> String {
    const NAMED: usize = 6;
    let named = between.iter().take(NAMED);
    let steps: Vec<String> = named.map(|at| who(&operations[*at])).collect();
    match between.len() {
        0 => String::new(),
        1..=NAMED => format!(", by way of {}", steps.join(", ")),
        n => format!(", by way of {} and {} more", steps.join(", "), n - NAMED),
    }
}

impl Links<'_> {
    fn linked(&self) -> usize {
        self.session_of.iter().flatten().count()
    }
}

fn is_nil(value: &Value) -> bool {
    *value == Value::Nil
}
