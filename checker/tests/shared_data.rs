//! Histories recorded and judged by others: our verdicts must be theirs.
//!
//! They are looked for in `$SHAKEDOWN_SHARED_DATA`, then in `../shared/data` beside the workspace; they
//! are not part of it. `VERDICTS.tsv` there names format, model and verdict of each file. Where it states
//! no verdict, ours is shown and held against nothing.

use checker::formats::{self, Options};
use checker::{Budget, Validity, check_all, checkers_for};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const BUDGET: Budget = Budget {
    time: Duration::from_secs(20),
    memory: 1 << 30,
};

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("SHAKEDOWN_SHARED_DATA").map_or(beside, PathBuf::from);
    if folder.join("VERDICTS.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no shared data");
    None
}

/// What we call a model that is described in words.
fn model(described: &str) -> &str {
    let name = described.split([' ', ',']).next().unwrap_or_default();
    match name {
        "cas-register" if described.contains("initially 0") => "cas-register=0",
        "kv" => "key-value",
        other => other,
    }
}

#[test]
fn verdicts_of_others_are_ours() {
    let Some(folder) = folder() else { return };
    let verdicts = fs::read_to_string(folder.join("VERDICTS.tsv")).unwrap();
    let mut agreed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut missing = BTreeSet::new();
    for line in verdicts.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, format, described, expected, ..] = fields[..] else {
            panic!("{line}")
        };
        let options = Options {
            format: Some(format.parse().unwrap()),
            ..Options::default()
        };
        let reading = formats::read_path(folder.join(file), options)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(!reading.history.truncated, "{file}");
        let model = model(described);
        let Ok(checkers) = checkers_for(model) else {
            missing.insert(model);
            continue;
        };
        let started = Instant::now();
        let mut verdicts = check_all(&reading.history, &checkers, BUDGET);
        // It counts how operations ended, whatever the model.
        verdicts.remove("stats");
        let worst = verdicts.values().max_by_key(|verdict| verdict.valid);
        let verdict = worst.expect("every model has a checker");
        let told = format!("{file} {} {}", verdict.valid, verdict.reason);
        println!("{told} {:?}", started.elapsed());
        match expected {
            "valid" | "invalid" if verdict.valid.to_string() == expected => {
                *agreed.entry(format).or_default() += 1;
            }
            "valid" | "invalid" => wrong.push(told),
            // Its source states none.
            _ => assert_ne!(verdict.valid, Validity::Unknown, "{told}"),
        }
    }
    for model in missing {
        println!("skipped: model {model} is not built in");
    }
    println!("agreed: {agreed:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whatever a file's name and beginning look like, it must be read as what it is.
#[test]
fn the_formats_of_others_are_recognized() {
    let Some(folder) = folder() else { return };
    let verdicts = fs::read_to_string(folder.join("VERDICTS.tsv")).unwrap();
    for line in verdicts.lines().skip(1) {
        let mut fields = line.split('\t');
        let (Some(file), Some(format)) = (fields.next(), fields.next()) else {
            panic!("{line}")
        };
        let reading = formats::read_path(folder.join(file), Options::default())
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(Ok(reading.format), format.parse(), "{file}");
    }
}
