//! The settings of a run: a YAML spec, changed by flags.
//!
//! What is resolved here is stored as `spec.yaml` in the run folder, so that a run can be repeated and
//! a report can say what was tested.

use crate::exit::{Failure, Result};
use nemesis::PlannedFault;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// All settings of a run. Absent fields take the default of `shakedown test`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Names the folder below `runs/`.
    pub name: String,
    pub system: String,
    /// Settings of the system, as documented by `shakedown list`.
    pub settings: BTreeMap<String, Setting>,
    /// `auto`, `netns` or `loopback`.
    pub env: String,
    pub nodes: usize,
    pub workloads: Vec<String>,
    /// Bytes that are written before the run, under keys that no workload uses.
    pub prefill: Size,
    /// Bulk writes while the load goes on, besides those that are judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// Kinds of fault; empty: nothing is broken.
    pub nemesis: Vec<String>,
    /// Faults at their times, as `--plan --json` prints them: instead of those that the seed would choose
    /// from `nemesis`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<PlannedFault>,
    /// Length of the main phase.
    pub time: Span,
    /// Operations per second that the history clients aim at, together.
    pub rate: u64,
    /// Number of history clients.
    pub clients: usize,
    /// Limit of one operation.
    pub deadline: Span,
    /// Between two probes of the same kind of connection.
    pub probe_every: Span,
    /// Between two questions to each server for its status.
    pub status_every: Span,
    /// Time without faults before the final reads.
    pub quiet: Span,
    /// Limits of each checker.
    pub check_time: Span,
    pub check_memory: Size,
    /// End the load at the first violation that is found while it goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail_fast: bool,
    /// Fewer completed operations than this: the run is unknown.
    pub min_ops: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// Writes that fill the log and change the state, so that there is something to checkpoint and to recover. They
/// are neither recorded nor judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Background {
    /// Writes per second that are aimed at, together.
    pub rate: u64,
    pub clients: usize,
    /// Bytes of a value.
    pub value: Size,
    /// Number of different keys; 0: as many as the prefill wrote, at least 1,000.
    pub keys: u64,
}

impl Default for Background {
    fn default() -> Self {
        Self {
            rate: 2_000,
            clients: 16,
            value: Size(1 << 10),
            keys: 0,
        }
    }
}

/// A value of a setting, as written: `1000`, `50ms`, `always`, `true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Setting(pub String);

/// A duration written with its unit: `30s`, `1m 30s`, `20ms`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes written with its unit: `64MiB`, `1GB`, `4096B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Default for Spec {
    fn default() -> Self {
        Self {
            name: "test".into(),
            system: "strata".into(),
            settings: BTreeMap::new(),
            env: "auto".into(),
            nodes: 5,
            workloads: vec!["register".into(), "ledger".into()],
            prefill: Size(1 << 20),
            background: None,
            nemesis: ["kill", "pause", "partition", "lag"]
                .map(String::from)
                .to_vec(),
            schedule: Vec::new(),
            time: Span(Duration::from_secs(60)),
            rate: 800,
            clients: 20,
            deadline: Span(Duration::from_secs(2)),
            probe_every: Span(Duration::from_millis(20)),
            status_every: Span(Duration::from_millis(50)),
            quiet: Span(Duration::from_secs(3)),
            check_time: Span(Duration::from_secs(120)),
            check_memory: Size(2 << 30),
            fail_fast: false,
            min_ops: 1_000,
            seed: None,
        }
    }
}

impl Spec {
    /// Reads a spec; errors name the file, line and column.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses a spec that came from `origin`.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // The spec.yaml of a run folder repeats that run.
        let stored = serde_yaml::from_str::<serde_yaml::Value>(text)
            .is_ok_and(|value| value.get("spec").is_some());
        if stored {
            return Ok(crate::run::stored::Stored::parse(text, origin)?.spec);
        }
        serde_yaml::from_str(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| {
                format!(":{}:{}", at.line(), at.column())
            });
            Failure::usage(format!("{origin}{place}: {error}"))
        })
    }

    /// Applies `--set key=value`.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let (key, value) = assignment
            .split_once('=')
            .filter(|(key, value)| !key.trim().is_empty() && !value.trim().is_empty())
            .ok_or_else(|| Failure::usage(format!("--set {assignment}: expected key=value")))?;
        self.settings
            .insert(key.trim().to_owned(), Setting(value.trim().to_owned()));
        Ok(())
    }

    /// Checks what can be checked without an environment; an error names the field.
    pub fn validate(&self) -> Result<()> {
        let bounds = [
            ("nodes", self.nodes as u64, 1, 9),
            ("clients", self.clients as u64, 1, 1_024),
            ("rate", self.rate, 1, 10_000_000),
            ("time", self.time.0.as_secs(), 1, 86_400),
            ("deadline", self.deadline.0.as_millis() as u64, 10, 60_000),
            (
                "probe_every",
                self.probe_every.0.as_millis() as u64,
                2,
                10_000,
            ),
            (
                "status_every",
                self.status_every.0.as_millis() as u64,
                10,
                10_000,
            ),
            ("quiet", self.quiet.0.as_secs(), 0, 600),
            ("prefill", self.prefill.0 >> 20, 0, 16_384),
        ];
        within(&bounds)?;
        if let Some(background) = &self.background {
            background.validate()?;
        }
        if self.workloads.is_empty() {
            return Err(Failure::usage("workloads: at least one is needed"));
        }
        let name_is_plain = !self.name.is_empty()
            && self
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !self.name.starts_with('.');
        if !name_is_plain {
            return Err(Failure::usage(format!(
                "name: {:?} must consist of letters, digits, '-', '_' and '.'",
                self.name
            )));
        }
        Ok(())
    }

    /// The settings for the system's adapter.
    pub fn system_settings(&self) -> BTreeMap<String, String> {
        self.settings
            .iter()
            .map(|(key, value)| (key.clone(), value.0.clone()))
            .collect()
    }
}

