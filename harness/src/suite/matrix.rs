//! Several tests of one: each combination of the values of some fields.
//!
//! `{nemesis: [[kill], [partition]], settings.sync: [always, never]}` gives four tests. A key is a field of a test
//! spec, or `settings.` and a setting of the system.

use serde_yaml::{Mapping, Value};

/// More combinations than anyone means to run.
const MOST: usize = 1_000;

/// Fields of a test spec, and what is added to its name.
#[derive(Debug, PartialEq)]
pub struct Variant {
    pub suffix: String,
    pub fields: Mapping,
}

/// All combinations; the last key changes fastest. An error names the key.
pub fn variants(matrix: &Mapping) -> Result<Vec<Variant>, String> {
    let mut all = vec![Variant {
        suffix: String::new(),
        fields: Mapping::new(),
    }];
    for (key, values) in matrix {
        let key = key
            .as_str()
            .ok_or_else(|| format!("matrix: {key:?} is no name of a field"))?;
        let values = values
            .as_sequence()
            .filter(|values| !values.is_empty())
            .ok_or_else(|| format!("matrix: {key}: expected a list of values"))?;
        if all.len() * values.len() > MOST {
            return Err(format!("matrix: more than {MOST} combinations"));
        }
        all = all
            .iter()
            .flat_map(|variant| values.iter().map(|value| extended(variant, key, value)))
            .collect();
    }
    Ok(all)
}

fn extended(variant: &Variant, key: &str, value: &Value) -> Variant {
    let mut fields = variant.fields.clone();
    merge(&mut fields, &single(key, value));
    let word = match key {
        // Their values say by themselves what they are.
        "nemesis" | "workloads" | "system" | "env" => plain(value),
        key => {
            let last = key.rsplit('.').next().unwrap_or(key);
            format!("{last}-{}", plain(value))
        }
    };
    let suffix = match variant.suffix.as_str() {
        "" => word,
        before => format!("{before}-{word}"),
    };
    Variant { suffix, fields }
}

fn single(key: &str, value: &Value) -> Mapping {
    let (key, value) = match key.strip_prefix("settings.") {
        Some(setting) => {
            let setting = Mapping::from_iter([(setting.into(), value.clone())]);
            ("settings", Value::Mapping(setting))
        }
        None => (key, value.clone()),
    };
    Mapping::from_iter([(key.into(), value)])
}

/// Lays fields over others. Settings are joined, everything else is replaced.
pub fn merge(under: &mut Mapping, over: &Mapping) {
    for (key, value) in over {
        let joined = match (under.get_mut(key), value) {
            (Some(Value::Mapping(old)), Value::Mapping(new))
                if key.as_str() == Some("settings") =>
            {
                old.extend(new.clone());
                true
            }
            _ => false,
        };
        if !joined {
            under.insert(key.clone(), value.clone());
        }
    }
}

/// A value as part of a name.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Sequence(items) if items.is_empty() => "none".to_owned(),
        Value::Sequence(items) => items.iter().map(plain).collect::<Vec<_>>().join("-"),
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => serde_yaml::to_string(other).unwrap_or_default(),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let plain: String = text
        .trim()
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect();
    plain.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(yaml: &str) -> Mapping {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn every_combination_has_a_name_of_its_values() {
        let matrix =
            mapping("{nemesis: [[kill], [kill, lag], []], settings.sync: [always, interval=50ms]}");
        let variants = variants(&matrix).unwrap();
        let names: Vec<&str> = variants.iter().map(|v| v.suffix.as_str()).collect();
        assert_eq!(
            names,
            [
                "kill-sync-always",
                "kill-sync-interval-50ms",
                "kill-lag-sync-always",
                "kill-lag-sync-interval-50ms",
                "none-sync-always",
                "none-sync-interval-50ms"
            ]
        );
        assert_eq!(
            variants[1].fields,
            mapping("{nemesis: [kill], settings: {sync: interval=50ms}}")
        );
    }

    #[test]
    fn two_settings_are_both_set() {
        let matrix = mapping("{settings.sync: [always], settings.checkpoint.every: [100]}");
        let variants = variants(&matrix).unwrap();
        assert_eq!(
            variants[0].fields,
            mapping("settings: {sync: always, checkpoint.every: 100}")
        );
    }

    #[test]
    fn a_key_without_values_is_named() {
        for yaml in ["rate: 5", "rate: []"] {
            let error = variants(&mapping(yaml)).unwrap_err();
            assert_eq!(error, "matrix: rate: expected a list of values");
        }
        let many = format!("{{a: [{0}], b: [{0}]}}", "1, ".repeat(40));
        assert!(
            variants(&mapping(&many))
                .unwrap_err()
                .contains("combinations")
        );
    }

    #[test]
    fn settings_are_joined_and_fields_are_replaced() {
        let mut under = mapping("{settings: {a: 1, b: 2}, nemesis: [kill]}");
        merge(&mut under, &mapping("{settings: {b: 3}, nemesis: []}"));
        assert_eq!(under, mapping("{settings: {a: 1, b: 3}, nemesis: []}"));
    }
}
