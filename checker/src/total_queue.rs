//! Queues as a whole: what was put in comes out, once, and nothing else does.
//!
//! The order is not judged (the model `fifo-queue` does that), so this holds of queues that promise to
//! deliver only: each dequeued value was enqueued before, by an enqueue of its own that did not fail, and
//! each acknowledged value is dequeued before the queue is empty for good. A queue is taken to be empty
//! for good where the dequeue that came back empty-handed and was invoked last says so; what was
//! acknowledged before that and never dequeued is lost. What was acknowledged later, or in a queue that
//! was never found empty, may still be in it: then the verdict is unknown.
//!
//! A dequeue of unknown outcome may have taken any one value. So there are losses only where more values
//! are missing than such dequeues can account for.
//!
//! Values may be enqueued more than once. Whether dequeues can be matched with enqueues that began before
//! they ended is decided per value from both sides, earliest first and latest first; where each side
//! alone can be matched, both can at once (Mendelsohn and Dulmage 1958).

use crate::findings::{Case, Exhausted, Findings, Limits, examine, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Op, Ret, Value};
use std::collections::{BTreeMap, HashMap};

/// Judges `enqueue` and `dequeue`, in O(n log n).
#[derive(Clone, Copy, Debug, Default)]
pub struct TotalQueue;

/// The operations on one queue.
#[derive(Default)]
struct Queue<'a> {
    values: HashMap<&'a Value, Traffic<'a>>,
    /// Of the dequeues that found nothing, the one invoked last.
    empty: Option<&'a Operation<'a>>,
    dequeues_unknown: u64,
}

/// What happened to one value.
#[derive(Default)]
struct Traffic<'a> {
    /// Enqueues that did not fail, in the order of their invocations.
    enqueues: Vec<&'a Operation<'a>>,
    failed: Option<&'a Operation<'a>>,
    /// In the order of their completions once [`Traffic::sort`] was called.
    dequeues: Vec<&'a Operation<'a>>,
}

#[derive(Default)]
struct Figures {
    acknowledged: u64,
    dequeued: u64,
    recovered: u64,
    remaining: u64,
}

impl Checker for TotalQueue {
    fn name(&self) -> &'static str {
        "total-queue"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            judge(operations, limits)
        })
    }
}

fn judge<'a>(operations: &'a [Operation<'a>], limits: &mut Limits) -> Result<Verdict, Exhausted> {
    let mut queues = collect(operations);
    let mut findings = Findings::of(&[
        ("lost", "values are lost"),
        ("duplicated", "values came out more often than they went in"),
        ("unexpected", "values came out that nobody had put in"),
    ]);
    let mut figures = Figures::default();
    for (key, queue) in &mut queues {
        // In the order of their first operations, so that the same history gets the same words.
        let mut values: Vec<(&Value, Traffic<'_>)> = queue.values.drain().collect();
        values.sort_unstable_by_key(|(_, traffic)| traffic.first());
        let mut lost: Vec<(&Value, &Operation<'_>)> = Vec::new();
        for (value, mut traffic) in values {
            limits.spend(1 + traffic.enqueues.len() + traffic.dequeues.len())?;
            traffic.sort();
            figures.count(&traffic);
            traffic.strangers(key, value, &mut findings);
            let gone = |enqueue: &Operation<'_>| {
                let empty = queue.empty.map(|empty| empty.invoked_at);
                empty.is_some_and(|empty| enqueue.completed_at < Some(empty))
            };
            // Dequeues that may have taken either are counted for what must be gone.
            let missing = traffic.missing(gone);
            figures.remaining += (traffic.missing(|_| true).len() - missing.len()) as u64;
            lost.extend(missing.into_iter().map(|enqueue| (value, enqueue)));
        }
        if let Some(empty) = queue.empty {
            judge_lost(key, &lost, empty, queue.dequeues_unknown, &mut findings);
        }
    }
    let Figures {
        acknowledged,
        dequeued,
        recovered,
        remaining,
    } = figures;
    let verdict = findings.verdict(|| match (acknowledged, dequeued, remaining) {
        (0, _, _) => Verdict::unknown("nothing was enqueued"),
        (_, 0, _) if queues.values().all(|queue| queue.empty.is_none()) => {
            Verdict::unknown("nothing was dequeued")
        }
        (_, _, 0) => Verdict::valid(),
        _ => Verdict::unknown(format!(
            "{remaining} acknowledged values were not dequeued, and no queue was found empty after them"
        )),
    });
    Ok(verdict
        .with("queues", queues.len())
        .with("acknowledged", acknowledged)
        .with("dequeued", dequeued)
        .with("recovered", recovered)
        .with("remaining", remaining)
        .with(
            "dequeues_unknown",
            queues
                .values()
                .map(|queue| queue.dequeues_unknown)
                .sum::<u64>(),
        ))
}

/// Of `lost` as many may have been taken by dequeues whose answers were lost, too.
fn judge_lost<'a>(
    key: &Key,
    lost: &[(&Value, &'a Operation<'a>)],
    empty: &'a Operation<'a>,
    dequeues_unknown: u64,
    findings: &mut Findings,
) {
    let excused = usize::try_from(dequeues_unknown).unwrap_or(usize::MAX);
    for (value, enqueue) in lost.iter().skip(excused) {
        findings.add("lost", || {
            let mut text = format!(
                "value {value} of queue {key} is lost: its enqueue by {} was acknowledged and nobody dequeued it, but {} found the queue empty",
                who(enqueue),
                who(empty)
            );
            let mut named = vec![*enqueue, empty];
            if excused > 0 {
                // Any of them may be the lost one, so all that are one too many are named.
                let all: Vec<String> = lost.iter().map(|(v, _)| v.to_string()).collect();
                text = format!(
                    "of the values {} of queue {key}, which were acknowledged and never seen again, only {excused} can have been taken by dequeues of unknown outcome, but {} found the queue empty",
                    few(&all),
                    who(empty)
                );
                named.extend(lost.iter().take(LISTED).map(|(_, enqueue)| *enqueue));
            }
            Case::new(text, named)
        });
    }
}

