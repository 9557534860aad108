//! A data folder: the log and the checkpoints, and how a server comes back from them.
//!
//! Restart = newest checkpoint + the log after it. [`Opened::load`] puts the two together and refuses what does not
//! fit; afterwards log and checkpoints go to the threads that write them.

use crate::bugs::{Bug, planted};
use crate::checkpoint::{CheckpointError, Checkpoints, Loaded, Policy};
use crate::disk::Disk;
use crate::log::{DeltaLog, LogError, Replayed, Segments};
use crate::raft::Restored;
use crate::types::{Lineage, SnapshotMeta};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The parts are sound and do not fit together.
    #[error(
        "the log begins at entry {first}, the checkpoint ends at {checkpoint}: entries between are missing"
    )]
    Gap { checkpoint: u64, first: u64 },
}

/// A data folder after a restart.
pub struct Recovered {
    pub restored: Restored,
    pub loaded: Loaded,
    /// Number of this start.
    pub boot: u64,
    pub torn_bytes: u64,
    pub log: DeltaLog,
    pub checkpoints: Checkpoints,
}

/// Opens a data folder: first [`Opened`], which is quick, then the machine.
pub struct Opened {
    log: DeltaLog,
    replayed: Replayed,
    checkpoints: Checkpoints,
    threads: usize,
}

/// Reads manifest and log, on so many threads.
pub fn open(
    disk: Arc<dyn Disk>,
    segments: Segments,
    least_boot: u64,
    policy: Policy,
    threads: usize,
) -> Result<Opened, StoreError> {
    let checkpoints = Checkpoints::open(disk.clone(), least_boot, policy)?;
    let (log, replayed) = DeltaLog::open(disk, segments, threads)?;
    Ok(Opened {
        log,
        replayed,
        checkpoints,
        threads,
    })
}

impl Opened {
    /// Loads the checkpoint and fits the log to it.
    pub fn load(self) -> Result<Recovered, StoreError> {
        let Opened {
            mut log,
            replayed,
            checkpoints,
            threads,
        } = self;
        let loaded = checkpoints.load(threads)?;
        let snapshot = checkpoints.newest();
        let torn_bytes = replayed.torn_bytes;
        let found = (replayed.base, replayed.entries.len());
        let lineage = checkpoints.manifest().lineage;
        let restored = fit(lineage, snapshot, replayed)?;
        if found != (restored.base, restored.entries.len()) {
            // What the log lacks of the checkpoint's history is marked in it before anything follows.
            log.append(Some(restored.base), &[], None, 0)?;
            log.sync()?;
        }
        let boot = checkpoints.manifest().boot;
        Ok(Recovered {
            restored,
            loaded,
            boot,
            torn_bytes,
            log,
            checkpoints,
        })
    }
}

/// Keeps of the log what belongs to the checkpoint's history.
fn fit(
    lineage: Lineage,
    snapshot: SnapshotMeta,
    replayed: Replayed,
) -> Result<Restored, StoreError> {
    let Replayed {
        hard_state,
        base,
        entries,
        ..
    } = replayed;
    let (index, term) = (snapshot.index, snapshot.term);
    let last = base.0 + entries.len() as u64;
    let anew = |hard_state| Restored {
        hard_state,
        lineage,
        snapshot: snapshot.clone(),
        base: (index, term),
        entries: Vec::new(),
    };
    if base.0 > index {
        return Err(StoreError::Gap {
            checkpoint: index,
            first: base.0 + 1,
        });
    }
    let term_at = |at: u64| match at - base.0 {
        0 => base.1,
        offset => entries[offset as usize - 1].term,
    };
    // The checkpoint came from a leader, and the crash came before the log was marked; or the log lost
    // its unsynced tail (sync policies other than `always`).
    if planted(Bug::LogAndCheckpointApart) {
        return Ok(Restored {
            hard_state,
            lineage,
            snapshot,
            base,
            entries,
        });
    }
    if last < index
        || (base.0 < index && term_at(index) != term)
        || (base.0 == index && base.1 != term && base.1 != 0)
    {
        return Ok(anew(hard_state));
    }
    let base = if base.0 == index { (index, term) } else { base };
    Ok(Restored {
        hard_state,
        lineage,
        snapshot,
        base,
        entries,
    })
}
