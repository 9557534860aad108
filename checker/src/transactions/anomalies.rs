//! The anomalies by name (Adya 1999; Kingsbury and Alvaro 2020), and which of them are special cases of
//! which.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a cycle of dependencies is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Only ww.
    G0,
    /// ww and at least one wr.
    G1c,
    /// Exactly one rw.
    GSingle,
    /// Two or more rw, none following another.
    GNonadjacent,
    /// Two or more rw, of which two follow one another.
    G2Item,
    /// The same with reads by predicate. The vocabulary has no such reads: it is never found, but models
    /// forbid it.
    G2,
}

/// Which orders besides data dependencies a cycle needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Data,
    /// The order in which one process did things.
    Process,
    /// What ended before something else began.
    Realtime,
}

/// An anomaly's name; the greater ones are the milder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Name {
    /// A read shows something that nobody wrote.
    GarbageRead,
    /// A list holds an element twice that was appended once.
    DuplicateElements,
    /// Two reads of a list contradict one another: neither is the beginning of the other.
    IncompatibleOrder,
    /// A committed write built upon a failed one.
    DirtyUpdate,
    /// A committed transaction read what a failed one wrote.
    G1a,
    /// A read shows a value that its writer overwrote in the same transaction.
    G1b,
    /// A transaction read what it wrote only later.
    FutureRead,
    /// A transaction contradicts its own earlier reads and writes.
    Internal,
    /// Two transactions read the same version of an object and both wrote it.
    LostUpdate,
    Cycle(Shape, Scope),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown anomaly {0:?}")]
pub struct UnknownAnomaly(pub String);

impl Shape {
    pub const ALL: [Shape; 6] = [
        Shape::G0,
        Shape::G1c,
        Shape::GSingle,
        Shape::GNonadjacent,
        Shape::G2Item,
        Shape::G2,
    ];

    /// Whether every cycle of this shape counts as one of the `other`.
    fn implies(self, other: Shape) -> bool {
        match self {
            Shape::G0 | Shape::G1c => other == self || other == Shape::G1c,
            _ => other >= self,
        }
    }
}

impl Scope {
    pub const ALL: [Scope; 3] = [Scope::Data, Scope::Process, Scope::Realtime];
}

impl Name {
    const PLAIN: [(Name, &str); 9] = [
        (Name::GarbageRead, "garbage-read"),
        (Name::DuplicateElements, "duplicate-elements"),
        (Name::IncompatibleOrder, "incompatible-order"),
        (Name::DirtyUpdate, "dirty-update"),
        (Name::G1a, "G1a"),
        (Name::G1b, "G1b"),
        (Name::FutureRead, "future-read"),
        (Name::Internal, "internal"),
        (Name::LostUpdate, "lost-update"),
    ];

    /// All names, the gravest first.
    pub fn all() -> impl Iterator<Item = Name> {
        let plain = Self::PLAIN.into_iter().map(|(name, _)| name);
        let cycles = Scope::ALL
            .into_iter()
            .flat_map(|scope| Shape::ALL.map(|shape| Name::Cycle(shape, scope)));
        plain.chain(cycles)
    }

    /// Whether a history with this anomaly counts as one with the `other`.
    pub fn implies(self, other: Name) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Name::Cycle(shape, scope), Name::Cycle(other, wider)) => {
                shape.implies(other) && wider >= scope
            }
            (Name::IncompatibleOrder | Name::DirtyUpdate, Name::G1a) => true,
            (Name::FutureRead, Name::Internal) => true,
            // Whichever of the two wrote first: the other read what it overwrote, and wrote after it.
            (Name::LostUpdate, Name::Cycle(..)) => {
                Name::Cycle(Shape::GSingle, Scope::Data).implies(other)
            }
            _ => false,
        }
    }

    /// The gravest first.
    fn rank(self) -> usize {
        Self::all()
            .position(|name| name == self)
            .unwrap_or(usize::MAX)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::G0 => "G0",
            Shape::G1c => "G1c",
            Shape::GSingle => "G-single",
            Shape::GNonadjacent => "G-nonadjacent",
            Shape::G2Item => "G2-item",
            Shape::G2 => "G2",
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Cycle(shape, Scope::Data) => shape.fmt(f),
            Name::Cycle(shape, Scope::Process) => write!(f, "{shape}-process"),
            Name::Cycle(shape, Scope::Realtime) => write!(f, "{shape}-realtime"),
            plain => {
                let text = Self::PLAIN.iter().find(|(name, _)| name == plain);
                f.write_str(text.map_or("", |(_, text)| text))
            }
        }
    }
}

impl FromStr for Name {
    type Err = UnknownAnomaly;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|name| name.to_string() == text)
            .ok_or_else(|| UnknownAnomaly(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = UnknownAnomaly;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        let names: Vec<Name> = Name::all().collect();
        assert_eq!(names.len(), 27);
        for name in names {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert!("G3".parse::<Name>().is_err());
    }

    #[test]
    fn a_cycle_is_a_special_case_of_those_with_more_freedom() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        for (special, general) in [
            ("G0", "G1c-realtime"),
            ("G0-process", "G1c-process"),
            ("G-single", "G2-item"),
            ("G-single-process", "G2-realtime"),
            ("incompatible-order", "G1a"),
            ("future-read", "internal"),
            ("lost-update", "G-single"),
        ] {
            assert!(name(special).implies(name(general)), "{special}");
            assert!(!name(general).implies(name(special)), "{general}");
        }
        assert!(!name("G1c").implies(name("G-single")));
        assert!(!name("G-single-realtime").implies(name("G2-item-process")));
    }
}
