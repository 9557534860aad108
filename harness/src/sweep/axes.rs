//! What is varied: names with the values to try, in the order of the file.

use crate::exit::{Failure, Result};
use crate::spec::{Setting, Spec};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use systems::System;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes(Vec<(String, Vec<Setting>)>);

impl Axes {
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// These, with the values of `other` where both have a name, and the rest of `other` behind.
    pub fn overridden(&self, other: &Axes) -> Axes {
        let mut axes = self.clone();
        for (name, values) in &other.0 {
            match axes.0.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.clone_from(values),
                None => axes.0.push((name.clone(), values.clone())),
            }
        }
        axes
    }

    /// All combinations; the last name changes fastest. One empty combination of no names.
    pub fn combinations(&self) -> Vec<BTreeMap<String, String>> {
        let mut all = vec![BTreeMap::new()];
        for (name, values) in &self.0 {
            all = all
                .iter()
                .flat_map(|so_far| {
                    values.iter().map(|value| {
                        let mut more: BTreeMap<String, String> = so_far.clone();
                        more.insert(name.clone(), value.0.clone());
                        more
                    })
                })
                .collect();
        }
        all
    }
}

/// Sets settings of the system, and fields of the spec: a name that the system documents is its setting.
pub fn apply(
    spec: &mut Spec,
    system: &dyn System,
    values: &BTreeMap<String, String>,
) -> Result<()> {
    let documented = system.settings();
    for (name, value) in values {
        if documented.iter().any(|doc| doc.key == name) {
            spec.settings.insert(name.clone(), Setting(value.clone()));
        } else {
            set_field(spec, name, value)?;
        }
    }
    Ok(())
}

/// Sets the field at a path such as `background.rate` to a value as YAML writes it.
fn set_field(spec: &mut Spec, path: &str, value: &str) -> Result<()> {
    let unknown = || {
        Failure::usage(format!(
            "vary: {path}: neither a setting of {} nor a field of the base",
            spec.system
        ))
    };
    let mut document = serde_yaml::to_value(&*spec)?;
    let mut at = &mut document;
    for (depth, part) in path.split('.').enumerate() {
        let map = at.as_mapping_mut().ok_or_else(unknown)?;
        // Whether an absent one is known is for the parser to say; it is asked below.
        if depth > 0 && !map.contains_key(part) {
            return Err(unknown());
        }
        at = map
            .entry(part.into())
            .or_insert_with(|| serde_yaml::Value::Mapping(Default::default()));
    }
    *at = serde_yaml::from_str(value)
        .map_err(|error| Failure::usage(format!("vary: {path}: {value}: {error}")))?;
    *spec = serde_yaml::from_value(document).map_err(|error| {
        match error.to_string().contains("unknown field") {
            true => unknown(),
            false => Failure::usage(format!("vary: {path}: {value}: {error}")),
        }
    })?;
    Ok(())
}

impl Serialize for Axes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, values) in &self.0 {
            map.serialize_entry(name, values)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Axes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to lists of values")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Axes, A::Error> {
                let mut axes: Vec<(String, Vec<Setting>)> = Vec::new();
                while let Some((name, values)) = map.next_entry::<String, Vec<Setting>>()? {
                    let error = |text| Err(serde::de::Error::custom(format!("{name}: {text}")));
                    if values.is_empty() {
                        return error("no values");
                    }
                    if axes.iter().any(|(known, _)| *known == name) {
                        return error("named twice");
                    }
                    let twice = |(at, value)| values[..at].contains(value);
                    if values.iter().enumerate().any(twice) {
                        return error("a value is there twice");
                    }
                    axes.push((name, values));
                }
                Ok(Axes(axes))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(text: &str) -> Axes {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn all_combinations_are_made_in_the_order_of_the_file() {
        let all = axes("{b: [1, 2], a: [x, y]}").combinations();
        let flat: Vec<String> = all
            .iter()
            .map(|one| format!("{}{}", one["b"], one["a"]))
            .collect();
        assert_eq!(flat, ["1x", "1y", "2x", "2y"]);
        assert_eq!(Axes::default().combinations().len(), 1);
    }

    #[test]
    fn values_of_a_scenario_replace_those_of_the_sweep() {
        let both = axes("{b: [1, 2], a: [x]}").overridden(&axes("{c: [7], b: [3]}"));
        assert_eq!(both, axes("{b: [3], a: [x], c: [7]}"));
    }

    #[test]
    fn a_field_is_set_at_its_path() {
        let mut spec = Spec::default();
        set_field(&mut spec, "nodes", "3").unwrap();
        set_field(&mut spec, "background", "{rate: 9, value: 4KiB}").unwrap();
        set_field(&mut spec, "background.clients", "2").unwrap();
        let background = spec.background.unwrap();
        assert_eq!((spec.nodes, background.rate, background.clients), (3, 9, 2));
    }

    #[test]
    fn a_name_that_is_nothing_is_refused() {
        let refused = |path: &str, value: &str| {
            let failure = set_field(&mut Spec::default(), path, value).expect_err("refused");
            failure.to_string()
        };
        for path in ["checkpoint.evry", "nodse", "background.rates", "nodes.x"] {
            let text = refused(path, "3");
            assert!(
                text.starts_with(&format!("vary: {path}: neither")),
                "{text}"
            );
        }
        let text = refused("nodes", "many");
        assert!(text.starts_with("vary: nodes: many:"), "{text}");
    }

    #[test]
    fn an_axis_without_values_or_with_one_twice_is_refused() {
        for (text, named) in [("{a: []}", "a: no values"), ("{a: [1, 1]}", "a: a value")] {
            let error = serde_yaml::from_str::<Axes>(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
