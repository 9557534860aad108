//! What a fault may touch: the environment, the system on it, the run's clock and the process journal.

use crate::{ProcessJournal, Result};
use std::sync::Arc;
use std::time::Duration;
use systems::System;
use testbed::{Environment, Node, NodeId, Process};
use tokio::time::Instant;

/// Counts nanoseconds since the start of the run, the zero of every time in its files.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub env: Arc<dyn Environment>,
    pub system: Arc<dyn System>,
    pub clock: Clock,
    /// Told of every server that a fault starts again.
    pub processes: Arc<ProcessJournal>,
}

impl Clock {
    pub fn new(start: Instant) -> Self {
        Self { start }
    }

    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// The instant that lies so far after the start.
    pub fn at(&self, offset: Duration) -> Instant {
        self.start + offset
    }
}

impl Context {
    pub fn node(&self, id: &NodeId) -> Result<Arc<dyn Node>> {
        let node = self.env.nodes().iter().find(|node| node.id() == id);
        node.cloned()
            .ok_or_else(|| crate::Error::Failed(format!("there is no node {id}")))
    }

    /// The server process of a node; an error when none was started.
    pub fn server(&self, id: &NodeId) -> Result<Process> {
        let process = self.system.process(id);
        process.ok_or_else(|| crate::Error::Failed(format!("{id}: no server runs")))
    }

    /// Starts the server of a node and notes it down as ours.
    pub async fn start_server(&self, id: &NodeId) -> Result<Process> {
        let process = self.system.start(id).await?;
        self.processes.started(&process)?;
        Ok(process)
    }
}
