//! Checkpoints of the machine at exact log indices: full files and increments, and the manifest that says which of
//! them are the state.
//!
//! Order that survives a crash after every step: the file is written under its final name, which nothing refers to
//! yet, and synced, then its folder; then the manifest names it, by write, sync, rename and sync. That rename is
//! the commit point: before it the old chain counts, after it the new one. Only then may the log be cut and files
//! removed that nothing needs. An image from a leader takes the same way: received into memory, laid over the state,
//! verified as a whole, written as one file, committed by the manifest.
//!
//! [`chain`] decides what a checkpoint is based on, [`mod@file`] is the bytes, [`pace`] how fast they are written,
//! [`restore`] the way back, [`staging`] what comes from a leader.

pub mod chain;
pub mod file;
mod manifest;
mod pace;
pub mod restore;
mod staging;
#[cfg(test)]
mod tests;

pub use manifest::{FileRef, Keep, Manifest};
pub use pace::Pace;
pub use restore::Loaded;
pub use staging::Piece;

use crate::bugs::{Bug, planted};
use crate::disk::Disk;
use crate::machine::{Capture, ImageError, Machine};
use crate::pages::Page;
use crate::types::{Index, SnapshotMeta};
pub use crate::types::{Lineage, Root};
use chain::{Mode, Plan};
use file::FileHeader;
use staging::Staging;
use std::io;
use std::sync::Arc;

pub const FOLDER: &str = "checkpoint";

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{file}: {source}")]
    Io { file: String, source: io::Error },
    #[error("{file}: corrupt at byte {offset}: {what}")]
    Corrupt {
        file: String,
        offset: u64,
        what: String,
    },
    #[error("{file}: {source}")]
    Image { file: String, source: ImageError },
    /// What was to be written can't be right; nothing was.
    #[error("{file} is not written: {what}")]
    Refused { file: String, what: String },
}

type Result<T> = std::result::Result<T, CheckpointError>;

/// What a checkpoint is written from.
#[derive(Clone, Debug)]
pub struct Captured {
    pub applied: Index,
    pub root: Root,
    pub source: Source,
}

#[derive(Clone, Debug)]
pub enum Source {
    /// The whole state, from which the changed pages are picked while it is written.
    State(Box<Capture>),
    /// The changed pages only, picked at the capture.
    Changed(Vec<Page>),
}

impl Captured {
    /// All of a state.
    pub fn state(capture: Capture) -> Self {
        Self {
            applied: capture.applied,
            root: Root(capture.pages.sum()),
            source: Source::State(Box::new(capture)),
        }
    }

    fn pages(&self, base: Index) -> Vec<Page> {
        match &self.source {
            Source::State(capture) => {
                let late = u64::from(base > 0 && planted(Bug::DeltaMissesFirstIndex));
                capture.pages.changed_since(base + late, base == 0)
            }
            Source::Changed(pages) => pages.clone(),
        }
    }
}

/// How checkpoints are made and kept.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub mode: Mode,
    pub keep: Keep,
}

/// The checkpoints of one data folder.
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    manifest: Manifest,
    policy: Policy,
    staging: Option<Staging>,
}

