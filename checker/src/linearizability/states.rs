//! States as numbers, in the order in which they are found, each stored once.

use super::entries::Class;
use super::slots::BuildWordHasher;
use crate::model::Model;
use std::collections::HashMap;
use std::sync::Arc;

/// What the entries of a class do to a state. Not asked for objects that hold one value: their states
/// are the numbers of their values, and [`Effect`](super::entries::Effect) tells all.
pub trait Transitions {
    /// The state after an entry of `class`, or `None` if it is not possible in `state`.
    fn step(&mut self, state: u32, class: u32) -> Option<u32>;
    /// Bytes that this holds, about.
    fn memory(&self) -> usize;
}

pub struct States<'c, 'a, M> {
    classes: &'c [Class<'a>],
    known: HashMap<Arc<M>, u32, BuildWordHasher>,
    states: Vec<Arc<M>>,
    steps: HashMap<(u32, u32), Option<u32>, BuildWordHasher>,
    /// Bytes of the states themselves.
    memory: usize,
}

impl<'c, 'a, M: Model> States<'c, 'a, M> {
    pub fn new(classes: &'c [Class<'a>]) -> Self {
        Self {
            classes,
            known: HashMap::default(),
            states: Vec::new(),
            steps: HashMap::default(),
            memory: 0,
        }
    }

    pub fn number(&mut self, state: M) -> u32 {
        if let Some(known) = self.known.get(&state) {
            return *known;
        }
        let number = self.states.len() as u32;
        self.memory += state.memory() + 2 * size_of::<usize>();
        let state = Arc::new(state);
        self.known.insert(Arc::clone(&state), number);
        self.states.push(state);
        number
    }

    pub fn get(&self, number: u32) -> &M {
        &self.states[number as usize]
    }
}

impl<M: Model> Transitions for States<'_, '_, M> {
    fn step(&mut self, state: u32, class: u32) -> Option<u32> {
        if let Some(known) = self.steps.get(&(state, class)) {
            return *known;
        }
        let described = self.classes[class as usize];
        let next = self.states[state as usize].step(described.op, described.ret);
        let next = next.map(|next| self.number(next));
        self.steps.insert((state, class), next);
        next
    }

    fn memory(&self) -> usize {
        self.memory + self.states.capacity() * 3 * size_of::<usize>() + self.steps.capacity() * 20
    }
}
