//! The manifest: the one record of what makes up the state.
//!
//! One line of JSON and its CRC32C in hexadecimal on the next. Replaced as a whole by write, sync, rename and sync
//! of the folder; a reader sees the old one or the new one.

use super::{CheckpointError, Lineage, Root, chain, io_error};
use crate::bugs::{Bug, planted};
use crate::disk::Disk;
use crate::types::{Index, SnapshotMeta};
use serde::{Deserialize, Serialize};
use std::io;

pub const NAME: &str = "MANIFEST";
const WRITTEN: &str = "MANIFEST.tmp";
const VERSION: u32 = 2;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub version: u32,
    /// Grows with every start of the server.
    pub boot: u64,
    /// Changes when a state of the past is restored: files of two histories don't mix.
    pub lineage: Lineage,
    /// All checkpoint files, in the order of their targets. The last is the end of the chain to restart from;
    /// others belong to it, or to restore points that are kept.
    pub files: Vec<FileRef>,
    /// Images installed from leaders since the data folder was made.
    pub installed_total: u64,
}

/// A checkpoint file: the state at its target, or what changed on the way there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    pub name: String,
    pub level: u8,
    /// Index of the state that it is laid on; 0: it is full.
    pub base: Index,
    pub meta: SnapshotMeta,
    pub root: Root,
    pub bytes: u64,
    pub pages: u64,
    /// When it was written, in milliseconds since 1970.
    pub time_ms: u64,
}

impl FileRef {
    /// `full 1000`, `L1 1000..1600`.
    pub fn describe(&self) -> String {
        if self.level == chain::FULL {
            format!("full {}", self.meta.index)
        } else {
            format!("L{} {}..{}", self.level, self.base, self.meta.index)
        }
    }

    #[cfg(test)]
    pub fn for_tests(level: u8, base: Index, index: Index, bytes: u64) -> Self {
        Self {
            name: format!("{level}-{base}-{index}"),
            level,
            base,
            meta: SnapshotMeta {
                index,
                ..SnapshotMeta::default()
            },
            root: Root(0),
            bytes,
            pages: 0,
            time_ms: index * 1_000,
        }
    }
}

/// Which restore points stay, besides the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The last so many.
    pub last: usize,
    /// The newest of each of the last so many hours, and days, that have one.
    pub hourly: usize,
    pub daily: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            last: 1,
            hourly: 0,
            daily: 0,
        }
    }
}

impl Manifest {
    /// The files to restart from, oldest first.
    pub fn chain(&self) -> Vec<FileRef> {
        self.files
            .last()
            .map_or_else(Vec::new, |tip| self.chain_to(tip.meta.index))
    }

    /// Index of the oldest restore point; 0: there is none.
    pub fn oldest(&self) -> Index {
        self.files.first().map_or(0, |file| file.meta.index)
    }

    /// The files that make up the state at a restore point; empty if it is none.
    pub fn chain_to(&self, target: Index) -> Vec<FileRef> {
        let mut chain = Vec::new();
        let mut wanted = target;
        while wanted > 0 {
            let Some(file) = self.files.iter().find(|file| file.meta.index == wanted) else {
                return Vec::new();
            };
            chain.push(file.clone());
            // A base is always earlier: this ends.
            wanted = file.base.min(wanted - 1);
        }
        chain.reverse();
        chain
    }

    /// Forgets the files that no kept restore point needs. By reachability, never by age alone.
    pub fn retain(&mut self, keep: Keep) {
        let mut points: Vec<&FileRef> = self.files.iter().rev().take(keep.last.max(1)).collect();
        for (span_ms, count) in [(3_600_000, keep.hourly), (86_400_000, keep.daily)] {
            let mut spans = Vec::new();
            for file in self.files.iter().rev() {
                let span = file.time_ms / span_ms;
                if spans.len() < count && !spans.contains(&span) {
                    spans.push(span);
                    points.push(file);
                }
            }
        }
        let needed: Vec<Index> = points
            .iter()
            .flat_map(|point| {
                if planted(Bug::ReachableBaseRemoved) {
                    vec![(*point).clone()]
                } else {
                    self.chain_to(point.meta.index)
                }
            })
            .map(|file| file.meta.index)
            .collect();
        self.files.retain(|file| needed.contains(&file.meta.index));
    }

    /// Reads the manifest; an empty one if there is none.
    pub fn read(disk: &dyn Disk) -> Result<Self, CheckpointError> {
        let file = match disk.open(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    version: VERSION,
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
            .strip_suffix('\n')
            .and_then(|text| text.split_once('\n'))
            .ok_or_else(|| corrupt("no checksum"))?;
        if crc != format!("{:08x}", crc32c::crc32c(json.as_bytes())) {
            return Err(corrupt("the checksum differs"));
        }
        let manifest: Self =
            serde_json::from_str(json).map_err(|error| corrupt(&error.to_string()))?;
        if manifest.version != VERSION {
            return Err(corrupt(&format!(
                "version {} is not known",
                manifest.version
            )));
        }
        Ok(manifest)
    }

    /// Puts it in the place of the one before: the commit point of whatever it names.
    pub fn write(&self, disk: &dyn Disk) -> Result<(), CheckpointError> {
        let json = serde_json::to_string(self).expect("a manifest is plain data");
        let text = format!("{json}\n{:08x}\n", crc32c::crc32c(json.as_bytes()));
        let written = (|| {
            let mut file = disk.create(WRITTEN)?;
            file.write_at(0, text.as_bytes())?;
            if !planted(Bug::ManifestNotSynced) {
                file.sync()?;
            }
            disk.rename(WRITTEN, NAME)?;
            disk.sync_folder("")
        })();
        written.map_err(|source| io_error(NAME, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: &[(u8, Index, Index)]) -> Manifest {
        Manifest {
            files: files
                .iter()
                .map(|&(level, base, index)| FileRef::for_tests(level, base, index, 1))
                .collect(),
            ..Manifest::default()
        }
    }

    fn targets(manifest: &Manifest) -> Vec<Index> {
        manifest.files.iter().map(|file| file.meta.index).collect()
    }

    #[test]
    fn what_a_kept_restore_point_needs_stays_and_nothing_else() {
        let full = chain::FULL;
        let files = [
            (full, 0, 10),
            (0, 10, 20),
            (0, 20, 30),
            (1, 10, 40),
            (full, 0, 50),
            (0, 50, 60),
        ];
        let mut newest = manifest(&files);
        newest.retain(Keep::default());
        assert_eq!(targets(&newest), [50, 60]);
        let mut four = manifest(&files);
        four.retain(Keep {
            last: 4,
            ..Keep::default()
        });
        assert_eq!(
            targets(&four),
            [10, 20, 30, 40, 50, 60],
            "30 needs 20, which needs 10"
        );
        let mut three = manifest(&files);
        three.retain(Keep {
            last: 3,
            ..Keep::default()
        });
        assert_eq!(targets(&three), [10, 40, 50, 60]);
    }

    #[test]
    fn the_newest_of_each_hour_stays_with_all_it_needs() {
        let mut files = manifest(&[
            (chain::FULL, 0, 3_000),
            (0, 3_000, 4_000),
            (0, 4_000, 9_000),
        ]);
        files
            .files
            .push(FileRef::for_tests(chain::FULL, 0, 9_500, 1));
        // Times are the index in seconds: hours 0, 1, 2 and 2.
        files.retain(Keep {
            last: 1,
            hourly: 2,
            daily: 0,
        });
        assert_eq!(targets(&files), [3_000, 4_000, 9_500]);
    }
}
