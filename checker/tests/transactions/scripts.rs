//! Every script has a model, a history in the [notation](super::notation), `---` and what is said of it.
//! `UPDATE=1 cargo test -p checker --test transactions` rewrites what is said: read the difference.

use super::{anomalies, judge, notation};
use checker::transactions::Kind;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn told(script: &str) -> String {
    let mut lines = script.lines().filter(|line| !line.starts_with('#'));
    let model = lines.next().expect("a script names its model");
    let (kind, model) = model
        .split_once('=')
        .unwrap_or((model, "strict-serializable"));
    let kind = match kind {
        "list-append" => Kind::ListAppend,
        _ => Kind::RwRegister,
    };
    let history = notation::history(kind, &lines.collect::<Vec<_>>().join("\n"));
    let verdict = judge(&history, kind, model.parse().unwrap());
    let mut told = format!("{}\n", verdict.valid);
    if !verdict.reason.is_empty() {
        writeln!(told, "{}", verdict.reason).unwrap();
    }
    for anomaly in anomalies(&verdict) {
        writeln!(told, "- {}", anomaly.name).unwrap();
        for step in &anomaly.steps {
            writeln!(told, "    {}", step.text).unwrap();
            if let Some(edge) = step.edge {
                writeln!(told, "      {edge}: {}", step.why).unwrap();
            }
        }
        if anomaly.steps.iter().all(|step| step.edge.is_none()) {
            writeln!(told, "      {}", anomaly.why).unwrap();
        }
    }
    for list in ["not", "may_be"] {
        let models: Vec<String> =
            serde_json::from_value(verdict.details[list].clone()).expect("names of models");
        writeln!(told, "{list}: {}", models.join(", ")).unwrap();
    }
    told
}

#[test]
fn every_script_gets_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transactions/scripts");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 20);
    let mut wrong = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let (script, expected) = text.split_once("---\n").expect("a script has a line ---");
        let told = told(script);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, format!("{script}---\n{told}")).unwrap();
        } else if told != expected {
            let name = path.file_name().unwrap().to_string_lossy();
            writeln!(wrong, "{name}\nexpected:\n{expected}found:\n{told}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
