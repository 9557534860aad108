//! Sets that only grow, element by element: when was it known to be there, and who did not see it?
//!
//! An element is *known* from the moment at which its add was acknowledged or a read that saw it ended,
//! whichever came first. From then on every read that begins must see it. The outcomes:
//!
//! - *lost*: a read that began after it was known lacks it, and every read that saw it had ended when
//!   that read began;
//! - *stable*: seen, and not lost. It is *stale* if some read that began after it was known lacked it.
//!   Its visibility latency is the time from when it was known to the beginning of the last such read;
//! - *never read*: neither seen nor lost, as no read began after it was known.
//!
//! Elements that are there twice in one read, and elements that nobody had asked for (or whose add was
//! declared failed), are violations. Stale reads are those of a set that promises no more than to show
//! everything in the end, unless it is to be [`linearizable`](SetFull::linearizable). Reads are judged
//! for each element alone: two reads that each lack what the other has are found by the model `set`.
//!
//! Elements that somebody removed are left out. Definitions as in Jepsen's `set-full`, except that a
//! read which was still open when the element was last missed counts as having seen it afterwards.

use crate::findings::{Case, Exhausted, Findings, Limits, examine, quantiles, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Op, Ret};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many elements of a kind the details list.
const LISTED: usize = 20;

/// Judges `add` and `list`, in time linear in the number of elements read, apart from sorting.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetFull {
    linearizable: bool,
}

/// The operations on one set.
#[derive(Default)]
struct Set<'a> {
    /// By element. Several adds of one element count as one that lasts from the first invocation to the
    /// first acknowledgement.
    elements: BTreeMap<i64, Element<'a>>,
    removed: HashSet<i64>,
    /// Successful reads in the order of their invocations.
    reads: Vec<&'a Operation<'a>>,
}

/// An operation with a position in the history.
type At<'a> = (usize, &'a Operation<'a>);

struct Element<'a> {
    add: &'a Operation<'a>,
    failed: bool,
    /// The earliest acknowledgement of an add.
    acknowledged: Option<At<'a>>,
    /// Of the reads that saw it: the one that ended first and the one that ended last.
    first_seen: Option<At<'a>>,
    last_seen: Option<At<'a>>,
    /// The last read, by its invocation, that lacked it.
    last_missed: Option<At<'a>>,
}

/// What became of the elements.
#[derive(Default)]
struct Outcomes {
    attempted: u64,
    acknowledged: u64,
    stable: u64,
    /// Seen though the add was never acknowledged.
    recovered: u64,
    never_read: Vec<i64>,
    lost: Vec<i64>,
    stale: Vec<i64>,
    visible_ms: Vec<f64>,
    lost_ms: Vec<f64>,
}

impl SetFull {
    pub fn new() -> Self {
        Self::default()
    }

    /// Stale reads are violations too.
    pub fn linearizable(self) -> Self {
        Self { linearizable: true }
    }

