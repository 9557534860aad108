//! Runs in which the servers misbehave without a fault: what they leave behind is judged.

use crate::runs::alone;
use crate::workplace::{Workplace, strata_is_built};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Write;
use std::time::Duration;

/// Longer than the outage that is held against a service, with room for a slow machine.
const STOPPED: Duration = Duration::from_secs(9);

#[test]
fn an_outage_a_panic_and_a_crash_that_nobody_caused_are_found() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let args = [
        "test",
        "--env",
        "loopback",
        "--nemesis",
        "none",
        "--time",
        "25s",
        "--seed",
        "8",
        "-q",
    ];
    let mut child = place.command(&args).spawn().unwrap();
    place.await_history(20_000);
    let run = place.dir.path().join("runs/latest");
    let servers = servers(&std::fs::read_to_string(run.join("processes.jsonl")).unwrap());
    assert_eq!(servers.len(), 5);

    let log = run.join("nodes/n2/strata.log");
    let mut log = std::fs::File::options().append(true).open(log).unwrap();
    writeln!(log, "thread 'raft' panicked at planted.rs:1:1:").unwrap();
    // Without a majority nobody is served.
    for server in &servers[..3] {
        kill(*server, Signal::SIGSTOP).unwrap();
    }
    std::thread::sleep(STOPPED);
    for server in &servers[..3] {
        kill(*server, Signal::SIGCONT).unwrap();
    }
    kill(servers[4], Signal::SIGABRT).unwrap();

    assert_eq!(child.wait().unwrap().code(), Some(1));
    let checks = &place.results()["checks"];
    let reason = |check: &str| {
        assert_eq!(checks[check]["valid"], "invalid", "{check}: {checks}");
        checks[check]["reason"].as_str().unwrap().to_owned()
    };
    let outage = reason("availability");
    assert!(outage.contains("though nothing was broken"), "{outage}");
    let crash = reason("crashes");
    assert!(crash.starts_with("the server of n5 had ended"), "{crash}");
    assert_eq!(
        reason("log-patterns"),
        "the log of n2 tells of a panic (nodes/n2/strata.log, line 2): thread 'raft' panicked at planted.rs:1:1:"
    );
    assert_eq!(checks["linearizable"]["valid"], "valid", "{checks}");

    let before = checks.clone();
    let (code, stdout, stderr) = place.run(&["analyze", "-q"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    for check in ["availability", "crashes", "log-patterns"] {
        assert_eq!(place.results()["checks"][check], before[check]);
    }
}

/// The server processes in the order of their nodes.
fn servers(journal: &str) -> Vec<Pid> {
    let lines = journal.lines().skip(1);
    let numbers = lines.map(|line| {
        let process: serde_json::Value = serde_json::from_str(line).unwrap();
        process["pid"].as_i64().unwrap() as i32
    });
    numbers.map(Pid::from_raw).collect()
}
