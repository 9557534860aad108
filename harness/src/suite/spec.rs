//! The suite as its file says it, resolved into tests. What is wrong is refused here, by file and field, before
//! anything runs.

use super::matrix::{self, merge};
use crate::exit::{Failure, Result};
use crate::run::prepare::{self, Checked};
use crate::spec::Spec;
use results::suite::Expectations;
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A suite.
#[derive(Clone, Debug)]
pub struct Suite {
    pub name: String,
    /// Fixes the seeds of tests that name none; absent: other seeds every night.
    pub seed: Option<u64>,
    /// A seed with a violation runs so often again.
    pub reruns: u32,
    /// At most so many seeds that failed before run first.
    pub corpus: usize,
    pub tests: Vec<Test>,
}

/// A test of a suite.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name is that of the test.
    pub spec: Spec,
    pub seeds: Seeds,
    pub expect: Expectations,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Seeds {
    /// So many, derived from the suite's.
    Derived(u32),
    These(Vec<u64>),
}

/// What flags change in every test.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub env: Option<String>,
    /// `key=value`.
    pub settings: Vec<String>,
    /// Names of the tests to run; empty: all.
    pub only: Vec<String>,
    pub reruns: Option<u32>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    name: String,
    seed: Option<u64>,
    repeats: u32,
    seeds: Option<Vec<u64>>,
    reruns: u32,
    corpus: usize,
    defaults: Mapping,
    expect: Mapping,
    tests: Vec<Mapping>,
    matrix: Mapping,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            name: String::new(),
            seed: None,
            repeats: 1,
            seeds: None,
            reruns: 5,
            corpus: 10,
            defaults: Mapping::new(),
            expect: Mapping::new(),
            tests: Vec::new(),
            matrix: Mapping::new(),
        }
    }
}

/// What a test of the list has besides fields of a test spec.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Extras {
    name: String,
    repeats: Option<u32>,
    seeds: Option<Vec<u64>>,
    expect: Mapping,
    matrix: Mapping,
}

/// Fields that a test of a suite must leave to the suite.
const EXTRAS: [&str; 5] = ["name", "repeats", "seeds", "expect", "matrix"];
const REPEATS_MOST: u32 = 10_000;

impl Suite {
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        Self::parse(&text, &path.display().to_string(), overrides)
    }

    /// Parses a suite that came from `origin`.
    pub fn parse(text: &str, origin: &str, overrides: &Overrides) -> Result<Self> {
        let document: Document = serde_yaml::from_str(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| {
                format!(":{}:{}", at.line(), at.column())
            });
            Failure::usage(format!("{origin}{place}: {error}"))
        })?;
        resolve(document, overrides).map_err(|error| Failure::usage(format!("{origin}: {error}")))
    }

    /// Checks every test as far as possible without starting anything. Returns the test that decides on the
    /// environment: one that has servers, if any has.
    pub fn check(&self, binary: Option<&PathBuf>, origin: &str) -> Result<Checked> {
        let mut decisive: Option<Checked> = None;
        for test in &self.tests {
            let checked = prepare::check(test.spec.clone(), binary.cloned())
                .and_then(|checked| prepare::wanted(&test.spec).map(|_| checked))
                .map_err(|failure| match failure {
                    Failure::Usage(error) => {
                        Failure::usage(format!("{origin}: test {}: {error:#}", test.name()))
                    }
                    other => other,
                })?;
            let decided = decisive
                .as_ref()
                .is_some_and(|before| before.system.runs_processes());
            if !decided {
                decisive = Some(checked);
            }
        }
        decisive.ok_or_else(|| Failure::usage(format!("{origin}: tests: there is none")))
    }
}

impl Test {
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The seeds of its planned runs.
    pub fn seeds(&self, of_suite: u64) -> Vec<u64> {
        match &self.seeds {
            Seeds::These(seeds) => seeds.clone(),
            Seeds::Derived(repeats) => (0..*repeats)
                .map(|n| self.derived(of_suite, u64::from(n)))
                .collect(),
        }
    }

    /// The n-th seed of a test that names none. Other tests in the suite don't change it.
    pub fn derived(&self, of_suite: u64, n: u64) -> u64 {
        // Short enough to be typed again.
        (workloads::seed::derive(of_suite, self.name()) % 1_000_000_000) + n
    }
}

fn resolve(document: Document, overrides: &Overrides) -> std::result::Result<Suite, String> {
    plain_name(&document.name).map_err(|error| format!("name: {error}"))?;
    let mut entries = document.tests.clone();
    if !document.matrix.is_empty() {
        let matrix = Value::Mapping(document.matrix.clone());
        entries.push(Mapping::from_iter([("matrix".into(), matrix)]));
    }
    let mut tests = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let place = match entry.get("name").and_then(Value::as_str) {
            Some(name) => format!("test {name}"),
            None if at < document.tests.len() => format!("test {} of the list", at + 1),
            None => "matrix".to_owned(),
        };
        let made = tests_of(entry, &document, overrides);
        tests.extend(made.map_err(|error| match error.starts_with(&place) {
            true => error,
            false => format!("{place}: {error}"),
        })?);
    }
    let mut names = BTreeSet::new();
    for test in &tests {
        if !names.insert(test.name()) {
            return Err(format!("tests: two are named {}", test.name()));
        }
    }
    for name in &overrides.only {
        if !names.contains(name.as_str()) {
            let known = Vec::from_iter(names).join(", ");
            return Err(format!("--only {name}: no such test; there are {known}"));
        }
    }
    if !overrides.only.is_empty() {
        tests.retain(|test| overrides.only.iter().any(|name| name == test.name()));
    }
    let Some(first) = tests.first() else {
        return Err("tests: there is none".to_owned());
    };
    if let Some(other) = tests.iter().find(|test| test.spec.env != first.spec.env) {
        return Err(format!(
            "tests: {} runs in env {} and {} in {}: all must run in the same",
            first.name(),
            first.spec.env,
            other.name(),
            other.spec.env
        ));
    }
    Ok(Suite {
        name: document.name,
        seed: document.seed,
        reruns: overrides.reruns.unwrap_or(document.reruns),
        corpus: document.corpus,
        tests,
    })
}

