//! Histories as text with their verdicts; the notation is told in `tests/histories/README.md`.

use checker::{Budget, History, check_all, checkers_for};
use serde_json::{Value as Json, json};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Figures that a script shows, where its verdict has them.
const SHOWN: [&str; 14] = [
    "possible",
    "linearized",
    "acknowledged",
    "lost",
    "lost_seconds",
    "unacknowledged",
    "unacknowledged_survived",
    "failed_survived",
    "duplicated",
    "out_of_order",
    "phantom",
    "stale_reads",
    "contradicted_reads",
    "unread_lists",
];

fn value(text: &str) -> Json {
    match text {
        "-" => Json::Null,
        number => json!(number.parse::<i64>().expect("values are numbers")),
    }
}

/// A line of the notation as a line of a history file.
fn line(words: &[&str], open: &mut Vec<(u64, String, Json)>) -> Json {
    let ms: u64 = words[0].parse().expect("a line begins with a time");
    let time = ms * 1_000_000;
    if words[1] == "nemesis" {
        return json!({"time": time, "process": "nemesis", "type": "info", "f": words[2]});
    }
    let process: u64 = words[1].parse().expect("a process is a number");
    if words[2] == "invoke" {
        let (f, key) = (words[3], value(words[4]));
        let argument = match &words[5..] {
            [] => Json::Null,
            [one] => value(one),
            [from, to] => json!([value(from), value(to)]),
            _ => panic!("too many values"),
        };
        open.push((process, f.to_owned(), key.clone()));
        return json!({"time": time, "process": process, "type": "invoke", "f": f, "key": key, "value": argument});
    }
    let at = open
        .iter()
        .position(|(other, ..)| *other == process)
        .expect("a completion has an invocation");
    let (_, f, key) = open.remove(at);
    let mut event = json!({"time": time, "process": process, "type": words[2], "f": f, "key": key});
    let rest = words.get(3).copied();
    match (words[2], f.as_str()) {
        ("ok", "read") => event["value"] = value(rest.expect("a read gives a value")),
        ("ok", "list") => {
            let items = rest
                .unwrap_or("")
                .split(',')
                .filter(|item| !item.is_empty());
            event["value"] = items.map(value).collect();
        }
        ("ok", _) => {}
        _ => event["error"] = json!(rest),
    }
    event
}

fn judge(script: &str) -> String {
    let mut lines = script.lines().filter(|line| !line.starts_with('#'));
    let model = lines.next().expect("a script names its model");
    let mut open = Vec::new();
    let mut file = String::new();
    for text in lines {
        let words: Vec<&str> = text.split_whitespace().collect();
        writeln!(file, "{}", line(&words, &mut open)).unwrap();
    }
    let history = History::from_reader(file.as_bytes(), "script")
        .unwrap_or_else(|error| panic!("{error}\n{file}"));
    let checkers = checkers_for(model).unwrap();
    let mut verdicts = String::new();
    for (name, verdict) in check_all(&history, &checkers, Budget::default()) {
        writeln!(verdicts, "{name}: {}", verdict.valid).unwrap();
        let violations = verdict.details.get("violations").and_then(Json::as_array);
        match violations {
            Some(violations) => {
                assert_eq!(violations[0], json!(verdict.reason));
                for violation in violations {
                    writeln!(verdicts, "  - {}", violation.as_str().unwrap()).unwrap();
                }
            }
            None if !verdict.reason.is_empty() => {
                writeln!(verdicts, "  {}", verdict.reason).unwrap()
            }
            None => {}
        }
        for figure in SHOWN {
            match verdict.details.get(figure) {
                Some(value) if *value != json!(0) && *value != json!(0.0) => {
                    writeln!(verdicts, "  {figure}: {value}").unwrap();
                }
                _ => {}
            }
        }
    }
    verdicts
}

#[test]
fn every_golden_history_gets_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let mut scripts: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 15);
    let mut wrong = String::new();
    for path in scripts {
        let text = fs::read_to_string(&path).unwrap();
        let (script, expected) = text.split_once("---\n").expect("a script has a line ---");
        let verdicts = judge(script);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, format!("{script}---\n{verdicts}")).unwrap();
        } else if verdicts != expected {
            let name = path.file_name().unwrap().to_string_lossy();
            writeln!(wrong, "{name}\nexpected:\n{expected}found:\n{verdicts}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
