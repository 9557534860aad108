//! The consistency models of transactions, and which of them an anomaly excludes (Adya 1999; Bailis et
//! al. 2013; Cerone, Bernardi and Gotsman 2015; Cerone and Gotsman 2016; Daudjee and Salem 2006).
//!
//! A model is told by what it forbids *besides* what the models below it forbid. For the models that are
//! not defined by cycles (causal, prefix, read-atomic) these are necessary conditions: a history without
//! the anomaly may still break the model in a way that is not looked for.

use super::anomalies::{Name, Scope, Shape};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A promise about what transactions see of one another.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    MonotonicAtomicView,
    CursorStability,
    ReadAtomic,
    UpdateAtomic,
    Causal,
    Prefix,
    ConsistentView,
    ParallelSnapshotIsolation,
    RepeatableRead,
    SnapshotIsolation,
    Serializable,
    StrongSessionReadUncommitted,
    StrongSessionReadCommitted,
    StrongSessionSnapshotIsolation,
    StrongSessionSerializable,
    StrongReadUncommitted,
    StrongReadCommitted,
    StrongSnapshotIsolation,
    #[default]
    StrictSerializable,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown consistency model {name:?}; known: {known}")]
pub struct UnknownIsolation {
    pub name: String,
    pub known: String,
}

const fn data(shape: Shape) -> Name {
    Name::Cycle(shape, Scope::Data)
}

const fn process(shape: Shape) -> Name {
    Name::Cycle(shape, Scope::Process)
}

const fn realtime(shape: Shape) -> Name {
    Name::Cycle(shape, Scope::Realtime)
}

use Isolation::*;

/// A model, its name, the models directly below it, and the anomalies that it forbids besides theirs.
type Row = (
    Isolation,
    &'static str,
    &'static [Isolation],
    &'static [Name],
);

const TABLE: &[Row] = &[
    (
        ReadUncommitted,
        "read-uncommitted",
        &[],
        &[data(Shape::G0), Name::GarbageRead, Name::DuplicateElements],
    ),
    (
        ReadCommitted,
        "read-committed",
        &[ReadUncommitted],
        &[Name::G1a, Name::G1b, data(Shape::G1c)],
    ),
    (
        MonotonicAtomicView,
        "monotonic-atomic-view",
        &[ReadCommitted],
        &[],
    ),
    (
        CursorStability,
        "cursor-stability",
        &[ReadCommitted],
        &[Name::LostUpdate],
    ),
    (
        ReadAtomic,
        "read-atomic",
        &[MonotonicAtomicView],
        &[Name::Internal, Name::FutureRead],
    ),
    (
        UpdateAtomic,
        "update-atomic",
        &[ReadAtomic],
        &[Name::LostUpdate],
    ),
    (Causal, "causal", &[ReadAtomic], &[]),
    (Prefix, "prefix", &[Causal], &[]),
    (
        ConsistentView,
        "consistent-view",
        &[CursorStability],
        &[data(Shape::GSingle)],
    ),
    (
        ParallelSnapshotIsolation,
        "parallel-snapshot-isolation",
        &[Causal, UpdateAtomic],
        &[data(Shape::GSingle)],
    ),
    (
        RepeatableRead,
        "repeatable-read",
        &[CursorStability, MonotonicAtomicView],
        &[data(Shape::G2Item)],
    ),
    (
        SnapshotIsolation,
        "snapshot-isolation",
        &[ParallelSnapshotIsolation, Prefix, ConsistentView],
        &[data(Shape::GNonadjacent)],
    ),
    (
        Serializable,
        "serializable",
        &[SnapshotIsolation, RepeatableRead],
        &[data(Shape::G2)],
    ),
    (
        StrongSessionReadUncommitted,
        "strong-session-read-uncommitted",
        &[ReadUncommitted],
        &[process(Shape::G0)],
    ),
    (
        StrongSessionReadCommitted,
        "strong-session-read-committed",
        &[ReadCommitted, StrongSessionReadUncommitted],
        &[process(Shape::G1c)],
    ),
    (
        StrongSessionSnapshotIsolation,
        "strong-session-snapshot-isolation",
        &[SnapshotIsolation, StrongSessionReadCommitted],
        &[process(Shape::GNonadjacent)],
    ),
    (
        StrongSessionSerializable,
        "strong-session-serializable",
        &[Serializable, StrongSessionSnapshotIsolation],
        &[process(Shape::G2)],
    ),
    (
        StrongReadUncommitted,
        "strong-read-uncommitted",
        &[StrongSessionReadUncommitted],
        &[realtime(Shape::G0)],
    ),
    (
        StrongReadCommitted,
        "strong-read-committed",
        &[StrongSessionReadCommitted, StrongReadUncommitted],
        &[realtime(Shape::G1c)],
    ),
    (
        StrongSnapshotIsolation,
        "strong-snapshot-isolation",
        &[StrongSessionSnapshotIsolation, StrongReadCommitted],
        &[realtime(Shape::GNonadjacent)],
    ),
    (
        StrictSerializable,
        "strict-serializable",
        &[StrongSessionSerializable, StrongSnapshotIsolation],
        &[realtime(Shape::G2)],
    ),
];

