//! Looks for cycles of dependencies, from the gravest to the mildest.
//!
//! Strongly connected components say at once whether there is any cycle; usually there is none and
//! nothing else is done. Where there are some, a cycle through a certain edge is the shortest path back
//! from its end to its beginning: over ww for G0, over ww and wr for G1c and G-single, over a graph in
//! which no rw follows another for G-nonadjacent, over everything for G2-item. Except for G-single such
//! a path exists whenever both ends are in one component. Every cycle is named by what it is made of.

use super::anomalies::{Name, Scope, Shape};
use super::graph::{Graph, Kinds, LATE_RW, Node, PROCESS, REALTIME, RW, VIA, WR, WW};
use super::intern::TxnId;
use super::meter::{Exhausted, Meter};
use super::path::Paths;
use super::scc::{Apart, Components, Restricted, components};
use std::collections::{BTreeMap, HashSet};

/// Each transaction with the kind of its dependency to the next, the last leading to the first.
pub(super) type Cycle = Vec<(TxnId, Kinds)>;

/// So many cycles of each name are given.
const SHOWN_PER_NAME: usize = 4;

/// The work for one name ends when so many edges were followed since ...
const FOLLOWED_MAX: u64 = 100_000_000;
/// ... or, once a cycle is known, in the hope of a shorter one.
const FOLLOWED_FOR_SHORTER: u64 = 2_000_000;

/// What the search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By name, the shortest first.
    pub cycles: BTreeMap<Name, Vec<Cycle>>,
    /// Components of more than one transaction, and how many nodes the greatest has.
    pub components: usize,
    pub greatest: u32,
    /// Anomalies that were looked for in part.
    pub partly: Vec<Name>,
}

/// Looks for cycles; what was found before the budget ran out stays in `found`.
pub(super) fn search(graph: Graph, found: &mut Found, meter: &mut Meter) -> Result<(), Exhausted> {
    meter.stage("looking for strongly connected components")?;
    let everything = Restricted {
        graph: &graph,
        kinds: Kinds::MAX,
    };
    let whole = components(&everything, meter)?;
    let cyclic = || whole.sizes.iter().filter(|size| **size > 1);
    found.components = cyclic().count();
    found.greatest = cyclic().max().copied().unwrap_or(0);
    if found.components == 0 {
        return Ok(());
    }
    let (part, names) = graph.within(&whole.of, &whole.sizes, meter)?;
    drop(graph);
    let mut search = Search {
        paths: Paths::new(2 * part.nodes(), meter)?,
        graph: &part,
        names: &names,
        found,
    };
    for scope in Scope::ALL {
        search.within(scope, meter)?;
    }
    Ok(())
}

struct Search<'g> {
    graph: &'g Graph,
    /// The transactions that the nodes of the graph stand for.
    names: &'g [Node],
    paths: Paths,
    found: &'g mut Found,
}

impl Scope {
    /// The kinds of edges that it adds, and those that count as rw.
    fn kinds(self) -> (Kinds, Kinds) {
        match self {
            Scope::Data => (0, RW),
            Scope::Process => (PROCESS, RW),
            Scope::Realtime => (REALTIME, RW | LATE_RW),
        }
    }
}

/// What a cycle is, by its edges.
pub(super) fn classify(kinds: &[Kinds]) -> Name {
    let is_rw = |kind: Kinds| kind & (RW | LATE_RW) != 0;
    let any = |mask: Kinds| kinds.iter().any(|kind| kind & mask != 0);
    let scope = if any(REALTIME | LATE_RW) {
        Scope::Realtime
    } else if any(PROCESS) {
        Scope::Process
    } else {
        Scope::Data
    };
    let next = kinds.iter().cycle().skip(1);
    let adjacent = kinds.iter().zip(next).any(|(a, b)| is_rw(*a) && is_rw(*b));
    let shape = match kinds.iter().filter(|kind| is_rw(**kind)).count() {
        0 if any(WR) => Shape::G1c,
        0 => Shape::G0,
        1 => Shape::GSingle,
        _ if adjacent => Shape::G2Item,
        _ => Shape::GNonadjacent,
    };
    Name::Cycle(shape, scope)
}

