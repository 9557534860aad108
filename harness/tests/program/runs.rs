//! Real runs: short ones, on whatever environment this machine allows.

use crate::workplace::{Workplace, strata_is_built};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One cluster at a time: two would disturb each other's timing.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[test]
fn a_short_run_with_every_kind_of_fault_is_valid_and_leaves_its_files() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let args = [
        "test",
        "--time",
        "20s",
        "--seed",
        "4",
        "--set",
        "checkpoint.every=500",
        "--quiet",
    ];
    let (code, stdout, stderr) = place.run(&args);
    println!("{stdout}{stderr}");
    assert_eq!(code, 0, "{stdout}{stderr}");
    let results = place.results();
    assert_eq!(results["valid"], "valid");
    assert_eq!(results["rpo"]["lost"], 0);
    let faults = results["faults"].as_array().unwrap();
    assert!(
        faults.len() >= 4 && faults.iter().all(|fault| fault["effective"] == true),
        "{faults:?}"
    );
    let run = place.dir.path().join("runs/latest");
    for file in [
        "spec.yaml",
        "history.jsonl",
        "faults.jsonl",
        "report.html",
        "junit.xml",
        "shakedown.log",
        "nodes/n1/strata.log",
    ] {
        assert!(run.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    // The same files, judged again, give the same verdict; and the stored spec names the same plan.
    let (code, _, stderr) = place.run(&["analyze", "--quiet"]);
    assert_eq!(code, 0, "{stderr}");
    let (_, plan, stderr) = place.run(&["test", "runs/latest/spec.yaml", "--plan"]);
    assert!(plan.starts_with("seed 4,"), "{plan}{stderr}");
    let (code, healed, _) = place.run(&["heal"]);
    assert!(
        code == 0 && healed.contains("0 processes ended"),
        "{healed}"
    );
}

#[test]
fn servers_hand_over_leave_and_join_while_clients_go_on() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let args = [
        "test",
        "--time",
        "25s",
        "--seed",
        "5",
        "--set",
        "checkpoint.every=200",
        "--nemesis",
        "transfer,members",
        "--quiet",
    ];
    let (code, stdout, stderr) = place.run(&args);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let results = place.results();
    assert_eq!(results["rpo"]["lost"], 0);
    let faults = results["faults"].as_array().unwrap();
    let of = |kind: &str, variant: &str| {
        let like = |fault: &&serde_json::Value| {
            fault["kind"] == kind && fault["variant"] == variant && fault["healed"] == true
        };
        faults.iter().filter(like).collect::<Vec<_>>()
    };
    assert!(!of("transfer", "").is_empty(), "{faults:?}");
    assert!(!of("members", "remove-add").is_empty(), "{faults:?}");
    let replaced = of("members", "replace");
    assert!(!replaced.is_empty(), "{faults:?}");
    for fault in replaced {
        assert_eq!(fault["returns"][0]["by"], "full", "{fault}");
    }
}

#[test]
fn reads_from_stale_servers_are_found() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let weak = [
        "test",
        "--time",
        "15s",
        "--seed",
        "3",
        "--set",
        "reads=local",
        "--nemesis",
        "partition,pause",
        "-q",
    ];
    let (code, stdout, _) = place.run(&weak);
    assert!(
        code == 1 && stdout.contains("not linearizable"),
        "{code}: {stdout}"
    );
}

#[test]
fn a_power_loss_without_syncs_costs_acknowledged_writes() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let weak = [
        "test",
        "--time",
        "12s",
        "--seed",
        "3",
        "--set",
        "sync=never",
        "--set",
        "disk=power-loss",
    ];
    let (code, stdout, _) = place.run(&[&weak[..], &["--nemesis", "power-loss", "-q"]].concat());
    assert!(
        code == 1 && stdout.contains("acknowledged appends are missing"),
        "{code}: {stdout}"
    );
    assert!(place.results()["rpo"]["lost"].as_u64().unwrap() > 0);
}

#[test]
fn a_run_in_which_hardly_anything_happened_is_unknown() {
    let place = Workplace::new();
    place.write(
        "idle.yaml",
        "system: \"null\"\nnemesis: []\nrate: 1\ntime: 2s\nquiet: 0s\n",
    );
    let (code, stdout, stderr) = place.run(&["test", "idle.yaml", "-q"]);
    if stderr.contains("server program") {
        println!("skipped: strata is not built");
        return;
    }
    assert!(
        code == 2 && stdout.contains("enough-operations"),
        "{code}: {stdout}{stderr}"
    );
}

#[test]
fn a_killed_harness_leaves_nothing_and_its_history_can_be_judged() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    for env in ["auto", "loopback"] {
        let place = Workplace::new();
        let mut child = place
            .command(&["test", "--time", "30s", "--seed", "1", "--env", env, "-q"])
            .spawn()
            .unwrap();
        place.await_history(100_000);
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, healed, stderr) = place.run(&["heal"]);
        assert_eq!(code, 0, "{healed}{stderr}");
        assert_eq!(servers_of(&place), Vec::<String>::new(), "{env}");
        let (code, stdout, stderr) = place.run(&["analyze", "-q"]);
        assert!(
            code == 2,
            "a run that was cut short is unknown: {code} {stdout}{stderr}"
        );
    }
}

#[test]
fn an_interrupted_run_is_healed_judged_and_saved() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let mut child = place
        .command(&["test", "--time", "60s", "--seed", "6", "-q"])
        .spawn()
        .unwrap();
    // Long enough for a fault and for the floor of operations.
    place.await_history(1_000_000);
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(place.results()["valid"], "valid");
    assert_eq!(servers_of(&place), Vec::<String>::new());
}

/// Server processes whose command line names this workplace.
fn servers_of(place: &Workplace) -> Vec<String> {
    let dir = place.dir.path().display().to_string();
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let found: Vec<String> = processes
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains("strata serve") && line.contains(&dir))
            .collect();
        if found.is_empty() || Instant::now() > end {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
