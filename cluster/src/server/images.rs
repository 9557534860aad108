//! The threads for images: one writes checkpoints and takes in what a leader sends, one reads pieces for followers,
//! so that a checkpoint being written holds up no transfer.

use super::ServerError;
use super::core::Job;
use super::shared::millis;
use super::storage::now_ms;
use crate::checkpoint::chain::Plan;
use crate::checkpoint::{self, Captured, CheckpointError, Checkpoints, Pace};
use crate::machine::Capture;
use crate::raft::{ChunkRequest, Piece};
use crate::replica::Input;
use crate::transfer::Captures;
use crate::types::{Root, SnapshotMeta};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

enum Work {
    Write {
        meta: SnapshotMeta,
        captured: Box<Captured>,
        plan: Plan,
        /// Dropped when it is done.
        done: Option<Sender<()>>,
    },
    Stage(Piece),
    Install {
        meta: SnapshotMeta,
        root: Root,
        live: Box<Capture>,
    },
}

enum Read {
    Hold(u64, Box<Capture>),
    Keep(Vec<u64>),
    Chunk(ChunkRequest),
}

pub struct Images {
    work: Sender<Work>,
    reads: Sender<Read>,
    pace: Pace,
}

impl Images {
    /// With `wait`, returns only when it is written.
    pub fn write(&self, meta: SnapshotMeta, captured: Box<Captured>, plan: Plan, wait: bool) {
        let (done, written) = channel();
        // The threads end only with the process.
        let _ = self.work.send(Work::Write {
            meta,
            captured,
            plan,
            done: wait.then_some(done),
        });
        if wait {
            // An error means that it is done, or that the process is about to end.
            let _ = written.recv();
        }
    }

    /// Checkpoints take their time, or not.
    pub fn hurry(&self, yes: bool) {
        self.pace.hurry(yes);
    }

    pub fn stage(&self, piece: Piece) {
        let _ = self.work.send(Work::Stage(piece));
    }

    pub fn install(&self, meta: SnapshotMeta, root: Root, live: Box<Capture>) {
        let _ = self.work.send(Work::Install { meta, root, live });
    }

    pub fn hold(&self, transfer: u64, capture: Box<Capture>) {
        let _ = self.reads.send(Read::Hold(transfer, capture));
    }

    pub fn keep(&self, transfers: Vec<u64>) {
        let _ = self.reads.send(Read::Keep(transfers));
    }

    pub fn read(&self, request: ChunkRequest) {
        let _ = self.reads.send(Read::Chunk(request));
    }
}

pub fn start(
    checkpoints: Checkpoints,
    pace: Pace,
    jobs: Sender<Job>,
    fatal: Sender<Result<(), ServerError>>,
) -> Result<Images, ServerError> {
    let (work, queue) = channel();
    let (reads, read_queue) = channel();
    let spawn = |name: &str, run: Box<dyn FnOnce() -> Result<(), CheckpointError> + Send>| {
        let fatal = fatal.clone();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                if let Err(error) = run() {
                    let _ = fatal.send(Err(ServerError::Stopped(format!(
                        "a checkpoint failed: {error}"
                    ))));
                }
            });
        thread
            .map(|_| ())
            .map_err(ServerError::io(format!("{name} thread")))
    };
    let answers = jobs.clone();
    let own_pace = pace.clone();
    spawn(
        "images",
        Box::new(move || write(checkpoints, &own_pace, &queue, &answers)),
    )?;
    spawn("chunks", Box::new(move || read(&read_queue, &jobs)))?;
    Ok(Images { work, reads, pace })
}

fn write(
    mut checkpoints: Checkpoints,
    pace: &Pace,
    queue: &Receiver<Work>,
    jobs: &Sender<Job>,
) -> Result<(), CheckpointError> {
    for work in queue {
        let input = match work {
            Work::Write {
                meta,
                captured,
                plan,
                done,
            } => {
                let began = Instant::now();
                // Not while somebody stands still until it is written.
                let pace = done.is_none().then_some(pace);
                let file = checkpoints.write_at(&meta, &captured, plan, now_ms(), pace)?;
                drop(done);
                Input::CheckpointWritten {
                    meta,
                    file,
                    chain: checkpoints.manifest().chain(),
                    oldest: checkpoints.manifest().oldest(),
                    millis: millis(began),
                }
            }
            Work::Stage(piece) => {
                let (target, base) = (piece.meta.index, piece.base);
                let staged = checkpoints.stage(checkpoint::Piece {
                    base,
                    target,
                    reached: piece.reached,
                    data: piece.data,
                });
                match staged {
                    Ok(reached) => Input::Staged {
                        target,
                        base,
                        reached,
                    },
                    Err(error) => Input::InstallFailed {
                        meta: piece.meta,
                        why: error.to_string(),
                    },
                }
            }
            Work::Install { meta, root, live } => {
                match checkpoints.install(&meta, root, *live, now_ms()) {
                    Ok(machine) => Input::Installed {
                        meta,
                        machine: Box::new(machine),
                        chain: checkpoints.manifest().chain(),
                    },
                    Err(error @ CheckpointError::Io { .. }) => return Err(error),
                    // Not an image: the leader will be asked again, for everything.
                    Err(error) => Input::InstallFailed {
                        meta,
                        why: error.to_string(),
                    },
                }
            }
        };
        if jobs.send(Job::Input(input)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn read(queue: &Receiver<Read>, jobs: &Sender<Job>) -> Result<(), CheckpointError> {
    let mut captures = Captures::default();
    for read in queue {
        match read {
            Read::Hold(transfer, capture) => captures.hold(transfer, *capture),
            Read::Keep(transfers) => captures.keep(&transfers),
            Read::Chunk(request) => {
                let piece = captures.read(&request);
                if jobs
                    .send(Job::Input(Input::ChunkRead { request, piece }))
                    .is_err()
                {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
