//! What goes wrong: faults, whom they hit, when, and the journal that undoes them.
//!
//! A [`Plan`] comes from the seed ([`schedule`]): kinds, targets by role, times. The [`runner`] goes
//! through it: it looks at the cluster ([`view`]), lets the fault's [`Nemesis`] aim, writes down what it
//! is about to break ([`journal`]), injects, waits, heals, and hands every step to an observer. A fault
//! that can't show that it took effect has failed. One fault is one file: [`kill`], [`pause`],
//! [`partition`], [`lag`], [`power_loss`], [`transfer`], [`members`].

pub mod capability;
mod context;
pub mod heal;
mod impact;
pub mod journal;
pub mod kill;
mod kind;
pub mod lag;
pub mod links;
pub mod members;
pub mod partition;
pub mod pause;
pub mod plan;
pub mod power_loss;
mod proc;
pub mod runner;
pub mod schedule;
mod servers;
pub mod stream;
pub mod targets;
pub mod transfer;
pub mod view;

#[cfg(test)]
mod fakes;

pub use capability::check;
pub use context::{Clock, Context};
pub use heal::{HealReport, heal};
pub use journal::{FaultJournal, ProcessJournal};
pub use kind::Kind;
pub use plan::{Plan, PlannedFault, Variant};
pub use runner::{Observer, Summary, UnexpectedExit, run};
pub use targets::Target;
pub use view::View;

use async_trait::async_trait;
use links::Link;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;
use stream::Stream;
use testbed::NodeId;

/// Why a fault could not be injected, shown or healed, with the node or file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    #[error(transparent)]
    System(#[from] systems::Error),
    #[error("{path}: {source}", path = path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// What was asked for can't be had here; the text names every fault and what it lacks.
    #[error("{0}")]
    Refused(String),
    /// The fault was injected and changed nothing.
    #[error("no effect: {0}")]
    NoEffect(String),
    #[error("{0}")]
    Failed(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// What a fault is going to hit, decided before anything is touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aim {
    /// The nodes that are named as hit.
    pub nodes: Vec<NodeId>,
    /// The links that will be cut.
    pub cuts: Vec<Link>,
    /// Who gets what is handed over; anybody where it is absent.
    pub heir: Option<NodeId>,
    /// The leader as known at that moment.
    pub leader: Option<NodeId>,
    pub hit_leader: bool,
    pub hit_majority: bool,
    /// What a reader wants to know of the choice, for example who can still talk to whom.
    pub shape: Map<String, Value>,
}

/// That something took effect, when, and how that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// Nanoseconds since the start of the run at which it was complete; verification comes after.
    pub at: u64,
    pub proof: Map<String, Value>,
}

/// One way of breaking a cluster. It remembers what it has broken, so that [`Nemesis::heal`] undoes
/// exactly that, also when the injection failed or was dropped half-way.
#[async_trait]
pub trait Nemesis: Send {
    fn kind(&self) -> Kind;
    /// Bounds the injection, and the healing.
    fn limit(&self) -> Duration {
        Duration::from_secs(20)
    }
    /// Decides what to hit. Breaks nothing.
    fn aim(&self, fault: &PlannedFault, view: &View, stream: &mut Stream) -> Result<Aim>;
    /// Breaks it and shows that it is broken.
    async fn inject(&mut self, ctx: &Context, aim: &Aim) -> Result<Effect>;
    /// Undoes what was broken and shows that it is whole. Idempotent: nothing broken, nothing done.
    async fn heal(&mut self, ctx: &Context) -> Result<Effect>;
}

/// The nemesis of a planned fault.
pub fn of(fault: &PlannedFault) -> Box<dyn Nemesis> {
    match fault.kind {
        Kind::Kill => Box::new(kill::Kill::default()),
        Kind::Pause => Box::new(pause::Pause::default()),
        Kind::Partition => Box::new(partition::Partition::default()),
        Kind::Lag => Box::new(lag::Lag::default()),
        Kind::PowerLoss => Box::new(power_loss::PowerLoss::default()),
        Kind::Transfer => Box::new(transfer::Transfer::default()),
        Kind::Members => Box::new(members::Members::new(fault.change().unwrap_or_default())),
    }
}
