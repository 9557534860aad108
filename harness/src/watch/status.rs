//! Asks every server for its status at a steady pace, and keeps the newest answers for the progress line.

use super::Observation;
use crate::interpreter::Clock;
use results::observe::Sample;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use systems::{ServerStatus, System};
use testbed::{Node, Process};
use tokio::sync::{mpsc, watch};

/// A server that takes longer than this is recorded as not up.
const PATIENCE: Duration = Duration::from_millis(500);

/// The newest sample of every node.
#[derive(Clone, Default)]
pub struct Newest(Arc<Mutex<BTreeMap<String, Sample>>>);

impl Newest {
    /// The node that says it leads with the highest term.
    pub fn leader(&self) -> Option<String> {
        let samples = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let leaders = samples
            .values()
            .filter(|sample| sample.up && sample.role == "leader");
        leaders
            .max_by_key(|sample| sample.term)
            .map(|sample| sample.node.clone())
    }

    fn put(&self, sample: Sample) {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .insert(sample.node.clone(), sample);
    }
}

/// Samples every node each `every` until `stop`.
pub async fn run(
    system: Arc<dyn System>,
    nodes: Vec<Arc<dyn Node>>,
    clock: Clock,
    every: Duration,
    newest: Newest,
    observations: mpsc::UnboundedSender<Observation>,
    stop: watch::Receiver<bool>,
) {
    let mut tasks = tokio::task::JoinSet::new();
    for node in nodes {
        let (system, newest, observations, stop) = (
            system.clone(),
            newest.clone(),
            observations.clone(),
            stop.clone(),
        );
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !*stop.borrow() {
                ticks.tick().await;
                let time = clock.now();
                let status = system.status(node.id(), PATIENCE).await.ok();
                let mut sample = sample(time, node.id().to_string(), status);
                sample.resident_bytes = resident(node.as_ref(), system.process(node.id())).await;
                newest.put(sample.clone());
                if observations
                    .send(Observation::Sample(Box::new(sample)))
                    .is_err()
                {
                    return;
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Of a server's process; 0 where there is none, or it can't be asked.
async fn resident(node: &dyn Node, process: Option<Process>) -> u64 {
    match process {
        Some(process) => node.resident(&process).await.unwrap_or_default(),
        None => 0,
    }
}

fn sample(time: u64, node: String, status: Option<ServerStatus>) -> Sample {
    let up = status.is_some();
    let status = status.unwrap_or_default();
    Sample {
        time,
        node,
        up,
        role: status.role,
        term: status.term,
        leader: status.leader,
        commit: status.commit,
        applied: status.applied,
        first_index: status.first_index,
        checkpoint_index: status.checkpoint_index,
        snapshots_installed: status.snapshots_installed,
        snapshots_installed_total: status.snapshots_installed_total,
        snapshots_installed_delta: status.snapshots_installed_delta,
        snapshot_bytes_received: status.snapshot_bytes_received,
        snapshot_last_bytes: status.snapshot_last_bytes,
        snapshot_last_full_bytes: status.snapshot_last_full_bytes,
        snapshot_last_base: status.snapshot_last_base,
        snapshot_bytes_sent: status.snapshot_bytes_sent,
        snapshot_bytes_resent: status.snapshot_bytes_resent,
        checkpoint_chain: status.checkpoint_chain,
        checkpoint_chain_bytes: status.checkpoint_chain_bytes,
        checkpoint_last_ms: status.checkpoint_last_ms,
        checkpoints_written: status.checkpoints_written,
        checkpoint_bytes_written: status.checkpoint_bytes_written,
        checkpoint_bytes_changed: status.checkpoint_bytes_changed,
        checkpoint_longest_pause_us: status.checkpoint_longest_pause_us,
        voters: status.voters,
        learners: status.learners,
        recovery_ms: status.recovery_ms,
        recovery_counts: status.recovery_counts,
        uptime_ms: status.uptime_ms,
        resident_bytes: 0,
    }
}
