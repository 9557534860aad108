//! `shakedown heal`: looks through the run store for what killed harnesses left.

use crate::cli::{Output, Store};
use crate::exit::{HARNESS, Result, VALID};
use clap::Args;
use nemesis::HealReport;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Heal {
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Heal) -> Result<u8> {
    let mut reports = Vec::new();
    for folder in run_folders(&args.store.runs)? {
        reports.push((folder.clone(), nemesis::heal(&folder)?));
    }
    let clean = reports.iter().all(|(_, report)| report.survived.is_empty());
    if args.output.json {
        let list: Vec<_> = reports
            .iter()
            .map(|(folder, report)| serde_json::json!({"run": folder, "found": report}))
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        for (folder, report) in &reports {
            describe(folder, report);
        }
        let ended: usize = reports.iter().map(|(_, report)| report.ended.len()).sum();
        println!("{} runs looked at, {ended} processes ended", reports.len());
    }
    Ok(if clean { VALID } else { HARNESS })
}

/// Runs lie at most so deep: those of a suite have five folders above them.
const DEPTH: usize = 8;

/// Every folder below the store that has a journal of processes.
fn run_folders(runs: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![(runs.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        if folder.join(nemesis::journal::PROCESSES_FILE).exists() {
            found.push(folder);
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            // `latest` is a link to a folder that is found anyway.
            if depth < DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push((entry.path(), depth + 1));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn describe(folder: &Path, report: &HealReport) {
    let name = folder.display();
    if let Some(pid) = report.running {
        println!("{name}: still running under process {pid}; left alone");
    }
    for process in &report.ended {
        println!("{name}: ended process {} of {}", process.pid, process.node);
    }
    for process in &report.survived {
        println!(
            "{name}: process {} of {} could not be ended",
            process.pid, process.node
        );
    }
}
