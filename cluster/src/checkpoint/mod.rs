//! Images of the machine at an exact log index, and the manifest that says which one is the state.
//!
//! Order that survives a crash after every step: the image is written beside its final name and synced, gets its
//! name, the folder is synced; then the manifest names it, by another write, sync, rename and sync. That
//! rename is the commit point: before it the old image counts, after it the new one. Only then may the log
//! be cut and old images removed. An image from a leader takes the same way: staged piece by piece, verified
//! as a whole, committed by the manifest.
//!
//! See [`file`](self) for the bytes of an image; increments of an image are the next version's.

mod file;
mod manifest;

pub use manifest::Manifest;

use crate::disk::{Disk, DiskFile};
use crate::machine::{ImageError, Machine};
use crate::types::{Index, SnapshotMeta};
use std::io;
use std::sync::Arc;

pub(crate) const FOLDER: &str = "checkpoint";
const STAGING: &str = "checkpoint/incoming.tmp";

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
}

type Result<T> = std::result::Result<T, CheckpointError>;

/// The images of one data folder.
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    manifest: Manifest,
    staging: Option<Staging>,
}

/// An image that is being received.
struct Staging {
    meta: SnapshotMeta,
    file: Box<dyn DiskFile>,
    staged: u64,
}

impl Checkpoints {
    /// Reads the manifest, or begins with an empty one, and counts this start. What a crash left half-made is
    /// removed. `least_boot` is a lower bound for the boot number.
    pub fn open(disk: Arc<dyn Disk>, least_boot: u64) -> Result<Self> {
        disk.create_folder(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        let mut manifest = Manifest::read(disk.as_ref())?;
        manifest.boot = least_boot.max(manifest.boot + 1);
        manifest.write(disk.as_ref())?;
        let checkpoints = Self {
            disk,
            manifest,
            staging: None,
        };
        checkpoints.remove_unreferenced(&[])?;
        Ok(checkpoints)
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Loads the state that the manifest names: an empty one if there is none.
    pub fn load(&self) -> Result<Machine> {
        match &self.manifest.image {
            None => Ok(Machine::new()),
            Some(image) => file::read(self.disk.as_ref(), &name(image.meta.index), &image.meta),
        }
    }

    /// Writes a captured state and makes it the one to restart from; returns its size in bytes. Images of the
    /// indices in `keep` stay readable for transfers.
    pub fn write(&mut self, meta: &SnapshotMeta, machine: &Machine, keep: &[Index]) -> Result<u64> {
        if self.index() >= meta.index {
            return Ok(self.manifest.image.as_ref().map_or(0, |image| image.bytes));
        }
        let final_name = name(meta.index);
        let bytes = file::write(
            self.disk.as_ref(),
            &format!("{final_name}.tmp"),
            meta,
            machine,
        )?;
        self.commit(&format!("{final_name}.tmp"), meta, bytes, 0, keep)?;
        Ok(bytes)
    }

    /// Writes a piece of an image from a leader; returns up to where it is complete. A piece that does not
    /// continue what is there changes nothing.
    pub fn stage(&mut self, meta: &SnapshotMeta, offset: u64, data: &[u8]) -> Result<u64> {
        if self
            .staging
            .as_ref()
            .is_none_or(|staging| staging.meta != *meta)
        {
            if offset != 0 {
                return Ok(0);
            }
            let file = self
                .disk
                .create(STAGING)
                .map_err(|source| io_error(STAGING, source))?;
            self.staging = Some(Staging {
                meta: meta.clone(),
                file,
                staged: 0,
            });
        }
        let staging = self.staging.as_mut().expect("made above");
        if staging.staged == offset {
            staging
                .file
                .write_at(offset, data)
                .map_err(|source| io_error(STAGING, source))?;
            staging.staged += data.len() as u64;
        }
        Ok(staging.staged)
    }

    /// Makes the staged image the state, after verifying all of it.
    pub fn install(&mut self, meta: &SnapshotMeta) -> Result<Machine> {
        let staging = self.staging.take().filter(|staging| staging.meta == *meta);
        let Some(mut staging) = staging else {
            return Err(CheckpointError::Corrupt {
                file: STAGING.into(),
                offset: 0,
                what: format!("no image of index {} is staged", meta.index),
            });
        };
        staging
            .file
            .set_len(staging.staged)
            .map_err(|source| io_error(STAGING, source))?;
        staging
            .file
            .sync()
            .map_err(|source| io_error(STAGING, source))?;
        drop(staging.file);
        let machine = file::read(self.disk.as_ref(), STAGING, meta)?;
        if self.index() < meta.index {
            self.commit(STAGING, meta, staging.staged, 1, &[])?;
        }
        Ok(machine)
    }

    /// Reads a piece of an image for sending: its total size and the bytes. `None`: that image is gone.
    pub fn read(
        disk: &dyn Disk,
        index: Index,
        offset: u64,
        bytes: u64,
    ) -> Result<Option<(u64, Vec<u8>)>> {
        let file_name = name(index);
        let file = match disk.open(&file_name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&file_name, source)),
        };
        let total = file
            .length()
            .map_err(|source| io_error(&file_name, source))?;
        let mut data = vec![0; bytes.min(total.saturating_sub(offset)) as usize];
        file.read_at(offset, &mut data)
            .map_err(|source| io_error(&file_name, source))?;
        Ok(Some((total, data)))
    }

    fn index(&self) -> Index {
        self.manifest
            .image
            .as_ref()
            .map_or(0, |image| image.meta.index)
    }

    /// Gives a written and synced file its name and lets the manifest name it.
    fn commit(
        &mut self,
        written: &str,
        meta: &SnapshotMeta,
        bytes: u64,
        installed: u64,
        keep: &[Index],
    ) -> Result<()> {
        let final_name = name(meta.index);
        self.disk
            .rename(written, &final_name)
            .map_err(|source| io_error(&final_name, source))?;
        self.disk
            .sync_folder(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        let mut manifest = self.manifest.clone();
        manifest.image = Some(manifest::Image {
            meta: meta.clone(),
            bytes,
        });
        manifest.installed_total += installed;
        manifest.write(self.disk.as_ref())?;
        self.manifest = manifest;
        self.remove_unreferenced(keep)
    }

    fn remove_unreferenced(&self, keep: &[Index]) -> Result<()> {
        let files = self
            .disk
            .list(FOLDER)
            .map_err(|source| io_error(FOLDER, source))?;
        let current = name(self.index());
        let kept: Vec<String> = keep.iter().map(|&index| name(index)).collect();
        for file in files.iter().map(|file| format!("{FOLDER}/{file}")) {
            let staged = self.staging.is_some() && file == STAGING;
            if file != current && !staged && !kept.contains(&file) {
                self.disk
                    .remove(&file)
                    .map_err(|source| io_error(&file, source))?;
            }
        }
        Ok(())
    }
}

fn name(index: Index) -> String {
    format!("{FOLDER}/{index:020}.img")
}

fn io_error(file: &str, source: io::Error) -> CheckpointError {
    CheckpointError::Io {
        file: file.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
