//! A plan: which faults, when, how long. The same seed gives the same plan; a plan can be printed, stored
//! and followed again.

use crate::links::Shape;
use crate::members::Change;
use crate::{Kind, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// One fault as planned. Times are milliseconds; a fault starts no earlier than planned, and later when
/// those before it took longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Counts from 1; given by the place in the plan where it is left out.
    #[serde(default)]
    pub number: u32,
    pub kind: Kind,
    /// Of a kind that has several ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    pub target: Target,
    /// Since the start of the run.
    pub start_ms: u64,
    /// From its effect to its healing. A lag ends when it has had its effect; this is how long that is
    /// expected to take.
    pub duration_ms: u64,
    /// After healing, before the next one.
    pub pause_ms: u64,
}

/// In which way a fault of its kind breaks things. Their names are all different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Variant {
    Partition(Shape),
    Members(Change),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub nodes: usize,
    pub duration_ms: u64,
    pub faults: Vec<PlannedFault>,
    /// Partitions that this many nodes can't have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Shape>,
}

impl Plan {
    /// A run without faults.
    pub fn quiet(seed: u64, nodes: usize, duration: Duration) -> Self {
        Self {
            seed,
            nodes,
            duration_ms: duration.as_millis() as u64,
            faults: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// These faults, numbered by their place.
    pub fn of(seed: u64, nodes: usize, duration: Duration, faults: &[PlannedFault]) -> Self {
        let numbered = (1..).zip(faults).map(|(number, fault)| PlannedFault {
            number,
            ..fault.clone()
        });
        Self {
            faults: numbered.collect(),
            ..Self::quiet(seed, nodes, duration)
        }
    }

    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.faults.iter().map(|fault| fault.kind).collect()
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.faults.iter().filter(|f| f.kind == kind).count()
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variant::Partition(shape) => shape.fmt(f),
            Variant::Members(change) => change.fmt(f),
        }
    }
}

impl PlannedFault {
    /// The shape of a partition.
    pub(crate) fn shape(&self) -> Option<Shape> {
        match self.variant {
            Some(Variant::Partition(shape)) => Some(shape),
            _ => None,
        }
    }

    /// What is done to the members.
    pub(crate) fn change(&self) -> Option<Change> {
        match self.variant {
            Some(Variant::Members(change)) => Some(change),
            _ => None,
        }
    }

    /// `partition majority-ring`, or the kind alone.
    pub fn title(&self) -> String {
        match self.variant {
            Some(variant) => format!("{} {variant}", self.kind),
            None => self.kind.to_string(),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
        writeln!(
            f,
            "seed {}, {} nodes, {}, {} faults",
            self.seed,
            self.nodes,
            seconds(self.duration_ms),
            self.faults.len()
        )?;
        for fault in &self.faults {
            let (at, lasts) = (seconds(fault.start_ms), seconds(fault.duration_ms));
            let (title, pause) = (fault.title(), seconds(fault.pause_ms));
            writeln!(
                f,
                "{:>3}  {at:>7}  {title:<24} {:<9} for {lasts}, then {pause}",
                fault.number, fault.target
            )?;
        }
        for variant in &self.left_out {
            let least = variant.least_nodes();
            writeln!(f, "left out: partition {variant} needs {least} nodes")?;
        }
        Ok(())
    }
}
