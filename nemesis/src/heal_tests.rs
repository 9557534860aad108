use super::*;
use crate::{FaultJournal, ProcessJournal};
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Child, Command};
use std::time::Instant;
use testbed::NodeId;

fn sleeper() -> (Child, Process) {
    let child = Command::new("sleep").arg("600").spawn().unwrap();
    let pid = child.id() as i32;
    let process = Process {
        node: NodeId::new("n1"),
        pid,
        started: proc::start_time(pid).unwrap(),
    };
    (child, process)
}

/// A folder whose harness has ended: the first line names a process that was never there.
fn abandoned(edit: impl Fn(&mut Origin), processes: &[Process]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(PROCESSES_FILE);
    let journal = ProcessJournal::create(folder.path()).unwrap();
    for process in processes {
        journal.started(process).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let mut origin: Origin = serde_json::from_str(first).unwrap();
    origin.started += 1;
    edit(&mut origin);
    let first = serde_json::to_string(&origin).unwrap();
    fs::write(&path, format!("{first}\n{rest}")).unwrap();
    folder
}

#[test]
fn a_process_left_behind_is_ended_and_a_stranger_with_its_number_is_not() {
    let (mut ours, process) = sleeper();
    let (mut stranger, mut reused) = sleeper();
    reused.started -= 1;
    let folder = abandoned(|_| (), &[process.clone(), reused]);
    let report = heal(folder.path()).unwrap();
    assert_eq!(report.ended, [process]);
    assert_eq!(report.gone, 1);
    assert!(report.is_clean());
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger lives");
    assert!(ours.wait().unwrap().code().is_none(), "ended by a signal");

    let again = heal(folder.path()).unwrap();
    assert_eq!((again.ended.len(), again.gone), (0, 2));
    assert_eq!(again.to_string(), "already gone: 2\n");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_run_that_goes_on_is_left_alone() {
    let (mut child, process) = sleeper();
    let folder = tempfile::tempdir().unwrap();
    let journal = ProcessJournal::create(folder.path()).unwrap();
    journal.started(&process).unwrap();
    let report = heal(folder.path()).unwrap();
    assert_eq!(report.running, Some(std::process::id() as i32));
    assert!(!report.is_clean());
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn after_another_boot_or_in_another_namespace_no_number_means_anything() {
    let (mut child, process) = sleeper();
    let booted = abandoned(
        |o| o.place.boot = "another".into(),
        std::slice::from_ref(&process),
    );
    let other = |o: &mut Origin| o.place.pid_namespace = "pid:[1]".into();
    let elsewhere = abandoned(other, std::slice::from_ref(&process));
    assert_eq!(
        heal(booted.path()).unwrap().to_string(),
        "no process to end: the machine was booted since, which ended them\n"
    );
    assert_eq!(
        heal(elsewhere.path()).unwrap().to_string(),
        "already gone: 1\n"
    );
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A process in a process-id namespace of its own; nothing where the kernel does not allow one.
fn sleeper_inside() -> Option<(Child, i32)> {
    let mut outside = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "sleep",
            "600",
        ])
        .spawn()
        .ok()?;
    let limit = Instant::now() + Duration::from_secs(10);
    while Instant::now() < limit && outside.try_wait().ok()?.is_none() {
        let pid = outside.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        if let Some(inside) = children.split_whitespace().next() {
            return Some((outside, inside.parse().ok()?));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = outside.kill();
    outside.wait().ok()?;
    None
}

#[test]
fn a_process_left_in_a_namespace_of_its_own_is_found_from_outside() {
    let Some((mut outside, inside)) = sleeper_inside() else {
        println!("skipped: no process-id namespace can be made here");
        return;
    };
    let namespace = fs::read_link(format!("/proc/{inside}/ns/pid")).unwrap();
    let process = Process {
        node: NodeId::new("n1"),
        pid: 1,
        started: proc::start_time(inside).unwrap(),
    };
    let folder = abandoned(
        |o| o.place.pid_namespace = namespace.display().to_string(),
        std::slice::from_ref(&process),
    );
    let report = heal(folder.path()).unwrap();
    assert_eq!(report.ended, [process]);
    assert_eq!(proc::start_time(inside), None);
    outside.wait().unwrap();
}

#[tokio::test]
async fn faults_that_were_begun_are_named_and_a_torn_last_line_is_no_error() {
    let folder = abandoned(|_| (), &[]);
    let journal = FaultJournal::create(folder.path()).unwrap();
    for (fault, step) in [(1, Step::Intend), (1, Step::Healed), (2, Step::Intend)] {
        let record = FaultRecord {
            fault,
            step,
            time: 1,
            kind: "partition".into(),
            variant: "one".into(),
            targets: vec!["n3".into()],
            leader: None,
            hit_leader: false,
            hit_majority: false,
            proof: Default::default(),
            error: None,
        };
        journal.append(&record).await.unwrap();
    }
    let path = folder.path().join(FAULTS_FILE);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"fault\":2,\"st").unwrap();
    let report = heal(folder.path()).unwrap();
    assert_eq!(report.unhealed.len(), 1);
    assert_eq!(
        report.to_string(),
        format!(
            "already gone: 0\n\
             fault 2 (partition of n3) was not healed; it ended with the harness\n\
             {}: the last line was cut off and not read\n",
            path.display()
        )
    );
}

#[test]
fn an_empty_folder_is_clean_and_a_corrupt_journal_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(heal(folder.path()).unwrap(), HealReport::default());
    fs::write(folder.path().join(PROCESSES_FILE), "not json\n").unwrap();
    let error = heal(folder.path()).unwrap_err().to_string();
    assert!(error.contains("processes.jsonl: "), "{error}");
}
