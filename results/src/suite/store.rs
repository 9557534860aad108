//! Where suites are kept: `<runs>/suites/<suite>/<utc-time>/` for each night, with the runs below it as
//! `<test>/<utc-time>-<seed>/`. Beside the nights lie `history.jsonl` and `corpus.jsonl`.

use super::record::{Because, Ended, Failing, Plan, Run};
use super::summary::Summary;
use crate::folder::{self, Error, Lines, Result};
use crate::hold::Hold;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the folder of all suites in the run store.
pub const SUITES: &str = "suites";
pub const PLAN: &str = "suite.json";
pub const RUNS: &str = "suite.jsonl";
pub const RESULTS: &str = "results.json";
pub const HISTORY: &str = "history.jsonl";
pub const CORPUS: &str = "corpus.jsonl";

/// All nights of one suite. While this lives, no other program works on them.
pub struct Place {
    path: PathBuf,
    _hold: Hold,
}

/// The folder of one night.
#[derive(Clone, Debug)]
pub struct Night {
    path: PathBuf,
}

impl Place {
    /// Opens the suite's folder, making it if it is the first time. `None`: another program works in it.
    pub fn open(runs: &Path, suite: &str) -> Result<Option<Self>> {
        let path = Self::path_of(runs, suite);
        fs::create_dir_all(&path).map_err(failed("create", &path))?;
        let hold = Hold::take(&path).map_err(failed("lock", &path))?;
        Ok(hold.map(|hold| Self { path, _hold: hold }))
    }

    pub fn path_of(runs: &Path, suite: &str) -> PathBuf {
        runs.join(SUITES).join(suite)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new night; `time` names it.
    pub fn begin(&self, time: &str) -> Result<Night> {
        let mut name = time.to_owned();
        for attempt in 2.. {
            let path = self.path.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    name = format!("{time}.{attempt}");
                }
                Err(error) => return Err(failed("create", &path)(error)),
            }
        }
        Ok(Night {
            path: self.path.join(name),
        })
    }

    /// The newest night, if it did not finish.
    pub fn unfinished(&self) -> Result<Option<(Night, Plan)>> {
        let mut nights = nights(&self.path)?;
        nights.sort();
        let Some(path) = nights.pop() else {
            return Ok(None);
        };
        let night = Night { path };
        let finished = night.read_results()?.is_some_and(|done| done.finished);
        match finished {
            true => Ok(None),
            false => Ok(Some((night.clone(), night.read_plan()?))),
        }
    }

    /// The runs of all nights. A night that was killed between its own line and that of the history is made up
    /// for here.
    pub fn history(&self) -> Result<History> {
        let path = self.path.join(HISTORY);
        let mut runs: Vec<Run> = folder::read_lines(&path)?.items;
        let lines = Lines::open(path)?;
        let mut nights = nights(&self.path)?;
        nights.sort();
        // Only the newest can have been cut short since the last time.
        if let Some(newest) = nights.pop() {
            let night = Night { path: newest };
            for run in night.read_runs()? {
                let known = |other: &Run| (&other.night, other.number) == (&run.night, run.number);
                if !runs.iter().any(known) {
                    lines.append(&run)?;
                    runs.push(run);
                }
            }
        }
        Ok(History { runs, lines })
    }

    /// The seeds that failed, the one that failed last first. What the newest night did not come to write is made
    /// up for here.
    pub fn corpus(&self, history: &History) -> Result<Corpus> {
        let path = self.path.join(CORPUS);
        let mut all: Vec<Failing> = folder::read_lines(&path)?.items;
        let lines = Lines::open(path)?;
        let newest = history.runs.last().map(|run| run.night.as_str());
        for run in history.runs.iter().rev() {
            if Some(run.night.as_str()) != newest {
                break;
            }
            let known = |line: &Failing| {
                (&line.night, &line.test, line.seed) == (&run.night, &run.test, run.seed)
            };
            let fails = run.ended == Ended::Invalid && run.because != Because::Rerun;
            if fails && !all.iter().any(known) {
                let plan = Night::open(&self.path.join(&run.night)).read_plan()?;
                let failing = Failing::of(run, &plan);
                lines.append(&failing)?;
                all.push(failing);
            }
        }
        Ok(Corpus {
            failing: newest_first(all),
            lines,
        })
    }
}

/// What a suite's folder tells without working in it: the seeds that failed, and the runs of all nights.
pub fn peek(place: &Path) -> Result<(Vec<Failing>, Vec<Run>)> {
    let failing = folder::read_lines(&place.join(CORPUS))?.items;
    let runs = folder::read_lines(&place.join(HISTORY))?.items;
    Ok((newest_first(failing), runs))
}

/// The newest line of each seed of each test.
fn newest_first(lines: Vec<Failing>) -> Vec<Failing> {
    let mut newest: Vec<Failing> = Vec::new();
    for line in lines.into_iter().rev() {
        let known = |other: &Failing| (&other.test, other.seed) == (&line.test, line.seed);
        if !newest.iter().any(known) {
            newest.push(line);
        }
    }
    newest
}

