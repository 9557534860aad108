use super::*;
use results::Folder;
use results::suite::store::Place;
use results::suite::{Because, Ended, Gate, Plan};
use std::os::unix::fs::symlink;

const SPEC: &str =
    "spec: {workloads: [register]}\nargv: []\nrun: {seed: 1, started: 2026-01-02T03:04:05Z}\n";

/// A run of ours that ended so.
fn run(root: &Path, name: &str, seed: u64, valid: &str) -> PathBuf {
    let folder = Folder::create(root, name, seed).unwrap();
    folder.write_spec(SPEC).unwrap();
    if !valid.is_empty() {
        fs::write(folder.results(), format!("{{\"valid\":\"{valid}\"}}")).unwrap();
    }
    fs::canonicalize(folder.path()).unwrap()
}

fn claims(root: &Path, run: &Path) -> Vec<Claim> {
    let found = survey(root).unwrap();
    let found = found.iter().find(|found| found.path == run);
    Vec::from_iter(found.expect("it is found").claims.clone())
}

#[test]
fn a_failure_and_the_newest_are_spoken_for() {
    let root = tempfile::tempdir().unwrap();
    let fine = run(root.path(), "a", 1, "valid");
    let doubtful = run(root.path(), "a", 2, "unknown");
    let bad = run(root.path(), "a", 3, "invalid");
    let newest = run(root.path(), "b", 4, "valid");
    assert_eq!(claims(root.path(), &fine), []);
    assert_eq!(claims(root.path(), &doubtful), []);
    assert_eq!(claims(root.path(), &bad), [Claim::Failed]);
    assert_eq!(claims(root.path(), &newest), [Claim::Latest]);
}

#[test]
fn a_run_that_is_held_or_was_just_written_to_may_be_going_on() {
    let root = tempfile::tempdir().unwrap();
    let held = run(root.path(), "a", 1, "valid");
    let cut = run(root.path(), "a", 2, "");
    run(root.path(), "a", 3, "valid");
    let hold = Hold::take(&held).unwrap();
    assert_eq!(claims(root.path(), &held), [Claim::GoingOn]);
    assert_eq!(claims(root.path(), &cut), [Claim::GoingOn]);
    drop(hold);
    assert_eq!(claims(root.path(), &held), []);
}

#[test]
fn what_is_no_run_of_ours_and_what_lies_behind_links_is_not_found() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    run(elsewhere.path(), "x", 1, "valid");
    symlink(elsewhere.path(), root.path().join("linked")).unwrap();
    for (name, text) in [
        ("notes", ""),
        ("foreign", "spec: {a: 1}\n"),
        ("list", "- 1\n"),
    ] {
        let folder = root.path().join("a").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("spec.yaml"), text).unwrap();
    }
    let linked = root.path().join("a/linked-spec");
    fs::create_dir_all(&linked).unwrap();
    let spec = root.path().join("ours.yaml");
    fs::write(&spec, SPEC).unwrap();
    symlink(&spec, linked.join("spec.yaml")).unwrap();
    assert!(survey(root.path()).unwrap().is_empty());
}

#[test]
fn runs_of_suites_and_sweeps_belong_to_them() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::open(root.path(), "nightly").unwrap().unwrap();
    let night = place.begin("n").unwrap();
    night.write_plan(&Plan::default()).unwrap();
    let made: Vec<PathBuf> = (1..=3)
        .map(|seed| run(night.path(), "kills", seed, "valid"))
        .collect();
    let relative = |path: &Path| format!("kills/{}", path.file_name().unwrap().to_str().unwrap());
    let line = |number: u32, ended, passed| Run {
        night: "n".into(),
        number,
        because: Because::Planned,
        ended,
        run: relative(&made[number as usize - 1]),
        gates: vec![Gate {
            metric: "rpo.lost".into(),
            expected: "0".into(),
            found: None,
            passed,
        }],
        ..Run::default()
    };
    let lines = night.append_runs().unwrap();
    lines.append(&line(1, Ended::Valid, true)).unwrap();
    lines.append(&line(2, Ended::Valid, false)).unwrap();
    lines.append(&line(3, Ended::Invalid, true)).unwrap();
    place.corpus(&place.history().unwrap()).unwrap();
    assert_eq!(claims(root.path(), &made[0]), [Claim::Suite]);
    assert_eq!(claims(root.path(), &made[1]), [Claim::Failed, Claim::Suite]);
    assert_eq!(claims(root.path(), &made[2]), [Claim::Corpus, Claim::Suite]);
    let found = survey(root.path()).unwrap();
    assert!(
        found
            .iter()
            .all(|found| found.group == "suites/nightly/kills"),
        "{found:?}"
    );

    let sweep = root.path().join("sweep-1");
    let swept = run(&sweep, "cell", 1, "valid");
    fs::write(sweep.join("sweep.json"), "{}").unwrap();
    assert_eq!(claims(root.path(), &swept), [Claim::Sweep]);
}
