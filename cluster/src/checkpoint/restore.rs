//! A state out of a chain of files: in parallel, newest first.
//!
//! The newest file is read whole; of the older ones only the blocks that it does not hide. Threads share the blocks
//! of a file. The sum over all entries must be the root that the newest file names, so a chain that lacks a page, or
//! holds one that belongs elsewhere, is found here and never served.

use super::file::{self, Reader};
use super::{CheckpointError, FileRef, Lineage, Root, io_error};
use crate::disk::Disk;
use crate::machine::Machine;
use crate::pages::overlay::{covers, overlay};
use crate::pages::{Page, Pages};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A block of which so much is hidden is not kept in memory for the rest.
const LEAST_USED: usize = 2;

/// A state that came back, and how.
pub struct Loaded {
    pub machine: Machine,
    pub full: Duration,
    pub deltas: Duration,
    pub bytes_read: u64,
    pub blocks_read: u64,
    /// Blocks that newer files hid.
    pub blocks_skipped: u64,
}

/// Loads the state at the end of `chain` (oldest first); an empty one from an empty chain.
pub fn load(
    disk: &dyn Disk,
    lineage: Lineage,
    chain: &[FileRef],
    threads: usize,
) -> Result<Loaded, CheckpointError> {
    let mut loaded = Loaded {
        machine: Machine::new(),
        full: Duration::ZERO,
        deltas: Duration::ZERO,
        bytes_read: 0,
        blocks_read: 0,
        blocks_skipped: 0,
    };
    let Some(tip) = chain.last() else {
        return Ok(loaded);
    };
    let began = Instant::now();
    let mut resolved: Vec<Page> = Vec::new();
    for (at, file) in chain.iter().enumerate().rev() {
        let before = at
            .checked_sub(1)
            .map_or(0, |before| chain[before].meta.index);
        if file.base != before {
            return Err(corrupt(
                file,
                format!("based on {}, the chain has {before}", file.base),
            ));
        }
        if at == 0 {
            loaded.deltas = began.elapsed();
        }
        let pages = read_file(disk, lineage, file, &resolved, threads, &mut loaded)?;
        resolved = overlay(resolved, pages);
    }
    let pages = Pages::build(resolved).map_err(|error| corrupt(tip, error.to_string()))?;
    if Root(pages.sum()) != tip.root {
        return Err(corrupt(
            tip,
            format!(
                "the chain gives a state of root {}, not {}",
                Root(pages.sum()),
                tip.root
            ),
        ));
    }
    loaded.machine =
        Machine::from_pages(pages, tip.meta.index).map_err(|source| CheckpointError::Image {
            file: tip.name.clone(),
            source,
        })?;
    loaded.full = began.elapsed() - loaded.deltas;
    Ok(loaded)
}

/// The pages of one file that `resolved` does not hide.
fn read_file(
    disk: &dyn Disk,
    lineage: Lineage,
    file: &FileRef,
    resolved: &[Page],
    threads: usize,
    loaded: &mut Loaded,
) -> Result<Vec<Page>, CheckpointError> {
    let reader = Reader::open(disk, &file.name)?;
    let header = &reader.header;
    if (header.base, &header.target, header.root) != (file.base, &file.meta, file.root) {
        return Err(corrupt(file, "the manifest names another content".into()));
    }
    if header.lineage != lineage {
        return Err(corrupt(
            file,
            format!("of lineage {}, not {lineage}", header.lineage),
        ));
    }
    let wanted: Vec<&file::Block> = reader
        .blocks
        .iter()
        .filter(|block| !covers(resolved, &block.low, block.high.as_deref()))
        .collect();
    loaded.blocks_skipped += (reader.blocks.len() - wanted.len()) as u64;
    loaded.blocks_read += wanted.len() as u64;
    loaded.bytes_read += wanted.iter().map(|block| u64::from(block.len)).sum::<u64>();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, Vec<Page>)>, CheckpointError> {
        let open = disk
            .open(&file.name)
            .map_err(|source| io_error(&file.name, source))?;
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = wanted.get(at) else {
                return Ok(done);
            };
            let pages = file::read_block(open.as_ref(), &file.name, block)?;
            done.push((at, visible(pages, resolved)));
        }
    };
    let mut parts: Vec<(usize, Vec<Page>)> = Vec::new();
    if threads < 2 || wanted.len() < 2 {
        parts = work()?;
    } else {
        let results = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("a reader does not panic"))
                .collect::<Vec<_>>()
        });
        for result in results {
            parts.extend(result?);
        }
    }
    parts.sort_unstable_by_key(|(at, _)| *at);
    Ok(parts.into_iter().flat_map(|(_, pages)| pages).collect())
}

/// Drops pages that are hidden. If most are, the others are copied, so that the block's buffer can go.
fn visible(pages: Vec<Page>, resolved: &[Page]) -> Vec<Page> {
    if resolved.is_empty() {
        return pages;
    }
    let count = pages.len();
    let kept: Vec<Page> = pages
        .into_iter()
        .filter(|page| !covers(resolved, &page.low, page.high.as_deref()))
        .collect();
    if kept.len() * LEAST_USED >= count {
        return kept;
    }
    kept.into_iter()
        .map(|page| Page::new(page.low.clone(), page.high.clone(), page.leaf().detached()))
        .collect()
}

fn corrupt(file: &FileRef, what: String) -> CheckpointError {
    CheckpointError::Corrupt {
        file: file.name.clone(),
        offset: 0,
        what,
    }
}
