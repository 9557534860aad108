//! Which runs of one side belong to which of the other.
//!
//! Runs of one side that differ among themselves (the cells of a sweep, the tests of a suite) are told apart by
//! what differs: name, load, faults, system and settings. A side without such differences is one group, whatever
//! the other side is called.

use super::Entry;
use super::circumstances::MACHINE;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Matched<'a> {
    pub pairs: Vec<Pair<'a>>,
    pub left_out: Vec<String>,
}

pub(super) struct Pair<'a> {
    pub name: String,
    pub base: Vec<&'a Entry>,
    pub new: Vec<&'a Entry>,
}

pub(super) fn matched<'a>(base: &'a [Entry], new: &'a [Entry]) -> Matched<'a> {
    let varied: BTreeSet<String> = varied(base).union(&varied(new)).cloned().collect();
    if varied.is_empty() {
        let pair = Pair {
            name: String::new(),
            base: base.iter().collect(),
            new: new.iter().collect(),
        };
        return Matched {
            pairs: vec![pair],
            left_out: Vec::new(),
        };
    }
    let (mut ours, mut theirs) = (groups(base, &varied), groups(new, &varied));
    let mut pairs = Vec::new();
    let mut left_out = Vec::new();
    for (name, base) in std::mem::take(&mut ours) {
        match theirs.remove(&name) {
            Some(new) => pairs.push(Pair { name, base, new }),
            None => left_out.push(format!("{name}: only in the base")),
        }
    }
    left_out.extend(
        theirs
            .keys()
            .map(|name| format!("{name}: only in the new runs")),
    );
    Matched { pairs, left_out }
}

fn marks(entry: &Entry) -> BTreeMap<String, String> {
    let load = entry.circumstances.iter();
    let mut marks: BTreeMap<String, String> = load
        .filter(|(name, _)| !name.starts_with(MACHINE))
        .chain(&entry.subject)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    marks.insert("name".into(), entry.results.run.name.clone());
    marks
}

/// The names of what differs among the runs of a side.
fn varied(runs: &[Entry]) -> BTreeSet<String> {
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(marks).collect();
    let names: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let differs = |name: &&&String| {
        all.iter()
            .any(|marks| marks.get(**name) != all[0].get(**name))
    };
    names
        .iter()
        .filter(differs)
        .map(|name| (*name).clone())
        .collect()
}

fn groups<'a>(runs: &'a [Entry], varied: &BTreeSet<String>) -> BTreeMap<String, Vec<&'a Entry>> {
    let mut groups: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    for run in runs {
        let marks = marks(run);
        let named = varied.iter().map(|name| {
            let value = marks.get(name).map_or("default", String::as_str);
            format!("{name} {value}")
        });
        let name = named.collect::<Vec<_>>().join(", ");
        groups.entry(name).or_default().push(run);
    }
    groups
}