impl Search<'_> {
    fn within(&mut self, scope: Scope, meter: &mut Meter) -> Result<(), Exhausted> {
        let (more, rw) = scope.kinds();
        let graph = self.graph;
        let wants = |search: &Self, shape| !search.is_implied(Name::Cycle(shape, scope));
        if wants(self, Shape::G0) {
            meter.stage("looking for cycles of ww")?;
            let ww = Restricted {
                graph,
                kinds: WW | more,
            };
            let parts = components(&ww, meter)?;
            let back = |search: &mut Self, from: Node, to: Node, meter: &mut Meter| {
                search
                    .paths
                    .shortest(&ww, to, from, |node| parts.together(node, from), meter)
            };
            self.through(Name::Cycle(Shape::G0, scope), WW, &parts, back, meter)?;
        }
        let base = Restricted {
            graph,
            kinds: WW | WR | more,
        };
        let parts = components(&base, meter)?;
        if wants(self, Shape::G1c) {
            meter.stage("looking for cycles of ww and wr")?;
            let back = |search: &mut Self, from: Node, to: Node, meter: &mut Meter| {
                search
                    .paths
                    .shortest(&base, to, from, |node| parts.together(node, from), meter)
            };
            self.through(Name::Cycle(Shape::G1c, scope), WR, &parts, back, meter)?;
        }
        let full = Restricted {
            graph,
            kinds: WW | WR | more | rw,
        };
        let all = components(&full, meter)?;
        if wants(self, Shape::GSingle) {
            meter.stage("looking for cycles with one rw")?;
            // Paths lead to components with lesser numbers.
            let back = |search: &mut Self, from: Node, to: Node, meter: &mut Meter| {
                let least = parts.of[from as usize];
                if parts.of[to as usize] < least {
                    return Ok(None);
                }
                let allowed =
                    |node: u32| parts.of[node as usize] >= least && all.together(node, from);
                search.paths.shortest(&base, to, from, allowed, meter)
            };
            self.through(Name::Cycle(Shape::GSingle, scope), rw, &all, back, meter)?;
        }
        let apart = Apart {
            graph,
            kinds: WW | WR | more,
            rw,
        };
        let apart_parts = components(&apart, meter)?;
        let is_apart = |from: Node, to: Node| apart_parts.together(2 * from, 2 * to + 1);
        if wants(self, Shape::GNonadjacent) {
            meter.stage("looking for cycles in which no rw follows another")?;
            let back = |search: &mut Self, from: Node, to: Node, meter: &mut Meter| {
                if !is_apart(from, to) {
                    return Ok(None);
                }
                let allowed = |node: u32| apart_parts.together(node, 2 * from);
                let back = search
                    .paths
                    .shortest(&apart, 2 * to + 1, 2 * from, allowed, meter)?;
                let halve = |(node, kind)| (node / 2, kind);
                Ok(back.map(|path| path.into_iter().map(halve).collect()))
            };
            self.through(
                Name::Cycle(Shape::GNonadjacent, scope),
                rw,
                &all,
                back,
                meter,
            )?;
        }
        if wants(self, Shape::G2Item) {
            meter.stage("looking for cycles in which rw follows rw")?;
            let back = |search: &mut Self, from: Node, to: Node, meter: &mut Meter| {
                if is_apart(from, to) {
                    return Ok(None);
                }
                search
                    .paths
                    .shortest(&full, to, from, |node| all.together(node, from), meter)
            };
            self.through(Name::Cycle(Shape::G2Item, scope), rw, &all, back, meter)?;
        }
        for parts in [&parts, &all, &apart_parts] {
            meter.give_back::<u32>(parts.of.len() + parts.sizes.len());
        }
        Ok(())
    }

    /// Whether an anomaly of narrower scope that was found counts as this one.
    fn is_implied(&self, name: Name) -> bool {
        let scope = |name| match name {
            Name::Cycle(_, scope) => Some(scope),
            _ => None,
        };
        let mut names = self.found.cycles.keys();
        names.any(|found| scope(*found) != scope(name) && found.implies(name))
    }

    /// Looks for cycles of a name through edges of a kind, with what leads back from their ends.
    fn through(
        &mut self,
        name: Name,
        kind: Kinds,
        parts: &Components,
        mut back: impl FnMut(
            &mut Self,
            Node,
            Node,
            &mut Meter,
        ) -> Result<Option<Vec<(Node, Kinds)>>, Exhausted>,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let graph = self.graph;
        let mut concerned: HashSet<TxnId> = HashSet::new();
        let mut cycles: Vec<Cycle> = Vec::new();
        let start = self.paths.followed;
        let mut is_complete = true;
        'nodes: for from in 0..graph.nodes() as Node {
            meter.work(1)?;
            if !graph.is_transaction(from) {
                break;
            }
            for edge in graph.row(from) {
                let (to, first) = (graph.target(edge), graph.kind(edge));
                if first & kind == 0 || !parts.together(from, to) {
                    continue;
                }
                let followed = self.paths.followed - start;
                if !cycles.is_empty() && followed > FOLLOWED_FOR_SHORTER {
                    break 'nodes;
                }
                if followed > FOLLOWED_MAX {
                    is_complete = false;
                    break 'nodes;
                }
                let Some(path) = back(self, from, to, meter)? else {
                    continue;
                };
                let cycle = self.cycle(from, first, &path);
                let kinds: Vec<Kinds> = cycle.iter().map(|(_, kind)| *kind).collect();
                if classify(&kinds) != name {
                    continue;
                }
                // Cycles that share transactions mostly tell the same story: the shortest is kept.
                let shares = cycle.iter().any(|(id, _)| concerned.contains(id));
                if shares && cycles.iter().any(|other| other.len() <= cycle.len()) {
                    continue;
                }
                concerned.extend(cycle.iter().map(|(id, _)| *id));
                let is_short = cycle.len() == 2;
                cycles.push(cycle);
                if is_short
                    && cycles.iter().filter(|cycle| cycle.len() == 2).count() >= SHOWN_PER_NAME
                {
                    break 'nodes;
                }
            }
        }
        if !is_complete && cycles.is_empty() {
            self.found.partly.push(name);
        }
        cycles.sort_by_key(Vec::len);
        cycles.dedup();
        cycles.truncate(SHOWN_PER_NAME);
        if !cycles.is_empty() {
            self.found.cycles.insert(name, cycles);
        }
        Ok(())
    }

    /// The cycle of an edge and a path back from its end, without the junctions.
    fn cycle(&self, from: Node, first: Kinds, back: &[(Node, Kinds)]) -> Cycle {
        let name = |node: Node| TxnId(self.names[node as usize]);
        let mut cycle = vec![(name(from), first)];
        let others = back.iter().filter(|(node, kind)| {
            debug_assert_eq!(self.graph.is_transaction(*node), *kind != VIA);
            self.graph.is_transaction(*node)
        });
        cycle.extend(others.map(|(node, kind)| (name(*node), *kind)));
        cycle
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::Builder;
    use super::*;
    use crate::Budget;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    type Edges = Vec<(u32, u32, Kinds)>;

    fn random(rng: &mut Pcg64Mcg) -> (u32, Edges) {
        let nodes = rng.random_range(2..7u32);
        let mut edges = Edges::new();
        for _ in 0..rng.random_range(1..3 * nodes) {
            let (a, b) = (rng.random_range(0..nodes), rng.random_range(0..nodes));
            if a == b {
                continue;
            }
            match rng.random_range(0..10) {
                0..=2 => edges.push((a, b, WW)),
                3..=4 => edges.push((a, b, WR)),
                5..=7 => edges.push((a, b, RW)),
                8 => edges.push((a, b, LATE_RW)),
                // Time has no cycles, and the order of a process is part of it.
                _ => {
                    edges.push((a.min(b), a.max(b), REALTIME));
                    if rng.random_bool(0.5) {
                        edges.push((a.min(b), a.max(b), PROCESS));
                    }
                }
            }
        }
        (nodes, edges)
    }

    fn found(nodes: u32, edges: &Edges) -> Found {
        let mut builder = Builder::new(nodes as usize);
        for (at, (from, to, kind)) in edges.iter().enumerate() {
            if at % 3 == 0 {
                let junction = builder.junction();
                builder.edge(*from, junction, *kind);
                builder.edge(junction, *to, VIA);
            } else {
                builder.edge(*from, *to, *kind);
            }
        }
        let mut meter = Meter::new(Budget::default());
        let graph = builder.build(&mut meter).unwrap();
        let mut found = Found::default();
        search(graph, &mut found, &mut meter).unwrap();
        found
    }

    /// The name of every simple cycle, with the length of the shortest of that name.
    fn all_cycles(nodes: u32, edges: &Edges) -> BTreeMap<Name, usize> {
        fn extend(
            edges: &Edges,
            path: &mut Vec<(u32, Kinds)>,
            at: u32,
            cycles: &mut BTreeMap<Name, usize>,
        ) {
            for (_, to, kind) in edges.iter().filter(|(from, ..)| *from == at) {
                let start = path.first().map_or(at, |(node, _)| *node);
                if *to < start || path.iter().any(|(node, _)| node == to && *to != start) {
                    continue;
                }
                path.push((at, *kind));
                if *to == start {
                    let kinds: Vec<Kinds> = path.iter().map(|(_, kind)| *kind).collect();
                    let length = cycles.entry(classify(&kinds)).or_insert(usize::MAX);
                    *length = (*length).min(kinds.len());
                } else {
                    extend(edges, path, *to, cycles);
                }
                path.pop();
            }
        }
        let mut cycles = BTreeMap::new();
        for start in 0..nodes {
            extend(edges, &mut Vec::new(), start, &mut cycles);
        }
        cycles
    }

    #[test]
    fn every_anomaly_of_a_small_graph_is_found_or_a_graver_one_and_the_witness_is_the_shortest() {
        for seed in 0..6_000 {
            let (nodes, edges) = random(&mut Pcg64Mcg::seed_from_u64(seed));
            let (found, all) = (found(nodes, &edges), all_cycles(nodes, &edges));
            for name in all.keys() {
                let is_covered = found.cycles.keys().any(|graver| graver.implies(*name));
                assert!(is_covered, "seed {seed}: {name} in {edges:?}: {found:?}");
            }
            for (name, cycles) in &found.cycles {
                for cycle in cycles {
                    for (at, (from, kind)) in cycle.iter().enumerate() {
                        let (to, _) = cycle[(at + 1) % cycle.len()];
                        assert!(edges.contains(&(from.0, to.0, *kind)), "seed {seed}");
                    }
                }
                let Name::Cycle(shape, _) = name else {
                    panic!("{name} is no cycle");
                };
                let is_exact = matches!(shape, Shape::G0 | Shape::G1c | Shape::GSingle);
                if let Some(shortest) = all.get(name).filter(|_| is_exact) {
                    assert_eq!(cycles[0].len(), *shortest, "seed {seed}: {name} {edges:?}");
                }
            }
        }
    }

    #[test]
    fn cycles_are_named_by_what_they_are_made_of() {
        for (kinds, name) in [
            (&[WW, WW][..], "G0"),
            (&[WW, WR], "G1c"),
            (&[RW, WW, WR], "G-single"),
            (&[RW, WR, RW, WW], "G-nonadjacent"),
            (&[RW, WR, WW, RW], "G2-item"),
            (&[WW, PROCESS], "G0-process"),
            (&[RW, REALTIME], "G-single-realtime"),
            (&[LATE_RW, WR], "G-single-realtime"),
        ] {
            assert_eq!(classify(kinds).to_string(), name);
        }
    }
}
