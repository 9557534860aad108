//! Reads every byte of a data folder and says what is wrong with it.

use super::{OfflineError, segments};
use crate::checkpoint::file::{Reader, read_block};
use crate::checkpoint::{CheckpointError, Manifest, restore};
use crate::disk::Disk;
use crate::log;

/// One thing that was looked at.
#[derive(Debug)]
pub struct Finding {
    /// A file, or `chain to INDEX`, or `log`.
    pub what: String,
    pub bytes: u64,
    /// `Err`: what is wrong, with file and offset.
    pub state: Result<String, String>,
}

/// Walks every file; all findings, sound and broken. Only a folder that can't be read at all is an error.
pub fn verify(disk: &dyn Disk, threads: usize) -> Result<Vec<Finding>, OfflineError> {
    let mut findings = Vec::new();
    let manifest = match Manifest::read(disk) {
        Ok(manifest) => manifest,
        Err(error @ CheckpointError::Io { .. }) => return Err(error.into()),
        Err(error) => {
            findings.push(Finding {
                what: "MANIFEST".into(),
                bytes: 0,
                state: Err(error.to_string()),
            });
            return Ok(findings);
        }
    };
    for file in &manifest.files {
        findings.push(Finding {
            what: file.name.clone(),
            bytes: file.bytes,
            state: blocks(disk, &file.name)
                .map(|(blocks, pages)| format!("{blocks} blocks, {pages} pages"))
                .map_err(|error| error.to_string()),
        });
    }
    for file in &manifest.files {
        let index = file.meta.index;
        let chain = manifest.chain_to(index);
        let loaded = restore::load(disk, manifest.lineage, &chain, threads);
        findings.push(Finding {
            what: format!("chain to {index}"),
            bytes: chain.iter().map(|file| file.bytes).sum(),
            state: match (chain.is_empty(), loaded) {
                (true, _) => Err(format!("a base of {} is missing", file.describe())),
                (false, Ok(loaded)) => Ok(format!(
                    "{} keys, root {}",
                    loaded.machine.keys(),
                    file.root
                )),
                (false, Err(error)) => Err(error.to_string()),
            },
        });
    }
    for folder in [log::ARCHIVE, log::FOLDER] {
        match segments(disk, folder) {
            Ok(infos) => findings.extend(infos.into_iter().map(|info| Finding {
                state: Ok(match info.torn_bytes {
                    0 => format!("{} records", info.records),
                    torn => format!("{} records, {torn} bytes of a torn end", info.records),
                }),
                what: info.name,
                bytes: info.bytes,
            })),
            Err(error) => findings.push(Finding {
                what: folder.into(),
                bytes: 0,
                state: Err(error.to_string()),
            }),
        }
    }
    let tip = manifest.files.last().map_or(0, |file| file.meta.index);
    let folders: Vec<&str> = [log::ARCHIVE, log::FOLDER]
        .into_iter()
        .filter(|folder| disk.list(folder).is_ok())
        .collect();
    let replayed = log::replay(disk, &folders, threads);
    findings.push(Finding {
        what: "log".into(),
        bytes: 0,
        state: match replayed {
            Ok(replayed) if replayed.base.0 > tip => Err(format!(
                "the log begins after {}, the newest checkpoint is of {tip}",
                replayed.base.0
            )),
            Ok(replayed) => Ok(format!(
                "continues the checkpoint of {tip} up to {}",
                replayed.base.0 + replayed.entries.len() as u64
            )),
            Err(error) => Err(error.to_string()),
        },
    });
    Ok(findings)
}

/// Reads every block of a checkpoint file.
fn blocks(disk: &dyn Disk, name: &str) -> Result<(usize, u64), CheckpointError> {
    let reader = Reader::open(disk, name)?;
    let file = disk.open(name).map_err(|source| CheckpointError::Io {
        file: name.to_owned(),
        source,
    })?;
    let mut pages = 0;
    for block in &reader.blocks {
        pages += read_block(file.as_ref(), name, block)?.len() as u64;
    }
    if pages != reader.pages {
        return Err(CheckpointError::Corrupt {
            file: name.to_owned(),
            offset: reader.len,
            what: format!("{pages} pages, the footer says {}", reader.pages),
        });
    }
    Ok((reader.blocks.len(), pages))
}
