//! What a fault takes away: computed from who is down, which links are cut and who led.

use crate::links::{self, Link};
use testbed::NodeId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Impact {
    /// The leader is down, or no longer exchanges messages with a majority.
    pub leader: bool,
    /// No server is left that exchanges messages with a majority.
    pub majority: bool,
}

pub(crate) fn of(
    nodes: &[NodeId],
    leader: Option<&NodeId>,
    down: &[NodeId],
    cuts: &[Link],
) -> Impact {
    let quorum = nodes.len() / 2 + 1;
    let serves = |(node, seen): &(NodeId, Vec<NodeId>)| {
        let alive = seen.iter().filter(|peer| !down.contains(peer)).count();
        !down.contains(node) && alive >= quorum
    };
    let seen = links::reachable(nodes, cuts);
    Impact {
        leader: seen
            .iter()
            .any(|entry| Some(&entry.0) == leader && !serves(entry)),
        majority: !seen.iter().any(serves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<NodeId> {
        (1..=5).map(|i| NodeId::new(format!("n{i}"))).collect()
    }

    /// With n1 leading.
    fn impact(down: &[usize], cuts: &[Link]) -> (bool, bool) {
        let nodes = nodes();
        let down: Vec<_> = down.iter().map(|i| nodes[i - 1].clone()).collect();
        let impact = of(&nodes, Some(&nodes[0]), &down, cuts);
        (impact.leader, impact.majority)
    }

    #[test]
    fn servers_that_are_down_hit_the_leader_when_it_is_among_them_or_its_majority_is() {
        assert_eq!(impact(&[2, 3], &[]), (false, false));
        assert_eq!(impact(&[1], &[]), (true, false));
        assert_eq!(impact(&[2, 3, 4], &[]), (true, true));
    }

    #[test]
    fn cuts_hit_the_leader_when_it_loses_its_majority_in_either_direction() {
        let all = nodes();
        assert_eq!(
            impact(&[], &links::isolate(&all[3..], &all)),
            (false, false)
        );
        assert_eq!(impact(&[], &links::isolate(&all[..2], &all)), (true, false));
        assert_eq!(
            impact(&[], &links::one_way(&all[0], true, &all)),
            (true, false)
        );
        assert_eq!(
            impact(&[], &links::one_way(&all[0], false, &all)),
            (true, false)
        );
        assert_eq!(
            impact(&[], &links::one_way(&all[1], false, &all)),
            (false, false)
        );
        assert_eq!(impact(&[], &links::all(&all)), (true, true));
    }
}
