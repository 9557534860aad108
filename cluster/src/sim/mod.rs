//! A cluster in one thread: the real replicas on simulated disks, network and clocks.
//!
//! [`run`] plays one seed. Everything random comes from the seed and everything is ordered, so the same seed gives
//! the same trace ([`Report::trace`]). Messages are lost, doubled, delayed and reordered; links are cut, also in
//! one direction and for long enough that the log is compacted meanwhile; servers crash, also in the middle of
//! writing a checkpoint, installing an image or syncing the log, and lose what was not synced; they stand still, their
//! clocks drift, their disks fail; members are added, removed and replaced.
//!
//! After each event the safety properties of Raft (figure 3) are checked ([`invariants`]); at the end everything is
//! healed, and the cluster must make progress, agree, hold every acknowledged append and transfer once and have been
//! linearizable ([`clients`]). [`campaign`] plays many seeds. Whoever has other clients gives them as a [`Load`].

mod accounts;
pub mod campaign;
mod clients;
mod coverage;
mod faults;
mod host;
mod invariants;
mod load;
mod network;
mod options;
mod world;

pub use coverage::{Coverage, PATHS};
pub use invariants::Violation;
pub use load::Load;
pub use options::Options;

use clients::Clients;
use world::World;

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub seed: u64,
    pub violation: Option<Violation>,
    /// Hash over every event.
    pub trace: u64,
    pub events: u64,
    pub simulated_ms: u64,
    pub acknowledged: u64,
    /// The checker ran out of its budget.
    pub undecided: bool,
    pub coverage: Coverage,
}

/// Plays one seed.
pub fn run(seed: u64, options: &Options) -> Report {
    run_with(seed, options, Box::new(Clients::new(options.clients)))
}

/// Plays one seed with these clients.
pub fn run_with(seed: u64, options: &Options, load: Box<dyn Load>) -> Report {
    let mut world = World::new(seed, options.clone(), load);
    let result = world.play();
    let mut report = world.report;
    report.simulated_ms = world.now_ms;
    report.violation = result.err();
    report
}
