//! The bytes of a checkpoint file, full or incremental.
//!
//! ```text
//! header   "STRATCKP" | version u32 | length u32 | header (JSON) | crc32c u32
//! block    length u32 | crc32c u32 | pages
//! page     low length u32 | high length u32 (2^32-1: none) | lsn u64 | entries length u32 | low | high | entries
//! index    per block: offset u64 | length u32 | low length u32 | high length u32 (2^32-1: none) | low | high
//! footer   index offset u64 | index length u32 | index crc32c u32 | blocks u64 | pages u64 | crc32c u32
//! ```
//! All numbers are little-endian. A block's checksum starts from its number, so neither a flipped bit nor a missing,
//! doubled or displaced block goes unnoticed. Pages are sorted by `low` and don't overlap; entries stand as in
//! [`crate::pages`]. The index lets a reader pass over blocks that newer files hide.

use super::{CheckpointError, Lineage, Pace, Root, io_error};
use crate::bugs::{Bug, planted};
use crate::disk::{Disk, DiskFile};
use crate::pages::{Key, Leaf, Lsn, Page};
use crate::types::{Index, SnapshotMeta};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::time::Instant;

const MAGIC: &[u8; 8] = b"STRATCKP";
/// Of what is written. 3: sessions may remember sums and what transactions gave.
const VERSION: u32 = 3;
/// The oldest version that is read. Whatever it holds means the same in the later ones.
const OLDEST_VERSION: u32 = 2;
/// A block is written when it has grown to this.
const BLOCK_BYTES: usize = 64 << 10;
/// A file that takes its time is synced after so many bytes.
const SYNC_EVERY: u64 = 16 << 20;
/// A longer block, header or index is not believed.
const MAX_BLOCK: usize = 1 << 30;
const FOOTER: usize = 36;
const NONE: u32 = u32::MAX;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileHeader {
    pub lineage: Lineage,
    pub level: u8,
    /// The index of the state that the pages are to be laid on; 0: none, the file is full.
    pub base: Index,
    pub target: SnapshotMeta,
    /// Of the state at the target.
    pub root: Root,
}

/// Writes a file and syncs it; returns its length. Refuses pages that can't be what the header says. With a pace it
/// takes its time, and syncs as it goes.
pub fn write(
    disk: &dyn Disk,
    name: &str,
    header: &FileHeader,
    pages: &[Page],
    pace: Option<&Pace>,
) -> Result<u64, CheckpointError> {
    let failed = |source| io_error(name, source);
    check(name, header, pages)?;
    let json = serde_json::to_vec(header).expect("a header is plain data");
    let mut head = MAGIC.to_vec();
    put_u32(&mut head, VERSION);
    put_u32(&mut head, json.len() as u32);
    head.extend_from_slice(&json);
    let crc = crc32c::crc32c(&head);
    put_u32(&mut head, crc);
    let mut file = disk.create(name).map_err(failed)?;
    file.write_at(0, &head).map_err(failed)?;
    let began = Instant::now();
    let mut synced = 0;
    let (mut at, mut blocks, mut index) = (head.len() as u64, 0u64, Vec::new());
    let mut rest = pages;
    while !rest.is_empty() {
        let mut block = vec![0; 8];
        let mut taken = 0;
        while taken < rest.len() && block.len() < BLOCK_BYTES {
            put_page(&mut block, &rest[taken]);
            taken += 1;
        }
        let payload = block.len() - 8;
        let crc = checksum(blocks, &block[8..]);
        block[..4].copy_from_slice(&(payload as u32).to_le_bytes());
        block[4..8].copy_from_slice(&crc.to_le_bytes());
        file.write_at(at, &block).map_err(failed)?;
        index.extend_from_slice(&at.to_le_bytes());
        put_u32(&mut index, block.len() as u32);
        put_range(&mut index, &rest[0].low, rest[taken - 1].high.as_ref());
        at += block.len() as u64;
        blocks += 1;
        rest = &rest[taken..];
        if let Some(pace) = pace {
            if at - synced >= SYNC_EVERY {
                file.sync().map_err(failed)?;
                synced = at;
            }
            pace.rest(at, began);
        }
    }
    let mut footer = at.to_le_bytes().to_vec();
    put_u32(&mut footer, index.len() as u32);
    put_u32(&mut footer, crc32c::crc32c(&index));
    footer.extend_from_slice(&blocks.to_le_bytes());
    footer.extend_from_slice(&(pages.len() as u64).to_le_bytes());
    let crc = crc32c::crc32c(&footer);
    put_u32(&mut footer, crc);
    index.extend_from_slice(&footer);
    file.write_at(at, &index).map_err(failed)?;
    if !planted(Bug::CheckpointNotSynced) {
        file.sync().map_err(failed)?;
    }
    Ok(at + index.len() as u64)
}

