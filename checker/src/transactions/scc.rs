//! Strongly connected components by Tarjan's algorithm (1972), with a stack of its own instead of the
//! thread's: graphs have millions of nodes in one path.
//!
//! It walks anything that is a [`Digraph`], so that one implementation serves the graph restricted to
//! kinds of edges, and the graph that remembers whether the last edge was rw.

use super::graph::{Graph, Kinds, VIA};
use super::meter::{Exhausted, Meter};

/// Nodes 0 to n - 1, each with numbered edges.
pub(super) trait Digraph {
    fn nodes(&self) -> usize;
    /// The edges of a node, by number; not all of them need lead anywhere.
    fn row(&self, node: u32) -> std::ops::Range<usize>;
    fn follow(&self, node: u32, edge: usize) -> Option<u32>;
    fn kind(&self, edge: usize) -> Kinds;

    /// Whether an edge leaves a junction, so that it belongs to the edge into the junction.
    fn is_free(&self, edge: usize) -> bool {
        self.kind(edge) == VIA
    }
}

/// Which component each node is in. Components are numbered backwards along the edges: a path never
/// leads to a component with a greater number.
#[derive(Debug)]
pub(super) struct Components {
    pub of: Vec<u32>,
    pub sizes: Vec<u32>,
}

impl Components {
    pub fn together(&self, a: u32, b: u32) -> bool {
        self.of[a as usize] == self.of[b as usize]
    }

    #[cfg(test)]
    pub fn any_cyclic(&self) -> bool {
        self.sizes.iter().any(|size| *size > 1)
    }
}

/// A graph restricted to some kinds of edges.
pub(super) struct Restricted<'g> {
    pub graph: &'g Graph,
    pub kinds: Kinds,
}

impl Digraph for Restricted<'_> {
    fn nodes(&self) -> usize {
        self.graph.nodes()
    }

    fn row(&self, node: u32) -> std::ops::Range<usize> {
        self.graph.row(node)
    }

    fn follow(&self, _: u32, edge: usize) -> Option<u32> {
        (self.graph.kind(edge) & (self.kinds | VIA) != 0).then(|| self.graph.target(edge))
    }

    fn kind(&self, edge: usize) -> Kinds {
        self.graph.kind(edge)
    }
}

/// A graph in which no rw follows another. Node `2 n` is the node `n` when it was reached by another kind
/// of dependency, `2 n + 1` when it was reached by rw.
pub(super) struct Apart<'g> {
    pub graph: &'g Graph,
    /// Kinds besides rw.
    pub kinds: Kinds,
    /// The kinds that count as rw.
    pub rw: Kinds,
}

impl Digraph for Apart<'_> {
    fn nodes(&self) -> usize {
        2 * self.graph.nodes()
    }

    fn row(&self, node: u32) -> std::ops::Range<usize> {
        self.graph.row(node / 2)
    }

    fn follow(&self, node: u32, edge: usize) -> Option<u32> {
        let (kind, target) = (self.graph.kind(edge), 2 * self.graph.target(edge));
        let after_rw = node & 1;
        if kind == VIA {
            Some(target + after_rw)
        } else if kind & self.rw != 0 {
            (after_rw == 0).then_some(target + 1)
        } else {
            (kind & self.kinds != 0).then_some(target)
        }
    }

    fn kind(&self, edge: usize) -> Kinds {
        self.graph.kind(edge)
    }
}

const UNSEEN: u32 = u32::MAX;

