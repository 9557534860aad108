//! What a sweep is asked to do: a YAML file.

use super::axes::Axes;
use crate::exit::{Failure, Result};
use crate::spec::{Setting, Span, Spec};
use results::sweep::Scenario;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// All of it, as read and as stored. docs/sweep.md explains each field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepSpec {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The fields of a test spec that all runs share.
    pub base: serde_yaml::Mapping,
    /// Settings of the system and fields of the base, each with the values to try.
    pub vary: Axes,
    pub scenarios: Vec<Planned>,
    /// Recoveries wanted in each cell that has faults.
    pub recoveries: u32,
    /// Faults in one run, at the most.
    pub per_run: u32,
    /// Runs without faults for each combination of settings, and how long each lasts.
    pub controls: u32,
    pub control_time: Span,
    /// Before the first fault.
    pub warmup: Span,
    /// From a kill to the restart, from a cut to its mending.
    pub down: Span,
    /// After a fault was healed, before the next one: at least...
    pub gap: Span,
    /// ...and at random up to this longer, so that faults fall on all ages of a checkpoint.
    pub spread: Span,
    /// Runs that measure what predictions are made of.
    pub calibrate: Vec<Case>,
    /// How often each of them is made.
    pub calibrations: u32,
}

/// A scenario, with what it needs besides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    pub scenario: Scenario,
    /// Settings and fields that hold in its runs only.
    pub with: BTreeMap<String, Setting>,
    /// Instead of the sweep's values, or besides.
    pub vary: Axes,
    pub recoveries: Option<u32>,
    pub per_run: Option<u32>,
}

/// Runs of one scenario with some settings, before the cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub scenario: Scenario,
    #[serde(default)]
    pub with: BTreeMap<String, Setting>,
}

impl Default for SweepSpec {
    fn default() -> Self {
        let seconds = |s| Span(Duration::from_secs(s));
        Self {
            name: "sweep".into(),
            seed: None,
            base: serde_yaml::Mapping::new(),
            vary: Axes::default(),
            scenarios: [Scenario::KillFollower, Scenario::KillLeader]
                .map(Planned::of)
                .to_vec(),
            recoveries: 20,
            per_run: 5,
            controls: 3,
            control_time: seconds(20),
            warmup: seconds(3),
            down: Span(Duration::from_millis(100)),
            gap: seconds(3),
            spread: seconds(10),
            calibrate: Vec::new(),
            calibrations: 2,
        }
    }
}

impl Planned {
    fn of(scenario: Scenario) -> Self {
        Self {
            scenario,
            with: BTreeMap::new(),
            vary: Axes::default(),
            recoveries: None,
            per_run: None,
        }
    }
}

/// Either the name of a scenario or a map with the field `scenario`.
impl<'de> Deserialize<'de> for Planned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            scenario: Scenario,
            #[serde(default)]
            with: BTreeMap<String, Setting>,
            #[serde(default)]
            vary: Axes,
            recoveries: Option<u32>,
            per_run: Option<u32>,
        }
        let value = serde_yaml::Value::deserialize(deserializer)?;
        let planned = match value.is_string() {
            true => serde_yaml::from_value(value).map(Planned::of),
            false => serde_yaml::from_value(value).map(|long: Long| Planned {
                scenario: long.scenario,
                with: long.with,
                vary: long.vary,
                recoveries: long.recoveries,
                per_run: long.per_run,
            }),
        };
        planned.map_err(serde::de::Error::custom)
    }
}

/// Fields of a test that are a sweep's own to choose.
const OURS: [&str; 6] = ["nemesis", "schedule", "time", "seed", "name", "fail_fast"];

