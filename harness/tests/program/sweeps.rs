//! Sweeps: what is asked for is made, once, whatever ends the program in between.

use crate::workplace::Workplace;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Four runs of a second each, without servers.
fn quick() -> String {
    let base = "base: {system: \"null\", quiet: 0s, rate: 200, min_ops: 10, prefill: 0B}";
    let grid = "vary: {clients: [1, 2]}\nscenarios: []\ncontrols: 2\ncontrol_time: 1s";
    format!("name: quick\nseed: 7\n{base}\n{grid}\n")
}

/// The folder of the only sweep.
fn folder(place: &Workplace) -> Option<PathBuf> {
    let sweeps = std::fs::read_dir(place.dir.path().join("runs/sweep/quick")).ok()?;
    let mut found: Vec<PathBuf> = sweeps.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.pop()
}

fn repeats(folder: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("repeats.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let lines = text[..whole].lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn keys(repeats: &[Value]) -> Vec<String> {
    let key = |one: &Value| format!("{}/{} {}", one["cell"], one["number"], one["seed"]);
    let mut keys: Vec<String> = repeats.iter().map(key).collect();
    keys.sort();
    keys
}

#[test]
fn a_sweep_makes_its_grid_and_says_what_follows() {
    let place = Workplace::new();
    place.write("quick.yaml", &quick());
    let (code, plan, _) = place.run(&["sweep", "quick.yaml", "--plan"]);
    assert!(code == 0 && plan.contains("2 cells, 4 runs"), "{plan}");
    assert!(
        !place.dir.path().join("runs").exists(),
        "a plan runs nothing"
    );

    let (code, text, stderr) = place.run(&["sweep", "quick.yaml"]);
    assert_eq!(code, 0, "{text}{stderr}");
    assert!(
        text.contains("control") || text.contains("clients=2"),
        "{text}"
    );
    let folder = folder(&place).unwrap();
    assert_eq!(repeats(&folder).len(), 4);
    for file in [
        "sweep.yaml",
        "sweep.json",
        "results.json",
        "report.html",
        "report.md",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let path = folder.display().to_string();
    // Nothing is left to do, so nothing is done; one more run of a cell is.
    assert_eq!(place.run(&["sweep", &path]).0, 0);
    assert_eq!(repeats(&folder).len(), 4);
    assert_eq!(place.run(&["sweep", &path, "--cell", "2"]).0, 0);
    assert_eq!(repeats(&folder).len(), 5);
    assert_eq!(repeats(&folder)[4]["cell"], 2);
}

#[test]
fn a_killed_sweep_goes_on_with_the_runs_that_it_would_have_made() {
    let whole = Workplace::new();
    whole.write("quick.yaml", &quick());
    assert_eq!(whole.run(&["sweep", "quick.yaml"]).0, 0);
    let expected = keys(&repeats(&folder(&whole).unwrap()));

    let place = Workplace::new();
    place.write("quick.yaml", &quick());
    let mut child = place
        .command(&["sweep", "quick.yaml", "--quiet"])
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while folder(&place).is_none_or(|folder| repeats(&folder).is_empty()) {
        assert!(Instant::now() < end, "no run has ended in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    // In the middle of the second run, as a rule.
    std::thread::sleep(Duration::from_millis(400));
    child.kill().unwrap();
    child.wait().unwrap();
    let folder = folder(&place).unwrap();
    let before = repeats(&folder);
    assert!(!before.is_empty() && before.len() < 4, "{before:?}");

    let path = folder.display().to_string();
    let (code, _, stderr) = place.run(&["sweep", &path]);
    assert_eq!(code, 0, "{stderr}");
    let after = repeats(&folder);
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(keys(&after), expected);
}

#[test]
fn a_sweep_that_has_no_time_makes_no_run_and_says_how_to_go_on() {
    let place = Workplace::new();
    place.write("quick.yaml", &quick());
    let (code, text, _) = place.run(&["sweep", "quick.yaml", "--for", "1s"]);
    assert!(
        code == 2 && text.contains("goes on with: shakedown sweep"),
        "{code}: {text}"
    );
    assert!(repeats(&folder(&place).unwrap()).is_empty());
}

#[test]
fn a_target_that_nothing_meets_is_a_missed_threshold() {
    let place = Workplace::new();
    place.write("quick.yaml", &quick());
    let (code, text, _) = place.run(&["sweep", "quick.yaml", "--rto", "1ms", "--rpo", "0"]);
    assert!(
        code == 3 && text.contains("No setting meets RTO 1 ms and RPO 0"),
        "{code}: {text}"
    );
}

#[test]
fn what_is_wrong_is_named_before_anything_runs() {
    let place = Workplace::new();
    place.write("quick.yaml", &quick());
    place.write("ours.yaml", "base: {system: \"null\", time: 3s}\n");
    place.write("field.yaml", &quick().replace("clients:", "client:"));
    place.write("unknown.yaml", "base: {system: \"null\", nodse: 3}\n");
    std::fs::create_dir(place.dir.path().join("empty")).unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["sweep", "missing.yaml"], "missing.yaml"),
        (&["sweep", "ours.yaml"], "base.time"),
        (
            &["sweep", "field.yaml"],
            "vary: client: neither a setting of null",
        ),
        (&["sweep", "unknown.yaml"], "base: unknown field `nodse`"),
        (&["sweep", "empty"], "empty is no folder of a sweep"),
        (
            &["sweep", "quick.yaml", "--cell", "1"],
            "--cell: quick.yaml",
        ),
        (
            &["sweep", "quick.yaml", "--rpo", "5"],
            "write it with its unit",
        ),
    ];
    for (args, expected) in cases {
        let (code, _, stderr) = place.run(args);
        assert!(
            code == 254 && stderr.contains(expected),
            "{args:?}: {code}: {stderr}"
        );
    }
    assert!(!place.dir.path().join("runs").exists());
}