impl Isolation {
    /// Every model; a model comes after those that it implies.
    pub fn all() -> impl Iterator<Item = Isolation> {
        TABLE.iter().map(|(model, ..)| *model)
    }

    fn row(self) -> &'static Row {
        // The table is in the order of the enumeration, as a test says.
        &TABLE[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Whether every history of this model is one of `weaker`.
    pub fn implies(self, weaker: Isolation) -> bool {
        self == weaker || self.row().2.iter().any(|below| below.implies(weaker))
    }

    /// Whether a history with this anomaly is none of this model.
    pub fn forbids(self, anomaly: Name) -> bool {
        let (_, _, below, forbidden) = self.row();
        forbidden.iter().any(|name| anomaly.implies(*name))
            || below.iter().any(|model| model.forbids(anomaly))
    }

    /// Every model that histories with these anomalies break.
    pub fn excluded_by(anomalies: &[Name]) -> Vec<Isolation> {
        Self::all()
            .filter(|model| anomalies.iter().any(|anomaly| model.forbids(*anomaly)))
            .collect()
    }

    /// Those of `models` that imply no other of them.
    pub fn weakest(models: &[Isolation]) -> Vec<Isolation> {
        let is_least = |model: &Isolation| {
            !models
                .iter()
                .any(|other| other != model && model.implies(*other))
        };
        models.iter().copied().filter(is_least).collect()
    }

    /// Those of `models` that no other of them implies.
    pub fn strongest(models: &[Isolation]) -> Vec<Isolation> {
        let is_greatest = |model: &Isolation| {
            !models
                .iter()
                .any(|other| other != model && other.implies(*model))
        };
        models.iter().copied().filter(is_greatest).collect()
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isolation {
    type Err = UnknownIsolation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|model| model.name() == text)
            .ok_or_else(|| UnknownIsolation {
                name: text.to_owned(),
                known: Self::all().map(Self::name).collect::<Vec<_>>().join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(models: &[Isolation]) -> Vec<&'static str> {
        models.iter().map(|model| model.name()).collect()
    }

    fn boundary(anomalies: &[&str]) -> (Vec<&'static str>, Vec<&'static str>) {
        let anomalies: Vec<Name> = anomalies.iter().map(|name| name.parse().unwrap()).collect();
        let not = Isolation::excluded_by(&anomalies);
        let may_be: Vec<Isolation> = Isolation::all()
            .filter(|model| !not.contains(model))
            .collect();
        (
            names(&Isolation::weakest(&not)),
            names(&Isolation::strongest(&may_be)),
        )
    }

    #[test]
    fn the_table_is_in_the_order_of_the_enumeration_and_reads_back() {
        for (at, model) in Isolation::all().enumerate() {
            assert_eq!(model as usize, at);
            assert_eq!(model.name().parse(), Ok(model));
            assert_eq!(
                serde_json::to_value(model).unwrap(),
                serde_json::json!(model.name())
            );
        }
        let error = "snapshot".parse::<Isolation>().unwrap_err().to_string();
        assert!(error.starts_with("unknown consistency model \"snapshot\"; known: read-unc"));
    }

    #[test]
    fn strict_serializability_is_above_all() {
        for model in Isolation::all() {
            assert!(StrictSerializable.implies(model));
            for anomaly in Name::all().filter(|anomaly| model.forbids(*anomaly)) {
                assert!(StrictSerializable.forbids(anomaly));
            }
        }
    }

    #[test]
    fn anomalies_part_the_models() {
        assert_eq!(boundary(&[]), (vec![], vec!["strict-serializable"]));
        assert_eq!(
            boundary(&["G2-item"]),
            (vec!["repeatable-read"], vec!["strong-snapshot-isolation"])
        );
        assert_eq!(
            boundary(&["G-single-realtime"]),
            (
                vec!["strong-snapshot-isolation"],
                vec!["strong-session-serializable", "strong-read-committed"]
            )
        );
        assert_eq!(
            boundary(&["lost-update"]).0,
            ["cursor-stability", "update-atomic"]
        );
        assert_eq!(boundary(&["G0"]), (vec!["read-uncommitted"], vec![]));
        assert_eq!(
            boundary(&["G1a"]),
            (vec!["read-committed"], vec!["strong-read-uncommitted"])
        );
    }
}
