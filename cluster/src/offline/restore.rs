//! A state of the past, in a data folder of its own.
//!
//! The newest restore point up to the wanted index or time is loaded, and the log after it, archived segments included,
//! is applied up to exactly there. The new folder begins a new lineage, so that its files and those of the history
//! that went on can't mix. To restore a cluster, every server is given the same point (or the first one, and the
//! others join empty).

use super::OfflineError;
use crate::checkpoint::chain::{FULL, Mode, Plan};
use crate::checkpoint::{Captured, Checkpoints, Keep, Manifest, Policy, restore as load};
use crate::disk::Disk;
use crate::log::{self, DeltaLog, Replayed, Segments};
use crate::machine::{Command, Machine};
use crate::types::{EntryKind, HardState, Index, Lineage, Membership, Root, SnapshotMeta, Term};
use std::sync::Arc;

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// As far as is known to be committed.
    Latest,
    Index(Index),
    /// The last state written up to then, in milliseconds since 1970.
    Time(u64),
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    pub index: Index,
    pub term: Term,
    pub root: Root,
    pub checkpoint: Index,
    pub replayed: u64,
    pub keys: u64,
    pub lineage: Lineage,
    pub bytes: u64,
}

/// Restores a state of `from` into `into`, which must be empty.
pub fn restore(
    from: &dyn Disk,
    into: Arc<dyn Disk>,
    point: Point,
    threads: usize,
) -> Result<Restored, OfflineError> {
    let occupied = Manifest::read(into.as_ref())?.boot > 0;
    if occupied {
        return Err(OfflineError::NotPossible(
            "the folder to restore into holds data already".into(),
        ));
    }
    let manifest = Manifest::read(from)?;
    let folders: Vec<&str> = [log::ARCHIVE, log::FOLDER]
        .into_iter()
        .filter(|folder| from.list(folder).is_ok())
        .collect();
    let replayed = log::replay(from, &folders, threads)?;
    let commit = replayed.hard_state.commit;
    let end = wanted_index(&manifest, &replayed, point)?;
    let newest = manifest
        .files
        .iter()
        .rev()
        .find(|file| file.meta.index <= end);
    let chain = newest.map_or_else(Vec::new, |file| manifest.chain_to(file.meta.index));
    let checkpoint = newest.map(|file| file.meta.clone()).unwrap_or_default();
    if end > commit.max(checkpoint.index) {
        return Err(OfflineError::NotPossible(format!(
            "entry {end} is not known to be committed; the last one known is {}",
            commit.max(checkpoint.index)
        )));
    }
    let loaded = load::load(from, manifest.lineage, &chain, threads)?;
    let mut machine = loaded.machine;
    let mut members = checkpoint.members;
    let mut term = checkpoint.term;
    let first = replayed.base.0 + 1;
    if checkpoint.index < end && first > checkpoint.index + 1 {
        return Err(OfflineError::NotPossible(format!(
            "{end} can't be reached: the restore point before it is {}, and the log begins at {first} \
             (restore points: {})",
            checkpoint.index,
            points(&manifest)
        )));
    }
    for entry in &replayed.entries {
        if entry.index <= checkpoint.index || entry.index > end {
            continue;
        }
        apply(&mut machine, entry.index, entry.kind, &entry.data)?;
        term = entry.term;
        if let Some(changed) = machine.members() {
            members = changed;
        }
    }
    if machine.applied() != end {
        return Err(OfflineError::NotPossible(format!(
            "the log ends at {}, before {end}",
            machine.applied()
        )));
    }
    let replayed_entries = end - checkpoint.index;
    let lineage = next_lineage(manifest.lineage, end, term);
    let meta = SnapshotMeta {
        index: end,
        term,
        members: settle(members),
    };
    let (file_bytes, root) = write(into, &meta, machine.clone(), lineage)?;
    Ok(Restored {
        index: end,
        term,
        root,
        checkpoint: checkpoint.index,
        replayed: replayed_entries,
        keys: machine.keys(),
        lineage,
        bytes: file_bytes,
    })
}

fn points(manifest: &Manifest) -> String {
    let points: Vec<String> = manifest
        .files
        .iter()
        .map(|file| file.meta.index.to_string())
        .collect();
    if points.is_empty() {
        "none".into()
    } else {
        points.join(", ")
    }
}

fn wanted_index(
    manifest: &Manifest,
    replayed: &Replayed,
    point: Point,
) -> Result<Index, OfflineError> {
    let tip = manifest.files.last().map_or(0, |file| file.meta.index);
    let known = replayed.hard_state.commit.max(tip);
    match point {
        Point::Latest => Ok(known),
        Point::Index(index) => Ok(index),
        Point::Time(time_ms) => {
            let logged = replayed
                .entries
                .iter()
                .zip(&replayed.times)
                .filter(|(entry, time)| **time <= time_ms && entry.index <= known)
                .map(|(entry, _)| entry.index)
                .next_back();
            let checkpoint = manifest
                .files
                .iter()
                .rev()
                .find(|file| file.time_ms <= time_ms)
                .map(|file| file.meta.index);
            logged.max(checkpoint).ok_or_else(|| {
                OfflineError::NotPossible(format!(
                    "nothing that is kept is as old as {time_ms} ms since 1970 (restore points: {})",
                    points(manifest)
                ))
            })
        }
    }
}

fn apply(
    machine: &mut Machine,
    index: Index,
    kind: EntryKind,
    data: &[u8],
) -> Result<(), OfflineError> {
    let bad = |error: String| OfflineError::NotPossible(format!("entry {index}: {error}"));
    match kind {
        EntryKind::Noop => machine.skip(index),
        EntryKind::Command => {
            let command = Command::decode(data).map_err(|error| bad(error.to_string()))?;
            machine.apply(index, &command);
        }
        EntryKind::Config => {
            let members: Membership =
                postcard::from_bytes(data).map_err(|error| bad(error.to_string()))?;
            machine.apply_members(index, &members);
        }
    }
    Ok(())
}

/// A change of members that was under way is as good as done: nobody of the old history is asked any more.
fn settle(members: Membership) -> Membership {
    Membership {
        outgoing: Default::default(),
        ..members
    }
}

/// The same for every server that is restored to the same point, and for no other history.
fn next_lineage(lineage: Lineage, index: Index, term: Term) -> Lineage {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for word in [lineage.0, index, term] {
        for byte in word.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    Lineage(hash | 1)
}

fn write(
    into: Arc<dyn Disk>,
    meta: &SnapshotMeta,
    mut machine: Machine,
    lineage: Lineage,
) -> Result<(u64, Root), OfflineError> {
    // The log first: until the manifest names a checkpoint, the folder is an empty one.
    let (mut log, _) = DeltaLog::open(into.clone(), Segments::of(64 << 20), 1)?;
    let state = HardState {
        term: meta.term,
        vote: None,
        commit: meta.index,
    };
    log.append(Some((meta.index, meta.term)), &[], Some(state), 0)?;
    log.sync()?;
    let policy = Policy {
        mode: Mode::Full,
        keep: Keep::default(),
    };
    let mut checkpoints = Checkpoints::begin(into, lineage, policy)?;
    let captured = Captured::state(machine.capture());
    let root = captured.root;
    let plan = Plan {
        level: FULL,
        base: 0,
    };
    let file = checkpoints.write(meta, &captured, plan, crate::server::now_ms())?;
    Ok((file.map_or(0, |file| file.bytes), root))
}