    fn judge<'a>(
        self,
        operations: &'a [Operation<'a>],
        limits: &mut Limits,
    ) -> Result<Verdict, Exhausted> {
        let mut sets = collect(operations);
        let mut findings = Findings::of(&[
            ("lost", "elements are lost"),
            ("duplicated", "duplicates in reads"),
            ("unexpected", "elements are there that nobody had added"),
            ("stale", "elements were read too late"),
        ]);
        let mut outcomes = Outcomes::default();
        let mut reads = 0;
        for (key, set) in &mut sets {
            reads += set.reads.len();
            observe(key, set, &mut findings, limits)?;
            for (value, element) in &set.elements {
                limits.spend(1)?;
                if !element.failed && !set.removed.contains(value) {
                    self.settle(key, *value, element, &mut outcomes, &mut findings);
                }
            }
        }
        let stable = outcomes.stable;
        let verdict = findings.verdict(|| match (reads, stable) {
            (0, _) => Verdict::unknown("no set was read"),
            (_, 0) => Verdict::unknown("no element was ever read"),
            _ => Verdict::valid(),
        });
        Ok(outcomes
            .tell(verdict)
            .with("sets", sets.len())
            .with("reads", reads))
    }

    fn settle(
        self,
        key: &Key,
        value: i64,
        element: &Element<'_>,
        outcomes: &mut Outcomes,
        findings: &mut Findings,
    ) {
        outcomes.attempted += 1;
        outcomes.acknowledged += u64::from(element.acknowledged.is_some());
        let known = element.known();
        // Only a read that began after it was known tells anything by lacking it.
        let missed = element
            .last_missed
            .filter(|(at, _)| known.is_some_and(|(known, _)| known < *at));
        let (Some((_, witness)), Some((missed_at, missed_by))) = (known, missed) else {
            if element.last_seen.is_some() {
                outcomes.stable(element, 0.0);
            } else {
                outcomes.never_read.push(value);
            }
            return;
        };
        let without = || format!("{} read the set without it", who(missed_by));
        if element.last_seen.is_none_or(|(seen, _)| seen < missed_at) {
            outcomes.lost.push(value);
            let gone = element
                .last_seen
                .map_or(0.0, |(_, by)| ms_between(witness, by));
            outcomes.lost_ms.push(gone);
            findings.add("lost", || {
                let text = format!(
                    "element {value} of set {key} is lost: {}, then {}, and nobody saw it after that",
                    element.knowledge(),
                    without()
                );
                Case::new(text, [element.add, witness, missed_by])
            });
            return;
        }
        let latency = began_after(witness, missed_by);
        outcomes.stable(element, latency);
        outcomes.stale.push(value);
        if self.linearizable {
            findings.add_weighed("stale", (latency * 1e6) as u128, || {
                let text = format!(
                    "element {value} of set {key} was read too late: {}, but {}",
                    element.knowledge(),
                    without()
                );
                Case::new(text, [element.add, witness, missed_by])
            });
        }
    }
}

impl Checker for SetFull {
    fn name(&self) -> &'static str {
        "set-full"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            self.judge(operations, limits)
        })
    }
}

impl<'a> Element<'a> {
    /// Since when it is certainly there, and the operation that shows it.
    fn known(&self) -> Option<At<'a>> {
        let both = self.acknowledged.into_iter().chain(self.first_seen);
        both.min_by_key(|(at, _)| *at)
    }

    fn knowledge(&self) -> String {
        match (self.known(), self.acknowledged) {
            (Some((known, _)), Some((at, add))) if known == at => {
                format!("the add of {} was acknowledged", who(add))
            }
            (Some((_, read)), _) => format!("{} read it", who(read)),
            (None, _) => "nobody knew of it".to_owned(),
        }
    }
}

impl Outcomes {
    fn stable(&mut self, element: &Element<'_>, latency_ms: f64) {
        self.stable += 1;
        self.recovered += u64::from(element.acknowledged.is_none());
        self.visible_ms.push(latency_ms);
    }

    fn tell(mut self, verdict: Verdict) -> Verdict {
        let first =
            |elements: &[i64]| -> Vec<i64> { elements.iter().take(LISTED).copied().collect() };
        let mut verdict = verdict
            .with("attempted", self.attempted)
            .with("acknowledged", self.acknowledged)
            .with("stable", self.stable)
            .with("recovered", self.recovered)
            .with("never_read", self.never_read.len())
            .with("lost", self.lost.len())
            .with("stale", self.stale.len())
            .with("visible_ms", quantiles(&mut self.visible_ms));
        if !self.lost.is_empty() {
            verdict = verdict.with("lost_ms", quantiles(&mut self.lost_ms));
        }
        for (name, elements) in [
            ("lost_elements", &self.lost),
            ("stale_elements", &self.stale),
            ("never_read_elements", &self.never_read),
        ] {
            if !elements.is_empty() {
                verdict = verdict.with(name, json!(first(elements)));
            }
        }
        verdict
    }
}

/// The sets of a history. Keys that are read as registers are counters, and those appended to are lists.
fn collect<'a>(operations: &'a [Operation<'a>]) -> BTreeMap<&'a Key, Set<'a>> {
    let mut sets: BTreeMap<&Key, Set<'_>> = BTreeMap::new();
    let mut others: HashSet<&Key> = HashSet::new();
    for operation in operations {
        match operation.op() {
            Op::Add { key, value } => sets.entry(key).or_default().add(*value, operation),
            Op::Remove { key, value } if operation.failure().is_none() => {
                sets.entry(key).or_default().removed.insert(*value);
            }
            Op::List { key } if operation.is_ok() => {
                sets.entry(key).or_default().reads.push(operation);
            }
            Op::Read { key } | Op::Append { key, .. } => {
                others.insert(key);
            }
            _ => {}
        }
    }
    sets.retain(|key, _| !others.contains(key));
    sets
}

