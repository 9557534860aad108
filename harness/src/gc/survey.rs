//! Finds the runs of a store, and what speaks for keeping each.
//!
//! Only folders with a `spec.yaml` of ours are runs; links are not followed. Records of suites and sweeps are not
//! runs and are never candidates.

use crate::exit::{Failure, Result};
use jiff::Timestamp;
use results::folder::read_lines;
use results::hold::Hold;
use results::suite::store::{CORPUS, PLAN, RUNS};
use results::suite::{Failing, Run};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Runs lie at most so deep: those of a suite have five folders above them.
const DEPTH: usize = 8;
/// A run that did not finish and was written to within this may still be going on, whatever its lock says.
const QUIET: Duration = Duration::from_secs(3_600);

/// A run of the store.
#[derive(Clone, Debug)]
pub struct Found {
    pub path: PathBuf,
    /// Runs of one name: of a test of a suite, those of all nights.
    pub group: String,
    pub age: Duration,
    /// What it takes on the disk.
    pub bytes: u64,
    pub finished: bool,
    pub claims: BTreeSet<Claim>,
}

/// What speaks for keeping a run. The first one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    GoingOn,
    Latest,
    Failed,
    Corpus,
    Sweep,
    Suite,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Claim::GoingOn => "it may be going on",
            Claim::Latest => "runs/latest points at it",
            Claim::Failed => "it failed",
            Claim::Corpus => "a seed that failed refers to it",
            Claim::Sweep => "it belongs to a sweep",
            Claim::Suite => "it belongs to a suite",
        })
    }
}

