//! Thresholds on the measures of a run: `rto.steady_p95: "< 5s"`, `rpo.lost: 0`, `throughput.ok: ">= 500/s"`.
//!
//! A threshold is read once, before anything runs: what could never hold because of a slip in writing is an error
//! that names the metric. A measure that a run does not have is a threshold missed, never one met: "no data"
//! must not look like "no loss".

use crate::Results;
use crate::metrics::{self, Metric, Unit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Thresholds by the name of their metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Expectations(BTreeMap<String, Threshold>);

/// What a measure must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    relation: Relation,
    /// In the unit of the metric.
    bound: f64,
    /// As it was written, with its relation.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// How a run stood to one threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub metric: String,
    pub expected: String,
    /// In the unit of the metric; none: not measured.
    pub found: Option<f64>,
    pub passed: bool,
}

/// Longest first: `<=` begins with `<`.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("<", Relation::Less),
    (">", Relation::Greater),
    ("=", Relation::Equal),
];

impl Expectations {
    /// Reads thresholds as they were written; an error names the metric.
    pub fn parse<'a>(
        written: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let mut read = BTreeMap::new();
        for (name, text) in written {
            let metric = Metric::by_name(name).ok_or_else(|| unknown(name))?;
            let threshold =
                Threshold::parse(text, metric.unit).map_err(|error| format!("{name}: {error}"))?;
            read.insert(name.to_owned(), threshold);
        }
        Ok(Self(read))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Metric and threshold, as written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, threshold)| (name.as_str(), threshold.text.as_str()))
    }

    /// Holds a run against every threshold.
    pub fn judge(&self, results: &Results) -> Vec<Gate> {
        self.0
            .iter()
            .map(|(name, threshold)| {
                let found = Metric::by_name(name)
                    .and_then(|metric| metric.of(results))
                    .filter(|value| value.is_finite());
                threshold.gate(name, found)
            })
            .collect()
    }
}

impl Threshold {
    fn parse(text: &str, unit: Unit) -> Result<Self, String> {
        let text = text.trim();
        let related = RELATIONS
            .iter()
            .find_map(|(sign, relation)| Some((*relation, text.strip_prefix(sign)?)));
        let (relation, amount) = related.unwrap_or((Relation::Equal, text));
        let bound = amount_in(amount.trim(), unit)
            .ok_or_else(|| format!("{text:?} is no threshold; expected {}", expected(unit)))?;
        Ok(Self {
            relation,
            bound,
            text: match related {
                Some(_) => text.to_owned(),
                None => format!("== {text}"),
            },
        })
    }

    fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::Less => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::Equal => value == self.bound,
            Relation::AtLeast => value >= self.bound,
            Relation::Greater => value > self.bound,
        }
    }

    fn gate(&self, metric: &str, found: Option<f64>) -> Gate {
        Gate {
            metric: metric.to_owned(),
            expected: self.text.clone(),
            found,
            passed: found.is_some_and(|value| self.holds(value)),
        }
    }
}

impl Serialize for Threshold {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Gate {
    /// What was found, for a reader.
    pub fn found(&self) -> String {
        match (self.found, Metric::by_name(&self.metric)) {
            (Some(value), Some(metric)) => crate::compare::text::value(value, metric.unit),
            (Some(value), None) => value.to_string(),
            (None, _) => "not measured".to_owned(),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}, expected {}",
            self.metric,
            self.found(),
            self.expected
        )
    }
}

/// An amount in the unit of a metric. A unit that belongs to another kind of measure is none.
fn amount_in(text: &str, unit: Unit) -> Option<f64> {
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let scale = |units: &[(&str, f64)]| {
        let known = units.iter().find(|(name, _)| *name == suffix.trim());
        // Nothing is nothing in every unit.
        let bare = (number == 0.0 && suffix.is_empty()).then_some(1.0);
        known.map(|(_, factor)| *factor).or(bare)
    };
    let factor = match unit {
        Unit::Time => scale(&TIMES)? * 1e3,
        Unit::Seconds => scale(&TIMES)?,
        Unit::Bytes => scale(&BYTES)?,
        Unit::Count => scale(&[("", 1.0)])?,
        Unit::PerSecond => scale(&[("/s", 1.0)])?,
        // Read as a decimal: dividing would give the neighbour of 0.999 for 99.9 %.
        Unit::Ratio if suffix.trim() == "%" => {
            return format!("{}e-2", &text[..split]).parse().ok();
        }
        Unit::Ratio => scale(&[("", 1.0)])?,
    };
    Some(number * factor)
}