fn tests_of(
    entry: &Mapping,
    document: &Document,
    overrides: &Overrides,
) -> std::result::Result<Vec<Test>, String> {
    let (own, fields): (Mapping, Mapping) = entry
        .clone()
        .into_iter()
        .partition(|(key, _)| key.as_str().is_some_and(|key| EXTRAS.contains(&key)));
    let extras: Extras =
        serde_yaml::from_value(Value::Mapping(own)).map_err(|error| error.to_string())?;
    if extras.name.is_empty() && extras.matrix.is_empty() {
        return Err("name: a test needs one".to_owned());
    }
    let seeds = seeds(&extras, document)?;
    let expect = expectations(&document.expect, &extras.expect)?;
    let variants = matrix::variants(&extras.matrix)?;
    variants
        .into_iter()
        .map(|variant| {
            let name = match (extras.name.as_str(), variant.suffix.as_str()) {
                (name, "") => name.to_owned(),
                ("", suffix) => suffix.to_owned(),
                (name, suffix) => format!("{name}-{suffix}"),
            };
            let mut spec = document.defaults.clone();
            merge(&mut spec, &fields);
            merge(&mut spec, &variant.fields);
            let spec =
                spec_of(spec, &name, overrides).map_err(|error| format!("test {name}: {error}"))?;
            Ok(Test {
                spec,
                seeds: seeds.clone(),
                expect: expect.clone(),
            })
        })
        .collect()
}

fn spec_of(
    mut fields: Mapping,
    name: &str,
    overrides: &Overrides,
) -> std::result::Result<Spec, String> {
    plain_name(name).map_err(|error| format!("name: {error}"))?;
    for field in ["name", "seed"] {
        if fields.contains_key(field) {
            return Err(format!(
                "{field}: belongs to the suite or to a test of the list, not to fields of a test spec"
            ));
        }
    }
    fields.insert("name".into(), name.into());
    let mut spec: Spec =
        serde_yaml::from_value(Value::Mapping(fields)).map_err(|error| error.to_string())?;
    if let Some(env) = &overrides.env {
        spec.env = env.clone();
    }
    for assignment in &overrides.settings {
        spec.set(assignment).map_err(|error| error.to_string())?;
    }
    spec.validate().map_err(|error| error.to_string())?;
    Ok(spec)
}

fn seeds(extras: &Extras, document: &Document) -> std::result::Result<Seeds, String> {
    let seeds = match (&extras.seeds, extras.repeats) {
        (Some(_), Some(_)) => return Err("repeats: seeds says it already".to_owned()),
        (Some(seeds), None) => Seeds::These(seeds.clone()),
        (None, Some(repeats)) => Seeds::Derived(repeats),
        (None, None) => match &document.seeds {
            Some(seeds) => Seeds::These(seeds.clone()),
            None => Seeds::Derived(document.repeats),
        },
    };
    match &seeds {
        Seeds::Derived(repeats) if !(1..=REPEATS_MOST).contains(repeats) => {
            Err(format!("repeats: {repeats} is outside 1 to {REPEATS_MOST}"))
        }
        Seeds::These(seeds) if seeds.is_empty() => Err("seeds: there is none".to_owned()),
        Seeds::These(seeds) if BTreeSet::from_iter(seeds).len() != seeds.len() => {
            Err("seeds: one is named twice".to_owned())
        }
        _ => Ok(seeds),
    }
}

/// Those of the suite, replaced by the test's own; a test takes one away with null.
fn expectations(
    of_suite: &Mapping,
    of_test: &Mapping,
) -> std::result::Result<Expectations, String> {
    let mut written: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (key, value) in of_suite.iter().chain(of_test) {
        let name = key
            .as_str()
            .ok_or_else(|| format!("expect: {key:?} is no name of a metric"))?;
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                return Err(format!(
                    "expect: {name}: expected a threshold such as \"< 5s\""
                ));
            }
        };
        written.insert(name.to_owned(), text);
    }
    // What is taken away must exist too: else a slip in its name would go unseen.
    let every = written
        .iter()
        .filter(|(_, text)| text.is_none())
        .map(|(name, _)| name.as_str());
    for name in every {
        if results::metrics::Metric::by_name(name).is_none() {
            Expectations::parse([(name, "0")]).map_err(|error| format!("expect: {error}"))?;
        }
    }
    let kept = written
        .iter()
        .filter_map(|(name, text)| Some((name.as_str(), text.as_deref()?)));
    Expectations::parse(kept).map_err(|error| format!("expect: {error}"))
}

/// Names become folders.
fn plain_name(name: &str) -> std::result::Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !name.is_empty() && !name.starts_with('.') && name != "latest" && name.chars().all(plain)
    {
        true => Ok(()),
        false => Err(format!(
            "{name:?} must consist of letters, digits, '-', '_' and '.'"
        )),
    }
}

#[cfg(test)]
mod tests;