/// All runs below `runs`, in the order of their paths.
pub fn survey(runs: &Path) -> Result<Vec<Found>> {
    let root = fs::canonicalize(runs)
        .map_err(|error| Failure::usage(format!("{}: {error}", runs.display())))?;
    let latest = fs::canonicalize(root.join("latest")).ok();
    let mut walk = Walk {
        root: root.clone(),
        found: Vec::new(),
        failed: BTreeSet::new(),
        corpus: BTreeSet::new(),
    };
    walk.folder(&root, 0, None)?;
    let Walk {
        mut found,
        failed,
        corpus,
        ..
    } = walk;
    for run in &mut found {
        for (set, claim) in [(&failed, Claim::Failed), (&corpus, Claim::Corpus)] {
            if set.contains(&run.path) {
                run.claims.insert(claim);
            }
        }
        if latest.as_ref() == Some(&run.path) {
            run.claims.insert(Claim::Latest);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

struct Walk {
    root: PathBuf,
    found: Vec<Found>,
    /// Runs that missed a threshold of their suite.
    failed: BTreeSet<PathBuf>,
    /// Runs that the corpus of a suite names.
    corpus: BTreeSet<PathBuf>,
}

/// What the folders above a run belong to.
#[derive(Clone)]
struct Above {
    claim: Claim,
    /// Stands for the night in the name of a group.
    suite: Option<PathBuf>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize, above: Option<Above>) -> Result<()> {
        if let Some(started) = started(folder) {
            let run = self.run(folder, started, above.as_ref())?;
            self.found.push(run);
            return Ok(());
        }
        if depth == DEPTH {
            return Ok(());
        }
        let above = self.belongs(folder)?.or(above);
        let entries = fs::read_dir(folder).map_err(named(folder))?;
        for entry in entries {
            let entry = entry.map_err(named(folder))?;
            // The kind is that of a link itself, so none is followed.
            if entry.file_type().map_err(named(folder))?.is_dir() {
                self.folder(&entry.path(), depth + 1, above.clone())?;
            }
        }
        Ok(())
    }

    /// Reads the records of suites and sweeps on the way.
    fn belongs(&mut self, folder: &Path) -> Result<Option<Above>> {
        let corpus = folder.join(CORPUS);
        if corpus.is_file() {
            for failing in read_lines::<Failing>(&corpus)
                .map_err(Failure::usage)?
                .items
            {
                let run = folder.join(&failing.night).join(&failing.run);
                self.corpus.insert(run);
            }
        }
        if folder.join(PLAN).is_file() {
            let runs = read_lines::<Run>(&folder.join(RUNS)).map_err(Failure::usage)?;
            let missed = runs
                .items
                .iter()
                .filter(|run| run.missed().next().is_some());
            self.failed.extend(missed.map(|run| folder.join(&run.run)));
            return Ok(Some(Above {
                claim: Claim::Suite,
                suite: Some(folder.to_owned()),
            }));
        }
        let sweep = folder.join("sweep.json").is_file();
        Ok(sweep.then_some(Above {
            claim: Claim::Sweep,
            suite: None,
        }))
    }

    fn run(&self, path: &Path, started: Option<Timestamp>, above: Option<&Above>) -> Result<Found> {
        let (bytes, touched) = size(path)?;
        let results = path.join("results.json");
        let finished = results.is_file();
        let mut claims: BTreeSet<Claim> = above.iter().map(|above| above.claim).collect();
        if finished && !is_harmless(&results) {
            claims.insert(Claim::Failed);
        }
        let now = SystemTime::now();
        let since = |time: SystemTime| now.duration_since(time).unwrap_or_default();
        let free = Hold::take(path).map_err(named(path))?.is_some();
        if !free || (!finished && since(touched) < QUIET) {
            claims.insert(Claim::GoingOn);
        }
        Ok(Found {
            path: path.to_owned(),
            group: self.group(path, above),
            age: started.map_or_else(|| since(touched), |time| since(time.into())),
            bytes,
            finished,
            claims,
        })
    }

    /// The folder of its name, without that of the night.
    fn group(&self, run: &Path, above: Option<&Above>) -> String {
        let parent = run.parent().unwrap_or(&self.root);
        let below = |path: &Path, root: &Path| {
            let below = path.strip_prefix(root).unwrap_or(path);
            below.display().to_string()
        };
        match above.and_then(|above| above.suite.as_deref()) {
            Some(night) => {
                let suite = night.parent().unwrap_or(night);
                format!("{}/{}", below(suite, &self.root), below(parent, night))
            }
            None => below(parent, &self.root),
        }
    }
}

/// Of a run of ours, when it began, if it says so; none: this is no run of ours.
fn started(folder: &Path) -> Option<Option<Timestamp>> {
    let spec = folder.join("spec.yaml");
    if !fs::symlink_metadata(&spec).ok()?.is_file() {
        return None;
    }
    let text = fs::read_to_string(spec).ok()?;
    // As loosely as possible: other versions have other fields.
    let value: serde_yaml::Value = serde_yaml::from_str(&text).ok()?;
    let ours = value.get("spec")?.get("workloads").is_some() && value.get("argv").is_some();
    let run = value
        .get("run")
        .filter(|run| ours && run.get("seed").is_some())?;
    Some(
        run.get("started")
            .and_then(|time| time.as_str()?.parse().ok()),
    )
}

/// Whether the results say that nothing wrong was found. What can't be read is kept.
fn is_harmless(results: &Path) -> bool {
    let text = fs::read_to_string(results).unwrap_or_default();
    let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let valid = value
        .as_ref()
        .and_then(|value| value.get("valid")?.as_str());
    matches!(valid, Some("valid" | "unknown"))
}

/// Bytes on the disk, and when anything in it was written last.
fn size(folder: &Path) -> Result<(u64, SystemTime)> {
    let (mut bytes, mut touched) = (0, SystemTime::UNIX_EPOCH);
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            // A run that goes on has files that come and go.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(named(&path)(error)),
        };
        bytes += meta.blocks() * 512;
        touched = touched.max(meta.modified().map_err(named(&path))?);
        if meta.is_dir() {
            for entry in fs::read_dir(&path).map_err(named(&path))? {
                waiting.push(entry.map_err(named(&path))?.path());
            }
        }
    }
    Ok((bytes, touched))
}

fn named(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure::harness(format!("{path}: {error}"))
}

#[cfg(test)]
mod tests;