/// The runs of all nights of a suite.
pub struct History {
    pub runs: Vec<Run>,
    lines: Lines<Run>,
}

impl History {
    pub fn append(&mut self, run: &Run) -> Result<()> {
        self.lines.append(run)?;
        self.runs.push(run.clone());
        Ok(())
    }
}

/// The seeds that failed.
pub struct Corpus {
    pub failing: Vec<Failing>,
    lines: Lines<Failing>,
}

impl Corpus {
    pub fn append(&self, failing: &Failing) -> Result<()> {
        self.lines.append(failing)
    }
}

impl Night {
    pub fn open(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its folder's name.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub fn page(&self) -> PathBuf {
        self.path.join("report.html")
    }

    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        self.write(PLAN, &document(&self.path.join(PLAN), plan)?)
    }

    pub fn read_plan(&self) -> Result<Plan> {
        read(&self.path.join(PLAN))
    }

    pub fn append_runs(&self) -> Result<Lines<Run>> {
        Lines::open(self.path.join(RUNS))
    }

    pub fn read_runs(&self) -> Result<Vec<Run>> {
        Ok(folder::read_lines(&self.path.join(RUNS))?.items)
    }

    pub fn write_results(&self, summary: &Summary) -> Result<()> {
        self.write(RESULTS, &document(&self.path.join(RESULTS), summary)?)
    }

    /// `None`: there are none yet.
    pub fn read_results(&self) -> Result<Option<Summary>> {
        let path = self.path.join(RESULTS);
        match path.exists() {
            true => read(&path).map(Some),
            false => Ok(None),
        }
    }

    /// Puts a whole document in place.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        folder::replace(&self.path.join(name), text.as_bytes())
    }
}

/// Folders that hold the plan of a night.
fn nights(place: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).map_err(failed("read", place))? {
        let entry = entry.map_err(failed("read", place))?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.path().join(PLAN).is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn document(path: &Path, value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|source| Error::Document {
        path: path.to_owned(),
        source,
    })?;
    Ok(text + "\n")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    serde_json::from_str(&text).map_err(|source| Error::Document {
        path: path.to_owned(),
        source,
    })
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { verb, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u32) -> Run {
        Run {
            night: "n".into(),
            number,
            ..Run::default()
        }
    }

    fn place(root: &Path) -> Place {
        Place::open(root, "nightly").unwrap().expect("nobody else")
    }

    #[test]
    fn a_suite_is_worked_on_by_one_program_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = place(root.path());
        assert!(Place::open(root.path(), "nightly").unwrap().is_none());
        drop(first);
        assert!(Place::open(root.path(), "nightly").unwrap().is_some());
    }

    #[test]
    fn a_line_that_the_history_lacks_is_made_up_for() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let night = place.begin("n").unwrap();
        night.write_plan(&Plan::default()).unwrap();
        let lines = night.append_runs().unwrap();
        place.history().unwrap().append(&run(1)).unwrap();
        lines.append(&run(1)).unwrap();
        lines.append(&run(2)).unwrap();
        assert_eq!(place.history().unwrap().runs, [run(1), run(2)]);
        // And only once.
        assert_eq!(place.history().unwrap().runs.len(), 2);
    }

    #[test]
    fn a_night_without_results_or_cut_short_is_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        assert!(place.unfinished().unwrap().is_none());
        let night = place.begin("20260102T000000Z").unwrap();
        night.write_plan(&Plan::default()).unwrap();
        assert!(place.unfinished().unwrap().is_some());
        let mut summary = Summary::default();
        night.write_results(&summary).unwrap();
        assert!(place.unfinished().unwrap().is_some());
        summary.finished = true;
        night.write_results(&summary).unwrap();
        assert!(place.unfinished().unwrap().is_none());
    }

    #[test]
    fn two_nights_in_one_second_have_a_folder_each() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let names = [place.begin("t"), place.begin("t")].map(|night| night.unwrap().name());
        assert_eq!(names, ["t", "t.2"]);
    }

    #[test]
    fn the_seed_that_failed_last_comes_first() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let corpus = place.corpus(&place.history().unwrap()).unwrap();
        for seed in [1, 2, 1] {
            let failing = Failing {
                seed,
                ..Failing::default()
            };
            corpus.append(&failing).unwrap();
        }
        let failing = place.corpus(&place.history().unwrap()).unwrap().failing;
        let seeds: Vec<u64> = failing.iter().map(|failing| failing.seed).collect();
        assert_eq!(seeds, [1, 2]);
    }

    #[test]
    fn a_violation_that_the_corpus_lacks_is_made_up_for() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let night = place.begin("n").unwrap();
        night.write_plan(&Plan::default()).unwrap();
        let invalid = Run {
            ended: Ended::Invalid,
            seed: 5,
            ..run(1)
        };
        night.append_runs().unwrap().append(&invalid).unwrap();
        for _ in 0..2 {
            let corpus = place.corpus(&place.history().unwrap()).unwrap();
            assert_eq!(corpus.failing.len(), 1);
        }
        assert_eq!(peek(place.path()).unwrap().0[0].seed, 5);
    }
}
