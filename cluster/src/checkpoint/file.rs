//! The bytes of an image.
//!
//! ```text
//! header   "STRATIMG" | version u32 | meta length u32 | meta (JSON) | crc32c u32
//! block    payload length u32 | crc32c u32 | payload: records, each as length u32 and bytes
//! footer   0 u32 | crc32c u32 | number of blocks u64 | number of records u64
//! ```
//! All numbers are little-endian. A checksum covers what it stands with and starts from the number of the block, so
//! neither a flipped bit nor a missing, doubled or displaced block goes unnoticed.

use super::{CheckpointError, io_error};
use crate::disk::{Disk, DiskFile};
use crate::machine::{Builder, Machine};
use crate::types::SnapshotMeta;
use std::io;

const MAGIC: &[u8; 8] = b"STRATIMG";
const VERSION: u32 = 1;
/// A block is written when it has grown to this.
const BLOCK_BYTES: usize = 256 << 10;
/// A longer block is not believed.
const MAX_BLOCK: usize = 128 << 20;

/// Writes an image and syncs it; returns its length.
pub fn write(
    disk: &dyn Disk,
    name: &str,
    meta: &SnapshotMeta,
    machine: &Machine,
) -> Result<u64, CheckpointError> {
    let failed = |source| io_error(name, source);
    let mut writer = Writer {
        file: disk.create(name).map_err(failed)?,
        len: 0,
        blocks: 0,
        records: 0,
        block: Vec::new(),
    };
    let json = serde_json::to_vec(meta).expect("meta is plain data");
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(json.len() as u32).to_le_bytes());
    header.extend_from_slice(&json);
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    writer.put(&header).map_err(failed)?;
    machine
        .records(|record| writer.record(record))
        .map_err(failed)?;
    writer.finish().map_err(failed)
}

struct Writer {
    file: Box<dyn DiskFile>,
    len: u64,
    blocks: u64,
    records: u64,
    block: Vec<u8>,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn record(&mut self, record: &[u8]) -> io::Result<()> {
        self.block
            .extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.block.extend_from_slice(record);
        self.records += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.end_block()
        } else {
            Ok(())
        }
    }

    fn end_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        let mut head = (block.len() as u32).to_le_bytes().to_vec();
        head.extend_from_slice(&checksum(self.blocks, &block).to_le_bytes());
        self.put(&head)?;
        self.put(&block)?;
        self.blocks += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<u64> {
        self.end_block()?;
        let mut counts = self.blocks.to_le_bytes().to_vec();
        counts.extend_from_slice(&self.records.to_le_bytes());
        let mut footer = 0u32.to_le_bytes().to_vec();
        footer.extend_from_slice(&checksum(self.blocks, &counts).to_le_bytes());
        footer.extend_from_slice(&counts);
        self.put(&footer)?;
        self.file.sync()?;
        Ok(self.len)
    }
}

/// Reads and verifies an image of `meta`.
pub fn read(disk: &dyn Disk, name: &str, meta: &SnapshotMeta) -> Result<Machine, CheckpointError> {
    let file = disk.open(name).map_err(|source| io_error(name, source))?;
    let len = file.length().map_err(|source| io_error(name, source))?;
    let mut reader = Reader {
        file,
        name,
        len,
        at: 0,
    };
    let head = reader.take(16)?;
    if &head[..8] != MAGIC || number(&head[8..12]) != u64::from(VERSION) {
        return Err(reader.corrupt(0, "not an image of a known version"));
    }
    let json = reader.take(number(&head[12..16]) as usize)?;
    let crc = reader.take(4)?;
    if crc32c::crc32c_append(crc32c::crc32c(&head), &json) != number(&crc) as u32 {
        return Err(reader.corrupt(0, "the header's checksum differs"));
    }
    let found: SnapshotMeta =
        serde_json::from_slice(&json).map_err(|error| reader.corrupt(16, &error.to_string()))?;
    if found != *meta {
        return Err(reader.corrupt(
            16,
            &format!(
                "an image of index {} where {} belongs",
                found.index, meta.index
            ),
        ));
    }
    let (mut builder, mut blocks, mut records) = (Builder::default(), 0, 0);
    loop {
        let start = reader.at;
        let head = reader.take(8)?;
        let (payload_len, crc) = (number(&head[..4]) as usize, number(&head[4..]) as u32);
        let payload = reader.take(if payload_len == 0 { 16 } else { payload_len })?;
        if checksum(blocks, &payload) != crc {
            return Err(reader.corrupt(start, "the block's checksum differs"));
        }
        if payload_len == 0 {
            if (number(&payload[..8]), number(&payload[8..])) != (blocks, records)
                || reader.at != len
            {
                return Err(reader.corrupt(start, "the image does not end where it should"));
            }
            return Ok(builder.finish());
        }
        let mut rest = payload.as_slice();
        while !rest.is_empty() {
            let record = rest
                .split_at_checked(4)
                .and_then(|(len, after)| after.split_at_checked(number(len) as usize))
                .ok_or_else(|| {
                    reader.corrupt(start, "a record reaches over the end of its block")
                })?;
            builder
                .add(record.0)
                .map_err(|source| CheckpointError::Image {
                    file: name.into(),
                    source,
                })?;
            rest = record.1;
            records += 1;
        }
        blocks += 1;
    }
}

struct Reader<'a> {
    file: Box<dyn DiskFile>,
    name: &'a str,
    len: u64,
    at: u64,
}

impl Reader<'_> {
    fn take(&mut self, bytes: usize) -> Result<Vec<u8>, CheckpointError> {
        if bytes > MAX_BLOCK || self.at + bytes as u64 > self.len {
            return Err(self.corrupt(self.at, "the image ends too early"));
        }
        let mut taken = vec![0; bytes];
        self.file
            .read_at(self.at, &mut taken)
            .map_err(|source| io_error(self.name, source))?;
        self.at += bytes as u64;
        Ok(taken)
    }

    fn corrupt(&self, offset: u64, what: &str) -> CheckpointError {
        CheckpointError::Corrupt {
            file: self.name.to_owned(),
            offset,
            what: what.to_owned(),
        }
    }
}

fn checksum(block: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block.to_le_bytes()), payload)
}

/// Up to eight little-endian bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}
