//! Counters that always grow by the same amount.
//!
//! Premise: all additions that may have taken effect add the same amount, which is not 0, and all of
//! them together stay within 64 bits.
//!
//! Then a read tells how many additions went before it, and which ones does not matter. Let L(k) be the
//! latest call of a read of fewer than k, and U(k) the earliest deadline of a read of k or more. The k-th
//! addition must come after L(k), as that read did not count it, and before U(k). This is also enough:
//! reads of k fit between the k-th addition and the next. L and U do not fall as k grows, so any moments
//! for the additions, sorted, serve as long as the number of those up to each moment t is at least the
//! number of k with U(k) up to t, and at most the number of k with L(k) up to t.
//!
//! Such moments are found as in scheduling: wait as long as possible, until a deadline of an addition or
//! some U(k) comes; then let those with the earliest deadlines go. Waiting never hurts the upper bound,
//! which grows with time. Of two additions that could go at a moment, the one with the earlier deadline
//! can always go first: if another order works, so does the one with the two exchanged. Additions of
//! unknown outcome have no deadline, so they go only when a read needs them.

use super::{Decision, Span, spans};
use crate::history::Operation;
use crate::{Op, Ret, Value};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Decides where the premise holds, for a counter that starts at 0.
pub fn decide(operations: &[Operation<'_>], end: u32) -> Option<Decision> {
    let mut amount = None;
    let mut additions: Vec<Span<'_>> = Vec::new();
    let mut reads: Vec<(i64, Span<'_>)> = Vec::new();
    for span in spans(operations, end) {
        match (span.op, span.ret) {
            (Op::Add { value, .. }, None | Some(Ret::Done)) => {
                if *amount.get_or_insert(*value) != *value {
                    return None;
                }
                additions.push(span);
            }
            (Op::Read { .. }, Some(Ret::Value(Value::Int(sum)))) => reads.push((*sum, span)),
            _ => return None,
        }
    }
    let amount = amount.unwrap_or(1);
    i64::try_from(additions.len())
        .ok()
        .and_then(|count| amount.checked_mul(count))
        .filter(|_| amount != 0)?;
    let mut counted: Vec<(usize, Span<'_>)> = Vec::with_capacity(reads.len());
    for (sum, span) in reads {
        let count = match sum.checked_rem(amount) {
            Some(0) => sum.checked_div(amount),
            _ => None,
        };
        match count.and_then(|count| usize::try_from(count).ok()) {
            Some(count) if count <= additions.len() => counted.push((count, span)),
            _ => return Some(Decision::NotLinearizable),
        }
    }
    counted.sort_by_key(|(count, span)| (*count, span.call));
    Some(match schedule(&additions, &counted) {
        None => Decision::NotLinearizable,
        Some(order) => Decision::Linearizable(interleave(&order, &counted)),
    })
}

/// The additions in an order that fits, by position; `reads` are sorted by what they counted.
fn schedule(additions: &[Span<'_>], reads: &[(usize, Span<'_>)]) -> Option<Vec<usize>> {
    let counted_max = reads.last().map_or(0, |(count, _)| *count);
    // By k - 1, for k up to one more than was counted. Moments are named by the position before them.
    let mut earliest = vec![0; counted_max + 1];
    let mut latest = vec![u32::MAX; counted_max + 1];
    for (count, read) in reads {
        earliest[*count] = earliest[*count].max(read.call);
        if *count > 0 {
            latest[count - 1] = latest[count - 1].min(read.deadline - 1);
        }
    }
    for k in 1..earliest.len() {
        earliest[k] = earliest[k].max(earliest[k - 1]);
    }
    for k in (0..counted_max).rev() {
        latest[k] = latest[k].min(latest[k + 1]);
    }
    let deadlines = additions.iter().filter(|addition| !addition.is_optional());
    let mut moments: Vec<u32> = deadlines.map(|addition| addition.deadline - 1).collect();
    moments.extend(&latest[..counted_max]);
    moments.sort_unstable();
    moments.dedup();
    let mut by_call: Vec<&Span<'_>> = additions.iter().collect();
    by_call.sort_unstable_by_key(|addition| addition.call);
    let mut to_come = by_call.into_iter().peekable();
    let mut waiting = BinaryHeap::new();
    let mut order: Vec<usize> = Vec::with_capacity(additions.len());
    for moment in moments {
        while let Some(addition) = to_come.next_if(|addition| addition.call <= moment) {
            waiting.push(Reverse((addition.deadline, addition.at)));
        }
        loop {
            let due = waiting.peek().is_some_and(|first| first.0.0 - 1 == moment);
            let needed = order.len() < counted_max && latest[order.len()] <= moment;
            if !due && !needed {
                break;
            }
            let Reverse((_, at)) = waiting.pop()?;
            if earliest[order.len().min(counted_max)] > moment {
                return None;
            }
            order.push(at);
        }
    }
    Some(order)
}

/// Each read behind as many additions as it counted.
fn interleave(additions: &[usize], reads: &[(usize, Span<'_>)]) -> Vec<usize> {
    let mut order = Vec::with_capacity(additions.len() + reads.len());
    let mut reads = reads.iter().peekable();
    for count in 0..=additions.len() {
        while let Some((_, read)) = reads.next_if(|(counted, _)| *counted == count) {
            order.push(read.at);
        }
        order.extend(additions.get(count));
    }
    order
}
