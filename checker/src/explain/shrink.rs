//! Finds the few operations of an invalid history that are wrong by themselves.
//!
//! The judge is asked about ever smaller histories: first the operations that the verdict names, else
//! those on its key up to the completion that refutes it; then operations are left out in halves,
//! quarters and so on down to one by one (delta debugging: Zeller and Hildebrandt 2002). An operation
//! goes together with those that require it ([`Traces`]), so that the rest is wrong for a reason of the
//! whole and not because nobody wrote what is read.
//!
//! The result is *1-minimal* in this sense: leave out any one operation, with those that require it, and
//! the rest is not invalid any more.

use super::traces::Traces;
use crate::history::{Operation, StructureError};
use crate::{Event, History, Key, Validity};
use std::time::{Duration, Instant};

/// An answer `unknown` after this time means that the judge gave up, not that nothing is to be judged.
const GIVEN_UP: Duration = Duration::from_millis(500);

/// What the verdict tells of the place to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The object that was refuted.
    pub key: Option<Key>,
    /// Indices of the invocations of the operations that the verdict names.
    pub operations: Vec<u64>,
}

/// A smaller history that is invalid too.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    pub core: History,
    /// Indices of the invocations of its operations.
    pub operations: Vec<u64>,
    /// The core and, of the operations that the verdict names, those that require no others.
    pub with_named: History,
    /// Whether leaving out any one operation, with those that require it, makes it legal.
    pub minimal: bool,
    /// Why it is not certain that it is minimal.
    pub stopped: Option<String>,
    /// How many histories were judged.
    pub judged: u64,
}

/// Shrinks an invalid history; `None` if the judge does not call it invalid (in time).
pub fn shrink(
    history: &History,
    hints: &Hints,
    judge: &dyn Fn(&History) -> Validity,
    time: Duration,
) -> Result<Option<Shrunk>, StructureError> {
    let operations = history.operations()?;
    let mut shrinking = Shrinking {
        history,
        traces: Traces::of(&operations),
        named: operations
            .iter()
            .map(|operation| hints.operations.contains(&operation.invocation.index))
            .collect(),
        operations,
        judge,
        deadline: Instant::now() + time,
        judged: 0,
        given_up: 0,
    };
    Ok(shrinking.run(hints))
}

impl Shrunk {
    /// The core without one operation and those that require it: what it is minimal against. `history` is
    /// the one that was shrunk, `index` that of the operation's invocation.
    pub fn without(&self, history: &History, index: u64) -> Result<History, StructureError> {
        let operations = history.operations()?;
        let stays = |operation: &Operation<'_>| {
            let own = operation.invocation.index;
            own != index && self.operations.contains(&own)
        };
        let mut kept: Vec<bool> = operations.iter().map(stays).collect();
        Traces::of(&operations).close(&mut kept);
        let mut less = pick(history, &operations, &kept, usize::MAX);
        let end = self.core.events.last().map(|event| event.index);
        less.events.retain(|event| Some(event.index) <= end);
        Ok(less)
    }
}

/// The history of some of the operations, by the indices of their invocations.
pub fn only(history: &History, indices: &[u64]) -> Result<History, StructureError> {
    let operations = history.operations()?;
    let kept: Vec<bool> = operations
        .iter()
        .map(|operation| indices.contains(&operation.invocation.index))
        .collect();
    Ok(pick(history, &operations, &kept, usize::MAX))
}

/// The kept operations, with the events before position `cut` only.
fn pick(history: &History, operations: &[Operation<'_>], kept: &[bool], cut: usize) -> History {
    let mut events: Vec<(usize, &Event)> = Vec::new();
    for (operation, _) in operations.iter().zip(kept).filter(|(_, kept)| **kept) {
        events.push((operation.invoked_at, operation.invocation));
        if let (Some(at), Some(completion)) = (operation.completed_at, operation.completion) {
            events.push((at, completion));
        }
    }
    events.retain(|(at, _)| *at < cut);
    events.sort_unstable_by_key(|(at, _)| *at);
    History {
        header: history.header.clone(),
        events: events.into_iter().map(|(_, event)| event.clone()).collect(),
        nemesis: Vec::new(),
        truncated: false,
    }
}

struct Shrinking<'h> {
    history: &'h History,
    operations: Vec<Operation<'h>>,
    traces: Traces,
    named: Vec<bool>,
    judge: &'h dyn Fn(&History) -> Validity,
    deadline: Instant,
    judged: u64,
    /// Histories that the judge gave up.
    given_up: u64,
}