impl Background {
    fn validate(&self) -> Result<()> {
        within(&[
            ("background.rate", self.rate, 1, 10_000_000),
            ("background.clients", self.clients as u64, 1, 1_024),
            ("background.value", self.value.0, 16, 1 << 20),
            ("background.keys", self.keys, 0, 1 << 32),
        ])
    }
}

/// Checks values against their bounds, both of them allowed; an error names the field.
pub(crate) fn within(bounds: &[(&str, u64, u64, u64)]) -> Result<()> {
    for (field, value, low, high) in bounds {
        if !(low..=high).contains(&value) {
            return Err(Failure::usage(format!(
                "{field}: {value} is outside {low} to {high}"
            )));
        }
    }
    Ok(())
}

impl Span {
    pub fn nanos(self) -> u64 {
        self.0.as_nanos() as u64
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        humantime::parse_duration(text).map(Span).map_err(|_| {
            format!("{text:?} is no duration; write it with its unit, for example 30s or 50ms")
        })
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim() {
            "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .filter(|_| factor > 0)
            .map(Size)
            .ok_or_else(|| {
                format!("{text:?} is no size; write it with its unit, for example 64MiB")
            })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units
            .iter()
            .find(|(factor, _)| self.0 >= *factor && self.0.is_multiple_of(*factor))
        {
            Some((factor, unit)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Settings may be written as YAML numbers and booleans; they are kept as text.
impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Scalar {
            Bool(bool),
            Int(i64),
            Text(String),
        }
        Ok(Setting(match Scalar::deserialize(deserializer) {
            Ok(Scalar::Bool(value)) => value.to_string(),
            Ok(Scalar::Int(value)) => value.to_string(),
            Ok(Scalar::Text(value)) => value,
            Err(_) => {
                return Err(serde::de::Error::custom(
                    "a setting must be text, a whole number or true/false",
                ));
            }
        }))
    }
}

#[cfg(test)]
mod document;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_spec_survives_a_round_trip() {
        let text = serde_yaml::to_string(&Spec::default()).unwrap();
        assert_eq!(Spec::parse(&text, "spec.yaml").unwrap(), Spec::default());
    }

    #[test]
    fn an_unknown_field_is_named_with_its_place() {
        let error = Spec::parse("nodes: 3\nnemisis: [kill]\n", "my.yaml").unwrap_err();
        assert_eq!(error.code(), crate::exit::USAGE);
        let text = error.to_string();
        assert!(
            text.starts_with("my.yaml:2:1") && text.contains("nemisis"),
            "{text}"
        );
    }

    #[test]
    fn a_duration_without_unit_is_refused() {
        let text = Spec::parse("time: \"60\"\n", "my.yaml")
            .unwrap_err()
            .to_string();
        assert!(text.contains("write it with its unit"), "{text}");
    }

    #[test]
    fn numbers_and_text_are_settings_alike() {
        let spec = Spec::parse(
            "settings: {checkpoint.every: 1000, sync: always}",
            "my.yaml",
        )
        .unwrap();
        assert_eq!(spec.system_settings()["checkpoint.every"], "1000");
        assert_eq!(spec.system_settings()["sync"], "always");
    }

    #[test]
    fn sizes_are_read_and_written_with_units() {
        for text in ["64MiB", "1GiB", "1000B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert!("64".parse::<Size>().is_err());
        assert!("99999999999GiB".parse::<Size>().is_err());
    }

    #[test]
    fn a_value_out_of_bounds_names_its_field() {
        let spec = Spec {
            nodes: 0,
            ..Spec::default()
        };
        assert!(
            spec.validate()
                .unwrap_err()
                .to_string()
                .starts_with("nodes: 0")
        );
    }

    #[test]
    fn an_assignment_needs_both_sides() {
        let mut spec = Spec::default();
        assert!(spec.set("sync=").is_err() && spec.set("sync").is_err());
        spec.set("sync=interval=50ms").unwrap();
        assert_eq!(spec.settings["sync"].0, "interval=50ms");
    }
}
