//! Breadth first: from one deadline to the next, with all configurations that are possible there.
//!
//! Just-in-time linearization (Lowe 2017): before each deadline, entries take effect only until the
//! entry of that deadline has. What was tried at earlier deadlines can be forgotten, so memory depends
//! on what is open at a time, not on the length of the history. Refutes soonest where many operations
//! of unknown outcome are about, as a configuration that used fewer of them stands for all that used
//! more.

use super::depth;
use super::memo::Memo;
use super::moves::{Configuration, Moves, Step};
use super::search::{Answer, Found, Limit, Limits, Watch};
use super::slots::Slots;
use std::collections::BTreeMap;

/// The first configuration has no step that led to it.
const ROOT: u32 = u32::MAX;

/// The configurations that stand before one deadline.
pub struct Layer<S> {
    memo: Memo<S>,
    waiting: Vec<Node<S>>,
}

struct Node<S> {
    configuration: Configuration<S>,
    /// Its place in [`Breadth::traces`].
    trace: u32,
}

pub struct Breadth<'m, 's, S> {
    moves: &'m mut Moves<'s>,
    layers: BTreeMap<u32, Layer<S>>,
    /// For each configuration the trace of the one before it, and the entry that led to it; if traces
    /// are kept.
    traces: Option<Vec<(u32, u32)>>,
    /// See [`Memo::new`].
    sets_max: usize,
    thinned: bool,
    watch: &'m mut Watch,
}

impl<'m, 's, S: Slots> Breadth<'m, 's, S> {
    /// From `roots`; `traces` for who wants to know the order in the end; `sets_max` as for
    /// [`Memo::new`].
    pub fn new(
        moves: &'m mut Moves<'s>,
        roots: impl IntoIterator<Item = Configuration<S>>,
        traces: bool,
        sets_max: usize,
        watch: &'m mut Watch,
    ) -> Self {
        let mut breadth = Self {
            sets_max,
            thinned: false,
            moves,
            layers: BTreeMap::new(),
            traces: traces.then(Vec::new),
            watch,
        };
        for mut root in roots {
            breadth.moves.settle(&mut root, true, &mut |_| {});
            breadth.admit(root, ROOT, ROOT);
        }
        breadth
    }

    /// Goes on until all configurations stand at rank `until` or later. False if there are none.
    pub fn advance(&mut self, until: u32) -> Result<bool, Limit> {
        let mut optional: Vec<Step> = Vec::new();
        while let Some(rank) = self.layers.keys().next().copied() {
            if rank >= until {
                return Ok(true);
            }
            self.watch.reached = rank;
            while let Some(node) = self.layers.get_mut(&rank).and_then(Layer::next) {
                let mut tried = 0;
                let from = &node.configuration;
                while let Some(step) = self.moves.next_required(from, &mut tried) {
                    self.try_step(&node, step)?;
                }
                self.moves.optional(from, &mut optional);
                while let Some(step) = optional.pop() {
                    self.try_step(&node, step)?;
                }
            }
            if let Some(layer) = self.layers.remove(&rank) {
                self.thinned |= layer.memo.thinned();
            }
        }
        Ok(false)
    }

    fn try_step(&mut self, from: &Node<S>, step: Step) -> Result<(), Limit> {
        let mut to = from.configuration.clone();
        self.moves.take(&mut to, step, &mut |_| {});
        if !self.admit(to, from.trace, step.entry) {
            return Ok(());
        }
        let traces = self.traces.as_ref().map_or(0, Vec::capacity);
        let memory = || {
            self.moves.memory()
                + self.layers.values().map(Layer::memory).sum::<usize>()
                + traces * size_of::<(u32, u32)>()
        };
        self.watch.exceeded(memory).map_or(Ok(()), Err)
    }

    fn admit(&mut self, configuration: Configuration<S>, before: u32, entry: u32) -> bool {
        let moves = &self.moves;
        let layer = self
            .layers
            .entry(configuration.rank)
            .or_insert_with(|| Layer {
                memo: Memo::new(moves.counts_optional(), self.sets_max),
                waiting: Vec::new(),
            });
        if !layer.memo.admit(&configuration) {
            return false;
        }
        let trace = match &mut self.traces {
            Some(traces) => {
                traces.push((before, entry));
                traces.len() as u32 - 1
            }
            None => ROOT,
        };
        layer.waiting.push(Node {
            configuration,
            trace,
        });
        true
    }

    /// The deadlines met by all configurations.
    pub fn reached(&self) -> u32 {
        self.watch.reached
    }

    /// Whether some configurations were let go; see [`Memo::new`].
    pub fn thinned(&self) -> bool {
        self.thinned || self.layers.values().any(|layer| layer.memo.thinned())
    }

    /// The configurations at hand, without those that another contains.
    pub fn into_configurations(self) -> Vec<Configuration<S>> {
        let mut configurations = Vec::new();
        for mut layer in self.layers.into_values() {
            while let Some(node) = layer.next() {
                configurations.push(node.configuration);
            }
        }
        configurations
    }

    /// The entries that led to a configuration at the end.
    fn steps(&self) -> Vec<u32> {
        let last = self
            .layers
            .values()
            .next_back()
            .and_then(|layer| layer.waiting.last());
        let traces = self.traces.as_deref().unwrap_or_default();
        let mut steps = Vec::new();
        let mut at = last.map_or(ROOT, |node| node.trace);
        while let Some((before, entry)) = traces.get(at as usize)
            && *entry != ROOT
        {
            steps.push(*entry);
            at = *before;
        }
        steps.reverse();
        steps
    }
}

impl<S: Slots> Layer<S> {
    fn next(&mut self) -> Option<Node<S>> {
        loop {
            let node = self.waiting.pop()?;
            if self.memo.is_current(&node.configuration) {
                return Some(node);
            }
        }
    }

    fn memory(&self) -> usize {
        self.memo.memory() + self.waiting.capacity() * size_of::<Node<S>>()
    }
}

pub fn search<S: Slots>(moves: &mut Moves<'_>, limits: Limits, held: usize) -> Found {
    let end = moves.schedule.len();
    let root = Configuration {
        rank: 0,
        state: moves.initial(),
        done: S::empty(),
        used: S::empty(),
    };
    let mut watch = Watch::new(limits, held);
    let mut breadth = Breadth::<S>::new(moves, [root], true, usize::MAX, &mut watch);
    let outcome = breadth.advance(end);
    let steps = breadth.steps();
    watch.found(match outcome {
        Ok(true) => Answer::Linearizable(depth::replay::<S>(moves, &steps)),
        Ok(false) => Answer::NotLinearizable,
        Err(limit) => Answer::OutOf(limit),
    })
}