pub(super) fn components(graph: &impl Digraph, meter: &mut Meter) -> Result<Components, Exhausted> {
    let nodes = graph.nodes();
    // The component, the order, the two stacks (the second of two words), the sizes.
    let room = 6 * nodes;
    meter.room::<u32>(room)?;
    let mut of = vec![UNSEEN; nodes];
    // The lowest order reachable so far; a node whose component is known has left the stack.
    let mut low = vec![UNSEEN; nodes];
    let mut sizes = Vec::new();
    let mut stack: Vec<u32> = Vec::new();
    // Nodes being walked: the node, its next edge, its own order.
    let mut walk: Vec<(u32, u32, u32)> = Vec::new();
    let mut order = 0;
    for root in 0..nodes as u32 {
        if low[root as usize] != UNSEEN {
            continue;
        }
        walk.push((root, graph.row(root).start as u32, order));
        low[root as usize] = order;
        stack.push(root);
        order += 1;
        while let Some((node, next, own)) = walk.last_mut() {
            let (node, end) = (*node, graph.row(*node).end as u32);
            let mut entered = None;
            let first = *next;
            while *next < end {
                let edge = *next;
                *next += 1;
                let Some(target) = graph.follow(node, edge as usize) else {
                    continue;
                };
                let seen = low[target as usize];
                if seen == UNSEEN {
                    entered = Some(target);
                    break;
                }
                if of[target as usize] == UNSEEN {
                    low[node as usize] = low[node as usize].min(seen);
                }
            }
            meter.work(u64::from(*next - first) + 1)?;
            if let Some(target) = entered {
                low[target as usize] = order;
                stack.push(target);
                walk.push((target, graph.row(target).start as u32, order));
                order += 1;
                continue;
            }
            let own = *own;
            walk.pop();
            let reached = low[node as usize];
            if let Some((parent, ..)) = walk.last() {
                let low = &mut low[*parent as usize];
                *low = (*low).min(reached);
            }
            if reached == own {
                let component = sizes.len() as u32;
                let mut size = 0;
                while let Some(member) = stack.pop() {
                    of[member as usize] = component;
                    size += 1;
                    if member == node {
                        break;
                    }
                }
                sizes.push(size);
            }
        }
    }
    meter.give_back::<u32>(room - nodes - sizes.len().min(nodes));
    Ok(Components { of, sizes })
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Builder, RW, WW};
    use super::*;
    use crate::Budget;
    use rand::{RngExt, SeedableRng};

    fn graph(nodes: usize, edges: &[(u32, u32, Kinds)]) -> Graph {
        let mut builder = Builder::new(nodes);
        for (from, to, kind) in edges {
            builder.edge(*from, *to, *kind);
        }
        builder.build(&mut Meter::new(Budget::default())).unwrap()
    }

    fn found(graph: &impl Digraph) -> Components {
        components(graph, &mut Meter::new(Budget::default())).unwrap()
    }

    #[test]
    fn components_are_those_of_mutual_reachability() {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
        for _ in 0..500 {
            let nodes = rng.random_range(1..9usize);
            let mut reach = vec![vec![false; nodes]; nodes];
            let mut edges = Vec::new();
            for _ in 0..rng.random_range(0..2 * nodes) {
                let (a, b) = (rng.random_range(0..nodes), rng.random_range(0..nodes));
                if a != b {
                    edges.push((a as u32, b as u32, WW));
                    reach[a][b] = true;
                }
            }
            for via in 0..nodes {
                for a in 0..nodes {
                    for b in 0..nodes {
                        reach[a][b] |= reach[a][via] && reach[via][b];
                    }
                }
            }
            let graph = graph(nodes, &edges);
            let found = found(&Restricted {
                graph: &graph,
                kinds: WW,
            });
            for (a, reached) in reach.iter().enumerate() {
                for (b, is_reached) in reached.iter().enumerate() {
                    let together = a == b || (*is_reached && reach[b][a]);
                    assert_eq!(found.together(a as u32, b as u32), together, "{edges:?}");
                    assert!(!is_reached || found.of[a] >= found.of[b], "{edges:?}");
                }
            }
        }
    }

    #[test]
    fn a_ring_of_a_million_is_one_component() {
        let n = 1_000_000;
        let edges: Vec<_> = (0..n).map(|at| (at, (at + 1) % n, WW)).collect();
        let graph = graph(n as usize, &edges);
        let found = found(&Restricted {
            graph: &graph,
            kinds: WW,
        });
        assert_eq!(found.sizes, [n]);
    }

    #[test]
    fn cycles_with_adjacent_rw_are_none_of_the_graph_that_keeps_them_apart() {
        let cyclic = |kinds: [Kinds; 4]| {
            let edges: Vec<_> = (0..4)
                .map(|at| (at, (at + 1) % 4, kinds[at as usize]))
                .collect();
            let graph = graph(4, &edges);
            found(&Apart {
                graph: &graph,
                kinds: WW,
                rw: RW,
            })
            .any_cyclic()
        };
        assert!(cyclic([RW, WW, RW, WW]));
        assert!(cyclic([RW, WW, WW, WW]));
        assert!(!cyclic([RW, RW, WW, WW]));
        assert!(!cyclic([RW, WW, WW, RW]));
    }
}