/// How many values a sentence lists.
const LISTED: usize = 8;

fn few(all: &[String]) -> String {
    match all.len() {
        0..=LISTED => all.join(", "),
        n => format!("{} and {} more", all[..LISTED].join(", "), n - LISTED),
    }
}

fn collect<'a>(operations: &'a [Operation<'a>]) -> BTreeMap<&'a Key, Queue<'a>> {
    let mut queues: BTreeMap<&Key, Queue<'_>> = BTreeMap::new();
    for operation in operations {
        match (operation.op(), operation.ret()) {
            (Op::Enqueue { key, value }, _) => {
                let traffic = queues
                    .entry(key)
                    .or_default()
                    .values
                    .entry(value)
                    .or_default();
                match operation.failure() {
                    Some(_) => traffic.failed = traffic.failed.or(Some(operation)),
                    None => traffic.enqueues.push(operation),
                }
            }
            (Op::Dequeue { key }, Some(Ret::Value(Value::Nil))) => {
                queues.entry(key).or_default().empty = Some(operation);
            }
            (Op::Dequeue { key }, Some(Ret::Value(value))) => {
                let queue = queues.entry(key).or_default();
                queue
                    .values
                    .entry(value)
                    .or_default()
                    .dequeues
                    .push(operation);
            }
            (Op::Dequeue { key }, _) if operation.is_unknown() => {
                queues.entry(key).or_default().dequeues_unknown += 1;
            }
            _ => {}
        }
    }
    queues
}

impl<'a> Traffic<'a> {
    fn first(&self) -> Option<usize> {
        let firsts = [self.enqueues.first(), self.dequeues.first()];
        let firsts = firsts.into_iter().flatten().chain(&self.failed);
        firsts.map(|operation| operation.invoked_at).min()
    }

    fn sort(&mut self) {
        self.dequeues
            .sort_unstable_by_key(|dequeue| dequeue.completed_at);
    }

    /// Of the acknowledged enqueues that are `due`, those that no dequeue can have answered: each of the others
    /// has one of its own that ended after it began. The latest have the fewest to choose from, so they choose
    /// first.
    fn missing(&self, due: impl Fn(&Operation<'a>) -> bool) -> Vec<&'a Operation<'a>> {
        let mut dequeues = self.dequeues.iter().rev().peekable();
        let mut missing: Vec<&Operation<'_>> = self
            .enqueues
            .iter()
            .rev()
            .filter(|enqueue| enqueue.is_ok() && due(enqueue))
            .filter(|enqueue| {
                let after =
                    |dequeue: &&&Operation<'_>| dequeue.completed_at > Some(enqueue.invoked_at);
                dequeues.next_if(after).is_none()
            })
            .copied()
            .collect();
        missing.reverse();
        missing
    }

    /// Dequeues without an enqueue of their own that began before they ended. The earliest have the fewest
    /// to choose from, so they choose first.
    fn strangers(&self, key: &Key, value: &Value, findings: &mut Findings) {
        let mut enqueues = self.enqueues.iter().peekable();
        let mut earlier: Option<&Operation<'_>> = None;
        for dequeue in &self.dequeues {
            let before =
                |enqueue: &&&Operation<'_>| Some(enqueue.invoked_at) < dequeue.completed_at;
            if enqueues.next_if(before).is_some() {
                earlier = Some(dequeue);
                continue;
            }
            let whose = who(dequeue);
            match (earlier, self.enqueues.first()) {
                (Some(earlier), _) => findings.add("duplicated", || {
                    let text = format!(
                        "value {value} of queue {key} came out more often than it went in: {} dequeued it, and {whose} again",
                        who(earlier)
                    );
                    Case::new(text, [earlier, *dequeue])
                }),
                (None, Some(enqueue)) => findings.add("unexpected", || {
                    let text = format!(
                        "{whose} dequeued {value} from queue {key} before {} enqueued it",
                        who(enqueue)
                    );
                    Case::new(text, [*enqueue, *dequeue])
                }),
                (None, None) => findings.add("unexpected", || match self.failed {
                    Some(failed) => {
                        let text = format!(
                            "{whose} dequeued {value} from queue {key}, but the enqueue of {} failed",
                            who(failed)
                        );
                        Case::new(text, [failed, *dequeue])
                    }
                    None => {
                        let text = format!(
                            "{whose} dequeued {value} from queue {key}, which nobody enqueued"
                        );
                        Case::new(text, [*dequeue])
                    }
                }),
            }
        }
    }
}

impl Figures {
    fn count(&mut self, traffic: &Traffic<'_>) {
        let acknowledged = traffic.enqueues.iter().filter(|e| e.is_ok()).count();
        self.acknowledged += acknowledged as u64;
        self.dequeued += traffic.dequeues.len() as u64;
        let unknown = traffic.enqueues.len() - acknowledged;
        let beyond = traffic.dequeues.len().saturating_sub(acknowledged);
        self.recovered += beyond.min(unknown) as u64;
    }
}
