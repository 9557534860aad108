//! One page: entries in the order of their keys, packed into one buffer.
//!
//! ```text
//! entry    key length u16 | value length u32 | key | value
//! ```
//! Numbers are little-endian. The same bytes stand in memory and in checkpoint files.

use super::{Lsn, PageError};
use std::sync::Arc;

const HEAD: usize = 6;
/// The longest key, in bytes.
pub const MAX_KEY: usize = u16::MAX as usize;

/// A page and the position of its last change.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub lsn: Lsn,
    entries: u32,
    bytes: Bytes,
    /// Sum of the entries' hashes, where it was computed when the page was read.
    sum: Option<u128>,
}

/// The buffer: of its own, or a part of a block that was read from a file.
#[derive(Clone, Debug)]
enum Bytes {
    Own(Vec<u8>),
    Part(Arc<Vec<u8>>, u32, u32),
}

/// What setting a key did.
pub struct Put {
    /// Length of the value that was there.
    pub old: Option<usize>,
    /// The entry is the last of the page.
    pub at_end: bool,
    /// To be added to the sum of the state.
    pub sum: u128,
}

/// Where a key is, or belongs, in the buffer.
enum Place {
    At { start: usize, end: usize },
    Before(usize),
}

impl Leaf {
    pub fn empty(lsn: Lsn) -> Self {
        Self::of(lsn, 0, Vec::new())
    }

    fn of(lsn: Lsn, entries: u32, bytes: Vec<u8>) -> Self {
        Self {
            lsn,
            entries,
            bytes: Bytes::Own(bytes),
            sum: None,
        }
    }

    /// A page out of a part of a block, checked: whole entries, keys strictly ascending and within
    /// `[low, high)`.
    pub fn part(
        lsn: Lsn,
        block: &Arc<Vec<u8>>,
        range: std::ops::Range<usize>,
        low: &[u8],
        high: Option<&[u8]>,
    ) -> Result<Self, PageError> {
        let bytes = block.get(range.clone()).ok_or(PageError::Cut)?;
        let (mut rest, mut entries, mut sum, mut last) = (bytes, 0u32, 0u128, None);
        while !rest.is_empty() {
            let len = entry_len(rest).ok_or(PageError::Cut)?;
            let key = key_of(rest);
            if last.is_some_and(|last| last >= key) {
                return Err(PageError::Order);
            }
            if key < low || high.is_some_and(|high| key >= high) {
                return Err(PageError::Outside);
            }
            sum = sum.wrapping_add(hash(&rest[..len]));
            last = Some(key);
            entries += 1;
            rest = &rest[len..];
        }
        Ok(Self {
            lsn,
            entries,
            bytes: Bytes::Part(block.clone(), range.start as u32, range.end as u32),
            sum: Some(sum),
        })
    }

