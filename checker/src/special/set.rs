//! Sets that only grow.
//!
//! Premise: nothing is removed, and no element is added by two operations that may have taken effect.
//!
//! What a growing set holds at one time includes what it held before. So the reads can be ordered by
//! size only, and each must include the one before; reads of one size must be equal. This puts every
//! operation in its place: an element comes after all reads without it and before all reads with it.
//! An addition that no read saw comes after all reads if it succeeded; if its outcome is unknown it is
//! left out, as nothing depends on it. Additions between two reads may come in any order, and so may
//! equal reads: the history is linearizable if and only if real time allows this order of blocks.
//!
//! (Lee and Mathur 2025 decide sets with unique insertions, where each operation concerns one element,
//! in linear time. Here reads see the whole set, which says more, and makes it simpler.)

use super::{Decision, Span, blocks, spans};
use crate::history::Operation;
use crate::{Op, Ret};
use std::collections::HashMap;

struct Addition<'a> {
    span: Span<'a>,
    /// The first reads, by size, that saw it.
    seen_by: Option<u64>,
}

/// Decides where the premise holds.
pub fn decide(operations: &[Operation<'_>], end: u32) -> Option<Decision> {
    let spans = spans(operations, end);
    let mut additions: HashMap<i64, Addition<'_>> = HashMap::new();
    let mut reads: Vec<(&[i64], Span<'_>)> = Vec::new();
    for span in spans {
        match (span.op, span.ret) {
            (Op::Add { value, .. }, None | Some(Ret::Done)) => {
                let seen_by = None;
                if additions
                    .insert(*value, Addition { span, seen_by })
                    .is_some()
                {
                    return None;
                }
            }
            (Op::List { .. }, Some(Ret::List(seen))) => reads.push((seen, span)),
            _ => return None,
        }
    }
    reads.sort_by_key(|(seen, _)| seen.len());
    let mut members: Vec<(u64, Span<'_>)> = Vec::with_capacity(additions.len() + reads.len());
    let (mut group, mut size) = (0, 0);
    for (seen, span) in reads {
        if !is_set(seen) {
            return Some(Decision::NotLinearizable);
        }
        if seen.len() > size {
            group += 1;
        }
        // It must see all that smaller reads saw; only the first of its size may see more.
        let mut known = 0;
        for element in seen {
            let Some(addition) = additions.get_mut(element) else {
                return Some(Decision::NotLinearizable);
            };
            match addition.seen_by {
                Some(_) => known += 1,
                None => addition.seen_by = Some(group),
            }
        }
        if known != size {
            return Some(Decision::NotLinearizable);
        }
        size = seen.len();
        members.push((2 * group, span));
    }
    for addition in additions.into_values() {
        match addition.seen_by {
            Some(group) => members.push((2 * group - 1, addition.span)),
            None if addition.span.is_optional() => {}
            None => members.push((2 * group + 1, addition.span)),
        }
    }
    Some(blocks::decide(members))
}

/// Whether nothing is listed twice.
fn is_set(seen: &[i64]) -> bool {
    if seen.is_sorted_by(|a, b| a < b) {
        return true;
    }
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    sorted.is_sorted_by(|a, b| a < b)
}
