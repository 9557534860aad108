//! Queues in which every value is put once.
//!
//! Premise: no value is enqueued by two operations that may have taken effect, and none is nil. Dequeues
//! of unknown outcome are left out at first; if there is a linearization without them, fine; else
//! this gives no answer, as one of them may have taken what is missing.
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
    dequeue_call: u32,
    dequeue_deadline: u32,
}

/// Decides where the premise holds.
pub fn decide(operations: &[Operation<'_>], end: u32) -> Option<Decision> {
    let mut passages: Vec<Passage<'_>> = Vec::new();
    let mut numbers: HashMap<&Value, usize> = HashMap::new();
    let mut dequeues: Vec<(&Value, Span<'_>)> = Vec::new();
    let mut takes_unseen = false;
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
            (Op::Dequeue { .. }, None) => takes_unseen = true,
            _ => return None,
        }
    }
    let mut found_empty: Vec<Span<'_>> = Vec::new();
    for (seen, span) in dequeues {
        if *seen == Value::Nil {
            found_empty.push(span);
            continue;
        }
        // Nobody enqueued it, or it came out twice: whatever else happened.
        let Some(number) = numbers.get(seen) else {
            return Some(Decision::NotLinearizable);
        };
        if passages[*number].dequeue.replace(span).is_some() {
            return Some(Decision::NotLinearizable);
        }
    }
    passages.retain(|passage| passage.dequeue.is_some() || !passage.enqueue.is_optional());
    match arrange(&passages, &found_empty) {
        Some(order) => Some(Decision::Linearizable(order)),
        None if takes_unseen => None,
        None => Some(Decision::NotLinearizable),
    }
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

/// A linearization, by position.
fn arrange(passages: &[Passage<'_>], found_empty: &[Span<'_>]) -> Option<Vec<usize>> {
    let bounds: Vec<Bounds> = passages
        .iter()
        .map(Passage::bounds)
        .collect::<Option<_>>()?;
    let cuts = cuts(&bounds, found_empty)?;
    // By segment: before the first cut, between cuts, after the last.
    let mut segments: Vec<Vec<usize>> = vec![Vec::new(); cuts.len() + 1];
    for (at, passage) in bounds.iter().enumerate() {
        segments[cuts.partition_point(|(cut, _)| *cut < passage.dequeue_call)].push(at);
    }
    let mut linearization = Vec::new();
    let mut taken = vec![false; bounds.len()];
    for (number, segment) in segments.iter().enumerate() {
        // Moment, place in the order of values, whether it is the dequeue; then the operation.
        let mut effects: Vec<(u32, usize, bool, usize)> = Vec::new();
        let (mut enqueued, mut dequeued) = (0, 0);
        for (place, at) in order(&bounds, segment, &mut taken)?.into_iter().enumerate() {
            enqueued = bounds[at].enqueue_call.max(enqueued);
            effects.push((enqueued, place, false, passages[at].enqueue.at));
            if let Some(dequeue) = &passages[at].dequeue {
                dequeued = bounds[at].dequeue_call.max(dequeued).max(enqueued);
                effects.push((dequeued, place, true, dequeue.at));
            }
        }
        effects.sort_unstable();
        linearization.extend(effects.iter().map(|(.., at)| *at));
        linearization.extend(cuts.get(number).map(|(_, at)| *at));
    }
    Some(linearization)
}

/// For every operation that found the queue empty a moment when it can have been, in the order of these
/// moments, each named by the position before it.
fn cuts(bounds: &[Bounds], found_empty: &[Span<'_>]) -> Option<Vec<(u32, usize)>> {
    // From the first moment in the queue to the first moment when it may be out again.
    let inside = bounds
        .iter()
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
    let mut cuts = Vec::with_capacity(found_empty.len());
    for empty in found_empty {
        let next = filled.partition_point(|(_, to)| *to <= empty.call);
        let cut = match filled.get(next) {
            Some((from, to)) if *from <= empty.call => *to,
            _ => empty.call,
        };
        if cut >= empty.deadline {
            return None;
        }
        cuts.push((cut, empty.at));
    }
    cuts.sort_unstable();
    Some(cuts)
}

/// The values of a segment in an order that extends both precedences; marks them as taken.
fn order(bounds: &[Bounds], segment: &[usize], taken: &mut [bool]) -> Option<Vec<usize>> {
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
        let enqueue_deadline = bounds[*by_enqueue_deadline.peek()?].enqueue_deadline;
        let dequeue_deadline = bounds[*by_dequeue_deadline.peek()?].dequeue_deadline;
        while let Some(at) =
            by_enqueue_call.next_if(|at| bounds[*at].enqueue_call <= enqueue_deadline)
        {
            candidates.push(Reverse((bounds[at].dequeue_call, at)));
        }
        let Reverse((dequeue_call, at)) = candidates.pop()?;
        if dequeue_call > dequeue_deadline {
            return None;
        }
        taken[at] = true;
        order.push(at);
    }
    Some(order)
}
