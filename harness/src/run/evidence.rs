//! What the servers themselves leave behind, for the judges that look at a run as a whole: their logs, the
//! ends of their processes, and when the service served.
//!
//! [`last_look`] is taken while the servers still run; all else is read from the run folder, so that a run
//! can be judged again later.

use super::prepare::Prepared;
use crate::exit::Result;
use checker::availability::{Attempt, Availability};
use checker::crashes::{self, Exit};
use checker::fault_windows::FaultWindow;
use checker::history::faults::{FaultRecord, Step, UNEXPECTED_EXIT};
use checker::log_patterns::LogPatterns;
use checker::{History, Verdict};
use results::observe::Probe;
use results::{Folder, Run};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use testbed::ProcessState;

/// The judges of runs that have servers, by their names under `checks` in `results.json`.
pub const CHECKS: [&str; 3] = [AVAILABILITY, CRASHES, LOG_PATTERNS];
const AVAILABILITY: &str = "availability";
const CRASHES: &str = "crashes";
const LOG_PATTERNS: &str = "log-patterns";

/// What a log's name ends with.
const LOGS: [&str; 3] = ["log", "out", "err"];

/// Writes down servers that ended after the nemesis had stopped watching them, so that they are judged like
/// those that it saw end.
pub async fn last_look(prepared: &Prepared, folder: &Folder, time: u64) -> Result<()> {
    let Some(environment) = &prepared.environment else {
        return Ok(());
    };
    let known = folder.read_faults()?.items;
    let mut fault = known.iter().map(|record| record.fault).max().unwrap_or(0);
    let mut journal = None;
    for node in environment.nodes() {
        let Some(process) = prepared.system.process(node.id()) else {
            continue;
        };
        if node.state(&process).await? != ProcessState::Gone {
            continue;
        }
        fault += 1;
        let record = FaultRecord {
            fault,
            step: Step::Failed,
            time,
            kind: UNEXPECTED_EXIT.into(),
            variant: String::new(),
            targets: vec![node.id().to_string()],
            leader: None,
            hit_leader: false,
            hit_majority: false,
            proof: Default::default(),
            error: Some(format!(
                "{}: process {} had ended when the run did",
                node.id(),
                process.pid
            )),
        };
        tracing::error!(node = %node.id(), pid = process.pid, "a server ended by itself");
        if journal.is_none() {
            journal = Some(nemesis::FaultJournal::create(folder.path())?);
        }
        if let Some(journal) = &journal {
            journal.append(&record).await?;
        }
    }
    Ok(())
}

/// The verdicts on a recorded run, for those of [`CHECKS`] that it was to have. A server that ended by itself
/// is judged in any run.
pub fn judge(
    folder: &Folder,
    run: &Run,
    history: &History,
    faults: &[FaultRecord],
    probes: &[Probe],
) -> BTreeMap<String, Verdict> {
    let windows = FaultWindow::of(faults);
    let exits = exits(faults);
    let expected = |name: &str| run.expected_checks.iter().any(|check| check == name);
    let mut verdicts = BTreeMap::new();
    if expected(CRASHES) || !exits.is_empty() {
        let verdict = crashes::judge(&exits, &windows, run.nodes.len());
        verdicts.insert(CRASHES.to_owned(), verdict);
    }
    if expected(LOG_PATTERNS) {
        verdicts.insert(LOG_PATTERNS.to_owned(), logs(folder, &run.nodes));
    }
    if expected(AVAILABILITY) {
        let attempts = attempts(history, probes);
        let verdict = Availability::default().judge(&attempts, &windows);
        verdicts.insert(AVAILABILITY.to_owned(), verdict);
    }
    verdicts
}

fn exits(faults: &[FaultRecord]) -> Vec<Exit> {
    let exits = faults
        .iter()
        .filter(|record| record.kind == UNEXPECTED_EXIT);
    exits
        .map(|record| Exit {
            node: record.targets.join(", "),
            time: record.time,
            cause: record
                .error
                .clone()
                .unwrap_or_else(|| "without last words".into()),
        })
        .collect()
}

/// Everything that was asked of the service: by probes and by the clients of the history.
fn attempts(history: &History, probes: &[Probe]) -> Vec<Attempt> {
    let probes = probes.iter().map(|probe| Attempt {
        begun: probe.sent,
        served: probe.ok.then_some(probe.done),
    });
    // What is no history is said by the checkers of the history.
    let operations = history.operations().unwrap_or_default();
    let operations = operations.iter().map(|operation| Attempt {
        begun: operation.invocation.time,
        served: operation
            .completion
            .filter(|_| operation.is_ok())
            .map(|completion| completion.time),
    });
    probes.chain(operations).collect()
}

