//! The delta log: one durable, ordered stream of entries, hard states and marks.
//!
//! One stream, so that entries and hard state can't disagree after a crash. It is cut into segments; each begins
//! with what the removed ones before it would have told (hard state, and what precedes its first entry),
//! so the beginning of the log can go segment by segment once a checkpoint covers it.
//!
//! A record that fails its checksum ends the log if nothing behind it proves that it had been synced: that is the
//! torn tail of a crash, and it is cut off. Every record says up to where the segment was synced when it was
//! written; where a later record proves that the broken one had been synced, the log is corrupt, and that is
//! an error with file and offset, never a silent cut. When nothing more comes after a sync, a record of its own says
//! so ([`DeltaLog::mark_synced`]). See [`record`] for the bytes.

mod record;
mod replay;

pub use replay::{Replayed, SegmentInfo, inspect, replay};

use crate::disk::{Disk, DiskFile};
use crate::types::{Entry, HardState, Index, Term};
use record::{Header, Record};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// The folder of the segments.
pub const FOLDER: &str = "log";
/// The folder of segments that are kept for restoring states of the past.
pub const ARCHIVE: &str = "archive";

/// When a segment ends, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Segments {
    pub bytes: u64,
    /// A segment also ends at this age.
    pub millis: Option<u64>,
    /// Segments that are not needed any more are kept in [`ARCHIVE`].
    pub archive: bool,
}

impl Segments {
    /// Ended by size only, and removed.
    pub fn of(bytes: u64) -> Self {
        Self {
            bytes,
            millis: None,
            archive: false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("{file}: {source}")]
    Io { file: String, source: io::Error },
    #[error("{file}: corrupt at byte {offset}: {what}")]
    Corrupt {
        file: String,
        offset: u64,
        what: String,
    },
}

/// The log, open for appending.
pub struct DeltaLog {
    disk: Arc<dyn Disk>,
    segments: Segments,
    /// Number and last entry index of each closed segment, oldest first.
    closed: VecDeque<(u64, Index)>,
    /// The same of archived ones.
    archived: VecDeque<(u64, Index)>,
    current: Segment,
    hard_state: HardState,
    last: (Index, Term),
    buffer: Vec<u8>,
}

/// The segment that is written to.
struct Segment {
    number: u64,
    file: Box<dyn DiskFile>,
    len: u64,
    synced: u64,
    /// Its length after the last proof of a sync.
    marked: u64,
    /// The largest entry index in it.
    max_index: Index,
    /// When its first record was written.
    since_ms: Option<u64>,
}

impl DeltaLog {
    /// Opens the log of a data folder, or makes an empty one; returns what it holds.
    pub fn open(
        disk: Arc<dyn Disk>,
        segments: Segments,
        threads: usize,
    ) -> Result<(Self, Replayed), LogError> {
        for folder in [FOLDER, ARCHIVE] {
            disk.create_folder(folder).map_err(|source| LogError::Io {
                file: folder.into(),
                source,
            })?;
        }
        sync_last(disk.as_ref())?;
        let mut replayed = replay::replay(disk.as_ref(), &[FOLDER], threads)?;
        let archived = replay::last_indices(disk.as_ref(), ARCHIVE)?;
        let closed = std::mem::take(&mut replayed.segments);
        let number = replayed.last_number + 1;
        let last = replayed
            .entries
            .last()
            .map_or(replayed.base, |entry| (entry.index, entry.term));
        // Always a new segment: the old ones are never written again.
        let current = Segment::create(disk.as_ref(), number)?;
        let hard_state = replayed.hard_state;
        let mut log = Self {
            disk,
            segments,
            closed,
            archived,
            current,
            hard_state,
            last,
            buffer: Vec::new(),
        };
        log.put_preamble();
        log.write()?;
        log.sync()?;
        Ok((log, replayed))
    }

    /// Appends a batch: first the mark (the log starts anew after an installed image), then the entries, then
    /// the hard state. Durable after [`DeltaLog::sync`].
    pub fn append(
        &mut self,
        mark: Option<(Index, Term)>,
        entries: &[Entry],
        hard_state: Option<HardState>,
        time_ms: u64,
    ) -> Result<(), LogError> {
        let since = *self.current.since_ms.get_or_insert(time_ms);
        let old = self
            .segments
            .millis
            .is_some_and(|limit| time_ms.saturating_sub(since) >= limit);
        if self.current.len >= self.segments.bytes || old {
            self.roll()?;
            self.current.since_ms = Some(time_ms);
        }
        if let Some((index, term)) = mark {
            self.put(Record::Mark { index, term }, time_ms);
            self.last = (index, term);
        }
        for entry in entries {
            self.put(Record::Entry(entry.clone()), time_ms);
            self.last = (entry.index, entry.term);
            self.current.max_index = self.current.max_index.max(entry.index);
        }
        if let Some(hard_state) = hard_state {
            self.hard_state = hard_state;
            self.put(Record::HardState(hard_state), time_ms);
        }
        self.write()
    }