impl Shrinking<'_> {
    fn run(&mut self, hints: &Hints) -> Option<Shrunk> {
        let mut cut = usize::MAX;
        let mut kept = match self.named() {
            Some(kept) => kept,
            None => {
                let kept = self.on_key(hints).or_else(|| self.whole())?;
                cut = self.refuting_cut(&kept);
                kept
            }
        };
        let mut minimal = self.reduce(&mut kept, cut);
        if cut != usize::MAX && !self.is_late() {
            // What was open at the cut has a completion after all: shown as it was, if that does no harm.
            let whole = pick(self.history, &self.operations, &kept, usize::MAX);
            if self.is_invalid(&whole) {
                cut = usize::MAX;
                minimal = self.reduce(&mut kept, cut);
            }
        }
        let stopped = (!minimal).then(|| match self.is_late() {
            true => "time ran out while it was made smaller".to_owned(),
            false => format!(
                "{} smaller histories could not be judged in time",
                self.given_up
            ),
        });
        let core = pick(self.history, &self.operations, &kept, cut);
        let mut more = self.named.clone();
        more.iter_mut()
            .zip(&kept)
            .for_each(|(more, kept)| *more |= kept);
        self.traces.close(&mut more);
        let with_named = pick(self.history, &self.operations, &more, cut);
        let operations = core
            .events
            .iter()
            .filter(|event| event.phase == crate::Phase::Invoke)
            .map(|event| event.index)
            .collect();
        Some(Shrunk {
            core,
            operations,
            with_named,
            minimal,
            stopped,
            judged: self.judged,
        })
    }

    /// The operations that the verdict names and those that wrote what they saw, if these are enough.
    fn named(&mut self) -> Option<Vec<bool>> {
        let mut kept = self.named.clone();
        self.traces.open(&mut kept);
        self.is_invalid_without_others(&kept, usize::MAX)
            .then_some(kept)
    }

    fn on_key(&mut self, hints: &Hints) -> Option<Vec<bool>> {
        let key = hints.key.as_ref()?;
        let kept: Vec<bool> = self
            .operations
            .iter()
            .map(|operation| operation.op().key() == Some(key))
            .collect();
        self.is_invalid_without_others(&kept, usize::MAX)
            .then_some(kept)
    }

    fn whole(&mut self) -> Option<Vec<bool>> {
        let kept = vec![true; self.operations.len()];
        self.is_invalid_without_others(&kept, usize::MAX)
            .then_some(kept)
    }

    /// The position after an early completion up to which the operations are invalid already: the
    /// first, for properties that can only get worse.
    fn refuting_cut(&mut self, kept: &[bool]) -> usize {
        let mut ends: Vec<usize> = self
            .operations
            .iter()
            .zip(kept)
            .filter(|(operation, kept)| **kept && operation.is_ok())
            .filter_map(|(operation, _)| operation.completed_at)
            .collect();
        ends.sort_unstable();
        let (mut good, mut bad) = (0, ends.len().saturating_sub(1));
        while good < bad && !self.is_late() {
            let middle = good + (bad - good) / 2;
            if self.is_invalid_without_others(kept, ends[middle] + 1) {
                bad = middle;
            } else {
                good = middle + 1;
            }
        }
        // Not worth it where nothing is cut off.
        match ends.get(bad) {
            Some(end) if bad + 1 < ends.len() => end + 1,
            _ => usize::MAX,
        }
    }

    /// Leaves out what can be left out, in ever smaller pieces. True if nothing more can.
    fn reduce(&mut self, kept: &mut Vec<bool>, cut: usize) -> bool {
        // The named ones stay as long as possible: they are what the sentence tells of.
        let mut order: Vec<usize> = (0..kept.len()).filter(|at| kept[*at]).collect();
        order.sort_by_key(|at| self.named[*at]);
        let mut piece = order.len().div_ceil(2).max(1);
        loop {
            let mut smaller = false;
            let given_up = self.given_up;
            let mut start = 0;
            while start < order.len() {
                if self.is_late() {
                    return false;
                }
                let mut candidate = kept.clone();
                for at in &order[start..order.len().min(start + piece)] {
                    candidate[*at] = false;
                }
                self.traces.close(&mut candidate);
                if self.is_invalid_without_others(&candidate, cut) {
                    *kept = candidate;
                    order.retain(|at| kept[*at]);
                    smaller = true;
                } else {
                    start += piece;
                }
            }
            if piece == 1 && !smaller {
                return self.given_up == given_up;
            }
            piece = (piece / 2).max(1);
        }
    }

    fn is_invalid_without_others(&mut self, kept: &[bool], cut: usize) -> bool {
        // Nothing that succeeded, nothing that could be wrong.
        let succeeded = self.operations.iter().zip(kept).any(|(operation, kept)| {
            *kept && operation.completed_at < Some(cut) && operation.is_ok()
        });
        succeeded && self.is_invalid(&pick(self.history, &self.operations, kept, cut))
    }

    fn is_invalid(&mut self, history: &History) -> bool {
        if self.is_late() {
            return false;
        }
        self.judged += 1;
        let asked = Instant::now();
        let answer = (self.judge)(history);
        if answer == Validity::Unknown && asked.elapsed() > GIVEN_UP {
            self.given_up += 1;
        }
        answer == Validity::Invalid
    }

    fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }
}