fn logs(folder: &Folder, nodes: &[String]) -> Verdict {
    let patterns = LogPatterns::standard();
    let mut search = patterns.search();
    for node in nodes {
        let place = folder.path().join("nodes").join(node);
        let read = files(&place).and_then(|files| {
            files.iter().try_for_each(|path| {
                let name = path.strip_prefix(folder.path()).unwrap_or(path);
                let log = BufReader::new(File::open(path)?);
                search.read(node, &name.display().to_string(), log)
            })
        });
        if let Err(error) = read {
            return Verdict::unknown(format!("the log of {node} could not be read: {error}"));
        }
    }
    search.verdict()
}

/// The logs in a node's folder; what the server keeps in folders of its own is none.
fn files(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_log = path
            .extension()
            .is_some_and(|extension| LOGS.iter().any(|log| extension == *log));
        if is_log && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::Validity;
    use results::observe::Connection;

    fn run(checks: &[&str]) -> Run {
        Run {
            nodes: vec!["n1".into(), "n2".into()],
            expected_checks: checks.iter().map(|check| (*check).to_owned()).collect(),
            ..Run::default()
        }
    }

    fn folder(root: &Path) -> Folder {
        Folder::create(root, "evidence", 1).unwrap()
    }

    fn probe(ms: u64, ok: bool) -> Probe {
        let time = ms * 1_000_000;
        Probe {
            intended: time,
            sent: time,
            done: time + 1,
            node: "n1".into(),
            connection: Connection::New,
            write: true,
            ok,
            error: None,
        }
    }

    fn judged(
        folder: &Folder,
        faults: &[FaultRecord],
        probes: &[Probe],
    ) -> BTreeMap<String, Verdict> {
        judge(folder, &run(&CHECKS), &History::default(), faults, probes)
    }

    #[test]
    fn a_panic_in_one_log_of_many_is_found_and_data_is_no_log() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        fs::write(folder.node("n1").unwrap().join("strata.log"), "started\n").unwrap();
        fs::write(
            folder.node("n1").unwrap().join("state.bin"),
            "panicked at\n",
        )
        .unwrap();
        assert_eq!(
            judged(&folder, &[], &[])[LOG_PATTERNS].valid,
            Validity::Valid
        );
        fs::write(
            folder.node("n2").unwrap().join("strata.log"),
            "started\nthread 'raft' panicked at term.rs:3:1:\n",
        )
        .unwrap();
        assert_eq!(
            judged(&folder, &[], &[])[LOG_PATTERNS].reason,
            "the log of n2 tells of a panic (nodes/n2/strata.log, line 2): thread 'raft' panicked at term.rs:3:1:"
        );
    }

    #[test]
    fn a_server_that_ended_by_itself_is_a_violation_in_any_run() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let exit = FaultRecord {
            fault: 7,
            step: Step::Failed,
            time: 5_000_000,
            kind: UNEXPECTED_EXIT.into(),
            variant: String::new(),
            targets: vec!["n2".into()],
            leader: None,
            hit_leader: false,
            hit_majority: false,
            proof: Default::default(),
            error: Some("n2: process 9 ended with signal 6".into()),
        };
        let faults = [exit];
        let verdicts = judge(&folder, &run(&[]), &History::default(), &faults, &[]);
        assert_eq!(verdicts.len(), 1);
        assert_eq!(
            verdicts[CRASHES].reason,
            "the server of n2 had ended by 0.0 s though nobody had killed it: n2: process 9 ended with signal 6"
        );
        let verdicts = judge(&folder, &run(&[]), &History::default(), &[], &[]);
        assert!(verdicts.is_empty());
    }

    #[test]
    fn probes_that_nobody_served_are_an_outage() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        let probes: Vec<Probe> = (0..100).map(|n| probe(n * 200, n < 10)).collect();
        let verdict = &judged(&folder, &[], &probes)[AVAILABILITY];
        assert_eq!(verdict.valid, Validity::Invalid);
        assert!(
            verdict
                .reason
                .starts_with("nobody was served from 2.0 s to 19.8 s"),
            "{}",
            verdict.reason
        );
    }
}
