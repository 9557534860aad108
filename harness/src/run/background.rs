//! Bulk writes beside the history: they make the log grow and the state change. Nothing of them is recorded or
//! judged; what they cost the store shows in the operations that are.

use super::prefill::{FIRST_KEY, VALUE, filler};
use super::prepare::Prepared;
use crate::exit::Result;
use crate::spec::{Background, Size};
use checker::{Key, Op, Outcome, Value};
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;
use systems::System;
use testbed::NodeId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// After a write that did not succeed, before the next one, on another node.
const PAUSE: Duration = Duration::from_millis(20);
/// Writers that fell behind do not catch up on more than this.
const MOST_BEHIND: Duration = Duration::from_millis(100);
/// Least number of keys where none is given.
const LEAST_KEYS: u64 = 1_000;

/// Writers at work.
pub struct Writers {
    tasks: JoinSet<()>,
}

impl Writers {
    /// Starts the writers that the spec asks for; they end soon after `stop` turns true.
    pub fn start(prepared: &Prepared, stop: &watch::Receiver<bool>) -> Result<Self> {
        let mut tasks = JoinSet::new();
        if let Some(background) = &prepared.spec.background {
            for number in 0..background.clients {
                let writer = Writer {
                    system: prepared.system.clone(),
                    nodes: prepared.nodes(),
                    node: number,
                    deadline: prepared.spec.deadline.0,
                    every: Duration::from_secs_f64(
                        background.clients as f64 / background.rate as f64,
                    ),
                    keys: keys(background, prepared.spec.prefill),
                    bytes: background.value.0 as usize,
                    seed: workloads::seed::derive(prepared.seed, &format!("background {number}")),
                };
                tasks.spawn(writer.run(stop.clone()));
            }
        }
        Ok(Self { tasks })
    }

    /// Waits until all have ended; each by its deadline.
    pub async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

fn keys(background: &Background, prefill: Size) -> u64 {
    match background.keys {
        0 => prefill.0.div_ceil(VALUE).max(LEAST_KEYS),
        keys => keys,
    }
}

struct Writer {
    system: Arc<dyn System>,
    nodes: Vec<NodeId>,
    /// Counts through the nodes.
    node: usize,
    deadline: Duration,
    every: Duration,
    keys: u64,
    bytes: usize,
    seed: u64,
}

impl Writer {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // An error of the receiver means that the run has ended.
        tokio::select! {
            () = self.write() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn write(&mut self) {
        let mut rng = workloads::seed::stream(self.seed, "keys");
        // Not all at once.
        let mut due = Instant::now() + self.every.mul_f64(rng.random());
        let mut count = 0;
        loop {
            let node = &self.nodes[self.node % self.nodes.len()];
            let Ok(mut client) = self.system.connect(node).await else {
                self.move_on().await;
                continue;
            };
            loop {
                tokio::time::sleep_until(due).await;
                let earliest = Instant::now().checked_sub(MOST_BEHIND).unwrap_or(due);
                due = due.max(earliest) + self.every;
                count += 1;
                let op = Op::Write {
                    key: Key::Int(FIRST_KEY + rng.random_range(0..self.keys) as i64),
                    value: Value::Text(filler(self.seed ^ count, self.bytes).into()),
                };
                if !matches!(client.invoke(&op, self.deadline).await, Outcome::Ok(_)) {
                    break;
                }
            }
            self.move_on().await;
        }
    }

    /// To the next node, after a pause.
    async fn move_on(&mut self) {
        self.node += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_prefill_unless_given() {
        let count = |keys, prefill| {
            let background = Background {
                keys,
                ..Background::default()
            };
            super::keys(&background, Size(prefill))
        };
        assert_eq!(count(0, 4 << 20), 4_096);
        assert_eq!(count(0, 0), LEAST_KEYS);
        assert_eq!(count(7, 4 << 20), 7);
    }

    #[test]
    fn values_have_their_length_and_differ() {
        assert_eq!(filler(1, 16).len(), 16);
        assert_eq!(filler(1, 1_000).len(), 1_000);
        assert_ne!(filler(1, 64), filler(2, 64));
    }
}
