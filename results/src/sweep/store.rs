//! The folder of a sweep.
//!
//! | file | what | written |
//! |---|---|---|
//! | `sweep.yaml` | the spec as resolved | once, first |
//! | `sweep.json` | [`Sweep`] without its runs | once, before anything runs |
//! | `calibration.jsonl` | [`Calibrated`], a line per run | as each run ends |
//! | `repeats.jsonl` | [`Repeat`], a line per run | as each run ends |
//! | `runs/` | the folders of the runs | by the runs |
//! | `results.json`, `report.html`, `report.md` | what the sweep says | anew whenever it ends |

use super::record::{Calibration, Repeat, Scenario, Sweep};
use crate::folder::{Error, Lines, Result, io_error, read_lines, replace};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub struct Store {
    path: PathBuf,
    repeats: Lines<Repeat>,
    calibration: Lines<Calibrated>,
}

/// A run that was made to learn what predictions are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    pub scenario: Scenario,
    /// Its place in the spec's list, from 1.
    pub case: u32,
    pub repeat: Repeat,
}

impl Store {
    /// Begins a sweep in a folder that must be new.
    pub fn create(path: &Path, spec: &str, sweep: &Sweep) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(io_error("create", path))?;
        replace(&path.join("sweep.yaml"), spec.as_bytes())?;
        let header = serde_json::to_vec_pretty(sweep).map_err(|source| Error::Document {
            path: path.join(HEADER),
            source,
        })?;
        // Last: a folder with it is whole.
        replace(&path.join(HEADER), &header)?;
        Self::open(path)
    }

    /// Goes on with a sweep.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            repeats: Lines::open(path.join(REPEATS))?,
            calibration: Lines::open(path.join(CALIBRATION))?,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the runs are.
    pub fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    pub fn spec(path: &Path) -> PathBuf {
        path.join("sweep.yaml")
    }

    /// Once this returns, the run counts, whatever happens.
    pub fn append(&self, repeat: &Repeat) -> Result<()> {
        self.repeats.append(repeat)?;
        self.repeats.sync()
    }

    pub fn append_calibration(&self, calibrated: &Calibrated) -> Result<()> {
        self.calibration.append(calibrated)?;
        self.calibration.sync()
    }

    pub fn calibrated(&self) -> Result<Vec<Calibrated>> {
        Ok(read_lines(&self.path.join(CALIBRATION))?.items)
    }

    /// Everything that is known by now. Reads only, so that it can be done while the sweep goes on.
    pub fn read(path: &Path) -> Result<Sweep> {
        let header = path.join(HEADER);
        let bytes = std::fs::read(&header).map_err(io_error("read", &header))?;
        let mut sweep: Sweep =
            serde_json::from_slice(&bytes).map_err(|source| Error::Document {
                path: header,
                source,
            })?;
        let calibrated: Vec<Calibrated> = read_lines(&path.join(CALIBRATION))?.items;
        sweep.calibration = Calibration::of(&calibrated);
        sweep.repeats = read_lines(&path.join(REPEATS))?.items;
        Ok(sweep)
    }

    pub fn write_results(&self, json: &str) -> Result<()> {
        replace(&self.path.join("results.json"), json.as_bytes())
    }

    pub fn write_report(&self, html: &str) -> Result<()> {
        replace(&self.report(), html.as_bytes())
    }

    pub fn write_markdown(&self, markdown: &str) -> Result<()> {
        replace(&self.path.join("report.md"), markdown.as_bytes())
    }

    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }
}

const HEADER: &str = "sweep.json";
const REPEATS: &str = "repeats.jsonl";
const CALIBRATION: &str = "calibration.jsonl";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_before_a_kill_is_there_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let sweep = Sweep {
            name: "night".into(),
            ..Sweep::default()
        };
        let store = Store::create(dir.path(), "name: night\n", &sweep).unwrap();
        let repeat = |number| Repeat {
            cell: 1,
            number,
            ..Repeat::default()
        };
        store.append(&repeat(1)).unwrap();
        let calibrated = Calibrated {
            scenario: Scenario::KillFollower,
            case: 1,
            repeat: Repeat::default(),
        };
        store.append_calibration(&calibrated).unwrap();
        drop(store);
        let path = dir.path().join(REPEATS);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"cell\":1,\"numb");
        std::fs::write(&path, text).unwrap();

        assert_eq!(Store::read(dir.path()).unwrap().repeats, [repeat(1)]);
        let store = Store::open(dir.path()).unwrap();
        store.append(&repeat(2)).unwrap();
        let read = Store::read(dir.path()).unwrap();
        assert_eq!(read.repeats, [repeat(1), repeat(2)]);
        assert_eq!(store.calibrated().unwrap().len(), 1);
    }
}
