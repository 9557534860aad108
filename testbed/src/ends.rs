//! The ends of links by number, and a value per directed pair of them: nodes are 1, 2, ..., the
//! controller is 0.

use crate::{Error, NodeId, Result};

/// An end of a link, as an index into tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End(usize);

pub(crate) const CONTROLLER: End = End(0);

/// The names of all ends.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    names: Vec<NodeId>,
}

/// A value for every directed pair of ends.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<T> {
    size: usize,
    values: Vec<T>,
}

impl End {
    pub fn index(self) -> usize {
        self.0
    }

    /// The end's place in an address: its number; the controller is 254.
    pub fn octet(self) -> u8 {
        match self.0 {
            0 => 254,
            number => u8::try_from(number).expect("Ends::new admits at most 99 nodes"),
        }
    }
}

impl Ends {
    pub const NODES_MAX: usize = 99;

    pub fn new(nodes: usize) -> Result<Self> {
        if nodes == 0 || nodes > Self::NODES_MAX {
            return Err(Error::Unsupported(format!(
                "{nodes} nodes: between 1 and {} are possible on one machine",
                Self::NODES_MAX
            )));
        }
        let names = std::iter::once(NodeId::controller())
            .chain((1..=nodes).map(NodeId::numbered))
            .collect();
        Ok(Self { names })
    }

    pub fn find(&self, name: &NodeId) -> Result<End> {
        let index = self.names.iter().position(|known| known == name);
        index.map(End).ok_or_else(|| Error::unknown(name))
    }

    /// The two ends of a directed link.
    pub fn pair(&self, from: &NodeId, to: &NodeId) -> Result<(End, End)> {
        let (source, target) = (self.find(from)?, self.find(to)?);
        if source == target {
            return Err(Error::Failed(format!(
                "there is no link from {from} to itself"
            )));
        }
        Ok((source, target))
    }

    pub fn name(&self, end: End) -> &NodeId {
        &self.names[end.0]
    }

    pub fn all(&self) -> impl Iterator<Item = End> + use<> {
        (0..self.names.len()).map(End)
    }

    pub fn nodes(&self) -> impl Iterator<Item = End> + use<> {
        (1..self.names.len()).map(End)
    }

    /// Every directed pair of different ends.
    pub fn pairs(&self) -> impl Iterator<Item = (End, End)> + use<> {
        let size = self.names.len();
        (0..size)
            .flat_map(move |from| (0..size).map(move |to| (End(from), End(to))))
            .filter(|(from, to)| from != to)
    }
}

impl<T> Pairs<T> {
    pub fn new(ends: &Ends, mut make: impl FnMut() -> T) -> Self {
        let size = ends.names.len();
        Self {
            size,
            values: (0..size * size).map(|_| make()).collect(),
        }
    }

    pub fn get(&self, from: End, to: End) -> &T {
        &self.values[from.0 * self.size + to.0]
    }

    pub fn get_mut(&mut self, from: End, to: End) -> &mut T {
        &mut self.values[from.0 * self.size + to.0]
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_directions_of_a_pair_are_separate() {
        let ends = Ends::new(2).unwrap();
        let mut next = 0;
        let pairs = Pairs::new(&ends, || {
            next += 1;
            next
        });
        let one = ends.find(&NodeId::new("n1")).unwrap();
        let two = ends.find(&NodeId::new("n2")).unwrap();
        assert_ne!(pairs.get(one, two), pairs.get(two, one));
        assert_eq!(ends.pairs().count(), 6);
    }

    #[test]
    fn an_unknown_node_is_named_in_the_error() {
        let error = Ends::new(2).unwrap().find(&NodeId::new("n3")).unwrap_err();
        assert_eq!(error.to_string(), "no node n3 in this environment");
        assert!(Ends::new(0).is_err());
        assert!(Ends::new(100).is_err());
    }
}
