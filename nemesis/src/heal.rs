//! Undoes what a harness that was killed left behind.
//!
//! Links and namespaces end with the harness. Processes should, too; one that did not is found in
//! `processes.jsonl`, and ended only when the machine has not been booted since and the kernel knows a
//! process of that number in that process-id namespace with that start time: never a stranger that came by
//! the number. A run inside namespaces has numbers of its own; they are looked up from outside.

use crate::journal::{FAULTS_FILE, Origin, PROCESSES_FILE};
use crate::proc::{self, Place, Population};
use crate::{Error, Result};
use checker::history::faults::{FaultRecord, Step};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;
use testbed::{Process, process};

/// What was found in a run's folder, and done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HealReport {
    /// The run goes on: its harness lives, here under this process id. Nothing was touched.
    pub running: Option<i32>,
    /// Why its processes can't be here any more.
    pub elsewhere: Option<String>,
    /// Ours, found alive, ended.
    pub ended: Vec<Process>,
    /// Ours, found alive, and could not be ended.
    pub survived: Vec<Process>,
    /// Ended before we looked; or their number now belongs to a stranger, who was left alone.
    pub gone: usize,
    /// Faults that were begun and not seen healed.
    pub unhealed: Vec<FaultRecord>,
    /// Last lines that were cut off in the middle of being written.
    pub torn: Vec<String>,
}

impl HealReport {
    /// Whether nothing of the run is left, as far as can be known.
    pub fn is_clean(&self) -> bool {
        self.running.is_none() && self.survived.is_empty()
    }
}

/// Ends what is left of the run in this folder. A folder without journals is one that started nothing.
pub fn heal(run_folder: &Path) -> Result<HealReport> {
    let mut report = HealReport::default();
    let mut lines = read(&run_folder.join(PROCESSES_FILE), &mut report.torn)?.into_iter();
    report.unhealed = unhealed(&run_folder.join(FAULTS_FILE), &mut report.torn)?;
    let Some(origin) = lines.next() else {
        return Ok(report);
    };
    let path = run_folder.join(PROCESSES_FILE);
    let origin: Origin = parse(&path, &origin)?;
    let processes: Vec<Process> = lines
        .map(|line| parse(&path, &line))
        .collect::<Result<_>>()?;

    let here = Place::here()?;
    if origin.place.boot != here.boot {
        report.elsewhere = Some("the machine was booted since, which ended them".into());
        report.gone = processes.len();
        return Ok(report);
    }
    if !proc::is_ours() {
        return Err(Error::Failed(
            "the processes under /proc are not those of this process-id namespace: run heal outside of it".into(),
        ));
    }
    let population = Population::of(&origin.place.pid_namespace);
    report.running = population.find(origin.controller, origin.started);
    if report.running.is_some() {
        return Ok(report);
    }
    for process in processes {
        match population.find(process.pid, process.started) {
            None => report.gone += 1,
            Some(pid) => match end_here(pid, &process) {
                true => report.ended.push(process),
                false => report.survived.push(process),
            },
        }
    }
    Ok(report)
}

/// Ends a process that was just identified, by the number that it has here.
fn end_here(pid: i32, process: &Process) -> bool {
    let here = Process {
        pid,
        ..process.clone()
    };
    process::end_foreign(&here, Duration::ZERO).is_ok()
}

/// The last record of each fault that is not known to be over.
fn unhealed(path: &Path, torn: &mut Vec<String>) -> Result<Vec<FaultRecord>> {
    let mut last = BTreeMap::new();
    for line in read(path, torn)? {
        let record: FaultRecord = parse(path, &line)?;
        last.insert(record.fault, record);
    }
    let open = |record: &FaultRecord| !matches!(record.step, Step::Healed | Step::Failed);
    Ok(last.into_values().filter(open).collect())
}

/// The whole lines of a file; none when there is no file. A rest without a line end is noted as torn.
fn read(path: &Path, torn: &mut Vec<String>) -> Result<Vec<String>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::File {
                path: path.to_owned(),
                source,
            });
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        torn.push(path.display().to_string());
    }
    Ok(text[..whole].lines().map(str::to_owned).collect())
}

fn parse<T: DeserializeOwned>(path: &Path, line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|error| Error::File {
        path: path.to_owned(),
        source: error.into(),
    })
}

impl fmt::Display for HealReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pid) = self.running {
            return writeln!(f, "the run goes on as process {pid}; nothing was touched");
        }
        let name = |process: &Process| format!("{} (process {})", process.node, process.pid);
        let names = |processes: &[Process]| {
            let names: Vec<_> = processes.iter().map(name).collect();
            names.join(", ")
        };
        if let Some(reason) = &self.elsewhere {
            writeln!(f, "no process to end: {reason}")?;
        }
        if !self.ended.is_empty() {
            writeln!(f, "ended: {}", names(&self.ended))?;
        }
        if !self.survived.is_empty() {
            writeln!(f, "could not be ended: {}", names(&self.survived))?;
        }
        if self.elsewhere.is_none() {
            writeln!(f, "already gone: {}", self.gone)?;
        }
        for fault in &self.unhealed {
            let hit = fault.targets.join(" ");
            writeln!(
                f,
                "fault {} ({} of {hit}) was not healed; it ended with the harness",
                fault.fault, fault.kind
            )?;
        }
        for file in &self.torn {
            writeln!(f, "{file}: the last line was cut off and not read")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "heal_tests.rs"]
mod tests;
