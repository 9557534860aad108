//! Reading the log back after a restart.

use super::record::{Framed, HEADER_LEN, Header, Record};
use super::{FOLDER, LogError, name};
use crate::disk::Disk;
use crate::types::{Entry, HardState, Index, Term};
use std::collections::VecDeque;

/// What a log holds.
#[derive(Debug, Default)]
pub struct Replayed {
    pub hard_state: HardState,
    /// What precedes the first entry; a term of 0 is not known.
    pub base: (Index, Term),
    /// Without gaps.
    pub entries: Vec<Entry>,
    /// Bytes that were cut off as a torn tail.
    pub torn_bytes: u64,
    pub(super) segments: VecDeque<(u64, Index)>,
    pub(super) last_number: u64,
    /// The first segment's base was read.
    begun: bool,
}

pub fn replay(disk: &dyn Disk) -> Result<Replayed, LogError> {
    let failed = |file: &str, source| LogError::Io {
        file: file.to_owned(),
        source,
    };
    let mut replayed = Replayed::default();
    let files = disk.list(FOLDER).map_err(|source| failed(FOLDER, source))?;
    let mut numbers = Vec::new();
    for file in files {
        let number = file
            .strip_suffix(".seg")
            .and_then(|number| number.parse::<u64>().ok());
        let number = number.ok_or_else(|| corrupt(&file, 0, "not the name of a segment"))?;
        numbers.push(number);
    }
    numbers.sort_unstable();
    for pair in numbers.windows(2) {
        if pair[1] != pair[0] + 1 {
            return Err(corrupt(&name(pair[0] + 1), 0, "the segment is missing"));
        }
    }
    for (position, &number) in numbers.iter().enumerate() {
        let file = name(number);
        let opened = disk.open(&file).map_err(|source| failed(&file, source))?;
        let mut bytes = vec![0; opened.length().map_err(|source| failed(&file, source))? as usize];
        opened
            .read_at(0, &mut bytes)
            .map_err(|source| failed(&file, source))?;
        let is_last = position + 1 == numbers.len();
        let max_index = replayed.segment(&file, number, &bytes, is_last)?;
        replayed.segments.push_back((number, max_index));
        replayed.last_number = number;
    }
    Ok(replayed)
}

impl Replayed {
    /// Reads one segment; returns the largest entry index in it.
    fn segment(
        &mut self,
        file: &str,
        number: u64,
        bytes: &[u8],
        is_last: bool,
    ) -> Result<Index, LogError> {
        match Header::decode(bytes) {
            Some(header) if header.number == number => {}
            // The header is synced before anything follows it.
            _ if is_last && bytes.len() <= HEADER_LEN => {
                self.torn_bytes += bytes.len() as u64;
                return Ok(0);
            }
            _ => return Err(corrupt(file, 0, "bad segment header")),
        }
        let (mut at, mut max_index) = (HEADER_LEN, 0);
        while at < bytes.len() {
            let Some(Framed { record, len, .. }) = Record::decode(number, &bytes[at..]) else {
                if proves_synced(number, bytes, at) {
                    return Err(corrupt(
                        file,
                        at as u64,
                        "a record that had been synced fails its checksum",
                    ));
                }
                // A crash tore the tail; what follows in later segments was written after the recovery from it.
                self.torn_bytes += (bytes.len() - at) as u64;
                break;
            };
            if let Record::Entry(entry) = &record {
                max_index = max_index.max(entry.index);
            }
            self.apply(record)
                .map_err(|what| corrupt(file, at as u64, &what))?;
            at += len;
        }
        Ok(max_index)
    }

    fn apply(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::HardState(state) => self.hard_state = state,
            Record::Base { index, term } => {
                if !std::mem::replace(&mut self.begun, true) {
                    self.base = (index, term);
                } else {
                    // The segment was begun by a recovery or a roll: it continues exactly here.
                    let last = self.base.0 + self.entries.len() as u64;
                    if last < index {
                        return Err(format!(
                            "the log continues after entry {index}, but ends at {last}"
                        ));
                    }
                    self.truncate(index + 1);
                }
            }
            Record::Mark { index, term } => {
                if self.term(index) != Some(term) {
                    self.entries.clear();
                    self.base = (index, term);
                }
            }
            Record::Entry(entry) => {
                self.truncate(entry.index);
                let next = self.base.0 + self.entries.len() as u64 + 1;
                if entry.index > next {
                    return Err(format!("entry {} where {next} belongs", entry.index));
                }
                if entry.index < next {
                    // It replaces what a removed segment held.
                    self.base = (entry.index - 1, 0);
                }
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    fn truncate(&mut self, from: Index) {
        self.entries
            .truncate(from.saturating_sub(self.base.0 + 1) as usize);
    }

    fn term(&self, index: Index) -> Option<Term> {
        match index.checked_sub(self.base.0)? {
            0 => Some(self.base.1),
            offset => self
                .entries
                .get(offset as usize - 1)
                .map(|entry| entry.term),
        }
    }
}

/// Whether a sound record behind the broken one at `broken` says that it had been synced.
fn proves_synced(number: u64, bytes: &[u8], broken: usize) -> bool {
    (broken + 1..bytes.len()).any(|at| {
        Record::decode(number, &bytes[at..]).is_some_and(|later| later.synced > broken as u64)
    })
}

fn corrupt(file: &str, offset: u64, what: &str) -> LogError {
    LogError::Corrupt {
        file: file.to_owned(),
        offset,
        what: what.to_owned(),
    }
}
