//! Which directed links a partition cuts: sets of node pairs, no I/O.

use crate::stream::Stream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use testbed::NodeId;

/// A directed link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    pub from: NodeId,
    pub to: NodeId,
}

/// The shapes of a partition; [`Shape::description`] says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    One,
    Halves,
    MajorityRing,
    Bridge,
    LeaderAlone,
    OneWay,
}

impl Shape {
    pub const ALL: [Shape; 6] = [
        Shape::One,
        Shape::Halves,
        Shape::MajorityRing,
        Shape::Bridge,
        Shape::LeaderAlone,
        Shape::OneWay,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Shape::One => "one",
            Shape::Halves => "halves",
            Shape::MajorityRing => "majority-ring",
            Shape::Bridge => "bridge",
            Shape::LeaderAlone => "leader-alone",
            Shape::OneWay => "one-way",
        }
    }

    /// One line for `shakedown list`.
    pub fn description(self) -> &'static str {
        match self {
            Shape::One => "one node is cut off from all others",
            Shape::Halves => "two groups, as equal as can be, can't reach each other",
            Shape::MajorityRing => "every node reaches a majority, no two the same one",
            Shape::Bridge => "two groups meet only in one node, which reaches all",
            Shape::LeaderAlone => "the leader is cut off from all others",
            Shape::OneWay => "one node sends and is not heard, or hears and can't send",
        }
    }

    /// With fewer nodes the shape does not exist.
    pub fn least_nodes(self) -> usize {
        match self {
            Shape::MajorityRing => 4,
            Shape::Bridge => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Shape::ALL.into_iter().find(|v| v.name() == name);
        known.ok_or_else(|| {
            let names = Shape::ALL.map(Shape::name).join(", ");
            format!("unknown partition `{name}`; known: {names}")
        })
    }
}

/// All links between these nodes, both directions.
pub fn all(nodes: &[NodeId]) -> Vec<Link> {
    let pairs = nodes
        .iter()
        .flat_map(|from| nodes.iter().map(move |to| (from, to)));
    pairs
        .filter(|(from, to)| from != to)
        .map(|(from, to)| Link {
            from: from.clone(),
            to: to.clone(),
        })
        .collect()
}

/// The links between a group and the rest, both directions.
pub fn isolate(group: &[NodeId], nodes: &[NodeId]) -> Vec<Link> {
    let crosses = |link: &Link| group.contains(&link.from) != group.contains(&link.to);
    all(nodes).into_iter().filter(crosses).collect()
}

/// The links that lead away from a node, or those that lead to it.
pub fn one_way(node: &NodeId, outgoing: bool, nodes: &[NodeId]) -> Vec<Link> {
    let end = |link: &Link| {
        if outgoing {
            link.from == *node
        } else {
            link.to == *node
        }
    };
    all(nodes).into_iter().filter(end).collect()
}

/// The links between two random groups that both still reach the bridge.
pub fn bridge(over: &NodeId, nodes: &[NodeId], stream: &mut Stream) -> Vec<Link> {
    let mut others: Vec<_> = nodes.iter().filter(|node| *node != over).cloned().collect();
    stream.shuffle(&mut others);
    let left = &others[..others.len() / 2];
    isolate(left, &others)
}

/// The links that leave every node just its nearest neighbours on a random ring, a majority with itself.
pub fn majority_ring(nodes: &[NodeId], stream: &mut Stream) -> Vec<Link> {
    let mut ring = nodes.to_vec();
    stream.shuffle(&mut ring);
    let n = ring.len();
    // A majority is n/2 + 1 nodes: itself, and n/2 neighbours spread over both sides.
    let reach = (n / 2).div_ceil(2);
    let place = |node: &NodeId| ring.iter().position(|other| other == node);
    let far = |link: &Link| match (place(&link.from), place(&link.to)) {
        (Some(a), Some(b)) => a.abs_diff(b).min(n - a.abs_diff(b)) > reach,
        _ => false,
    };
    all(nodes).into_iter().filter(far).collect()
}

/// Whom each node still exchanges messages with, both ways, itself included: `n1: n1 n2 n5`.
pub fn reachable(nodes: &[NodeId], cuts: &[Link]) -> Vec<(NodeId, Vec<NodeId>)> {
    let cut: BTreeSet<_> = cuts.iter().collect();
    let whole = |a: &NodeId, b: &NodeId| {
        let link = |from: &NodeId, to: &NodeId| Link {
            from: from.clone(),
            to: to.clone(),
        };
        !cut.contains(&link(a, b)) && !cut.contains(&link(b, a))
    };
    let sees = |a: &NodeId| {
        let peers = nodes.iter().filter(|b| *b == a || whole(a, b));
        peers.cloned().collect()
    };
    nodes.iter().map(|a| (a.clone(), sees(a))).collect()
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(n: usize) -> Vec<NodeId> {
        (1..=n).map(|i| NodeId::new(format!("n{i}"))).collect()
    }

    fn shown(n: usize, cuts: &[Link]) -> String {
        let lines = reachable(&nodes(n), cuts).into_iter().map(|(node, seen)| {
            let seen: Vec<_> = seen.iter().map(NodeId::as_str).collect();
            format!("{node}: {}\n", seen.join(" "))
        });
        lines.collect()
    }

    #[test]
    fn a_ring_leaves_everyone_a_majority_and_no_two_the_same() {
        for n in 4..=9 {
            for seed in 0..20 {
                let cuts = majority_ring(&nodes(n), &mut Stream::derive(seed, "ring"));
                assert!(!cuts.is_empty(), "{n} nodes");
                let seen = reachable(&nodes(n), &cuts);
                let sets: BTreeSet<_> = seen.iter().map(|(_, seen)| seen.clone()).collect();
                assert!(sets.iter().all(|set| set.len() > n / 2), "{n}: {sets:?}");
                assert_eq!(sets.len(), n, "{n}: {sets:?}");
            }
        }
    }

    #[test]
    fn a_bridge_sees_all_and_each_side_sees_it() {
        let five = nodes(5);
        let cuts = bridge(&five[2], &five, &mut Stream::derive(42, "bridge"));
        let sizes: Vec<_> = reachable(&five, &cuts)
            .into_iter()
            .map(|(node, seen)| (node.to_string(), seen.len(), seen.contains(&five[2])))
            .collect();
        for (node, size, meets) in sizes {
            assert_eq!(size, if node == "n3" { 5 } else { 3 }, "{node}");
            assert!(meets);
        }
    }

    #[test]
    fn groups_that_are_isolated_see_only_themselves() {
        let five = nodes(5);
        assert_eq!(
            shown(5, &isolate(&five[..2], &five)),
            "n1: n1 n2\nn2: n1 n2\nn3: n3 n4 n5\nn4: n3 n4 n5\nn5: n3 n4 n5\n"
        );
    }

    #[test]
    fn a_one_way_cut_leaves_the_other_direction() {
        let three = nodes(3);
        let shown = |links: Vec<Link>| {
            let texts: Vec<_> = links.iter().map(Link::to_string).collect();
            texts.join(" ")
        };
        assert_eq!(shown(one_way(&three[0], true, &three)), "n1->n2 n1->n3");
        assert_eq!(shown(one_way(&three[0], false, &three)), "n2->n1 n3->n1");
    }
}
