//! What can be done with the data folder of a stopped server: look into it, verify it, restore a state of the past.
//!
//! Nothing here writes to the folder that is looked at.

mod restore;
#[cfg(test)]
mod tests;
mod verify;

pub use restore::{Point, Restored, restore};
pub use verify::{Finding, verify};

use crate::checkpoint::file::Reader;
use crate::checkpoint::{CheckpointError, FileRef, Manifest};
use crate::disk::Disk;
use crate::log::{self, LogError, SegmentInfo};
use crate::types::Index;
use std::fmt::Write;

#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0}")]
    NotPossible(String),
}

/// Everything that a data folder holds.
pub struct Contents {
    pub manifest: Manifest,
    /// Of each checkpoint file: blocks and pages.
    pub blocks: Vec<(usize, u64)>,
    pub log: Vec<SegmentInfo>,
    pub archive: Vec<SegmentInfo>,
}

/// Looks into a data folder.
pub fn inspect(disk: &dyn Disk) -> Result<Contents, OfflineError> {
    let manifest = Manifest::read(disk)?;
    let mut blocks = Vec::new();
    for file in &manifest.files {
        let reader = Reader::open(disk, &file.name)?;
        blocks.push((reader.blocks.len(), reader.pages));
    }
    Ok(Contents {
        manifest,
        blocks,
        log: segments(disk, log::FOLDER)?,
        archive: segments(disk, log::ARCHIVE)?,
    })
}

/// A folder that is missing holds nothing.
fn segments(disk: &dyn Disk, folder: &str) -> Result<Vec<SegmentInfo>, LogError> {
    match log::inspect(disk, folder) {
        Err(LogError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        other => other,
    }
}

impl Contents {
    /// Indices that a state can be restored to exactly, besides those that the log reaches.
    pub fn points(&self) -> Vec<Index> {
        let files = self.manifest.files.iter();
        files.map(|file| file.meta.index).collect()
    }

    /// As text, for people.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        let manifest = &self.manifest;
        let chain: Vec<String> = manifest.chain().iter().map(FileRef::describe).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "boot {}, lineage {}, {} images installed\nchain: {}\n",
            manifest.boot,
            manifest.lineage,
            manifest.installed_total,
            if chain.is_empty() {
                "none".to_owned()
            } else {
                chain.join(", ")
            }
        );
        let _ = writeln!(
            text,
            "{:<8} {:>10} {:>10} {:>6} {:>12} {:>8} {:>7}  root",
            "kind", "base", "index", "term", "bytes", "pages", "blocks"
        );
        for (file, (blocks, pages)) in manifest.files.iter().zip(&self.blocks) {
            let kind = match file.level {
                crate::checkpoint::chain::FULL => "full".to_owned(),
                level => format!("L{level}"),
            };
            let _ = writeln!(
                text,
                "{kind:<8} {:>10} {:>10} {:>6} {:>12} {pages:>8} {blocks:>7}  {}",
                file.base, file.meta.index, file.meta.term, file.bytes, file.root
            );
        }
        let _ = writeln!(
            text,
            "\n{:<36} {:>12} {:>9} {:>21} {:>8}",
            "segment", "bytes", "records", "entries", "torn"
        );
        for segment in self.archive.iter().chain(&self.log) {
            let entries = segment
                .entries
                .map_or("none".to_owned(), |(low, high)| format!("{low}..={high}"));
            let _ = writeln!(
                text,
                "{:<36} {:>12} {:>9} {entries:>21} {:>8}",
                segment.name, segment.bytes, segment.records, segment.torn_bytes
            );
        }
        text
    }
}
