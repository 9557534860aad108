//! Probe clients: a small open-loop load that measures availability.
//!
//! A probe has the time at which the schedule *means* it to be sent, and its latency counts from there:
//! a stall of the store is seen in every probe that it delays instead of being left out (coordinated
//! omission). Two kinds run side by side: on a connection that is kept open, and on a new one each
//! time, because after a cut TCP's retransmission back-off holds an old connection back for longer than
//! the store was gone.
//!
//! A probe on a new connection stands for itself and ends after [`PATIENCE`]. A kept connection carries one
//! request at a time: probes that come due behind a stalled one wait for it and are sent when it ends,
//! as a client library's queue would; after [`PATIENCE_KEPT`] the connection is given up.

use super::Observation;
use crate::interpreter::Clock;
use checker::{Key, Op, Outcome, Value};
use results::observe::{Connection, Probe};
use std::sync::Arc;
use std::time::Duration;
use systems::{Client, System};
use testbed::NodeId;
use tokio::sync::{mpsc, watch};

/// Limit of a probe on a new connection.
const PATIENCE: Duration = Duration::from_secs(1);
/// Limit of a request on a kept connection: long enough to see TCP recover from a cut of a few seconds.
const PATIENCE_KEPT: Duration = Duration::from_secs(8);
/// Probes have keys of their own, far above those of the workloads.
const FIRST_KEY: i64 = 1 << 50;
/// Every so many-th probe of a connection is a read; the others write.
const READ_EVERY: u64 = 4;

/// What a prober needs; one per run.
#[derive(Clone)]
pub struct Prober {
    pub system: Arc<dyn System>,
    pub nodes: Vec<NodeId>,
    pub clock: Clock,
    /// Between two probes of the same kind of connection, over all nodes.
    pub every: Duration,
    pub observations: mpsc::UnboundedSender<Observation>,
}

impl Prober {
    /// Probes until `stop`; returns when every probe has ended.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut tasks = tokio::task::JoinSet::new();
        for position in 0..self.nodes.len() {
            tasks.spawn(self.clone().probe_kept(position, stop.clone()));
        }
        tasks.spawn(self.clone().probe_new(stop));
        while tasks.join_next().await.is_some() {}
    }

    /// One kept connection to one node. The nodes take turns, so each has its share of the schedule.
    async fn probe_kept(self, position: usize, stop: watch::Receiver<bool>) {
        let node = self.nodes[position].clone();
        let Ok(mut client) = self.system.connect(&node).await else {
            return;
        };
        let step = self.every * self.nodes.len() as u32;
        let mut intended = self.clock.now() + (self.every * position as u32).as_nanos() as u64;
        let mut count = 0;
        while !*stop.borrow() {
            tokio::time::sleep_until(self.clock.instant(intended)).await;
            let op = op(position, count);
            self.probe(
                client.as_mut(),
                &node,
                &op,
                intended,
                Connection::Kept,
                PATIENCE_KEPT,
            )
            .await;
            intended += step.as_nanos() as u64;
            count += 1;
        }
    }

    /// A new connection for each probe, to the nodes in turn.
    async fn probe_new(self, stop: watch::Receiver<bool>) {
        let mut flying = tokio::task::JoinSet::new();
        // Half a step after the kept ones, so that the two kinds sample different moments.
        let mut intended = self.clock.now() + (self.every / 2).as_nanos() as u64;
        let mut count = 0;
        while !*stop.borrow() {
            tokio::time::sleep_until(self.clock.instant(intended)).await;
            let position = (count % self.nodes.len() as u64) as usize;
            let op = op(self.nodes.len() + position, count / self.nodes.len() as u64);
            let node = self.nodes[position].clone();
            let prober = self.clone();
            flying.spawn(async move {
                let Ok(mut client) = prober.system.connect(&node).await else {
                    return;
                };
                prober
                    .probe(
                        client.as_mut(),
                        &node,
                        &op,
                        intended,
                        Connection::New,
                        PATIENCE,
                    )
                    .await;
            });
            while flying.try_join_next().is_some() {}
            intended += self.every.as_nanos() as u64;
            count += 1;
        }
        while flying.join_next().await.is_some() {}
    }

    async fn probe(
        &self,
        client: &mut dyn Client,
        node: &NodeId,
        op: &Op,
        intended: u64,
        connection: Connection,
        patience: Duration,
    ) {
        let sent = self.clock.now();
        let outcome = client.invoke(op, patience).await;
        let done = self.clock.now();
        let error = match outcome {
            Outcome::Ok(_) => None,
            Outcome::Fail(reason) | Outcome::Info(reason) => {
                client.disconnect();
                Some(reason.to_string())
            }
        };
        let probe = Probe {
            intended,
            sent,
            done,
            node: node.to_string(),
            connection,
            write: !op.is_read_only(),
            ok: error.is_none(),
            error,
        };
        // Nobody listens any more only when the run is over.
        let _ = self.observations.send(Observation::Probe(probe));
    }
}

fn op(slot: usize, count: u64) -> Op {
    let key = Key::Int(FIRST_KEY + slot as i64);
    if count % READ_EVERY == READ_EVERY - 1 {
        Op::Read { key }
    } else {
        Op::Write {
            key,
            value: Value::Int(count as i64),
        }
    }
}