impl Checkpoints {
    /// Reads the manifest, or begins with an empty one, and counts this start. What a crash left half-made is
    /// removed. `least_boot` is a lower bound for the boot number.
    pub fn open(disk: Arc<dyn Disk>, least_boot: u64, policy: Policy) -> Result<Self> {
        disk.create_folder(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        let mut manifest = Manifest::read(disk.as_ref())?;
        manifest.boot = least_boot.max(manifest.boot + 1);
        manifest.write(disk.as_ref())?;
        let checkpoints = Self {
            disk,
            manifest,
            policy,
            staging: None,
        };
        checkpoints.remove_unreferenced()?;
        Ok(checkpoints)
    }

    /// A folder of a new lineage, which no server has used yet.
    pub fn begin(disk: Arc<dyn Disk>, lineage: Lineage, policy: Policy) -> Result<Self> {
        disk.create_folder(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        let mut manifest = Manifest::read(disk.as_ref())?;
        manifest.lineage = lineage;
        Ok(Self {
            disk,
            manifest,
            policy,
            staging: None,
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The newest checkpoint; the default if there is none.
    pub fn newest(&self) -> SnapshotMeta {
        let newest = self.manifest.files.last();
        newest.map(|file| file.meta.clone()).unwrap_or_default()
    }

    /// Loads the state that the manifest names: an empty one if there is none.
    pub fn load(&self, threads: usize) -> Result<Loaded> {
        let manifest = &self.manifest;
        restore::load(
            self.disk.as_ref(),
            manifest.lineage,
            &manifest.chain(),
            threads,
        )
    }

    /// Writes a captured state as planned and makes it the one to restart from; returns its file. One that is not
    /// newer than the newest changes nothing.
    pub fn write(
        &mut self,
        meta: &SnapshotMeta,
        captured: &Captured,
        plan: Plan,
        time_ms: u64,
    ) -> Result<Option<FileRef>> {
        self.write_at(meta, captured, plan, time_ms, None)
    }

    /// The same, at a pace.
    pub fn write_at(
        &mut self,
        meta: &SnapshotMeta,
        captured: &Captured,
        plan: Plan,
        time_ms: u64,
        pace: Option<&Pace>,
    ) -> Result<Option<FileRef>> {
        if self.newest().index >= meta.index {
            return Ok(None);
        }
        self.staging = None;
        let pages = captured.pages(plan.base);
        let file = self.put(meta, captured.root, plan, &pages, time_ms, pace)?;
        self.commit(file.clone(), 0)?;
        Ok(Some(file))
    }

    /// Takes a piece of an image from a leader; returns the key up to which the image is there, `None` when it is
    /// whole.
    pub fn stage(&mut self, piece: Piece) -> Result<Option<Vec<u8>>> {
        let staging = match self.staging.take() {
            Some(staging) if staging.base == piece.base => staging,
            _ => Staging::new(piece.base),
        };
        self.staging.insert(staging).add(piece)
    }

    /// What the staged image is based on; 0: it is a full one.
    pub fn staged_base(&self) -> Option<Index> {
        self.staging.as_ref().map(|staging| staging.base)
    }

    /// Makes the staged image the state, after verifying all of it. `live` is this server's state, at or after the
    /// checkpoint that the image is based on.
    pub fn install(
        &mut self,
        meta: &SnapshotMeta,
        root: Root,
        live: Capture,
        time_ms: u64,
    ) -> Result<Machine> {
        let staging = self
            .staging
            .take()
            .ok_or_else(|| CheckpointError::Corrupt {
                file: "image from the leader".into(),
                offset: 0,
                what: format!("none of index {} is staged", meta.index),
            })?;
        let base = staging.base;
        let pages = staging.finish(meta.index, root, live)?;
        if self.newest().index < meta.index {
            let chain = self.manifest.chain();
            let changed = pages.changed_since(base, base == 0);
            let changed_bytes = changed
                .iter()
                .map(|page| page.leaf().bytes().len() as u64)
                .sum();
            let plan = if base == 0 || self.newest().index != base {
                Plan {
                    level: chain::FULL,
                    base: 0,
                }
            } else {
                chain::plan(
                    self.policy.mode,
                    &chain,
                    pages.counters().bytes,
                    changed_bytes,
                )
            };
            let pages = pages.changed_since(plan.base, plan.base == 0);
            let file = self.put(meta, root, plan, &pages, time_ms, None)?;
            self.commit(file, 1)?;
        }
        Machine::from_pages(pages, meta.index).map_err(|source| CheckpointError::Image {
            file: "image from the leader".into(),
            source,
        })
    }

    /// Writes a file that nothing refers to yet, durably.
    fn put(
        &self,
        meta: &SnapshotMeta,
        root: Root,
        plan: Plan,
        pages: &[Page],
        time_ms: u64,
        pace: Option<&Pace>,
    ) -> Result<FileRef> {
        let known = plan.base == 0 || !self.manifest.chain_to(plan.base).is_empty();
        let name = name(plan, meta.index, root);
        if !known {
            return Err(CheckpointError::Refused {
                file: name,
                what: format!(
                    "there is no state at {} that it could be based on",
                    plan.base
                ),
            });
        }
        let header = FileHeader {
            lineage: self.manifest.lineage,
            level: plan.level,
            base: plan.base,
            target: meta.clone(),
            root,
        };
        let bytes = file::write(self.disk.as_ref(), &name, &header, pages, pace)?;
        self.disk
            .sync_folder(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        Ok(FileRef {
            name,
            level: plan.level,
            base: plan.base,
            meta: meta.clone(),
            root,
            bytes,
            pages: pages.len() as u64,
            time_ms,
        })
    }

    /// Lets the manifest name a file that is durable.
    fn commit(&mut self, file: FileRef, installed: u64) -> Result<()> {
        let mut manifest = self.manifest.clone();
        manifest.files.push(file);
        manifest.installed_total += installed;
        manifest.retain(self.policy.keep);
        if planted(Bug::InputsRemovedBeforeManifest) {
            let before = std::mem::replace(&mut self.manifest, manifest.clone());
            self.remove_unreferenced()?;
            self.manifest = before;
        }
        manifest.write(self.disk.as_ref())?;
        self.manifest = manifest;
        self.remove_unreferenced()
    }

    fn remove_unreferenced(&self) -> Result<()> {
        let files = self
            .disk
            .list(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        for file in files.iter().map(|file| format!("{FOLDER}/{file}")) {
            if !self.manifest.files.iter().any(|kept| kept.name == file) {
                self.disk
                    .remove(&file)
                    .map_err(|source| io_error(&file, source))?;
            }
        }
        Ok(())
    }
}

/// Unique also among histories that went different ways.
fn name(plan: Plan, index: Index, root: Root) -> String {
    let kind = if plan.level == chain::FULL {
        "F".to_owned()
    } else {
        format!("L{}", plan.level)
    };
    let root = root.to_string();
    format!(
        "{FOLDER}/{kind}-{:012}-{index:012}-{}.ckp",
        plan.base,
        &root[..8]
    )
}

fn io_error(file: &str, source: io::Error) -> CheckpointError {
    CheckpointError::Io {
        file: file.to_owned(),
        source,
    }
}
