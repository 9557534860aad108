//! What is observed beside the history clients: availability by [`probes`], servers by [`status`].
//!
//! Observations go through one channel to whoever writes them down.

pub mod probes;
pub mod status;

use results::observe::{Probe, Sample};

#[derive(Clone, Debug)]
pub enum Observation {
    Probe(Probe),
    Sample(Box<Sample>),
}
