//! The manifest: the one record of what makes up the state.
//!
//! One line of JSON and its CRC32C in hexadecimal on the next. Replaced as a whole by write, sync, rename and sync
//! of the folder; a reader sees the old one or the new one.

use super::{CheckpointError, io_error};
use crate::disk::Disk;
use crate::types::SnapshotMeta;
use serde::{Deserialize, Serialize};
use std::io;

const NAME: &str = "MANIFEST";
const WRITTEN: &str = "MANIFEST.tmp";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub version: u32,
    /// Grows with every start of the server.
    pub boot: u64,
    pub image: Option<Image>,
    /// Images installed from leaders since the data folder was made.
    pub installed_total: u64,
}

/// The image to restart from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub meta: SnapshotMeta,
    pub bytes: u64,
}

impl Manifest {
    pub(super) fn read(disk: &dyn Disk) -> Result<Self, CheckpointError> {
        let file = match disk.open(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    version: 1,
                    ..Self::default()
                });
            }
            Err(source) => return Err(io_error(NAME, source)),
        };
        let mut bytes = vec![0; file.length().map_err(|source| io_error(NAME, source))? as usize];
        file.read_at(0, &mut bytes)
            .map_err(|source| io_error(NAME, source))?;
        let corrupt = |what: &str| CheckpointError::Corrupt {
            file: NAME.into(),
            offset: 0,
            what: what.into(),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| corrupt("not text"))?;
        let (json, crc) = text
            .trim_end()
            .split_once('\n')
            .ok_or_else(|| corrupt("no checksum"))?;
        if u32::from_str_radix(crc, 16).ok() != Some(crc32c::crc32c(json.as_bytes())) {
            return Err(corrupt("the checksum differs"));
        }
        let manifest: Self =
            serde_json::from_str(json).map_err(|error| corrupt(&error.to_string()))?;
        if manifest.version != 1 {
            return Err(corrupt(&format!(
                "version {} is not known",
                manifest.version
            )));
        }
        Ok(manifest)
    }

    pub(super) fn write(&self, disk: &dyn Disk) -> Result<(), CheckpointError> {
        let json = serde_json::to_string(self).expect("a manifest is plain data");
        let text = format!("{json}\n{:08x}\n", crc32c::crc32c(json.as_bytes()));
        let written = (|| {
            let mut file = disk.create(WRITTEN)?;
            file.write_at(0, text.as_bytes())?;
            file.sync()?;
            disk.rename(WRITTEN, NAME)?;
            disk.sync_folder("")
        })();
        written.map_err(|source| io_error(NAME, source))
    }
}
