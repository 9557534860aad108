//! Keeps `docs/spec.md` true: its table has every field, with the default and the bounds of the code.

use super::Spec;
use serde_yaml::Value;

const DOCUMENT: &str = include_str!("../../../docs/spec.md");

struct Row {
    field: String,
    default: String,
    bounds: String,
}

fn rows() -> Vec<Row> {
    let plain = |cell: &str| cell.trim().replace('`', "");
    DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(plain).collect();
            Row {
                field: cells[1].clone(),
                default: cells[2].clone(),
                bounds: cells[3].clone(),
            }
        })
        .collect()
}

/// As the table writes it.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Sequence(items) => {
            let items: Vec<_> = items.iter().map(in_words).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(map) if map.is_empty() => "{}".into(),
        other => serde_yaml::to_string(other).unwrap().trim().to_owned(),
    }
}

#[test]
fn the_document_has_every_field_of_a_spec_and_no_other() {
    let refusal = Spec::parse("no_such_field: 1", "spec")
        .unwrap_err()
        .to_string();
    let known: Vec<_> = refusal.split('`').skip(3).step_by(2).collect();
    let documented: Vec<_> = rows().into_iter().map(|row| row.field).collect();
    assert_eq!(documented, known, "{refusal}");
}

#[test]
fn the_documented_defaults_are_those_of_the_code() {
    let defaults = serde_yaml::to_value(Spec::default()).unwrap();
    for Row { field, default, .. } in rows() {
        let expected = match (field.as_str(), defaults.get(&field)) {
            (_, Some(value)) => in_words(value),
            ("schedule", None) => "[]".into(),
            ("fail_fast", None) => "false".into(),
            ("seed" | "background", None) => "none".into(),
            (field, None) => panic!("{field}: no default"),
        };
        assert_eq!(default, expected, "{field}");
    }
}

#[test]
fn the_documented_bounds_are_those_that_are_enforced() {
    let beyond = [
        ("nodes", "1000"),
        ("clients", "100000"),
        ("rate", "100000000000"),
        ("time", "9000h"),
        ("deadline", "9000h"),
        ("probe_every", "9000h"),
        ("status_every", "9000h"),
        ("quiet", "9000h"),
        ("prefill", "90000GiB"),
    ];
    for (field, value) in beyond {
        let spec = Spec::parse(&format!("{field}: {value}"), "spec").unwrap();
        let refusal = spec.validate().unwrap_err().to_string();
        let (_, enforced) = refusal.split_once(" is outside ").unwrap();
        let row = rows().into_iter().find(|row| row.field == field).unwrap();
        assert!(
            row.bounds == enforced || row.bounds.starts_with(&format!("{enforced} ")),
            "{field}: {} in the document, {enforced} in the code",
            row.bounds
        );
    }
}

#[test]
fn the_documented_background_is_the_default_one() {
    let (_, rest) = DOCUMENT.split_once("## Background").unwrap();
    let (_, rest) = rest.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let spec = Spec::parse(example, "docs/spec.md").unwrap();
    assert_eq!(spec.background, Some(super::Background::default()));
}

#[test]
fn the_documented_schedule_can_be_read() {
    let (_, rest) = DOCUMENT.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let spec = Spec::parse(example, "docs/spec.md").unwrap();
    assert_eq!(spec.schedule.len(), 2);
}