impl SweepSpec {
    /// Reads a spec; errors name the file, line and column.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        Self::parse(&text, &path.display().to_string())
    }

    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        serde_yaml::from_str(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| {
                format!(":{}:{}", at.line(), at.column())
            });
            Failure::usage(format!("{origin}{place}: {error}"))
        })
    }

    /// The base as a test without faults.
    pub fn base(&self) -> Result<Spec> {
        if let Some(field) = OURS.iter().find(|field| self.base.contains_key(**field)) {
            return Err(Failure::usage(format!(
                "base.{field}: a sweep chooses this itself; see scenarios, control_time, seed and name of the sweep"
            )));
        }
        let base = serde_yaml::Value::Mapping(self.base.clone());
        let spec: Spec = serde_yaml::from_value(base)
            .map_err(|error| Failure::usage(format!("base: {error}")))?;
        Ok(Spec {
            nemesis: Vec::new(),
            ..spec
        })
    }

    /// Checks what can be checked of the sweep itself; an error names the field.
    pub fn validate(&self) -> Result<()> {
        let ms = |span: Span| span.0.as_millis() as u64;
        let bounds = [
            ("recoveries", self.recoveries.into(), 1, 10_000),
            ("per_run", self.per_run.into(), 1, 100),
            ("controls", self.controls.into(), 0, 1_000),
            ("calibrations", self.calibrations.into(), 0, 100),
            ("control_time", ms(self.control_time), 1_000, 3_600_000),
            ("warmup", ms(self.warmup), 0, 600_000),
            ("down", ms(self.down), 0, 600_000),
            ("gap", ms(self.gap), 500, 600_000),
            ("spread", ms(self.spread), 0, 3_600_000),
        ];
        crate::spec::within(&bounds)?;
        let used = |name: &str| {
            let fixed = self.scenarios.iter().flat_map(|one| one.with.keys());
            let cases = self.calibrate.iter().flat_map(|case| case.with.keys());
            let varied = self.scenarios.iter().flat_map(|one| one.vary.names());
            let all = fixed.chain(cases).map(String::as_str).chain(varied);
            all.chain(self.vary.names()).any(|other| other == name)
        };
        if let Some(field) = OURS.iter().find(|field| used(field)) {
            return Err(Failure::usage(format!(
                "vary: {field}: a sweep chooses this itself"
            )));
        }
        if used("env") || used("system") {
            return Err(Failure::usage(
                "vary: all runs of a sweep have one env and one system; make a sweep for each and compare them",
            ));
        }
        for planned in &self.scenarios {
            if planned.scenario == Scenario::Control {
                return Err(Failure::usage(
                    "scenarios: control: each combination has its controls already; see controls",
                ));
            }
            let per_run = planned.per_run.unwrap_or(self.per_run);
            if planned.scenario == Scenario::PowerLoss && planned.per_run.is_some() && per_run != 1
            {
                return Err(Failure::usage(format!(
                    "scenarios: power-loss: per_run: {per_run}: one run loses once, so that what it lost is known"
                )));
            }
        }
        if self.scenarios.is_empty() && self.controls == 0 {
            return Err(Failure::usage("scenarios: at least one is needed"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let parsed = SweepSpec::parse(text, "my.yaml");
        let failure = parsed
            .and_then(|spec| spec.validate().and_then(|()| spec.base()))
            .expect_err("it is refused");
        assert_eq!(failure.code(), crate::exit::USAGE);
        failure.to_string()
    }

    #[test]
    fn a_scenario_is_a_name_or_a_map() {
        let text = "scenarios:\n  - kill-all\n  - {scenario: power-loss, with: {disk: power-loss}}";
        let spec = SweepSpec::parse(text, "my.yaml").unwrap();
        assert_eq!(spec.scenarios[0], Planned::of(Scenario::KillAll));
        assert_eq!(spec.scenarios[1].with["disk"].0, "power-loss");
    }

    #[test]
    fn what_is_stored_is_read_again_as_it_was() {
        let text = "vary: {sync: [always, never], checkpoint.every: [100, 0]}\nscenarios: [lag]";
        let spec = SweepSpec::parse(text, "my.yaml").unwrap();
        let stored = serde_yaml::to_string(&spec).unwrap();
        assert_eq!(SweepSpec::parse(&stored, "sweep.yaml").unwrap(), spec);
    }

    #[test]
    fn bad_input_is_named() {
        for (text, named) in [
            ("recoverys: 3", "my.yaml:1:1: unknown field `recoverys`"),
            ("scenarios: [kil-all]", "unknown variant `kil-all`"),
            ("scenarios: [control]", "scenarios: control"),
            ("gap: 1ms", "gap: 1 is outside"),
            ("base: {nemesis: [kill]}", "base.nemesis"),
            ("base: {nodse: 3}", "base: unknown field `nodse`"),
            ("vary: {env: [netns, loopback]}", "one env and one system"),
            ("vary: {time: [1s]}", "vary: time"),
            (
                "scenarios: [{scenario: power-loss, per_run: 3}]",
                "scenarios: power-loss: per_run: 3",
            ),
        ] {
            let refused = refusal(text);
            assert!(refused.contains(named), "{text}: {refused}");
        }
    }
}