impl<'a> Set<'a> {
    fn add(&mut self, value: i64, operation: &'a Operation<'a>) {
        let failed = operation.failure().is_some();
        let acknowledged = operation
            .completed_at
            .filter(|_| operation.is_ok())
            .map(|at| (at, operation));
        match self.elements.get_mut(&value) {
            Some(element) => {
                // An add that may have happened replaces one that did not.
                if element.failed && !failed {
                    element.add = operation;
                    element.failed = false;
                }
                let both = element.acknowledged.into_iter().chain(acknowledged);
                element.acknowledged = both.min_by_key(|(at, _)| *at);
            }
            None => {
                let element = Element {
                    add: operation,
                    failed,
                    acknowledged,
                    first_seen: None,
                    last_seen: None,
                    last_missed: None,
                };
                self.elements.insert(value, element);
            }
        }
    }
}

/// Goes through the reads of a set: who saw which element, and who lacked it last.
fn observe<'a>(
    key: &Key,
    set: &mut Set<'a>,
    findings: &mut Findings,
    limits: &mut Limits,
) -> Result<(), Exhausted> {
    // For each element the number of the read that has just seen it.
    let mut seen: HashMap<i64, usize> = HashMap::with_capacity(set.elements.len());
    // Elements whose last miss is still to be found. The reads come from the last to the first, and an
    // element stays only while reads see it: so all of this is no longer than the reads are together.
    let mut wanted: Vec<i64> = set.elements.keys().copied().collect();
    for (number, read) in set.reads.iter().enumerate().rev() {
        let (Some(Ret::List(items)), Some(ended)) = (read.ret(), read.completed_at) else {
            continue;
        };
        limits.spend(1 + items.len())?;
        for value in items {
            if seen.insert(*value, number) == Some(number) {
                findings.add("duplicated", || {
                    let add = set.elements.get(value).map(|element| element.add);
                    let added = add.map_or(String::new(), |add| format!(", added by {}", who(add)));
                    let text = format!("{} read {value} twice in set {key}{added}", who(read));
                    Case::new(text, add.into_iter().chain([*read]))
                });
                continue;
            }
            match set.elements.get_mut(value) {
                Some(element) if !element.failed && element.add.invoked_at < ended => {
                    let at = Some((ended, *read));
                    if element.first_seen.is_none_or(|(first, _)| ended < first) {
                        element.first_seen = at;
                    }
                    if element.last_seen.is_none_or(|(last, _)| last < ended) {
                        element.last_seen = at;
                    }
                }
                stranger => findings.add("unexpected", || unexpected(key, *value, read, stranger)),
            }
        }
        limits.spend(wanted.len())?;
        wanted.retain(|value| {
            let present = seen.get(value) == Some(&number);
            if !present && let Some(element) = set.elements.get_mut(value) {
                element.last_missed = Some((read.invoked_at, *read));
            }
            present
        });
    }
    Ok(())
}

fn unexpected<'a>(
    key: &Key,
    value: i64,
    read: &'a Operation<'a>,
    element: Option<&mut Element<'a>>,
) -> Case {
    let reader = who(read);
    match element {
        None => {
            let text = format!("{reader} read {value} in set {key}, which nobody ever added");
            Case::new(text, [read])
        }
        Some(element) => {
            let adder = who(element.add);
            let text = match element.failed {
                true => {
                    format!("{reader} read {value} in set {key}, but the add of {adder} failed")
                }
                false => format!("{reader} read {value} in set {key} before {adder} added it"),
            };
            Case::new(text, [element.add, read])
        }
    }
}

/// Milliseconds from when `witness` ended to when `read` began.
fn began_after(witness: &Operation<'_>, read: &Operation<'_>) -> f64 {
    let known = witness.completion.map_or(0, |event| event.time);
    read.invocation.time.saturating_sub(known) as f64 / 1e6
}

/// Milliseconds between the ends of two operations.
fn ms_between(earlier: &Operation<'_>, later: &Operation<'_>) -> f64 {
    let end = |operation: &Operation<'_>| operation.completion.map_or(0, |event| event.time);
    end(later).saturating_sub(end(earlier)) as f64 / 1e6
}
