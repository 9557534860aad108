//! Operations whose order is known but for those that can stand in any order.

use super::{Decision, Span};

/// Decides about operations that must come block by block, where those of one block may come in any
/// order: an order exists unless real time demands that an operation precedes one of an earlier block.
/// Within a block, the order of the calls keeps real time.
pub fn decide(mut members: Vec<(u64, Span<'_>)>) -> Decision {
    members.sort_unstable_by_key(|(block, span)| (*block, span.call));
    let mut latest_call = 0;
    let mut rest = members.as_slice();
    while let Some((block, _)) = rest.first() {
        let (members, after) = rest.split_at(rest.partition_point(|(other, _)| other == block));
        if members.iter().any(|(_, span)| span.deadline < latest_call) {
            return Decision::NotLinearizable;
        }
        if let Some((_, last)) = members.last() {
            latest_call = latest_call.max(last.call);
        }
        rest = after;
    }
    Decision::Linearizable(members.iter().map(|(_, span)| span.at).collect())
}
