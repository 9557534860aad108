//! Queues in which every value is put once.
//!
//! Premise: no value is enqueued by two operations that may have taken effect, and none is nil.
//!
//! An enqueue of unknown outcome whose value never came out is left out too: nothing depends on it.
//! Each other value x has an enqueue and, if it came out, a dequeue. The enqueue of x comes before its
//! dequeue, so it inherits that one's deadline, and the dequeue inherits the call of the enqueue. For a
//! value that stayed in, think of a dequeue after everything.
//!
//! The order of the enqueues is that of the dequeues: an order of values. Say x < y if the enqueue of x
//! has its deadline before the call of that of y, or if the same holds of their dequeues. Each of the two
//! is an interval order, and a linearization needs an order of values that extends both.
//!
//! *If there is such an order, there is a linearization* (of a history where nobody found the queue
//! empty). Let every enqueue take effect at the latest call of an enqueue up to it in that order, and
//! every dequeue likewise, but not before its enqueue. None of these moments comes too late: if the
//! enqueue of y had its deadline before the call of that of an earlier x, y < x would hold; for dequeues
//! alike; and a dequeue of y with its deadline before the call of the enqueue of an earlier x would have
//! given that deadline to the enqueue of y.
//!
//! *Such an order is found by taking first, again and again, a value that none of the rest precedes.* Of
//! the values whose enqueue nothing precedes, take the one with the earliest call of its dequeue: if
//! anything precedes this, then something precedes each of the others.
//!
//! *Where the queue was found empty*: x was certainly in the queue from the deadline of its enqueue to
//! the call of its dequeue, and the queue was empty at no such moment. So the operation needs a moment
//! outside all of these stretches, a *cut*. With one, all values whose dequeue was called by then can go
//! entirely before it, the others entirely after: none of the others was enqueued by necessity before
//! it. Nothing that goes before the cut is preceded by something that goes after: if x < y by their
//! enqueues and y goes before, then the deadline of the enqueue of x lies before the cut, and as x was
//! not in the queue at the cut, its dequeue was called; by their dequeues, likewise. So the values
//! between two cuts can be ordered by themselves.
//!
//! *Dequeues of unknown outcome* may have taken values that nobody saw come out. Whoever orders the values
//! as above gets stuck only if some y has to be dequeued before the dequeue of every candidate is called,
//! and y is no candidate, so the enqueue of some x has its deadline before the call of that of y. The
//! candidate with the earliest such deadline then has to come before y, so it must have been taken
//! unseen, by an operation called before the deadline of y: nothing else will do. Any of these serves, as
//! what was called by now was called by any later moment too. Where nobody found the queue empty, this
//! is exact. Else it depends on the cuts what must have been taken by when; two choices of cuts are
//! tried, and if neither leads to an order, nor the rest of the operations exclude one, there is no answer.
//!
//! The conditions are those of Henzinger, Sezgin and Vafeiadis (CONCUR 2013), found in O(n log n) as by
//! Lee and Mathur (OOPSLA 2025) and Abdulla et al. (PLDI 2025); the argument here is for this form.

use super::{Decision, NEVER, Span, spans};
use crate::history::Operation;
use crate::{Op, Ret, Value};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// A value's way through the queue.
struct Passage<'a> {
    enqueue: Span<'a>,
    dequeue: Option<Span<'a>>,
}

/// The times of a passage as the other operation of the value bounds them.
struct Bounds {
    enqueue_call: u32,
    enqueue_deadline: u32,
    /// [`NEVER`] if nobody saw the value come out.
    dequeue_call: u32,
    dequeue_deadline: u32,
}

/// Which moment to choose where an operation may have found the queue empty at several.
#[derive(Clone, Copy)]
enum Choice {
    /// The first when no value was certainly inside.
    Empty,
    /// The first and last when only values were inside that nobody saw come out.
    First,
    Last,
}

/// A moment when the queue was empty, named by the position before it, and the operation that saw it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    moment: u32,
    at: usize,
}

struct Queue<'a> {
    passages: Vec<Passage<'a>>,
    bounds: Vec<Bounds>,
    found_empty: Vec<Span<'a>>,
    /// Dequeues of unknown outcome, by call.
    unseen: Vec<Span<'a>>,
}