/// In seconds.
const TIMES: [(&str, f64); 6] = [
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3_600.0),
];

const BYTES: [(&str, f64); 7] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];

fn expected(unit: Unit) -> String {
    let what = match unit {
        Unit::Time | Unit::Seconds => "a duration with its unit",
        Unit::Bytes => "a size with its unit",
        Unit::Count => "a number without unit",
        Unit::PerSecond => "a rate",
        Unit::Ratio => "a number or a percentage",
    };
    format!("a relation and {what}, such as \"<= {}\"", unit.example())
}

fn unknown(name: &str) -> String {
    let nearest = metrics::ALL
        .iter()
        .map(|metric| (strsim::levenshtein(name, metric.name), metric.name))
        .min();
    match nearest {
        // Beyond this a suggestion would be a guess.
        Some((away, near)) if away <= name.len().max(near.len()) / 2 => {
            format!("{name}: no such metric; did you mean {near}?")
        }
        _ => format!(
            "{name}: no such metric; there are {}",
            metrics::ALL
                .iter()
                .map(|metric| metric.name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(text: &str, unit: Unit) -> Threshold {
        Threshold::parse(text, unit).unwrap()
    }

    #[test]
    fn thresholds_are_read_in_the_unit_of_their_metric() {
        for (text, unit, bound) in [
            ("< 5s", Unit::Time, 5_000.0),
            ("<= 1.5 s", Unit::Time, 1_500.0),
            ("<20ms", Unit::Seconds, 0.02),
            ("0", Unit::Count, 0.0),
            ("0", Unit::Time, 0.0),
            (">= 500/s", Unit::PerSecond, 500.0),
            (">= 99.9 %", Unit::Ratio, 0.999),
            (">= 0.999", Unit::Ratio, 0.999),
            ("<= 64MiB", Unit::Bytes, 67_108_864.0),
        ] {
            assert_eq!(threshold(text, unit).bound, bound, "{text}");
        }
    }

    #[test]
    fn a_unit_that_is_missing_or_of_another_kind_is_refused() {
        for (text, unit) in [
            ("< 5", Unit::Time),
            ("< 5MiB", Unit::Time),
            ("5s", Unit::Count),
            (">= 500", Unit::PerSecond),
            ("many", Unit::Count),
            ("", Unit::Count),
            ("< -1s", Unit::Time),
            ("!= 3", Unit::Count),
        ] {
            let error = Threshold::parse(text, unit).unwrap_err();
            assert!(error.contains("expected a relation"), "{text}: {error}");
        }
    }

    #[test]
    fn each_relation_holds_where_it_says() {
        for (text, holds, fails) in [
            ("< 5", 4.0, 5.0),
            ("<= 5", 5.0, 6.0),
            ("== 5", 5.0, 4.0),
            ("5", 5.0, 6.0),
            (">= 5", 5.0, 4.0),
            ("> 5", 6.0, 5.0),
        ] {
            let threshold = threshold(text, Unit::Count);
            assert!(threshold.holds(holds) && !threshold.holds(fails), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let gate = threshold("0", Unit::Count).gate("rpo.lost", None);
        assert!(!gate.passed);
        assert_eq!(gate.to_string(), "rpo.lost is not measured, expected == 0");
    }

    #[test]
    fn an_unknown_metric_is_named_with_a_suggestion() {
        let error = Expectations::parse([("rto.steady_p96", "< 5s")]).unwrap_err();
        assert_eq!(
            error,
            "rto.steady_p96: no such metric; did you mean rto.steady_p95?"
        );
        let error = Expectations::parse([("x", "0")]).unwrap_err();
        assert!(error.contains("there are throughput.ok"), "{error}");
    }
}