/// What must hold of the pages before they are believed to be an increment or a full state.
fn check(name: &str, header: &FileHeader, pages: &[Page]) -> Result<(), CheckpointError> {
    let refuse = |what: String| {
        Err(CheckpointError::Refused {
            file: name.to_owned(),
            what,
        })
    };
    let mut reached: Option<&Key> = None;
    for (at, page) in pages.iter().enumerate() {
        let lsn = page.leaf().lsn;
        if at > 0 && reached.is_none_or(|end| **end > *page.low) {
            return refuse(format!("page {at} overlaps the one before it"));
        }
        let gap = match reached {
            None => !page.low.is_empty(),
            Some(end) => **end != *page.low,
        };
        if header.base == 0 && gap {
            return refuse(format!("a full file with a gap before page {at}"));
        }
        if lsn > header.target.index || (header.base > 0 && lsn <= header.base) {
            return refuse(format!(
                "page {at} was last changed at {lsn}, the file is for {}..{}",
                header.base, header.target.index
            ));
        }
        reached = page.high.as_ref();
    }
    if header.base == 0 && (pages.is_empty() || reached.is_some()) {
        return refuse("a full file that ends before the last key".into());
    }
    if header.base == 0 {
        let sum = pages
            .iter()
            .fold(0u128, |sum, page| sum.wrapping_add(page.leaf().sum()));
        if Root(sum) != header.root {
            return refuse("a full file whose pages are not the state it names".into());
        }
    }
    Ok(())
}

/// A file that is open for reading; its header, index and footer are verified.
pub struct Reader {
    pub header: FileHeader,
    pub blocks: Vec<Block>,
    pub pages: u64,
    pub len: u64,
}

/// Where a block is, and which part of the key space it touches.
pub struct Block {
    pub number: u64,
    pub offset: u64,
    pub len: u32,
    pub low: Key,
    pub high: Option<Key>,
}

impl Reader {
    pub fn open(disk: &dyn Disk, name: &str) -> Result<Self, CheckpointError> {
        let failed = |source| io_error(name, source);
        let corrupt = |offset, what: &str| corrupt(name, offset, what);
        let file = disk.open(name).map_err(failed)?;
        let len = file.length().map_err(failed)?;
        let take = |at: u64, bytes: usize| -> Result<Vec<u8>, CheckpointError> {
            if bytes > MAX_BLOCK || at.checked_add(bytes as u64).is_none_or(|end| end > len) {
                return Err(corrupt(at.min(len), "the file ends too early"));
            }
            let mut taken = vec![0; bytes];
            file.read_at(at, &mut taken).map_err(failed)?;
            Ok(taken)
        };
        let head = take(0, 16)?;
        if &head[..8] != MAGIC {
            return Err(corrupt(0, "not a checkpoint"));
        }
        let version = u32_at(&head, 8);
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            let known = format!("versions {OLDEST_VERSION} to {VERSION} are");
            let what = format!("version {version} is not known; {known}");
            return Err(corrupt(8, &what));
        }
        let json_len = u32_at(&head, 12) as usize;
        let json = take(16, json_len)?;
        let crc = take(16 + json_len as u64, 4)?;
        if crc32c::crc32c_append(crc32c::crc32c(&head), &json) != u32_at(&crc, 0) {
            return Err(corrupt(0, "the header's checksum differs"));
        }
        let header: FileHeader =
            serde_json::from_slice(&json).map_err(|error| corrupt(16, &error.to_string()))?;
        let begin = 20 + json_len as u64;
        let footer_at = len
            .checked_sub(FOOTER as u64)
            .filter(|&at| at >= begin)
            .ok_or_else(|| corrupt(len, "the file ends too early"))?;
        let footer = take(footer_at, FOOTER)?;
        if crc32c::crc32c(&footer[..32]) != u32_at(&footer, 32) {
            return Err(corrupt(footer_at, "the footer's checksum differs"));
        }
        let (index_at, index_len) = (u64_at(&footer, 0), u32_at(&footer, 8) as usize);
        if index_at < begin || index_at + index_len as u64 != footer_at {
            return Err(corrupt(footer_at, "the footer points elsewhere"));
        }
        let index = take(index_at, index_len)?;
        if crc32c::crc32c(&index) != u32_at(&footer, 12) {
            return Err(corrupt(index_at, "the index' checksum differs"));
        }
        let mut blocks = Vec::new();
        let mut rest = index.as_slice();
        let mut expected = begin;
        while !rest.is_empty() {
            let bad = || corrupt(index_at, "the index is not one");
            let (head, after) = rest.split_at_checked(12).ok_or_else(bad)?;
            let (offset, block_len) = (u64_at(head, 0), u32_at(head, 8));
            let (low, high, after) = take_range(after).ok_or_else(bad)?;
            if offset != expected {
                return Err(bad());
            }
            expected += u64::from(block_len);
            blocks.push(Block {
                number: blocks.len() as u64,
                offset,
                len: block_len,
                low: low.into(),
                high: high.map(Key::from),
            });
            rest = after;
        }
        if expected != index_at || blocks.len() as u64 != u64_at(&footer, 16) {
            return Err(corrupt(index_at, "the index does not cover the file"));
        }
        Ok(Self {
            header,
            blocks,
            pages: u64_at(&footer, 24),
            len,
        })
    }
}

