//! What must be alike before two figures are held against each other, and what is the point of doing so.

use super::Entry;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Something that the sides do not have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub name: String,
    pub base: String,
    pub new: String,
}

/// Circumstances whose names begin so are never a matter of intention.
pub const MACHINE: &str = "host: ";

/// Why the runs of two sides can't be compared; none if they can.
pub fn refusal(base: &[&Entry], new: &[&Entry], intended: bool) -> Option<String> {
    let found = differences(base, new, |entry| &entry.circumstances);
    let refused: Vec<String> = found
        .iter()
        .filter(|difference| !intended || difference.name.starts_with(MACHINE))
        .map(
            |Difference { name, base, new }| match name.strip_prefix(MACHINE) {
                Some(name) => format!("different host: {name} {base} and {new}"),
                None => format!("different {name}: {base} and {new}"),
            },
        )
        .collect();
    (!refused.is_empty()).then(|| refused.join("; "))
}

/// What is compared.
pub fn subject(base: &[&Entry], new: &[&Entry], intended: bool) -> Vec<Difference> {
    let mut found = differences(base, new, |entry| &entry.subject);
    if intended {
        let load = differences(base, new, |entry| &entry.circumstances).into_iter();
        found.extend(load.filter(|difference| !difference.name.starts_with(MACHINE)));
    }
    found
}

/// By name: the values of both sides, where they are not one and the same.
fn differences(
    base: &[&Entry],
    new: &[&Entry],
    of: impl Fn(&Entry) -> &BTreeMap<String, String>,
) -> Vec<Difference> {
    let names: BTreeSet<&String> = base
        .iter()
        .chain(new)
        .flat_map(|entry| of(entry).keys())
        .collect();
    let values = |side: &[&Entry], name: &String| -> BTreeSet<String> {
        let value = |entry: &&Entry| of(entry).get(name).cloned();
        let named = side
            .iter()
            .map(|e| value(e).unwrap_or_else(|| "default".into()));
        named.collect()
    };
    let both = names
        .into_iter()
        .map(|name| (name, values(base, name), values(new, name)));
    // Mixed runs on one side are no less of a difference.
    both.filter(|(_, base, new)| base != new || base.len() > 1)
        .map(|(name, base, new)| Difference {
            name: name.clone(),
            base: listed(&base),
            new: listed(&new),
        })
        .collect()
}

fn listed(values: &BTreeSet<String>) -> String {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.join(" or ")
}
