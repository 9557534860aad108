//! Shortest paths, breadth-first, junctions not counted.

use super::graph::Kinds;
use super::meter::{Exhausted, Meter};
use super::scc::Digraph;

const UNREACHED: u32 = u32::MAX;

/// Room for searches in one graph; each takes time for what it visits only.
#[derive(Debug)]
pub(super) struct Paths {
    /// Which search a node's entries belong to.
    search: Vec<u32>,
    length: Vec<u32>,
    /// The node before it and the kind of the edge from there.
    before: Vec<(u32, Kinds)>,
    searches: u32,
    /// Edges followed so far, in all searches.
    pub followed: u64,
}

impl Paths {
    pub fn new(nodes: usize, meter: &mut Meter) -> Result<Self, Exhausted> {
        meter.room::<(u32, u32, (u32, Kinds))>(nodes)?;
        Ok(Self {
            search: vec![0; nodes],
            length: vec![UNREACHED; nodes],
            before: vec![(0, 0); nodes],
            searches: 0,
            followed: 0,
        })
    }

    /// The nodes of a shortest path, each with the kind of the edge by which the path leaves it; the last
    /// is the one before `to`. Only `allowed` nodes are visited.
    pub fn shortest(
        &mut self,
        graph: &impl Digraph,
        from: u32,
        to: u32,
        allowed: impl Fn(u32) -> bool,
        meter: &mut Meter,
    ) -> Result<Option<Vec<(u32, Kinds)>>, Exhausted> {
        self.searches += 1;
        let (mut level, mut next) = (vec![from], Vec::new());
        let mut length = 0;
        self.reach(from, 0, (from, 0));
        while !level.is_empty() {
            while let Some(node) = level.pop() {
                if self.length[node as usize] < length {
                    continue;
                }
                if node == to {
                    return Ok(Some(self.path(from, to)));
                }
                let row = graph.row(node);
                self.followed += row.len() as u64 + 1;
                meter.work(row.len() as u64 + 1)?;
                for edge in row {
                    let Some(target) = graph.follow(node, edge) else {
                        continue;
                    };
                    if !allowed(target) {
                        continue;
                    }
                    // The edges out of a junction belong to the one into it.
                    let is_free = graph.is_free(edge);
                    let reached = length + u32::from(!is_free);
                    let known = if self.search[target as usize] == self.searches {
                        self.length[target as usize]
                    } else {
                        UNREACHED
                    };
                    if reached < known {
                        self.reach(target, reached, (node, graph.kind(edge)));
                        if is_free { &mut level } else { &mut next }.push(target);
                    }
                }
            }
            std::mem::swap(&mut level, &mut next);
            length += 1;
        }
        Ok(None)
    }

    fn reach(&mut self, node: u32, length: u32, before: (u32, Kinds)) {
        self.search[node as usize] = self.searches;
        self.length[node as usize] = length;
        self.before[node as usize] = before;
    }

    fn path(&self, from: u32, to: u32) -> Vec<(u32, Kinds)> {
        let mut path = Vec::new();
        let mut node = to;
        while node != from {
            let before = self.before[node as usize];
            path.push(before);
            node = before.0;
        }
        path.reverse();
        path
    }
}
