//! The thread that writes the log: everything that waits is appended together and synced once (group commit).

use super::ServerError;
use super::config::SyncPolicy;
use super::core::Job;
use crate::log::{DeltaLog, LogError};
use crate::raft::Batch;
use crate::replica::Input;
use crate::types::Index;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// After so long without work, the log says that all of it was synced.
const IDLE: Duration = Duration::from_millis(50);

enum Work {
    Store(Batch),
    Truncate { first: Index, oldest: Index },
    Stop(Sender<()>),
}

/// Hands work to the thread.
pub struct Storage(Sender<Work>);

impl Storage {
    pub fn store(&self, batch: Batch) {
        // The thread ends only with the process.
        let _ = self.0.send(Work::Store(batch));
    }

    pub fn truncate(&self, first: Index, oldest: Index) {
        let _ = self.0.send(Work::Truncate { first, oldest });
    }

    pub fn stop(&self, done: Sender<()>) {
        let _ = self.0.send(Work::Stop(done));
    }
}

pub fn start(
    log: DeltaLog,
    policy: SyncPolicy,
    jobs: Sender<Job>,
    fatal: Sender<Result<(), ServerError>>,
) -> Result<Storage, ServerError> {
    let (sender, queue) = channel();
    let run = move || {
        if let Err(error) = write(log, policy, &queue, &jobs) {
            let _ = fatal.send(Err(ServerError::Stopped(format!(
                "the log can't be written: {error}"
            ))));
        }
    };
    std::thread::Builder::new()
        .name("log".into())
        .spawn(run)
        .map_err(ServerError::io("log thread"))?;
    Ok(Storage(sender))
}

fn write(
    mut log: DeltaLog,
    policy: SyncPolicy,
    queue: &Receiver<Work>,
    jobs: &Sender<Job>,
) -> Result<(), LogError> {
    let mut unsynced = false;
    let mut last_sync = Instant::now();
    let mut marked = false;
    loop {
        let patience = match policy {
            SyncPolicy::Interval(span) if unsynced => span.saturating_sub(last_sync.elapsed()),
            _ if marked => Duration::from_secs(3_600),
            _ => IDLE,
        };
        let first = match queue.recv_timeout(patience) {
            Ok(work) => Some(work),
            Err(RecvTimeoutError::Timeout) => {
                log.mark_synced()?;
                marked = true;
                None
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let (mut stored, mut wrote, mut truncate, mut stop) = (None, false, None, None);
        for work in first.into_iter().chain(queue.try_iter()) {
            match work {
                Work::Store(batch) => {
                    if batch.mark.is_some() || batch.hard_state.is_some() {
                        log.append(batch.mark, &batch.entries, batch.hard_state, now_ms())?;
                        wrote = true;
                    }
                    stored = Some(batch.sequence);
                }
                Work::Truncate { first, oldest } => truncate = Some((first, oldest)),
                Work::Stop(done) => stop = Some(done),
            }
        }
        unsynced |= wrote;
        marked &= !wrote;
        let due = match policy {
            SyncPolicy::Always => unsynced,
            SyncPolicy::Interval(span) => unsynced && last_sync.elapsed() >= span,
            SyncPolicy::Never => false,
        };
        if due || (unsynced && stop.is_some()) {
            log.sync()?;
            unsynced = false;
            last_sync = Instant::now();
        }
        if let Some(sequence) = stored
            && jobs.send(Job::Input(Input::Stored { sequence })).is_err()
        {
            return Ok(());
        }
        if let Some((first, oldest)) = truncate {
            log.remove_before(first, oldest)?;
        }
        if let Some(done) = stop {
            log.mark_synced()?;
            log.sync()?;
            let _ = done.send(());
            return Ok(());
        }
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_millis() as u64)
}
