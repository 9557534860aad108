//! The graph of dependencies between transactions, in compressed rows.
//!
//! Where many transactions precede many others for one reason (everything that ended before everything
//! that began later), an edge for each pair would be too many. Such edges go through *junctions*: nodes
//! that stand for no transaction. Edges into a junction have the kind of the dependency, edges out of it
//! are [`VIA`]; a path from one transaction through junctions to another is one dependency, of the kind
//! of its first edge.

use super::intern::TxnId;
use super::meter::{Exhausted, Meter};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why one transaction must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// The second wrote over what the first wrote.
    Ww,
    /// The second read what the first wrote.
    Wr,
    /// The second wrote over what the first read.
    Rw,
    /// One process did the first and then the second.
    Process,
    /// The first was completed before the second was invoked.
    Realtime,
}

/// A set of edge kinds.
pub(super) type Kinds = u8;

pub(super) const WW: Kinds = 1;
pub(super) const WR: Kinds = 2;
pub(super) const RW: Kinds = 4;
pub(super) const PROCESS: Kinds = 8;
pub(super) const REALTIME: Kinds = 16;
/// Out of a junction; allowed wherever the junction could be entered.
pub(super) const VIA: Kinds = 32;
/// An rw that rests on real time: what was read was written before the second transaction began.
pub(super) const LATE_RW: Kinds = 64;

/// A transaction, or beyond those a junction.
pub(super) type Node = u32;

#[derive(Clone, Copy, Debug)]
struct Edge {
    from: Node,
    to: Node,
    kind: Kinds,
}

/// Collects edges.
#[derive(Debug)]
pub(super) struct Builder {
    transactions: u32,
    nodes: u32,
    edges: Vec<Edge>,
    charged: usize,
}

/// The edges, by the node that they leave.
#[derive(Debug)]
pub(super) struct Graph {
    transactions: u32,
    starts: Vec<u32>,
    targets: Vec<Node>,
    kinds: Vec<Kinds>,
}

impl EdgeKind {
    pub(super) fn of(kind: Kinds) -> Option<Self> {
        match kind {
            WW => Some(EdgeKind::Ww),
            WR => Some(EdgeKind::Wr),
            RW | LATE_RW => Some(EdgeKind::Rw),
            PROCESS => Some(EdgeKind::Process),
            REALTIME => Some(EdgeKind::Realtime),
            _ => None,
        }
    }
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EdgeKind::Ww => "ww",
            EdgeKind::Wr => "wr",
            EdgeKind::Rw => "rw",
            EdgeKind::Process => "process",
            EdgeKind::Realtime => "realtime",
        })
    }
}

impl Builder {
    pub fn new(transactions: usize) -> Self {
        Self {
            transactions: transactions as u32,
            nodes: transactions as u32,
            edges: Vec::new(),
            charged: 0,
        }
    }

    pub fn junction(&mut self) -> Node {
        self.nodes += 1;
        self.nodes - 1
    }

    pub fn edge(&mut self, from: Node, to: Node, kind: Kinds) {
        debug_assert_ne!(from, to, "a transaction does not depend on itself");
        self.edges.push(Edge { from, to, kind });
    }

    /// Edges from every source, of its kind, to every target but itself. `targets` are distinct and
    /// ascending.
    ///
    /// Takes room for the number of both, not for their product. With targets t1, t2, ... two chains of
    /// junctions are laid: one leads from its i-th junction to t1 ... ti, the other to ti ... tn. A source
    /// that is itself the target ti enters the first at i - 1 and the second at i + 1.
    pub fn fan(&mut self, sources: &[(TxnId, Kinds)], targets: &[TxnId]) {
        if sources.len() <= 2 || targets.len() <= 2 {
            for (source, kind) in sources {
                for target in targets.iter().filter(|target| *target != source) {
                    self.edge(source.0, target.0, *kind);
                }
            }
            return;
        }
        let upwards: Vec<Node> = targets.iter().map(|_| self.junction()).collect();
        for at in (0..targets.len()).rev() {
            self.edge(upwards[at], targets[at].0, VIA);
            if at + 1 < targets.len() {
                self.edge(upwards[at], upwards[at + 1], VIA);
            }
        }
        let mut downwards: Vec<Node> = Vec::new();
        for (source, kind) in sources {
            let Ok(at) = targets.binary_search(source) else {
                self.edge(source.0, upwards[0], *kind);
                continue;
            };
            if downwards.is_empty() {
                for target in targets {
                    let junction = self.junction();
                    self.edge(junction, target.0, VIA);
                    if let Some(below) = downwards.last() {
                        self.edge(junction, *below, VIA);
                    }
                    downwards.push(junction);
                }
            }
            if at > 0 {
                self.edge(source.0, downwards[at - 1], *kind);
            }
            if at + 1 < targets.len() {
                self.edge(source.0, upwards[at + 1], *kind);
            }
        }
    }

    /// Asks for the memory of the edges added since the last call.
    pub fn settle(&mut self, meter: &mut Meter) -> Result<(), Exhausted> {
        let grown = self.edges.capacity() - self.charged.min(self.edges.capacity());
        self.charged = self.edges.capacity();
        meter.room::<Edge>(grown)
    }

