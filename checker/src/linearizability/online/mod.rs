//! Judges a history while it is being recorded: the verdict is there when the run ends, and memory
//! does not grow with it.
//!
//! Events are taken in as they come. Each object is a [`Stream`]: the configurations in which it may
//! stand after what is past, and the operations that are still to be judged. An operation of unknown
//! outcome can be judged only when it is known what it gave back, so a stream is followed up to the
//! invocation of its oldest operation without completion. Memory depends on how long that lasts at the
//! worst (clients that give up after a time bound it), and on what is open at a time.
//!
//! Values that were written but never read, by operations of unknown outcome, are the one thing that
//! must be kept for as long as the run lasts: some later read may see one.

mod stream;

use super::{Linearizable, name};
use crate::model::Model;
use crate::verdict::{Budget, Verdict, Watch};
use crate::{Event, Key, Phase, ProcessId};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use stream::{Advance, Held, Stream};

/// A stream is followed up once so many of its operations are complete: setting out costs something.
const STRETCH: usize = 256;

/// All streams are followed up once so many operations are held: there may be many streams with few
/// operations each.
const HELD_MIN: usize = 50_000;

/// A judgement that goes on while its history is recorded. See [`Linearizable::online`].
pub struct Online<M> {
    checker: Linearizable<M>,
    budget: Budget,
    places: HashMap<Option<Key>, usize>,
    streams: Vec<(Option<Key>, Stream<M>)>,
    /// The stream and the invocation of the operation that each process has open.
    open: HashMap<ProcessId, (usize, u64)>,
    events: u64,
    judged: u64,
    succeeded: bool,
    /// See [`STRETCH`].
    stretch: usize,
    /// Operations held by the streams, and how many make it worthwhile to follow up all.
    held: usize,
    held_max: usize,
    configurations: u64,
    /// Spent on the search.
    spent: Duration,
    /// Once it is certain.
    end: Option<Verdict>,
}

impl<M: Model> Online<M> {
    /// `budget` is for all of it: the time is that spent on the search.
    pub(super) fn new(checker: Linearizable<M>, budget: Budget) -> Self {
        Self {
            checker,
            budget,
            places: HashMap::new(),
            streams: Vec::new(),
            open: HashMap::new(),
            events: 0,
            judged: 0,
            succeeded: false,
            stretch: STRETCH,
            held: 0,
            held_max: HELD_MIN,
            configurations: 0,
            spent: Duration::ZERO,
            end: None,
        }
    }

    /// Sets out after fewer operations, so that small histories have several stretches.
    #[cfg(test)]
    pub(super) fn with_stretch(mut self, stretch: usize) -> Self {
        self.stretch = stretch;
        self
    }

    /// Takes in the next event. Events that are no business of the model are passed over.
    pub fn observe(&mut self, event: &Event) {
        if self.end.is_some() || !(self.checker.owns)(&event.op) {
            return;
        }
        self.events += 1;
        if event.phase == Phase::Invoke {
            return self.invoke(event);
        }
        let Some((place, invocation)) = self.open.remove(&event.process) else {
            return self.not_a_history(event, "completes what it did not invoke");
        };
        self.succeeded |= matches!(event.phase, Phase::Ok(_));
        let stream = &mut self.streams[place].1;
        if !stream.complete(invocation, event, self.events) {
            return self.not_a_history(event, "completes another operation than it invoked");
        }
        if stream.completed() >= self.stretch {
            self.follow_up(place, false);
        }
        if self.held > self.held_max {
            self.follow_up_all(false);
            self.held_max = HELD_MIN.max(2 * self.held);
        }
    }

    /// The verdict, if it is certain before the end: a violation, or that a limit was met.
    pub fn early(&self) -> Option<&Verdict> {
        self.end.as_ref()
    }

    /// Operations held now; for who watches over memory.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The verdict on all that was taken in. What has no completion is of unknown outcome.
    pub fn finish(mut self) -> Verdict {
        if self.end.is_none() {
            self.follow_up_all(true);
        }
        let undecided: Vec<(&Option<Key>, &str)> = self
            .streams
            .iter()
            .filter_map(|(key, stream)| Some((key, stream.lost()?)))
            .collect();
        let verdict = match (self.end.take(), undecided.first()) {
            (Some(verdict), _) => verdict,
            (None, _) if !self.succeeded => {
                Verdict::unknown("no operation of this model succeeded: nothing was shown")
            }
            (None, Some((key, why))) => Verdict::unknown(format!(
                "{} of {} objects undecided; {}: {why}",
                undecided.len(),
                self.streams.len(),
                name(key),
            )),
            (None, None) => Verdict::valid(),
        };
        verdict
            .with("objects", self.streams.len())
            .with("judged", self.judged)
            .with("configurations", self.configurations)
            .with("check_ms", self.spent.as_millis() as u64)
    }

    fn invoke(&mut self, event: &Event) {
        let key = M::partition(&event.op);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let stream = Stream::new(self.checker.initial.clone());
                self.streams.push((key.clone(), stream));
                self.places.insert(key, self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        let before = self.open.insert(event.process, (place, self.events));
        if before.is_some() {
            return self.not_a_history(event, "invokes while another operation of it is open");
        }
        self.judged += 1;
        let stream = &mut self.streams[place].1;
        let held = stream.held();
        stream.invoke(Held::new(event, self.events));
        self.held = self.held + stream.held() - held;
    }

    fn not_a_history(&mut self, event: &Event, why: &str) {
        self.end = Some(Verdict::unknown(format!(
            "not a history: process {} {why} (index {})",
            event.process, event.index
        )));
    }

    fn follow_up_all(&mut self, last: bool) {
        for place in 0..self.streams.len() {
            if self.end.is_some() {
                return;
            }
            self.follow_up(place, last);
        }
    }

    /// Follows a stream as far as it is known.
    fn follow_up(&mut self, place: usize, last: bool) {
        let started = Instant::now();
        let (key, stream) = &mut self.streams[place];
        let before = stream.held();
        let bytes = |held: usize| held * Held::BYTES;
        let budget = Budget {
            time: self.budget.time.saturating_sub(self.spent),
            memory: self.budget.memory.saturating_sub(bytes(self.held)),
        };
        let advance = stream.advance(self.events, last, budget, &mut self.configurations);
        self.held = self.held + stream.held() - before;
        if let Advance::Refuted(culprit) = advance {
            self.end = Some(
                culprit
                    .verdict(&name(key))
                    .with("key", serde_json::json!(key)),
            );
        }
        self.spent += started.elapsed();
        if self.end.is_none() && bytes(self.held) > self.budget.memory {
            self.end = Some(Verdict::unknown(format!(
                "memory ran out after {} events: {} operations could not be judged yet",
                self.events, self.held
            )));
        }
    }
}

impl<M: Model + 'static> Watch for Online<M> {
    fn observe(&mut self, event: &Event) {
        self.observe(event);
    }

    fn early(&self) -> Option<&Verdict> {
        self.early()
    }

    fn finish(self: Box<Self>) -> Verdict {
        (*self).finish()
    }
}
