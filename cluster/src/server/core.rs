//! The thread that steps the replica.

use super::config::TICK;
use super::shared::{Shared, millis};
use super::{ServerError, images, peers, storage};
use crate::api::{Answer, ApiError, Request};
use crate::raft::Impossible;
use crate::replica::{Admin, Effect, Input, Replica, Ticket};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often the status is made new while inputs keep coming.
const PUBLISH_EVERY: Duration = Duration::from_millis(5);

pub type Reply = oneshot::Sender<Result<Answer, ApiError>>;

// Inputs are most of what comes: boxing them would cost each of them.
#[allow(clippy::large_enum_variant)]
pub enum Job {
    Input(Input),
    Request {
        request: Request,
        reply: Reply,
    },
    Admin {
        request: Admin,
        timeout_ms: u64,
        reply: Reply,
    },
    /// Sync and say so.
    Stop {
        done: Sender<()>,
    },
}

/// Where effects go.
pub struct Doors {
    pub peers: peers::Peers,
    pub log: storage::Storage,
    pub images: images::Images,
}

struct Core {
    replica: Replica,
    doors: Doors,
    shared: Arc<Shared>,
    replies: HashMap<Ticket, Reply>,
    next_ticket: Ticket,
    started: Instant,
    joined_ms: Option<f64>,
    installed_before: u64,
}

pub fn start(
    replica: Replica,
    queue: Receiver<Job>,
    doors: Doors,
    shared: Arc<Shared>,
    fatal: Sender<Result<(), ServerError>>,
) -> Result<(), ServerError> {
    let installed_before = shared.installed_total();
    let mut core = Core {
        replica,
        doors,
        shared,
        replies: HashMap::new(),
        next_ticket: 1,
        started: Instant::now(),
        joined_ms: None,
        installed_before,
    };
    let run = move || {
        let outcome = core.run(&queue);
        // Nobody listens only when the process is ending.
        let _ = fatal.send(outcome.map_err(ServerError::from));
    };
    std::thread::Builder::new()
        .name("replica".into())
        .spawn(run)
        .map_err(ServerError::io("replica thread"))?;
    Ok(())
}

impl Core {
    fn run(&mut self, queue: &Receiver<Job>) -> Result<(), Impossible> {
        let mut next_tick = Instant::now() + TICK;
        let mut published = Instant::now();
        loop {
            let job = queue.recv_timeout(next_tick.saturating_duration_since(Instant::now()));
            // The clock is read after a job came and told before it is done: however long this thread was
            // held up, the replica's time is at most a tick behind the job's arrival, and a leader whose lease ran
            // out meanwhile knows.
            let now = Instant::now();
            if now >= next_tick {
                let now_ms = now.duration_since(self.started).as_millis() as u64;
                self.step(Input::Tick { now_ms })?;
                // A thread that was held up (paused, starved) does not make up for the ticks it missed: its
                // followers' patience is measured in real time, its own must not run out at once.
                next_tick = (next_tick + TICK).max(now);
            }
            match job {
                Ok(Job::Stop { done }) => {
                    self.doors.log.stop(done);
                    return Ok(());
                }
                Ok(job) => self.take(job)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if published.elapsed() >= PUBLISH_EVERY {
                published = Instant::now();
                self.publish();
            }
        }
    }

    fn take(&mut self, job: Job) -> Result<(), Impossible> {
        match job {
            Job::Input(input) => {
                if let Input::InstallFailed { meta, why } = &input {
                    tracing::warn!(
                        index = meta.index,
                        why,
                        "the image from the leader was refused"
                    );
                }
                self.step(input)
            }
            Job::Request { request, reply } => {
                let ticket = self.ticket(reply);
                self.step(Input::Request { ticket, request })
            }
            Job::Admin {
                request,
                timeout_ms,
                reply,
            } => {
                let ticket = self.ticket(reply);
                self.step(Input::Admin {
                    ticket,
                    request,
                    timeout_ms,
                })
            }
            Job::Stop { .. } => Ok(()),
        }
    }

    fn ticket(&mut self, reply: Reply) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.replies.insert(ticket, reply);
        ticket
    }

    fn step(&mut self, input: Input) -> Result<(), Impossible> {
        let effects = self.replica.step(input)?;
        self.carry_out(effects);
        let began = Instant::now();
        let effects = self.replica.checkpoint_if_due();
        if !effects.is_empty() {
            let captured = began.elapsed();
            let began = Instant::now();
            let waits = self.carry_out(effects);
            let pause = if waits {
                captured + began.elapsed()
            } else {
                captured
            };
            self.replica.paused(pause.as_secs_f64() * 1e6);
        }
        self.doors
            .images
            .hurry(self.replica.checkpoints_fall_behind());
        Ok(())
    }

    /// Returns whether one of them had to be waited for.
    fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        let mut waited = false;
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.doors.peers.send(to, message),
                Effect::Peers { keep, addresses } => self.doors.peers.keep(&keep, addresses),
                Effect::Store(batch) => self.doors.log.store(batch),
                Effect::TruncateLog { first, oldest } => self.doors.log.truncate(first, oldest),
                Effect::Answer { ticket, result } => {
                    if let Some(reply) = self.replies.remove(&ticket) {
                        // The client may have gone.
                        let _ = reply.send(result);
                    }
                }
                Effect::WriteCheckpoint {
                    meta,
                    captured,
                    plan,
                    wait,
                } => {
                    self.doors.images.write(meta, captured, plan, wait);
                    waited |= wait;
                }
                Effect::HoldCapture { transfer, capture } => {
                    self.doors.images.hold(transfer, capture)
                }
                Effect::KeepCaptures(transfers) => self.doors.images.keep(transfers),
                Effect::ReadChunk(request) => self.doors.images.read(request),
                Effect::Stage(piece) => self.doors.images.stage(piece),
                Effect::Install { meta, root, live } => {
                    tracing::info!(index = meta.index, "installing an image from the leader");
                    self.doors.images.install(meta, root, live);
                }
            }
        }
        waited
    }

    fn publish(&mut self) {
        if self.joined_ms.is_none() && self.replica.has_joined() {
            self.joined_ms = Some(millis(self.started));
        }
        self.shared
            .publish(self.replica.status(), self.installed_before, self.joined_ms);
    }
}
