//! Lists that are appended to, and read as a whole.
//!
//! Premise: no number is appended by two operations that may have taken effect.
//!
//! A list only grows at its end, so every read must be a beginning of the longest one. That one names
//! the order of the appends it shows; a read of k numbers comes between the k-th append and the next.
//! An append that no read shows comes after all reads, in any order with others like it, if it
//! succeeded; if its outcome is unknown it is left out, as nothing depends on it. So all is in place, and
//! real time allows it or not. (That reads of whole lists name the order of the appends is what makes
//! list-append histories easy: Kingsbury and Alvaro 2020, section 3.)

use super::{Decision, Span, blocks, spans};
use crate::history::Operation;
use crate::{Op, Ret};
use std::collections::HashMap;

/// Decides where the premise holds.
pub fn decide(operations: &[Operation<'_>], end: u32) -> Option<Decision> {
    let mut appends: HashMap<i64, Span<'_>> = HashMap::new();
    let mut reads: Vec<(&[i64], Span<'_>)> = Vec::new();
    for span in spans(operations, end) {
        match (span.op, span.ret) {
            (Op::Append { value, .. }, None | Some(Ret::Done)) => {
                if appends.insert(*value, span).is_some() {
                    return None;
                }
            }
            (Op::List { .. }, Some(Ret::List(seen))) => reads.push((seen, span)),
            _ => return None,
        }
    }
    let longest = reads.iter().map(|(seen, _)| *seen);
    let longest: &[i64] = longest.max_by_key(|seen| seen.len()).unwrap_or_default();
    let mut members: Vec<(u64, Span<'_>)> = Vec::with_capacity(appends.len() + reads.len());
    for (at, value) in longest.iter().enumerate() {
        // Nobody appended it, or it is there twice.
        let Some(append) = appends.remove(value) else {
            return Some(Decision::NotLinearizable);
        };
        members.push((2 * at as u64 + 1, append));
    }
    for (seen, span) in reads {
        if !longest.starts_with(seen) {
            return Some(Decision::NotLinearizable);
        }
        members.push((2 * seen.len() as u64, span));
    }
    let after = 2 * longest.len() as u64 + 1;
    let unseen = appends.into_values().filter(|append| !append.is_optional());
    members.extend(unseen.map(|append| (after, append)));
    Some(blocks::decide(members))
}