/// Reads and verifies one block.
pub fn read_block(
    file: &dyn DiskFile,
    name: &str,
    block: &Block,
) -> Result<Vec<Page>, CheckpointError> {
    let corrupt = |what: &str| corrupt(name, block.offset, what);
    let mut bytes = vec![0; block.len as usize];
    file.read_at(block.offset, &mut bytes)
        .map_err(|source| io_error(name, source))?;
    if bytes.len() < 8 || u32_at(&bytes, 0) as usize != bytes.len() - 8 {
        return Err(corrupt("the block has another length"));
    }
    if checksum(block.number, &bytes[8..]) != u32_at(&bytes, 4) {
        return Err(corrupt("the block's checksum differs"));
    }
    decode_pages(Arc::new(bytes), 8).map_err(|what| corrupt(&what))
}

/// The pages that stand in `bytes` from `from` on. They share the buffer.
pub fn decode_pages(bytes: Arc<Vec<u8>>, from: usize) -> Result<Vec<Page>, String> {
    let mut pages = Vec::new();
    let mut at = from;
    let cut = || "a page reaches over the end".to_owned();
    while at < bytes.len() {
        let head = bytes.get(at..at + 20).ok_or_else(cut)?;
        let (low_len, high_len) = (u32_at(head, 0) as usize, u32_at(head, 4));
        let lsn: Lsn = u64_at(head, 8);
        let entries = u32_at(head, 16) as usize;
        let low_at = at + 20;
        let high_at = low_at + low_len;
        let high_bytes = if high_len == NONE {
            0
        } else {
            high_len as usize
        };
        let entries_at = high_at + high_bytes;
        let low = bytes.get(low_at..high_at).ok_or_else(cut)?;
        let high = bytes.get(high_at..entries_at).ok_or_else(cut)?;
        let high = (high_len != NONE).then_some(high);
        let leaf = Leaf::part(lsn, &bytes, entries_at..entries_at + entries, low, high)
            .map_err(|error| error.to_string())?;
        pages.push(Page::new(low.into(), high.map(Key::from), leaf));
        at = entries_at + entries;
    }
    let sorted = pages.windows(2).all(|pair| {
        pair[0]
            .high
            .as_ref()
            .is_some_and(|end| **end <= *pair[1].low)
    });
    if sorted {
        Ok(pages)
    } else {
        Err("the pages are not in order".into())
    }
}

/// Appends a page as it stands in blocks and in what travels between servers.
pub fn put_page(out: &mut Vec<u8>, page: &Page) {
    put_page_parts(out, &page.low, page.high.as_ref(), page.leaf());
}

pub fn put_page_parts(out: &mut Vec<u8>, low: &Key, high: Option<&Key>, leaf: &Leaf) {
    put_u32(out, low.len() as u32);
    put_u32(out, high.map_or(NONE, |high| high.len() as u32));
    out.extend_from_slice(&leaf.lsn.to_le_bytes());
    put_u32(out, leaf.bytes().len() as u32);
    out.extend_from_slice(low);
    out.extend_from_slice(high.map_or(&[], |high| &**high));
    out.extend_from_slice(leaf.bytes());
}

fn put_range(out: &mut Vec<u8>, low: &Key, high: Option<&Key>) {
    put_u32(out, low.len() as u32);
    put_u32(out, high.map_or(NONE, |high| high.len() as u32));
    out.extend_from_slice(low);
    out.extend_from_slice(high.map_or(&[], |high| &**high));
}

type RangeAndRest<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

fn take_range(bytes: &[u8]) -> Option<RangeAndRest<'_>> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let (low, rest) = rest.split_at_checked(u32_at(head, 0) as usize)?;
    match u32_at(head, 4) {
        NONE => Some((low, None, rest)),
        len => {
            let (high, rest) = rest.split_at_checked(len as usize)?;
            Some((low, Some(high), rest))
        }
    }
}

fn corrupt(file: &str, offset: u64, what: &str) -> CheckpointError {
    CheckpointError::Corrupt {
        file: file.to_owned(),
        offset,
        what: what.to_owned(),
    }
}

fn checksum(block: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block.to_le_bytes()), payload)
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Removes what a write that failed may have left; used where the caller goes on.
pub fn discard(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