    pub fn build(mut self, meter: &mut Meter) -> Result<Graph, Exhausted> {
        meter.stage("laying out the graph")?;
        self.settle(meter)?;
        meter.room::<u32>(self.nodes as usize + 1 + self.edges.len())?;
        meter.room::<Kinds>(self.edges.len())?;
        let mut starts = vec![0u32; self.nodes as usize + 1];
        for edge in &self.edges {
            starts[edge.from as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut targets = vec![0; self.edges.len()];
        let mut kinds = vec![0; self.edges.len()];
        // Each row is filled from its start, which then stands at the next row's start ...
        for edge in &self.edges {
            let at = &mut starts[edge.from as usize];
            targets[*at as usize] = edge.to;
            kinds[*at as usize] = edge.kind;
            *at += 1;
        }
        // ... so the starts move up by one.
        starts.rotate_right(1);
        starts[0] = 0;
        meter.give_back::<Edge>(self.charged);
        Ok(Graph {
            transactions: self.transactions,
            starts,
            targets,
            kinds,
        })
    }
}

impl Graph {
    /// Transactions and junctions.
    pub fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn edges(&self) -> usize {
        self.targets.len()
    }

    pub fn is_transaction(&self, node: Node) -> bool {
        node < self.transactions
    }

    /// Where the edges of a node stand.
    pub fn row(&self, node: Node) -> std::ops::Range<usize> {
        self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize
    }

    pub fn target(&self, edge: usize) -> Node {
        self.targets[edge]
    }

    pub fn kind(&self, edge: usize) -> Kinds {
        self.kinds[edge]
    }

    pub fn out(&self, node: Node) -> impl Iterator<Item = (Node, Kinds)> + '_ {
        self.row(node)
            .map(|edge| (self.targets[edge], self.kinds[edge]))
    }

    /// The part of the graph within components of more than one node, and the node here that each of its
    /// nodes stands for. `transactions` stay before junctions.
    pub fn within(
        &self,
        component: &[u32],
        sizes: &[u32],
        meter: &mut Meter,
    ) -> Result<(Graph, Vec<Node>), Exhausted> {
        const OUTSIDE: Node = Node::MAX;
        let inside = |node: usize| sizes[component[node] as usize] > 1;
        let kept: Vec<Node> = (0..self.nodes())
            .filter(|node| inside(*node))
            .map(|node| node as Node)
            .collect();
        meter.room::<Node>(kept.len() + self.nodes())?;
        let mut renamed = vec![OUTSIDE; self.nodes()];
        for (at, node) in kept.iter().enumerate() {
            renamed[*node as usize] = at as Node;
        }
        let transactions = kept.partition_point(|node| self.is_transaction(*node));
        let mut part = Builder::new(transactions);
        part.nodes = kept.len() as u32;
        for (at, node) in kept.iter().enumerate() {
            for (target, kind) in self.out(*node) {
                if component[target as usize] == component[*node as usize] {
                    part.edge(at as Node, renamed[target as usize], kind);
                }
            }
        }
        meter.give_back::<Node>(self.nodes());
        Ok((part.build(meter)?, kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The dependencies between transactions, junctions collapsed.
    fn dependencies(graph: &Graph) -> BTreeSet<(Node, Node, Kinds)> {
        let mut found = BTreeSet::new();
        for from in 0..graph.transactions {
            for (first, kind) in graph.out(from) {
                let mut open = vec![first];
                while let Some(node) = open.pop() {
                    if graph.is_transaction(node) {
                        found.insert((from, node, kind));
                    } else {
                        open.extend(graph.out(node).map(|(target, _)| target));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn a_fan_joins_every_source_with_every_other_target() {
        for sources in 0..64u32 {
            for targets in 0..64u32 {
                let ids = |bits: u32| (0..6).filter(move |at| bits >> at & 1 == 1).map(TxnId);
                let from: Vec<(TxnId, Kinds)> = ids(sources)
                    .map(|id| (id, if id.0 % 2 == 0 { RW } else { WW }))
                    .collect();
                let to: Vec<TxnId> = ids(targets).collect();
                let mut builder = Builder::new(6);
                builder.fan(&from, &to);
                let graph = builder
                    .build(&mut Meter::new(crate::Budget::default()))
                    .unwrap();
                let expected: BTreeSet<_> = from
                    .iter()
                    .flat_map(|(source, kind)| to.iter().map(move |to| (source.0, to.0, *kind)))
                    .filter(|(source, target, _)| source != target)
                    .collect();
                assert_eq!(dependencies(&graph), expected, "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn a_fan_of_thousands_takes_thousands_of_edges() {
        let mut builder = Builder::new(10_000);
        let targets: Vec<TxnId> = (0..10_000).map(TxnId).collect();
        let sources: Vec<_> = targets.iter().map(|id| (*id, RW)).collect();
        builder.fan(&sources, &targets);
        assert!(builder.edges.len() < 80_000);
    }
}
