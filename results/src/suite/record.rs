//! What a suite records: what it was to run, before anything runs; then one line for each run.
//!
//! One execution of a suite is called a night, whenever it happens. `suite.json` is its plan, `suite.jsonl` grows by
//! a line as each run ends. The same lines of all nights are in `history.jsonl`, and the seeds that failed in
//! `corpus.jsonl`, both beside the nights.

use super::expect::Gate;
use crate::recorded::Program;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a night was to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Of the suite.
    pub name: String,
    /// Name of the night's folder.
    pub night: String,
    /// What the seeds of tests without seeds of their own come from.
    pub seed: u64,
    /// UTC, RFC 3339.
    pub started: String,
    /// Of shakedown.
    pub version: String,
    /// What the servers run, in all tests.
    pub program: Option<Program>,
    /// The command that goes on with this night.
    pub resume: String,
    /// With a budget of time, what is run is chosen as it goes on.
    pub budget_s: Option<u64>,
    /// A seed with a violation runs so often again.
    pub reruns: u32,
    pub tests: Vec<Test>,
}

/// One test of the suite, with what it came to after defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Test {
    pub name: String,
    /// Thresholds by metric, as written.
    pub expect: BTreeMap<String, String>,
    /// Each is one run; with a budget, the first of many.
    pub seeds: Vec<u64>,
    /// Seeds that failed before and run first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corpus: Vec<u64>,
    /// How long a run is expected to take.
    pub takes_s: f64,
    /// The whole test spec.
    pub spec: serde_json::Value,
}

/// One run: a line of `suite.jsonl` and of `history.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    pub night: String,
    /// Counts from 1 in its night.
    pub number: u32,
    pub test: String,
    pub seed: u64,
    pub because: Because,
    pub ended: Ended,
    /// One sentence.
    pub reason: String,
    /// The checks that proved a violation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    pub gates: Vec<Gate>,
    /// Every measure that the run has, by its name, in the unit of the metric.
    pub metrics: BTreeMap<String, f64>,
    /// The run's folder, relative to the night's; empty if there is none to judge.
    pub run: String,
    /// The command that runs this again.
    pub repeat: String,
    /// UTC, RFC 3339.
    pub started: String,
    pub took_s: f64,
}

/// Why a run was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// The suite names it, or its budget had room for it.
    #[default]
    Planned,
    /// Its seed failed in an earlier night.
    Corpus,
    /// A run of the same test and seed had proved a violation: how often does it?
    Rerun,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    Valid,
    Invalid,
    #[default]
    Unknown,
    /// The run could not be made.
    Broken,
}

/// A seed that failed: a line of `corpus.jsonl`. The newest line of a test and seed counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failing {
    pub test: String,
    pub seed: u64,
    /// The night in which it failed.
    pub night: String,
    pub checks: Vec<String>,
    pub reason: String,
    /// The run's folder, relative to that night's.
    pub run: String,
    /// The whole test spec as it failed.
    pub spec: serde_json::Value,
}

impl Run {
    pub fn missed(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| !gate.passed)
    }
}

impl Failing {
    /// A run that proved a violation. Its spec comes from the plan.
    pub fn of(run: &Run, plan: &Plan) -> Self {
        let test = plan.tests.iter().find(|test| test.name == run.test);
        let mut spec = test.map_or(serde_json::Value::Null, |test| test.spec.clone());
        if let Some(fields) = spec.as_object_mut() {
            fields.insert("seed".into(), run.seed.into());
        }
        Self {
            test: run.test.clone(),
            seed: run.seed,
            night: run.night.clone(),
            checks: run.checks.clone(),
            reason: run.reason.clone(),
            run: run.run.clone(),
            spec,
        }
    }
}

impl From<checker::Validity> for Ended {
    fn from(valid: checker::Validity) -> Self {
        match valid {
            checker::Validity::Valid => Ended::Valid,
            checker::Validity::Invalid => Ended::Invalid,
            checker::Validity::Unknown => Ended::Unknown,
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Ended::Valid => "valid",
            Ended::Invalid => "invalid",
            Ended::Unknown => "unknown",
            Ended::Broken => "broken",
        })
    }
}
