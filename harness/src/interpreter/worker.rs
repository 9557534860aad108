//! A worker: one client, one operation at a time.

use super::Clock;
use crate::exit::{Failure, Result};
use checker::{Op, Outcome};
use std::time::Duration;
use systems::Client;
use tokio::sync::mpsc;

/// After a connection was refused the worker rests this long: a dead node must not draw most of the
/// load by failing fastest.
const REST_AFTER_FAILED_CONNECT: Duration = Duration::from_millis(50);

pub enum Completion {
    /// An operation ended. While `resting`, the worker takes no other; `Rested` follows.
    Outcome {
        thread: usize,
        time: u64,
        outcome: Outcome,
        resting: bool,
    },
    Rested {
        thread: usize,
    },
}

pub struct Handle {
    jobs: mpsc::UnboundedSender<Op>,
}

impl Handle {
    pub fn invoke(&self, op: Op) -> Result<()> {
        self.jobs
            .send(op)
            .map_err(|_| Failure::harness("a client worker ended before the run did"))
    }
}

pub fn spawn(
    thread: usize,
    mut client: Box<dyn Client>,
    clock: Clock,
    deadline: Duration,
    completions: mpsc::UnboundedSender<Completion>,
) -> Handle {
    let (jobs, mut queue) = mpsc::unbounded_channel::<Op>();
    tokio::spawn(async move {
        while let Some(op) = queue.recv().await {
            let outcome = client.invoke(&op, deadline).await;
            let time = clock.now();
            let resting = matches!(&outcome, Outcome::Fail(reason) if reason.code() == "connect");
            if matches!(outcome, Outcome::Info(_)) {
                // The process is gone, and its connection with it.
                client.disconnect();
            }
            if completions
                .send(Completion::Outcome {
                    thread,
                    time,
                    outcome,
                    resting,
                })
                .is_err()
            {
                return;
            }
            if resting {
                tokio::time::sleep(REST_AFTER_FAILED_CONNECT).await;
                if completions.send(Completion::Rested { thread }).is_err() {
                    return;
                }
            }
        }
    });
    Handle { jobs }
}