/// Decides where the premise holds.
pub fn decide(operations: &[Operation<'_>], end: u32) -> Option<Decision> {
    let mut passages: Vec<Passage<'_>> = Vec::new();
    let mut numbers: HashMap<&Value, usize> = HashMap::new();
    let mut dequeues: Vec<(&Value, Span<'_>)> = Vec::new();
    let mut unseen: Vec<Span<'_>> = Vec::new();
    for span in spans(operations, end) {
        match (span.op, span.ret) {
            (Op::Enqueue { value, .. }, None | Some(Ret::Done)) => {
                if *value == Value::Nil || numbers.insert(value, passages.len()).is_some() {
                    return None;
                }
                passages.push(Passage {
                    enqueue: span,
                    dequeue: None,
                });
            }
            (Op::Dequeue { .. }, Some(Ret::Value(seen))) => dequeues.push((seen, span)),
            (Op::Dequeue { .. }, None) => unseen.push(span),
            _ => return None,
        }
    }
    let mut found_empty: Vec<Span<'_>> = Vec::new();
    for (seen, span) in dequeues {
        if *seen == Value::Nil {
            found_empty.push(span);
            continue;
        }
        // Nobody enqueued it, or it came out twice.
        let Some(number) = numbers.get(seen) else {
            return Some(Decision::NotLinearizable);
        };
        if passages[*number].dequeue.replace(span).is_some() {
            return Some(Decision::NotLinearizable);
        }
    }
    passages.retain(|passage| passage.dequeue.is_some() || !passage.enqueue.is_optional());
    let bounds: Option<Vec<Bounds>> = passages.iter().map(Passage::bounds).collect();
    let Some(bounds) = bounds else {
        return Some(Decision::NotLinearizable);
    };
    unseen.sort_unstable_by_key(|span| span.call);
    let queue = Queue {
        passages,
        bounds,
        found_empty,
        unseen,
    };
    queue.decide()
}

impl Passage<'_> {
    /// `None` if the value came out before it was put in.
    fn bounds(&self) -> Option<Bounds> {
        let enqueue = &self.enqueue;
        let Some(dequeue) = &self.dequeue else {
            return Some(Bounds {
                enqueue_call: enqueue.call,
                enqueue_deadline: enqueue.deadline,
                dequeue_call: NEVER,
                dequeue_deadline: NEVER,
            });
        };
        (enqueue.call < dequeue.deadline).then(|| Bounds {
            enqueue_call: enqueue.call,
            enqueue_deadline: enqueue.deadline.min(dequeue.deadline),
            dequeue_call: dequeue.call.max(enqueue.call),
            dequeue_deadline: dequeue.deadline,
        })
    }
}

impl Queue<'_> {
    fn decide(&self) -> Option<Decision> {
        let choices: &[Choice] = match self.unseen.is_empty() || self.found_empty.is_empty() {
            true => &[Choice::Empty],
            false => &[Choice::Empty, Choice::First, Choice::Last],
        };
        for choice in choices {
            let order = self.cuts(*choice).and_then(|cuts| self.arrange(&cuts));
            if let Some(order) = order {
                return Some(Decision::Linearizable(order));
            }
        }
        // What is wrong without those that found it empty stays wrong with them.
        let exact = choices.len() == 1 || self.arrange(&[]).is_none();
        exact.then_some(Decision::NotLinearizable)
    }

    /// For every operation that found the queue empty a moment when it can have been, in their order.
    fn cuts(&self, choice: Choice) -> Option<Vec<Cut>> {
        // From the first moment in the queue to the first moment when it may be out again.
        let inside = self
            .bounds
            .iter()
            .filter(|passage| matches!(choice, Choice::Empty) || passage.dequeue_call != NEVER)
            .map(|passage| (passage.enqueue_deadline, passage.dequeue_call))
            .filter(|(from, to)| from < to);
        let mut inside: Vec<(u32, u32)> = inside.collect();
        inside.sort_unstable();
        let mut filled: Vec<(u32, u32)> = Vec::new();
        for (from, to) in inside {
            match filled.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => filled.push((from, to)),
            }
        }
        let first = |empty: &Span<'_>| {
            let next = filled.partition_point(|(_, to)| *to <= empty.call);
            match filled.get(next) {
                Some((from, to)) if *from <= empty.call => *to,
                _ => empty.call,
            }
        };
        let last = |empty: &Span<'_>| {
            let moment = empty.deadline - 1;
            let before = filled.partition_point(|(from, _)| *from <= moment);
            match before.checked_sub(1).map(|at| filled[at]) {
                Some((from, to)) if moment < to => from.checked_sub(1),
                _ => Some(moment),
            }
        };
        let mut cuts = Vec::with_capacity(self.found_empty.len());
        for empty in &self.found_empty {
            let moment = match choice {
                Choice::Empty | Choice::First => first(empty),
                Choice::Last => last(empty)?,
            };
            if moment < empty.call || moment >= empty.deadline {
                return None;
            }
            cuts.push(Cut {
                moment,
                at: empty.at,
            });
        }
        cuts.sort_unstable();
        Some(cuts)
    }

    /// A linearization, by position.
    fn arrange(&self, cuts: &[Cut]) -> Option<Vec<usize>> {
        // By segment: before the first cut, between cuts, after the last.
        let mut segments: Vec<Vec<usize>> = vec![Vec::new(); cuts.len() + 1];
        for (at, passage) in self.bounds.iter().enumerate() {
            let inside_from = match passage.dequeue_call {
                NEVER => passage.enqueue_deadline,
                call => call,
            };
            segments[cuts.partition_point(|cut| cut.moment < inside_from)].push(at);
        }
        let mut linearization = Vec::new();
        let mut taken = vec![false; self.bounds.len()];
        let mut unseen = self.unseen.iter();
        for (number, segment) in segments.iter().enumerate() {
            let cut = cuts.get(number);
            let end = cut.map_or(NEVER, |cut| cut.moment);
            // Moment, place in the order of values, whether it is the dequeue; then the operation.
            let mut effects: Vec<(u32, usize, bool, usize)> = Vec::new();
            let (mut enqueued, mut dequeued) = (0, 0);
            let order = self.order(segment, end, &mut taken, &mut unseen)?;
            for (place, (at, taker)) in order.into_iter().enumerate() {
                enqueued = self.bounds[at].enqueue_call.max(enqueued);
                effects.push((enqueued, place, false, self.passages[at].enqueue.at));
                if let Some(dequeue) = self.passages[at].dequeue.or(taker) {
                    dequeued = dequeue.call.max(dequeued).max(enqueued);
                    effects.push((dequeued, place, true, dequeue.at));
                }
            }
            effects.sort_unstable();
            linearization.extend(effects.iter().map(|(.., at)| *at));
            linearization.extend(cut.map(|cut| cut.at));
        }
        Some(linearization)
    }

    /// The values of a segment in an order that extends both precedences, with who took them where nobody
    /// saw it; marks them as taken. Before the end of a segment, the queue is empty again.
    fn order<'s>(
        &self,
        segment: &[usize],
        end: u32,
        taken: &mut [bool],
        unseen: &mut std::slice::Iter<'s, Span<'s>>,
    ) -> Option<Vec<(usize, Option<Span<'s>>)>> {
        let bounds = &self.bounds;
        let sorted = |key: fn(&Bounds) -> u32| {
            let mut sorted = segment.to_vec();
            sorted.sort_unstable_by_key(|at| key(&bounds[*at]));
            sorted.into_iter().peekable()
        };
        let mut by_enqueue_call = sorted(|passage| passage.enqueue_call);
        let mut by_enqueue_deadline = sorted(|passage| passage.enqueue_deadline);
        let mut by_dequeue_deadline = sorted(|passage| passage.dequeue_deadline);
        let mut candidates = BinaryHeap::new();
        let mut order = Vec::with_capacity(segment.len());
        while order.len() < segment.len() {
            while by_enqueue_deadline.next_if(|at| taken[*at]).is_some() {}
            while by_dequeue_deadline.next_if(|at| taken[*at]).is_some() {}
            let earliest = *by_enqueue_deadline.peek()?;
            let enqueue_deadline = bounds[earliest].enqueue_deadline;
            let deadline = bounds[*by_dequeue_deadline.peek()?]
                .dequeue_deadline
                .min(end);
            while let Some(at) =
                by_enqueue_call.next_if(|at| bounds[*at].enqueue_call <= enqueue_deadline)
            {
                candidates.push(Reverse((bounds[at].dequeue_call, at)));
            }
            while candidates.peek().is_some_and(|first| taken[first.0.1]) {
                candidates.pop();
            }
            let Reverse((dequeue_call, at)) = *candidates.peek()?;
            if dequeue_call <= deadline {
                candidates.pop();
                taken[at] = true;
                order.push((at, None));
                continue;
            }
            // Someone must have taken the first one that had to be there.
            if bounds[earliest].dequeue_call != NEVER {
                return None;
            }
            let taker = unseen.next().filter(|taker| taker.call <= deadline)?;
            taken[earliest] = true;
            order.push((earliest, Some(*taker)));
        }
        Some(order)
    }
}
