//! Versions, points in what processes did, and the demands between them.

use super::versions::{Access, Kind};
use std::collections::VecDeque;

/// Where a demand comes from. Numbers are of accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The initial version comes before all others.
    Initial,
    /// From the version that an access concerned to the point after it.
    Enter(usize),
    /// From a point of a process to its next.
    Along,
    /// From a point to the version that the next access concerned.
    Leave(usize),
    /// From the version that a cas found to the one it left.
    Cas(usize),
}

/// One step of a cycle, from version to version.
#[derive(Clone, Copy, Debug)]
pub enum Demand {
    Initial,
    Cas(Access),
    /// One process did this, then that.
    Process(Access, Access),
}

#[derive(Clone, Copy, Debug)]
struct Arrow {
    from: usize,
    to: usize,
    /// Not only "not older".
    newer: bool,
    edge: Edge,
}

/// Nodes are versions first, then points.
#[derive(Debug)]
pub struct Graph {
    versions: usize,
    nodes: usize,
    arrows: Vec<Arrow>,
    pub accesses: Vec<Access>,
}

/// Versions of a component from which a short cycle is looked for.
const TRIED_MAX: usize = 16;

impl Graph {
    pub fn new(versions: usize) -> Self {
        Self {
            versions,
            nodes: versions,
            arrows: Vec::new(),
            accesses: Vec::new(),
        }
    }

    pub fn point(&mut self) -> usize {
        self.nodes += 1;
        self.nodes - 1
    }

    pub fn demand(&mut self, from: usize, to: usize, newer: bool, edge: Edge) {
        self.arrows.push(Arrow {
            from,
            to,
            newer,
            edge,
        });
    }

    /// A short cycle that no order of the versions allows.
    pub fn contradiction(mut self) -> Option<Vec<Demand>> {
        self.arrows.sort_by_key(|arrow| arrow.from);
        let mut starts = vec![0; self.nodes + 1];
        for arrow in &self.arrows {
            starts[arrow.from + 1] += 1;
        }
        for node in 0..self.nodes {
            starts[node + 1] += starts[node];
        }
        let components = self.components(&starts);
        let mut versions_in = vec![0u32; self.nodes];
        for version in 0..self.versions {
            versions_in[components[version]] += 1;
        }
        let is_inside = |arrow: &Arrow| components[arrow.from] == components[arrow.to];
        let mut bad: Vec<bool> = versions_in.iter().map(|count| *count > 1).collect();
        for arrow in self.arrows.iter().filter(|arrow| arrow.newer) {
            if is_inside(arrow) {
                bad[components[arrow.from]] = true;
            }
        }
        let candidates = (0..self.versions).filter(|version| bad[components[*version]]);
        let cycles = candidates
            .take(TRIED_MAX)
            .filter_map(|version| self.cycle(&starts, &components, version));
        let cycle = cycles.min_by_key(Vec::len)?;
        Some(self.demands(&cycle))
    }

    /// The strongly connected component of each node (Tarjan 1972, with a stack of its own).
    fn components(&self, starts: &[usize]) -> Vec<usize> {
        const NEW: usize = usize::MAX;
        let mut index = vec![NEW; self.nodes];
        let mut low = vec![0; self.nodes];
        let mut component = vec![NEW; self.nodes];
        let mut open: Vec<usize> = Vec::new();
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut count = 0;
        for root in 0..self.nodes {
            if index[root] != NEW {
                continue;
            }
            path.push((root, starts[root]));
            while let Some((node, next)) = path.last_mut() {
                let node = *node;
                if index[node] == NEW {
                    index[node] = count;
                    low[node] = count;
                    count += 1;
                    open.push(node);
                }
                if *next < starts[node + 1] {
                    let to = self.arrows[*next].to;
                    *next += 1;
                    if index[to] == NEW {
                        path.push((to, starts[to]));
                    } else if component[to] == NEW {
                        low[node] = low[node].min(index[to]);
                    }
                    continue;
                }
                path.pop();
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == index[node] {
                    while let Some(member) = open.pop() {
                        component[member] = node;
                        if member == node {
                            break;
                        }
                    }
                }
            }
        }
        component
    }

    /// The cycle from a version to itself with the fewest versions that meets another one or a demand
    /// for newer: the arrows by number.
    fn cycle(&self, starts: &[usize], components: &[usize], version: usize) -> Option<Vec<usize>> {
        // A state is a node and whether the path to it already contradicts itself if it closes.
        let mut distance = vec![[u32::MAX; 2]; self.nodes];
        let mut came_by: Vec<[Option<(usize, usize)>; 2]> = vec![[None; 2]; self.nodes];
        let mut next = VecDeque::from([(version, 0, 0)]);
        distance[version][0] = 0;
        while let Some((node, wrong, length)) = next.pop_front() {
            if (node, wrong) == (version, 1) {
                break;
            }
            if distance[node][wrong] < length {
                continue;
            }
            for number in starts[node]..starts[node + 1] {
                let arrow = &self.arrows[number];
                if components[arrow.to] != components[version] {
                    continue;
                }
                let other = arrow.to < self.versions && arrow.to != version;
                let becomes = usize::from(wrong == 1 || arrow.newer || other);
                let free = matches!(arrow.edge, Edge::Along | Edge::Leave(_));
                let length = length + u32::from(!free);
                if length < distance[arrow.to][becomes] {
                    distance[arrow.to][becomes] = length;
                    came_by[arrow.to][becomes] = Some((number, wrong));
                    match free {
                        true => next.push_front((arrow.to, becomes, length)),
                        false => next.push_back((arrow.to, becomes, length)),
                    }
                }
            }
        }
        let mut cycle = Vec::new();
        let mut state = (version, 1);
        while state != (version, 0) {
            let (number, wrong) = came_by[state.0][state.1]?;
            cycle.push(number);
            state = (self.arrows[number].from, wrong);
        }
        cycle.reverse();
        Some(cycle)
    }

    fn demands(&self, cycle: &[usize]) -> Vec<Demand> {
        let mut first: Option<Access> = None;
        let mut demands = Vec::new();
        for number in cycle {
            match self.arrows[*number].edge {
                Edge::Initial => demands.push(Demand::Initial),
                Edge::Cas(access) => demands.push(Demand::Cas(self.accesses[access])),
                Edge::Enter(access) => first = Some(self.accesses[access]),
                Edge::Along => {}
                Edge::Leave(access) => {
                    let second = self.accesses[access];
                    demands.extend(first.take().map(|first| Demand::Process(first, second)));
                }
            }
        }
        // Reads of one version in a row demand nothing.
        demands.retain(|demand| match demand {
            Demand::Process(a, b) => a.version != b.version || b.kind == Kind::Write,
            _ => true,
        });
        demands
    }
}
