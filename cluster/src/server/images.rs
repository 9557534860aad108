//! The threads for images: one writes checkpoints and installs what a leader sends, one reads pieces for followers,
//! so that a checkpoint being written holds up no transfer.

use super::ServerError;
use super::core::Job;
use super::shared::millis;
use crate::checkpoint::{CheckpointError, Checkpoints};
use crate::disk::Disk;
use crate::machine::Machine;
use crate::raft::{ChunkRequest, Piece};
use crate::replica::Input;
use crate::types::{Index, SnapshotMeta};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

enum Work {
    Write {
        meta: SnapshotMeta,
        image: Box<Machine>,
        keep: Vec<Index>,
    },
    Stage(Piece),
    Install(SnapshotMeta),
}

pub struct Images {
    work: Sender<Work>,
    reads: Sender<ChunkRequest>,
}

impl Images {
    pub fn write(&self, meta: SnapshotMeta, image: Box<Machine>, keep: Vec<Index>) {
        // The threads end only with the process.
        let _ = self.work.send(Work::Write { meta, image, keep });
    }

    pub fn stage(&self, piece: Piece) {
        let _ = self.work.send(Work::Stage(piece));
    }

    pub fn install(&self, meta: SnapshotMeta) {
        let _ = self.work.send(Work::Install(meta));
    }

    pub fn read(&self, request: ChunkRequest) {
        let _ = self.reads.send(request);
    }
}

pub fn start(
    checkpoints: Checkpoints,
    disk: Arc<dyn Disk>,
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
    spawn(
        "images",
        Box::new(move || write(checkpoints, &queue, &answers)),
    )?;
    spawn(
        "chunks",
        Box::new(move || read(disk.as_ref(), &read_queue, &jobs)),
    )?;
    Ok(Images { work, reads })
}

fn write(
    mut checkpoints: Checkpoints,
    queue: &Receiver<Work>,
    jobs: &Sender<Job>,
) -> Result<(), CheckpointError> {
    for work in queue {
        let input = match work {
            Work::Write { meta, image, keep } => {
                let began = Instant::now();
                let bytes = checkpoints.write(&meta, &image, &keep)?;
                Input::CheckpointWritten {
                    meta,
                    bytes,
                    millis: millis(began),
                }
            }
            Work::Stage(piece) => {
                let staged = checkpoints.stage(&piece.meta, piece.offset, &piece.data)?;
                Input::Staged {
                    index: piece.meta.index,
                    staged,
                    total: piece.total,
                }
            }
            Work::Install(meta) => match checkpoints.install(&meta) {
                Ok(machine) => Input::Installed {
                    meta,
                    machine: Box::new(machine),
                },
                Err(error @ CheckpointError::Io { .. }) => return Err(error),
                // Not an image: the leader will be asked again.
                Err(error) => Input::InstallFailed {
                    meta,
                    why: error.to_string(),
                },
            },
        };
        if jobs.send(Job::Input(input)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn read(
    disk: &dyn Disk,
    queue: &Receiver<ChunkRequest>,
    jobs: &Sender<Job>,
) -> Result<(), CheckpointError> {
    for request in queue {
        let piece = Checkpoints::read(disk, request.index, request.offset, request.bytes)?;
        if jobs
            .send(Job::Input(Input::ChunkRead { request, piece }))
            .is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}
