//! Reading the log back: segments are decoded in parallel and put together in order.

use super::record::{Framed, HEADER_LEN, Header, Record};
use super::{FOLDER, LogError};
use crate::bugs::{Bug, planted};
use crate::disk::Disk;
use crate::types::{Entry, HardState, Index, Term};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a log holds.
#[derive(Debug, Default)]
pub struct Replayed {
    pub hard_state: HardState,
    /// What precedes the first entry; a term of 0 is not known.
    pub base: (Index, Term),
    /// Without gaps.
    pub entries: Vec<Entry>,
    /// When each of them was written, in milliseconds since 1970.
    pub times: Vec<u64>,
    /// Bytes that were cut off as a torn tail.
    pub torn_bytes: u64,
    pub(super) segments: VecDeque<(u64, Index)>,
    pub(super) last_number: u64,
    /// The first segment's base was read.
    begun: bool,
}

/// A segment file.
#[derive(Clone, Debug)]
struct File {
    name: String,
    number: u64,
}

/// A segment's records, up to where it ends or is torn.
struct Decoded {
    records: Vec<(usize, Framed)>,
    /// Where the torn tail begins, if there is one.
    torn_at: Option<usize>,
    len: usize,
}

/// What a segment holds, for people.
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    pub name: String,
    pub bytes: u64,
    pub records: u64,
    /// The lowest and highest entry index; `None`: no entries.
    pub entries: Option<(Index, Index)>,
    pub torn_bytes: u64,
}

/// The segment files of these folders, in order of their numbers, which must be without gap.
fn files(disk: &dyn Disk, folders: &[&str]) -> Result<Vec<File>, LogError> {
    let mut files = Vec::new();
    for folder in folders {
        let names = disk.list(folder).map_err(|source| LogError::Io {
            file: (*folder).to_owned(),
            source,
        })?;
        for file in names {
            let number = file
                .strip_suffix(".seg")
                .and_then(|number| number.parse::<u64>().ok())
                .ok_or_else(|| corrupt(&file, 0, "not the name of a segment"))?;
            files.push(File {
                name: format!("{folder}/{file}"),
                number,
            });
        }
    }
    files.sort_by_key(|file| file.number);
    for pair in files.windows(2) {
        if pair[1].number != pair[0].number + 1 {
            let missing = format!("{FOLDER}/{:020}.seg", pair[0].number + 1);
            return Err(corrupt(&missing, 0, "the segment is missing"));
        }
    }
    Ok(files)
}

/// Reads the log of these folders.
pub fn replay(disk: &dyn Disk, folders: &[&str], threads: usize) -> Result<Replayed, LogError> {
    let files = files(disk, folders)?;
    let mut replayed = Replayed::default();
    // The last segment that ended in a broken record, and where.
    let mut broken: Option<(&str, usize)> = None;
    for (file, decoded) in files.iter().zip(decode_all(disk, &files, threads)) {
        let decoded = decoded?;
        let mut max_index = 0;
        for (at, framed) in decoded.records {
            if let Record::Entry(entry) = &framed.record {
                max_index = max_index.max(entry.index);
            }
            replayed.apply(framed).map_err(|what| {
                let (name, at) = broken.unwrap_or((&file.name, at));
                corrupt(name, at as u64, &what)
            })?;
        }
        if let Some(at) = decoded.torn_at {
            // A crash tore the tail; what follows in later segments was written after the recovery from it.
            replayed.torn_bytes += (decoded.len - at) as u64;
            broken = Some((&file.name, at));
        }
        replayed.segments.push_back((file.number, max_index));
        replayed.last_number = file.number;
    }
    Ok(replayed)
}

/// Number and highest entry index of each segment of a folder.
pub(super) fn last_indices(
    disk: &dyn Disk,
    folder: &str,
) -> Result<VecDeque<(u64, Index)>, LogError> {
    let files = files(disk, &[folder])?;
    let infos = inspect(disk, folder)?;
    Ok(files
        .iter()
        .zip(infos)
        .map(|(file, info)| (file.number, info.entries.map_or(0, |(_, last)| last)))
        .collect())
}

/// What each segment of a folder holds; an error names the first that is corrupt.
pub fn inspect(disk: &dyn Disk, folder: &str) -> Result<Vec<SegmentInfo>, LogError> {
    let files = files(disk, &[folder])?;
    let mut infos = Vec::new();
    for file in &files {
        let decoded = decode(disk, file)?;
        let indices = decoded
            .records
            .iter()
            .filter_map(|(_, framed)| match &framed.record {
                Record::Entry(entry) => Some(entry.index),
                _ => None,
            });
        infos.push(SegmentInfo {
            name: file.name.clone(),
            bytes: decoded.len as u64,
            records: decoded.records.len() as u64,
            entries: indices.fold(None, |range, index| match range {
                None => Some((index, index)),
                Some((low, high)) => Some((index.min(low), index.max(high))),
            }),
            torn_bytes: decoded.torn_at.map_or(0, |at| (decoded.len - at) as u64),
        });
    }
    Ok(infos)
}

fn decode_all(disk: &dyn Disk, files: &[File], threads: usize) -> Vec<Result<Decoded, LogError>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(at) else {
                return done;
            };
            done.push((at, decode(disk, file)));
        }
    };
    let mut all = if threads < 2 || files.len() < 2 {
        work()
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("a decoder does not panic"))
                .collect()
        })
    };
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, decoded)| decoded).collect()
}

fn decode(disk: &dyn Disk, file: &File) -> Result<Decoded, LogError> {
    let failed = |source| LogError::Io {
        file: file.name.clone(),
        source,
    };
    let opened = disk.open(&file.name).map_err(failed)?;
    let mut bytes = vec![0; opened.length().map_err(failed)? as usize];
    opened.read_at(0, &mut bytes).map_err(failed)?;
    let mut decoded = Decoded {
        records: Vec::new(),
        torn_at: None,
        len: bytes.len(),
    };
    match Header::decode(&bytes) {
        Ok(header) if header.number == file.number => {}
        // The header is synced before anything follows it: a crash came first, perhaps long ago. If there had been
        // entries, the next segment would know.
        _ if bytes.len() <= HEADER_LEN => {
            decoded.torn_at = Some(0);
            return Ok(decoded);
        }
        Ok(_) => return Err(corrupt(&file.name, 0, "the header of another segment")),
        Err(error) => return Err(corrupt(&file.name, 0, &error.to_string())),
    }
    let mut at = HEADER_LEN;
    while at < bytes.len() {
        let Some(framed) = Record::decode(file.number, &bytes[at..]) else {
            if proves_synced(file.number, &bytes, at) {
                return Err(corrupt(
                    &file.name,
                    at as u64,
                    "a record that had been synced fails its checksum",
                ));
            }
            if planted(Bug::TornTailTrusted) {
                return Err(corrupt(&file.name, at as u64, "the last record is torn"));
            }
            decoded.torn_at = Some(at);
            break;
        };
        let len = framed.len;
        decoded.records.push((at, framed));
        at += len;
    }
    Ok(decoded)
}

impl Replayed {
    fn apply(&mut self, framed: Framed) -> Result<(), String> {
        match framed.record {
            Record::Synced => {}
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
                    self.times.clear();
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
                self.times.push(framed.time_ms);
            }
        }
        Ok(())
    }

    fn truncate(&mut self, from: Index) {
        let keep = from.saturating_sub(self.base.0 + 1) as usize;
        self.entries.truncate(keep);
        self.times.truncate(keep);
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
