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

use super::record::{Calibration, Measured, Repeat, Scenario, Sweep, Waited};
use crate::folder::{Error, Lines, Result, io_error, read_lines, replace};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Fewer do not tell a rate.
const LEAST_REPLAYED: u64 = 1_000;
const LEAST_LOADED: u64 = 1 << 20;

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

impl Calibration {
    /// What the runs tell. Parts of a restart are the slowest server's own account.
    pub fn of(runs: &[Calibrated]) -> Self {
        let faults = |scenario: Option<Scenario>| {
            let of = move |run: &&Calibrated| scenario.is_none_or(|one| run.scenario == one);
            let runs = runs.iter().filter(of);
            runs.flat_map(|run| &run.repeat.recoveries)
        };
        let restarts = || faults(None).filter(|one| one.phases_ms.contains_key("load"));
        let phase = |one: &super::Recovered, name: &str| one.phases_ms.get(name).copied();
        let rate = |amount: Option<u64>, least: u64, ms: Option<f64>| {
            let (amount, ms) = (amount?, ms?);
            (amount >= least && ms > 0.0).then(|| amount as f64 / ms * 1e3)
        };
        let other = |one: &super::Recovered, whole: Option<Waited>| match whole? {
            Waited::Ms(ms) => {
                let parts = phase(one, "load")? + phase(one, "replay")?;
                Some((ms - parts).max(0.0))
            }
            _ => None,
        };
        let costs = || runs.iter().map(|run| &run.repeat.cost);
        let controls = runs.iter().filter(|run| run.scenario == Scenario::Control);
        Self {
            replay_per_s: measured(restarts().filter_map(|one| {
                rate(one.replayed_entries, LEAST_REPLAYED, phase(one, "replay"))
            })),
            load_per_s: measured(
                restarts()
                    .filter_map(|one| rate(one.loaded_bytes, LEAST_LOADED, phase(one, "load"))),
            ),
            write_per_s: measured(controls.map(|run| run.repeat.cost.entries_per_s)),
            restart_ms: measured(
                faults(Some(Scenario::KillFollower)).filter_map(|one| other(one, one.restart)),
            ),
            cold_start_ms: measured(
                faults(Some(Scenario::KillAll)).filter_map(|one| other(one, one.service)),
            ),
            failover_ms: measured(faults(Some(Scenario::KillLeader)).filter_map(|one| {
                match one.service? {
                    Waited::Ms(ms) => Some(ms),
                    _ => None,
                }
            })),
            install_per_s: measured(faults(Some(Scenario::Lag)).filter_map(
                |one| match one.restart? {
                    Waited::Ms(ms) => rate(one.received_bytes, 1, Some(ms)),
                    _ => None,
                },
            )),
            state_bytes: measured(costs().filter_map(|cost| Some(cost.state_bytes? as f64))),
            checkpoint_ms: measured(costs().filter_map(|cost| cost.checkpoint_ms)),
        }
    }
}

fn measured(values: impl Iterator<Item = f64>) -> Option<Measured> {
    Measured::of(&values.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::Recovered;
    use super::*;
    use std::collections::BTreeMap;

    fn restart(replayed: u64, replay_ms: f64, loaded: u64, load_ms: f64, ms: f64) -> Recovered {
        let phases = [("load", load_ms), ("replay", replay_ms), ("join", 5.0)];
        Recovered {
            restart: Some(Waited::Ms(ms)),
            replayed_entries: Some(replayed),
            loaded_bytes: Some(loaded),
            phases_ms: BTreeMap::from(phases.map(|(name, ms)| (name.to_owned(), ms))),
            ..Recovered::default()
        }
    }

    fn killed(recoveries: Vec<Recovered>) -> Calibrated {
        Calibrated {
            scenario: Scenario::KillFollower,
            case: 1,
            repeat: Repeat {
                recoveries,
                ..Repeat::default()
            },
        }
    }

    #[test]
    fn rates_come_from_restarts_that_are_long_enough_to_tell() {
        let runs = [killed(vec![
            restart(50_000, 100.0, 4 << 20, 2.0, 152.0),
            restart(10, 1.0, 100, 1.0, 52.0),
        ])];
        let calibration = Calibration::of(&runs);
        let replay = calibration.replay_per_s.unwrap();
        assert_eq!((replay.n, replay.mean), (1, 500_000.0));
        assert_eq!(
            calibration.load_per_s.unwrap().mean,
            (4 << 20) as f64 * 500.0
        );
        let rest = calibration.restart_ms.unwrap();
        assert_eq!((rest.n, rest.mean), (2, 50.0));
        assert_eq!(calibration.failover_ms, None);
    }

    #[test]
    fn a_restart_that_did_not_end_tells_no_duration() {
        let mut open = restart(50_000, 100.0, 0, 0.0, 0.0);
        open.restart = Some(Waited::LongerThanMs(900.0));
        let calibration = Calibration::of(&[killed(vec![open])]);
        assert_eq!(calibration.restart_ms, None);
    }

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
        store.append_calibration(&killed(Vec::new())).unwrap();
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
