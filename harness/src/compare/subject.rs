//! From paths to the sides of a comparison.
//!
//! A path is a run folder, or a folder that holds runs somewhere below: that of a suite, of a sweep, or of all
//! runs of one name. A run that was named must be whole; below a folder, runs that did not finish are left out
//! and counted.

use crate::exit::{Failure, Result};
use crate::run::judge::read_history;
use crate::run::stored::Stored;
use results::Folder;
use results::compare::aligned::{self, Aligned};
use results::compare::circumstances::MACHINE;
use results::compare::{Entry, Side};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs lie at most so deep below a folder that was named.
const DEPTH: usize = 4;

/// Of a run: fields that say nothing of what was measured, or are told apart in another way.
const NO_CIRCUMSTANCE: [&str; 11] = [
    "name",
    "seed",
    "env",
    "system",
    "settings",
    "nemesis",
    "schedule",
    "check_time",
    "check_memory",
    "min_ops",
    "fail_fast",
];

/// A side, and what was left out, one sentence each.
pub struct Read {
    pub side: Side,
    pub left_out: Vec<String>,
}

/// Reads all runs of the paths. `recoveries`: also their histories, for the overlays.
pub fn side(label: &str, paths: &[PathBuf], recoveries: bool) -> Result<Read> {
    let mut runs = Vec::new();
    let mut left_out = Vec::new();
    for path in paths {
        if Folder::open(path).is_ok() {
            runs.push(entry(path, recoveries)?);
            continue;
        }
        let mut below = Vec::new();
        find(path, DEPTH, &mut below)?;
        if below.is_empty() {
            return Err(Failure::usage(format!(
                "{}: neither a run folder nor a folder with runs",
                path.display()
            )));
        }
        below.sort();
        let (whole, unfinished): (Vec<PathBuf>, Vec<PathBuf>) =
            below.into_iter().partition(|run| is_whole(run));
        if !unfinished.is_empty() {
            left_out.push(format!(
                "{}: {} runs that did not finish",
                path.display(),
                unfinished.len()
            ));
        }
        for run in whole {
            runs.push(entry(&run, recoveries)?);
        }
    }
    if runs.is_empty() {
        return Err(Failure::usage(format!("{label}: no run that finished")));
    }
    let side = Side {
        label: label.to_owned(),
        runs,
    };
    Ok(Read { side, left_out })
}

fn is_whole(run: &Path) -> bool {
    Folder::open(run).is_ok_and(|folder| folder.results().exists())
}

/// Folders of runs below a folder. Links are not followed: `latest` would count a run twice.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let named = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(named)? {
        let entry = entry.map_err(named)?;
        if !entry.file_type().map_err(named)?.is_dir() {
            continue;
        }
        let path = entry.path();
        match Folder::open(&path) {
            Ok(_) => found.push(path),
            Err(_) if depth > 1 => find(&path, depth - 1, found)?,
            Err(_) => {}
        }
    }
    Ok(())
}

fn entry(path: &Path, recoveries: bool) -> Result<Entry> {
    let folder = Folder::open(path).map_err(Failure::usage)?;
    if !folder.results().exists() {
        return Err(Failure::usage(format!(
            "{}: the run did not finish; judge it with: shakedown analyze {}",
            path.display(),
            path.display()
        )));
    }
    let results = folder.read_results().map_err(Failure::usage)?;
    let stored = Stored::parse(&folder.read_spec()?, &folder.spec().display().to_string())?;
    let recoveries = match recoveries {
        true => curves(&folder, &results)?,
        false => Vec::new(),
    };
    Ok(Entry {
        path: path.display().to_string(),
        circumstances: circumstances(&stored)?,
        subject: subject(&stored),
        recoveries,
        results,
    })
}

fn curves(folder: &Folder, results: &results::Results) -> Result<Vec<Aligned>> {
    if results.faults.is_empty() || !folder.history().exists() {
        return Ok(Vec::new());
    }
    let history = read_history(&folder.history())?;
    let recorded = folder.recorded(results, history).map_err(Failure::usage)?;
    Ok(aligned::recoveries(&recorded))
}

fn circumstances(stored: &Stored) -> Result<BTreeMap<String, String>> {
    let run = &stored.run;
    let mut named = BTreeMap::new();
    for (name, value) in &run.machine {
        // The load differs from minute to minute.
        if name != "load at start" {
            named.insert(format!("{MACHINE}{name}"), value.clone());
        }
    }
    named.insert(format!("{MACHINE}environment"), run.environment.clone());
    named.insert("version of shakedown".into(), run.version.clone());
    let spec = serde_json::to_value(&stored.spec)?;
    for (name, value) in spec.as_object().into_iter().flatten() {
        if !NO_CIRCUMSTANCE.contains(&name.as_str()) {
            named.insert(name.clone(), plain(value));
        }
    }
    // What was asked for: a plan of a short run may not have drawn all of it.
    let mut kinds: Vec<String> = match stored.spec.schedule.as_slice() {
        [] => stored.spec.nemesis.clone(),
        faults => faults.iter().map(|fault| fault.kind.to_string()).collect(),
    };
    kinds.sort();
    kinds.dedup();
    let faults = match kinds.is_empty() {
        true => "none".to_owned(),
        false => kinds.join("+"),
    };
    named.insert("faults".into(), faults);
    Ok(named)
}

fn subject(stored: &Stored) -> BTreeMap<String, String> {
    let mut named = stored.spec.system_settings();
    named.insert("system".into(), stored.spec.system.clone());
    if let Some(program) = &stored.run.program {
        named.insert("program".into(), format!("sha256 {}", program.short()));
    }
    named
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("+"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn a_folder_without_runs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let failure = side("base", &[folder.path().to_owned()], false)
            .err()
            .unwrap();
        assert_eq!(failure.code(), crate::exit::USAGE);
        assert!(
            failure.to_string().contains("neither a run folder"),
            "{failure}"
        );
    }

    #[test]
    fn a_run_that_did_not_finish_says_how_to_judge_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "cut", 1).unwrap();
        folder.write_spec("spec: {}\n").unwrap();
        let named = side("base", &[folder.path().to_owned()], false)
            .err()
            .unwrap();
        assert!(named.to_string().contains("shakedown analyze"), "{named}");
        let below = side("base", &[root.path().to_owned()], false)
            .err()
            .unwrap();
        assert_eq!(below.to_string(), "base: no run that finished");
    }

    #[test]
    fn fields_that_are_no_circumstance_are_fields() {
        let full = Spec {
            seed: Some(1),
            fail_fast: true,
            schedule: Vec::new(),
            ..Spec::default()
        };
        let fields = serde_json::to_value(full).unwrap();
        for name in NO_CIRCUMSTANCE {
            // An empty schedule is not written.
            assert!(name == "schedule" || fields.get(name).is_some(), "{name}");
        }
    }
}
