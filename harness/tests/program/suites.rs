//! Suites: what ships is sound, and a night survives whatever ends it.

use crate::runs::alone;
use crate::workplace::{Workplace, strata_is_built};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs of a second each, without servers.
const QUICK: &str = "
name: quick
seed: 1
defaults: {system: \"null\", nemesis: [], time: 1s, quiet: 0s, rate: 200, min_ops: 10, prefill: 0B}
tests:
  - {name: a, repeats: 2}
  - {name: b, workloads: [register]}
";

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}

/// The folder of the only night of a suite.
fn night(place: &Workplace, suite: &str) -> PathBuf {
    let folder = place.dir.path().join("runs/suites").join(suite);
    let mut nights: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(nights.len(), 1, "{nights:?}");
    nights.remove(0)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text[..whole]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn document(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_shipped_suite_passes_its_own_checks() {
    let place = Workplace::new();
    let mut names = Vec::new();
    for file in shipped() {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.to_str().unwrap();
        if text.lines().any(|line| line.starts_with("scenarios:")) {
            let (code, plan, stderr) = place.run(&["sweep", path, "--plan"]);
            assert!(code == 0 && plan.contains(" cells, "), "{path}: {stderr}");
            continue;
        }
        let (code, plan, stderr) = place.run(&["suite", path, "--plan", "--json"]);
        assert_eq!(code, 0, "{path}: {stderr}");
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let tests = plan["tests"].as_array().unwrap();
        assert!(tests.len() >= 3, "{path}");
        let seconds: f64 = tests
            .iter()
            .map(|test| {
                test["takes_s"].as_f64().unwrap() * test["seeds"].as_array().unwrap().len() as f64
            })
            .sum();
        let name = plan["name"].as_str().unwrap().to_owned();
        if name == "smoke" {
            assert!(seconds < 90.0, "{seconds} s are too long for every build");
        }
        names.push(name);
    }
    assert!(names.contains(&"smoke".to_owned()), "{names:?}");
}

#[test]
fn a_night_leaves_its_record_and_its_documents() {
    let place = Workplace::new();
    let suite = place.write("quick.yaml", QUICK);
    let summary = place.dir.path().join("step.md");
    let output = place
        .command(&[
            "suite",
            suite.to_str().unwrap(),
            "--quiet",
            "--json",
            "--junit",
            "here.xml",
        ])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed["outcome"], "valid");
    assert_eq!(printed["finished"], true);
    let night = night(&place, "quick");
    let runs = lines(&night.join("suite.jsonl"));
    let order: Vec<&str> = runs
        .iter()
        .map(|run| run["test"].as_str().unwrap())
        .collect();
    assert_eq!(order, ["a", "b", "a"]);
    assert!(
        night
            .join(runs[0]["run"].as_str().unwrap())
            .join("results.json")
            .is_file()
    );
    assert_eq!(runs, lines(&night.parent().unwrap().join("history.jsonl")));
    assert_eq!(printed, document(&night.join("results.json")));
    for file in ["junit.xml", "summary.md", "report.html"] {
        assert!(night.join(file).is_file(), "{file}");
    }
    let junit = fs::read_to_string(place.dir.path().join("here.xml")).unwrap();
    assert_eq!(junit.matches("<testcase").count(), 3);
    assert!(
        fs::read_to_string(&summary)
            .unwrap()
            .contains("quick: valid")
    );
}

#[test]
fn a_missed_threshold_and_one_without_a_measure_end_with_3() {
    let place = Workplace::new();
    let suite = QUICK.replace(
        "tests:",
        "expect: {throughput.ok: \">= 100000/s\", rto.steady_p95: \"< 5s\"}\ntests:",
    );
    let suite = place.write("quick.yaml", &suite);
    let output = place
        .command(&["suite", suite.to_str().unwrap(), "--quiet", "--only", "b"])
        .env("GITHUB_ACTIONS", "true")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{stdout}{stderr}");
    assert!(
        stdout.contains("rto.steady_p95 is not measured"),
        "{stdout}"
    );
    assert!(
        stderr.contains("::error title=quick%3A threshold missed"),
        "{stderr}"
    );
}

#[test]
fn a_night_that_was_killed_goes_on_where_it_was() {
    let place = Workplace::new();
    let suite = place.write("quick.yaml", &QUICK.replace("repeats: 2", "repeats: 4"));
    let args = ["suite", suite.to_str().unwrap(), "--quiet"];
    let mut killed = place.command(&args).spawn().unwrap();
    let recorded = || {
        let nights = place.dir.path().join("runs/suites/quick");
        let found = fs::read_dir(nights).ok()?.flatten();
        let night = found.map(|entry| entry.path()).find(|path| path.is_dir())?;
        Some(lines(&night.join("suite.jsonl")))
    };
    let end = Instant::now() + Duration::from_secs(60);
    while recorded().is_none_or(|runs| runs.len() < 2) {
        assert!(Instant::now() < end, "no two runs in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = recorded().unwrap();
    assert!(before.len() < 5, "it was not killed in time");

    // Not with other tests than it began with.
    let (code, _, stderr) = place.run(&[&args[..], &["--resume", "--only", "a"]].concat());
    assert!(
        code == 254 && stderr.contains("is not what"),
        "{code} {stderr}"
    );

    let (code, _, stderr) = place.run(&[&args[..], &["--resume"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let night = night(&place, "quick");
    let after = lines(&night.join("suite.jsonl"));
    assert_eq!(
        after[..before.len()],
        before[..],
        "nothing recorded is lost"
    );
    assert_eq!(after.len(), 5);
    let mut made: Vec<String> = after
        .iter()
        .map(|run| format!("{} {}", run["test"], run["seed"]))
        .collect();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5, "no run was made twice: {made:?}");
    assert_eq!(after, lines(&night.parent().unwrap().join("history.jsonl")));
}

#[test]
fn a_night_that_is_interrupted_says_what_is_missing_and_how_to_go_on() {
    let place = Workplace::new();
    let suite = place.write("quick.yaml", &QUICK.replace("repeats: 2", "repeats: 9"));
    let args = ["suite", suite.to_str().unwrap(), "--quiet"];
    let running = place
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let history = place.dir.path().join("runs/suites/quick/history.jsonl");
    let end = Instant::now() + Duration::from_secs(60);
    while lines(&history).is_empty() {
        assert!(Instant::now() < end, "no run in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = nix::unistd::Pid::from_raw(running.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = running.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{stdout}");
    assert!(stdout.contains("were not made"), "{stdout}");
    assert!(stdout.contains("--resume"), "{stdout}");
    let night = night(&place, "quick");
    assert_eq!(document(&night.join("results.json"))["finished"], false);
    let junit = fs::read_to_string(night.join("junit.xml")).unwrap();
    assert!(junit.contains("<skipped"), "{junit}");
}

#[test]
fn a_budget_of_time_is_spent_on_what_was_run_least() {
    let place = Workplace::new();
    let suite = place.write("quick.yaml", QUICK);
    let args = ["suite", suite.to_str().unwrap(), "--quiet", "--for"];
    // Less than the shortest run is expected to take.
    let (code, stdout, stderr) = place.run(&[&args[..], &["2s"]].concat());
    assert_eq!(code, 2, "{stderr}");
    assert!(stdout.contains("no run was made"), "{stdout}");
    for _ in 0..2 {
        let (code, _, stderr) = place.run(&[&args[..], &["8s"]].concat());
        assert_eq!(code, 0, "{stderr}");
    }
    let runs = lines(&place.dir.path().join("runs/suites/quick/history.jsonl"));
    let of = |test: &str| runs.iter().filter(|run| run["test"] == test).count();
    assert!(of("a") > 0 && of("a").abs_diff(of("b")) <= 1, "{runs:?}");
    let seeds: std::collections::BTreeSet<String> = runs
        .iter()
        .map(|run| format!("{} {}", run["test"], run["seed"]))
        .collect();
    assert_eq!(
        seeds.len(),
        runs.len(),
        "no seed runs twice while others never ran"
    );
}

#[test]
fn a_violation_is_run_again_and_comes_first_the_next_night() {
    if !strata_is_built() {
        return;
    }
    let _turn = alone();
    let place = Workplace::new();
    let suite = "
name: planted
seed: 3
reruns: 1
defaults: {nodes: 3, nemesis: [partition], time: 10s, quiet: 1s, rate: 400, prefill: 0B, min_ops: 100, workloads: [register]}
tests: [{name: reads}]
";
    let suite = place.write("planted.yaml", suite);
    let args = [
        "suite",
        suite.to_str().unwrap(),
        "--quiet",
        "--set",
        "reads=local",
    ];
    let (code, stdout, stderr) = place.run(&args);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(
        stdout.starts_with("INVALID: of 1 run: 1 seed proved a violation"),
        "{stdout}"
    );
    assert!(stdout.contains("of 1 reruns"), "{stdout}");
    let night = night(&place, "planted");
    let junit = fs::read_to_string(night.join("junit.xml")).unwrap();
    assert!(junit.contains("<failure type=\"violation\""), "{junit}");
    let corpus = lines(&night.parent().unwrap().join("corpus.jsonl"));
    assert_eq!(corpus.len(), 1);
    assert_eq!(corpus[0]["seed"], corpus[0]["spec"]["seed"]);

    // The next night has other seeds, and that one first.
    let (code, plan, stderr) =
        place.run(&[&args[..], &["--seed", "4", "--plan", "--json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        plan["tests"][0]["corpus"],
        Value::from(vec![corpus[0]["seed"].clone()])
    );
}