    /// Makes everything appended so far durable.
    pub fn sync(&mut self) -> Result<(), LogError> {
        let number = self.current.number;
        self.current.file.sync().map_err(|source| LogError::Io {
            file: name(number),
            source,
        })?;
        self.current.synced = self.current.len;
        Ok(())
    }

    /// Says in the log that everything so far was synced, if that is so and nothing said it yet. Need not be synced
    /// itself: without it a broken end merely looks like one that was torn.
    pub fn mark_synced(&mut self) -> Result<(), LogError> {
        if self.current.synced < self.current.len || self.current.marked == self.current.len {
            return Ok(());
        }
        self.put(Record::Synced, 0);
        self.write()?;
        self.current.marked = self.current.len;
        Ok(())
    }

    /// Removes segments that hold only entries before `first`, or archives them; archived ones go when they hold only
    /// entries up to `oldest`, the oldest restore point.
    pub fn remove_before(&mut self, first: Index, oldest: Index) -> Result<(), LogError> {
        let mut removed = false;
        while self.closed.front().is_some_and(|&(_, last)| last < first) {
            let Some((number, last)) = self.closed.pop_front() else {
                break;
            };
            let file = name(number);
            if self.segments.archive {
                self.disk.rename(&file, &archived_name(number))
            } else {
                self.disk.remove(&file)
            }
            .map_err(|source| LogError::Io { file, source })?;
            if self.segments.archive {
                self.archived.push_back((number, last));
            }
            removed = true;
        }
        let mut outdated = false;
        while self
            .archived
            .front()
            .is_some_and(|&(_, last)| last <= oldest)
        {
            let Some((number, _)) = self.archived.pop_front() else {
                break;
            };
            let file = archived_name(number);
            self.disk
                .remove(&file)
                .map_err(|source| LogError::Io { file, source })?;
            outdated = true;
        }
        for (folder, changed) in [
            (ARCHIVE, outdated || (removed && self.segments.archive)),
            (FOLDER, removed),
        ] {
            if changed {
                self.disk
                    .sync_folder(folder)
                    .map_err(|source| LogError::Io {
                        file: folder.into(),
                        source,
                    })?;
            }
        }
        Ok(())
    }

    /// Number of segments, the current one included.
    pub fn count(&self) -> usize {
        self.closed.len() + 1
    }

    fn roll(&mut self) -> Result<(), LogError> {
        self.sync()?;
        let next = Segment::create(self.disk.as_ref(), self.current.number + 1)?;
        let full = std::mem::replace(&mut self.current, next);
        self.closed.push_back((full.number, full.max_index));
        self.put_preamble();
        self.write()
    }

    /// What the segments before this one would have told.
    fn put_preamble(&mut self) {
        self.put(Record::HardState(self.hard_state), 0);
        self.put(
            Record::Base {
                index: self.last.0,
                term: self.last.1,
            },
            0,
        );
    }

    fn put(&mut self, record: Record, time_ms: u64) {
        record.encode(
            self.current.number,
            time_ms,
            self.current.synced,
            &mut self.buffer,
        );
    }

    fn write(&mut self) -> Result<(), LogError> {
        if !self.buffer.is_empty() {
            let number = self.current.number;
            let written = self.current.file.write_at(self.current.len, &self.buffer);
            written.map_err(|source| LogError::Io {
                file: name(number),
                source,
            })?;
            self.current.len += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Segment {
    fn create(disk: &dyn Disk, number: u64) -> Result<Self, LogError> {
        let failed = |source| LogError::Io {
            file: name(number),
            source,
        };
        let mut file = disk.create(&name(number)).map_err(failed)?;
        let header = Header { number }.encode();
        file.write_at(0, &header).map_err(failed)?;
        // The header and the name are durable before anything else is in the segment, so a segment with
        // content and without a header is corrupt and not merely torn.
        file.sync().map_err(failed)?;
        disk.sync_folder(FOLDER).map_err(failed)?;
        let len = header.len() as u64;
        Ok(Self {
            number,
            file,
            len,
            synced: len,
            marked: 0,
            max_index: 0,
            since_ms: None,
        })
    }
}

/// What a process that was killed had written and not synced can be read, and would be lost with the power: before it is
/// taken for durable, it is made so. Only the last segment can hold such.
fn sync_last(disk: &dyn Disk) -> Result<(), LogError> {
    let failed = |file: &str, source| LogError::Io {
        file: file.to_owned(),
        source,
    };
    let files = disk.list(FOLDER).map_err(|source| failed(FOLDER, source))?;
    if let Some(last) = files.last() {
        let file = format!("{FOLDER}/{last}");
        disk.open(&file)
            .and_then(|mut open| open.sync())
            .map_err(|source| failed(&file, source))?;
        disk.sync_folder(FOLDER)
            .map_err(|source| failed(FOLDER, source))?;
    }
    Ok(())
}

fn name(number: u64) -> String {
    format!("{FOLDER}/{number:020}.seg")
}

fn archived_name(number: u64) -> String {
    format!("{ARCHIVE}/{number:020}.seg")
}

#[cfg(test)]
mod tests;
