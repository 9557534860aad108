//! Every benchmark runs through on a small state, alone and against the peers that are installed, and leaves nothing.

use std::path::Path;
use std::process::Command;

/// Runs `strata bench` in a folder of its own and returns its document.
fn bench(args: &[&str]) -> Result<serde_json::Value, String> {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_strata"))
        .arg("bench")
        .args(args)
        .args(["--json", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .any(|dir: std::path::PathBuf| Path::is_file(&dir.join(program)));
    if !found {
        eprintln!("skipped: {program} is not in PATH");
    }
    found
}

/// The median of a result.
fn median(document: &serde_json::Value, what: &str) -> f64 {
    let results = document["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["what"] == what);
    let median = result.and_then(|result| result["median"].as_f64());
    median.unwrap_or_else(|| panic!("no {what:?} in {document:#}"))
}

#[test]
fn puts_are_counted_alone_and_turn_by_turn_with_etcd() {
    let args = ["puts", "--nodes", "1", "--clients", "4", "--seconds", "1"];
    let alone = bench(&args).unwrap();
    assert!(median(&alone, "strata puts/s") > 0.0);
    assert_eq!(alone["runs"].as_array().unwrap().len(), 1);
    if installed("etcd") {
        let both = bench(&[&args[..], &["--against", "etcd", "--repeats", "2"]].concat()).unwrap();
        let order: Vec<_> = both["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["system"].clone())
            .collect();
        assert_eq!(order, ["strata", "etcd-json", "strata", "etcd-json"]);
        assert!(median(&both, "puts/s, strata over etcd") > 0.0);
    }
}

#[test]
fn a_comparison_of_unequal_promises_is_refused() {
    let refused = bench(&["puts", "--sync", "never", "--against", "etcd"]).unwrap_err();
    assert!(refused.contains("--sync always"), "{refused}");
}

#[test]
fn a_checkpoint_is_measured_between_two_undisturbed_spans() {
    let args = [
        "checkpoint",
        "--state-mib",
        "2",
        "--clients",
        "4",
        "--seconds",
        "1",
        "--repeats",
        "1",
    ];
    let peer: &[&str] = if installed("redis-server") {
        &["--against", "redis"]
    } else {
        &[]
    };
    let document = bench(&[&args[..], peer].concat()).unwrap();
    assert!(median(&document, "strata-cow puts/s without") > 0.0);
    let run = &document["runs"][0];
    assert!(run["during s"].as_f64().unwrap() > 0.0, "{run}");
    // An increment: what the load changed, and that is a part of the state.
    assert!(run["MiB written"].as_u64().unwrap() <= 3, "{run}");
}

#[test]
fn a_restart_ends_with_a_read_of_the_last_key() {
    let args = [
        "restart",
        "--state-mib",
        "2",
        "--tail-mib",
        "1",
        "--repeats",
        "1",
    ];
    let peer: &[&str] = if installed("redis-server") {
        &["--against", "redis"]
    } else {
        &[]
    };
    let document = bench(&[&args[..], peer].concat()).unwrap();
    assert!(median(&document, "strata-checkpoint+log s") > 0.0);
    // What the last of the 64 writers wrote is replayed once it is known to be committed, after that.
    let replayed = document["runs"][1]["replayed"].as_u64().unwrap();
    assert!(replayed >= 4_096 - 64, "{replayed}");
}

#[test]
fn a_killed_leader_is_replaced_and_the_time_is_told() {
    let peer: &[&str] = if installed("etcd") {
        &["--against", "etcd"]
    } else {
        &[]
    };
    let document = bench(&[&["failover", "--repeats", "1"], peer].concat()).unwrap();
    assert!(median(&document, "strata ms") > 0.0);
}
