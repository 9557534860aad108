//! The configurations that were tried, in full: no hash stands in for one, so no collision can make a
//! verdict false.

use super::moves::Configuration;
use super::slots::{BuildWordHasher, Slots};
use std::collections::HashMap;

/// The end of a list in [`Memo::sets`].
const NONE: u32 = u32::MAX;

/// Configurations by rank, state and the entries done; for each of these, the sets of optional entries
/// used, none of which contains another: whatever completes a configuration completes one that differs
/// in having used fewer.
pub struct Memo<S> {
    first: HashMap<(u32, u32, S), u32, BuildWordHasher>,
    /// Sets with the place of the next one of the same list.
    sets: Vec<(S, u32)>,
    /// Whether optional entries are used at all.
    optional: bool,
    /// The most sets of a list, and whether more were offered.
    sets_max: usize,
    thinned: bool,
    /// Bytes of sets outside their values.
    heap: usize,
}

impl<S: Slots> Memo<S> {
    /// `sets_max`: of configurations that differ in the optional entries used only so many are
    /// admitted; then that none is left says nothing, if it was [`thinned`](Self::thinned).
    pub fn new(optional: bool, sets_max: usize) -> Self {
        Self {
            sets_max,
            thinned: false,
            first: HashMap::default(),
            sets: Vec::new(),
            optional,
            heap: 0,
        }
    }

    /// Remembers a configuration; false if it, or one that used fewer optional entries, is known.
    pub fn admit(&mut self, configuration: &Configuration<S>) -> bool {
        use std::collections::hash_map::Entry;
        let used = &configuration.used;
        let list = match self.first.entry(key(configuration)) {
            Entry::Vacant(place) => {
                self.heap += configuration.done.heap();
                if self.optional {
                    place.insert(self.sets.len() as u32);
                    self.sets.push((used.clone(), NONE));
                    self.heap += used.heap();
                } else {
                    place.insert(NONE);
                }
                return true;
            }
            Entry::Occupied(_) if !self.optional => return false,
            Entry::Occupied(place) => place.into_mut(),
        };
        let first = *list;
        let (mut at, mut length, mut contained) = (first, 0, false);
        while at != NONE {
            let (set, next) = &self.sets[at as usize];
            if set.is_subset(used) {
                return false;
            }
            contained |= used.is_subset(set);
            length += 1;
            at = *next;
        }
        if length >= self.sets_max && !contained {
            self.thinned = true;
            return false;
        }
        // Sets that contain this one leave the list.
        let new = self.sets.len() as u32;
        *list = new;
        self.heap += used.heap();
        self.sets.push((used.clone(), first));
        let mut before = new;
        let mut at = first;
        while at != NONE {
            let next = self.sets[at as usize].1;
            if used.is_subset(&self.sets[at as usize].0) {
                self.sets[before as usize].1 = next;
            } else {
                before = at;
            }
            at = next;
        }
        true
    }

    /// Whether a configuration was turned away that no other contains.
    pub fn thinned(&self) -> bool {
        self.thinned
    }

    /// Whether a configuration that was admitted is still not contained in another.
    pub fn is_current(&self, configuration: &Configuration<S>) -> bool {
        if !self.optional {
            return true;
        }
        let mut at = self.first.get(&key(configuration)).copied().unwrap_or(NONE);
        while at != NONE {
            let (set, next) = &self.sets[at as usize];
            if *set == configuration.used {
                return true;
            }
            at = *next;
        }
        false
    }

    /// Bytes that this holds, or will when the next configuration is admitted.
    pub fn memory(&self) -> usize {
        let place = size_of::<(u32, u32, S)>() + size_of::<u32>() + 1;
        // A table is copied when it grows.
        let growth = match self.first.len() == self.first.capacity() {
            true => 3,
            false => 1,
        };
        let sets = match self.sets.len() == self.sets.capacity() {
            true => 3 * self.sets.capacity(),
            false => self.sets.capacity(),
        };
        // Tables are filled to seven eighths.
        self.first.capacity() * growth * place * 8 / 7 + sets * size_of::<(S, u32)>() + self.heap
    }
}

fn key<S: Slots>(configuration: &Configuration<S>) -> (u32, u32, S) {
    (
        configuration.rank,
        configuration.state,
        configuration.done.clone(),
    )
}
