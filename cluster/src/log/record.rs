//! The bytes of a segment.
//!
//! ```text
//! header   "STRATLOG" | version u32 | segment number u64 | crc32c u32
//! record   payload length u32 | crc32c u32 | kind u8 | term u64 | index u64 | time u64 | synced u64 | payload
//! ```
//! All numbers are little-endian. A record's checksum starts from its segment's number, so that bytes of another
//! segment are never taken for this one's. `time` is milliseconds since 1970, `synced` the length of the segment
//! that was known to be durable when the record was written.

use crate::types::{Entry, EntryKind, HardState, Index, ServerId, Term};
use std::sync::Arc;

/// Of what is written. 2: commands may be additions and transactions.
pub const VERSION: u32 = 2;
/// The oldest version that is read. Whatever it holds means the same in the later ones.
pub const OLDEST_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"STRATLOG";
pub const HEADER_LEN: usize = 24;
pub const RECORD_LEN: usize = 41;
/// A longer payload is not believed.
const MAX_PAYLOAD: usize = 64 << 20;

pub struct Header {
    pub number: u64,
}

/// Why a segment can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("bad segment header")]
    Unsound,
    #[error("version {0} is not known; versions {OLDEST_VERSION} to {VERSION} are")]
    Version(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Entry(Entry),
    HardState(HardState),
    /// The log starts anew after this index: an installed image took the place of what was before.
    Mark {
        index: Index,
        term: Term,
    },
    /// What precedes the segment's first entry.
    Base {
        index: Index,
        term: Term,
    },
    /// Nothing but the proof that what stands before it was synced.
    Synced,
}

/// A record with what was written around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    pub record: Record,
    pub time_ms: u64,
    pub synced: u64,
    /// Length of the whole record in bytes.
    pub len: usize,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let header = bytes.get(..HEADER_LEN).ok_or(HeaderError::Unsound)?;
        let word =
            |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        if &header[..8] != MAGIC || crc32c::crc32c(&header[..20]) != word(20) {
            return Err(HeaderError::Unsound);
        }
        match word(8) {
            OLDEST_VERSION..=VERSION => Ok(Self {
                number: u64::from_le_bytes(header[12..20].try_into().expect("eight bytes")),
            }),
            version => Err(HeaderError::Version(version)),
        }
    }
}

impl Record {
    pub fn encode(&self, segment: u64, time_ms: u64, synced: u64, out: &mut Vec<u8>) {
        let vote_and_commit;
        let (kind, term, index, payload): (u8, u64, u64, &[u8]) = match self {
            Record::Entry(entry) => {
                let kind = match entry.kind {
                    EntryKind::Noop => 1,
                    EntryKind::Command => 2,
                    EntryKind::Config => 6,
                };
                (kind, entry.term, entry.index, &entry.data)
            }
            Record::HardState(state) => {
                vote_and_commit = state.vote.map_or(0, |vote| vote.0).to_le_bytes();
                (3, state.term, state.commit, &vote_and_commit)
            }
            Record::Mark { index, term } => (4, *term, *index, &[]),
            Record::Base { index, term } => (5, *term, *index, &[]),
            Record::Synced => (7, 0, 0, &[]),
        };
        let start = out.len();
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(kind);
        for number in [term, index, time_ms, synced] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(payload);
        let crc = checksum(segment, &out[start..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The record at the start of `bytes`, if there is a sound one.
    pub fn decode(segment: u64, bytes: &[u8]) -> Option<Framed> {
        let head = bytes.get(..RECORD_LEN)?;
        let number =
            |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let payload_len = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
        let (kind, term, index) = (head[8], number(9), number(17));
        let (time_ms, synced) = (number(25), number(33));
        if payload_len > MAX_PAYLOAD || !(1..=7).contains(&kind) {
            return None;
        }
        let whole = bytes.get(..RECORD_LEN + payload_len)?;
        let crc = u32::from_le_bytes(head[4..8].try_into().ok()?);
        if checksum(segment, whole) != crc {
            return None;
        }
        let payload = &whole[RECORD_LEN..];
        let entry = |kind| {
            Record::Entry(Entry {
                term,
                index,
                kind,
                data: Arc::from(payload),
            })
        };
        let record = match kind {
            1 => entry(EntryKind::Noop),
            2 => entry(EntryKind::Command),
            3 => {
                let vote = u64::from_le_bytes(payload.try_into().ok()?);
                let vote = (vote != 0).then_some(ServerId(vote));
                Record::HardState(HardState {
                    term,
                    vote,
                    commit: index,
                })
            }
            6 => entry(EntryKind::Config),
            7 => Record::Synced,
            4 => Record::Mark { index, term },
            _ => Record::Base { index, term },
        };
        Some(Framed {
            record,
            time_ms,
            synced,
            len: whole.len(),
        })
    }
}

/// Over everything but the checksum itself, started from the segment's number.
fn checksum(segment: u64, whole: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&segment.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &whole[..4]);
    crc32c::crc32c_append(crc, &whole[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_of_a_record_goes_unnoticed() {
        let entry = Entry {
            term: 3,
            index: 9,
            kind: EntryKind::Command,
            data: Arc::from(*b"payload"),
        };
        let mut bytes = Vec::new();
        Record::Entry(entry.clone()).encode(7, 1, 24, &mut bytes);
        assert_eq!(
            Record::decode(7, &bytes).unwrap().record,
            Record::Entry(entry)
        );
        assert_eq!(
            Record::decode(8, &bytes),
            None,
            "a record of another segment"
        );
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(7, &broken), None, "bit {bit}");
        }
    }
}