    /// The packed entries.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Part(block, start, end) => &block[*start as usize..*end as usize],
        }
    }

    pub fn len(&self) -> usize {
        self.entries as usize
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Sum of the hashes of all entries: the same for the same content, however it is cut into pages.
    pub fn sum(&self) -> u128 {
        self.sum.unwrap_or_else(|| {
            let mut rest = self.bytes();
            let mut sum = 0u128;
            while let Some(len) = entry_len(rest) {
                sum = sum.wrapping_add(hash(&rest[..len]));
                rest = &rest[len..];
            }
            sum
        })
    }

    pub fn iter(&self) -> Entries<'_> {
        Entries(self.bytes())
    }

    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.place(key) {
            Place::At { start, end } => Some(&self.bytes()[start + HEAD + key.len()..end]),
            Place::Before(_) => None,
        }
    }

    fn place(&self, key: &[u8]) -> Place {
        let bytes = self.bytes();
        let mut at = 0;
        while let Some(len) = entry_len(&bytes[at..]) {
            match key_of(&bytes[at..]).cmp(key) {
                std::cmp::Ordering::Less => at += len,
                std::cmp::Ordering::Equal => {
                    return Place::At {
                        start: at,
                        end: at + len,
                    };
                }
                std::cmp::Ordering::Greater => return Place::Before(at),
            }
        }
        Place::Before(at)
    }

    /// The buffer, to be written to; a part of a block is copied out first.
    fn own(&mut self) -> &mut Vec<u8> {
        self.sum = None;
        if let Bytes::Part(..) = self.bytes {
            self.bytes = Bytes::Own(self.bytes().to_vec());
        }
        match &mut self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Part(..) => unreachable!("made its own above"),
        }
    }

    /// Sets a key.
    pub fn put(&mut self, lsn: Lsn, key: &[u8], value: &[u8]) -> Put {
        self.lsn = lsn;
        let place = self.place(key);
        let bytes = self.own();
        let (start, end, old) = match place {
            Place::At { start, end } => (start, end, Some(end - start - HEAD - key.len())),
            Place::Before(at) => (at, at, None),
        };
        let new = HEAD + key.len() + value.len();
        let tail = bytes.len() - end;
        let before = old.map_or(0, |_| hash(&bytes[start..end]));
        resize_gap(bytes, start, end, new);
        let entry = &mut bytes[start..start + new];
        entry[..2].copy_from_slice(&(key.len() as u16).to_le_bytes());
        entry[2..HEAD].copy_from_slice(&(value.len() as u32).to_le_bytes());
        entry[HEAD..HEAD + key.len()].copy_from_slice(key);
        entry[HEAD + key.len()..].copy_from_slice(value);
        let sum = hash(entry).wrapping_sub(before);
        self.entries += u32::from(old.is_none());
        Put {
            old,
            at_end: tail == 0,
            sum,
        }
    }

    /// Removes a key; returns the length of its value and what the sum loses.
    pub fn remove(&mut self, lsn: Lsn, key: &[u8]) -> Option<(usize, u128)> {
        let Place::At { start, end } = self.place(key) else {
            return None;
        };
        self.lsn = lsn;
        let bytes = self.own();
        let lost = hash(&bytes[start..end]);
        bytes.drain(start..end);
        self.entries -= 1;
        Some((end - start - HEAD - key.len(), lost))
    }

    /// Cuts the page in two, near its middle, or near its end if it grows there; returns the key that the second
    /// begins with, and the second. `None` if there is only one entry.
    pub fn split(&mut self, at_end: bool) -> Option<(Vec<u8>, Leaf)> {
        if self.entries < 2 {
            return None;
        }
        let bytes = self.bytes();
        let goal = if at_end { bytes.len() } else { bytes.len() / 2 };
        let (mut at, mut before) = (0, 0u32);
        while let Some(len) = entry_len(&bytes[at..]) {
            let end = at + len;
            if before > 0 && (end > goal || before + 1 == self.entries) {
                break;
            }
            at = end;
            before += 1;
        }
        let key = key_of(&bytes[at..]).to_vec();
        let second = Leaf::of(self.lsn, self.entries - before, bytes[at..].to_vec());
        let bytes = self.own();
        bytes.truncate(at);
        bytes.shrink_to_fit();
        self.entries = before;
        Some((key, second))
    }

    /// Takes over the entries of the page that follows.
    pub fn absorb(&mut self, lsn: Lsn, next: &Leaf) {
        self.lsn = lsn;
        self.entries += next.entries;
        self.own().extend_from_slice(next.bytes());
    }

    /// The entries within `[low, high)`, as a page of the same age.
    pub fn clip(&self, low: &[u8], high: Option<&[u8]>) -> Leaf {
        let mut bytes = Vec::new();
        let mut entries = 0;
        let mut rest = self.bytes();
        while let Some(len) = entry_len(rest) {
            let key = key_of(rest);
            if key >= low && high.is_none_or(|high| key < high) {
                bytes.extend_from_slice(&rest[..len]);
                entries += 1;
            }
            rest = &rest[len..];
        }
        Leaf::of(self.lsn, entries, bytes)
    }

    /// The same page in a buffer of its own, so that the block it was read from can go.
    pub fn detached(&self) -> Leaf {
        Leaf {
            bytes: Bytes::Own(self.bytes().to_vec()),
            ..self.clone()
        }
    }
}

/// Makes `bytes[start..end]` exactly `new` bytes long. Grows by little more than needed: pages are many.
fn resize_gap(bytes: &mut Vec<u8>, start: usize, end: usize, new: usize) {
    let (len, old) = (bytes.len(), end - start);
    if new > old {
        let more = new - old;
        if bytes.capacity() < len + more {
            bytes.reserve_exact(more + (len + more) / 8);
        }
        bytes.resize(len + more, 0);
        bytes.copy_within(end..len, end + more);
    } else {
        bytes.copy_within(end..len, start + new);
        bytes.truncate(len - (old - new));
    }
}

fn hash(entry: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(entry)
}

/// Length of the entry at the start, if it is whole.
fn entry_len(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..HEAD)?;
    let key = u16::from_le_bytes([head[0], head[1]]) as usize;
    let value = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
    let len = HEAD + key + value;
    (bytes.len() >= len).then_some(len)
}

fn key_of(entry: &[u8]) -> &[u8] {
    let len = u16::from_le_bytes([entry[0], entry[1]]) as usize;
    &entry[HEAD..HEAD + len]
}

/// Keys and values in order.
pub struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = entry_len(self.0)?;
        let (entry, rest) = self.0.split_at(len);
        self.0 = rest;
        let key = key_of(entry);
        Some((key, &entry[HEAD + key.len()..]))
    }
}
