//! The delta log: one durable, ordered stream of entries, hard states and marks.
//!
//! One stream, so that entries and hard state can't disagree after a crash. It is cut into segments; each begins
//! with what the removed ones before it would have told (hard state, and what precedes its first entry),
//! so the beginning of the log can go segment by segment once a checkpoint covers it.
//!
//! A record that fails its checksum ends the log if nothing behind it proves that it had been synced: that is the
//! torn tail of a crash, and it is cut off. Every record says up to where the segment was synced when it was
//! written; where a later record proves that the broken one had been synced, the log is corrupt, and that is
//! an error with file and offset, never a silent cut. See [`record`] for the bytes.

mod record;
mod replay;

pub use replay::Replayed;

use crate::disk::{Disk, DiskFile};
use crate::types::{Entry, HardState, Index, Term};
use record::{Header, Record};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// The folder of the segments.
pub(crate) const FOLDER: &str = "log";

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
    segment_bytes: u64,
    /// Number and last entry index of each closed segment, oldest first.
    closed: VecDeque<(u64, Index)>,
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
    /// The largest entry index in it.
    max_index: Index,
}

impl DeltaLog {
    /// Opens the log of a data folder, or makes an empty one; returns what it holds.
    pub fn open(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<(Self, Replayed), LogError> {
        disk.create_folder(FOLDER).map_err(|source| LogError::Io {
            file: FOLDER.into(),
            source,
        })?;
        let mut replayed = replay::replay(disk.as_ref())?;
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
            segment_bytes,
            closed,
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
        if self.current.len >= self.segment_bytes {
            self.roll()?;
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

    /// Removes segments that hold only entries before `first`.
    pub fn remove_before(&mut self, first: Index) -> Result<(), LogError> {
        let mut removed = false;
        while self.closed.front().is_some_and(|&(_, last)| last < first) {
            let Some((number, _)) = self.closed.pop_front() else {
                break;
            };
            let file = name(number);
            self.disk
                .remove(&file)
                .map_err(|source| LogError::Io { file, source })?;
            removed = true;
        }
        if removed {
            self.disk
                .sync_folder(FOLDER)
                .map_err(|source| LogError::Io {
                    file: FOLDER.into(),
                    source,
                })?;
        }
        Ok(())
    }

    /// Number of segments, the current one included.
    pub fn segments(&self) -> usize {
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
            max_index: 0,
        })
    }
}

fn name(number: u64) -> String {
    format!("{FOLDER}/{number:020}.seg")
}

#[cfg(test)]
mod tests;
