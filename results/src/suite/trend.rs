//! The measures of a suite over its nights, and where their level changed.
//!
//! One value a night: the median of the test's planned runs. Seeds that failed before and reruns are left out: they
//! were chosen for what they do. Change points are those of [`change_points`], held to a level that takes account
//! of how many series are searched.

use super::record::{Because, Run};
use super::summary::{Summary, Tested};
use crate::metrics::{Better, Metric};
use crate::statistics::change::{ChangePoint, change_points};
use crate::statistics::median;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Besides those with thresholds.
const ALWAYS: [&str; 5] = [
    "throughput.ok",
    "latency.p99",
    "outage.longest",
    "rto.first_success_p50",
    "rto.steady_p50",
];
/// Of all series of a suite together.
const ALPHA: f64 = 0.05;
/// The least p that the search can find.
const LEAST_P: f64 = 0.001;
/// A smaller change of level is nothing to tell of, as in a comparison.
const LEAST_CHANGE: f64 = 0.02;
const NIGHTS_MOST: usize = 200;

/// A measure of a test over the nights, the oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    pub test: String,
    pub metric: &'static Metric,
    /// Night and value.
    pub points: Vec<(String, f64)>,
    pub changes: Vec<ChangePoint>,
}

/// A change of level, told of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shift {
    pub test: String,
    pub metric: String,
    /// The first night of the new level.
    pub night: String,
    /// Nights since, that one included.
    pub nights: usize,
    /// Medians of the nights to both sides, in the unit of the metric.
    pub before: f64,
    pub after: f64,
    pub worse: bool,
    pub p: f64,
}

/// The trends of the tests of a night, of those measures that it has.
pub fn trends(summary: &Summary, history: &[Run]) -> Vec<Trend> {
    let mut trends: Vec<Trend> = summary
        .tests
        .iter()
        .flat_map(|test| of_test(test, history))
        .filter(|trend| trend.points.len() > 1)
        .collect();
    let alpha = (ALPHA / trends.len().max(1) as f64).max(LEAST_P);
    for trend in &mut trends {
        let values: Vec<f64> = trend.points.iter().map(|(_, value)| *value).collect();
        trend.changes = change_points(&values, alpha, 1)
            .into_iter()
            .filter(|change| {
                (change.after - change.before).abs() >= LEAST_CHANGE * change.before.abs()
            })
            .collect();
    }
    trends
}

fn of_test(test: &Tested, history: &[Run]) -> Vec<Trend> {
    let mut nights: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    let planned = history
        .iter()
        .filter(|run| run.test == test.name && run.because == Because::Planned);
    for run in planned {
        nights.entry(&run.night).or_default().push(run);
    }
    let skipped = nights.len().saturating_sub(NIGHTS_MOST);
    crate::metrics::ALL
        .iter()
        .filter(|metric| test.expect.contains_key(metric.name) || ALWAYS.contains(&metric.name))
        .map(|metric| {
            let points = nights.iter().skip(skipped).filter_map(|(night, runs)| {
                let values = runs.iter().filter_map(|run| run.metrics.get(metric.name));
                let values: Vec<f64> = values.copied().collect();
                Some(((*night).to_owned(), median(&values)?))
            });
            Trend {
                test: test.name.clone(),
                metric,
                points: points.collect(),
                changes: Vec::new(),
            }
        })
        .collect()
}

/// The newest change of each series, what became worse first.
pub fn shifts(trends: &[Trend]) -> Vec<Shift> {
    let mut shifts: Vec<Shift> = trends
        .iter()
        .filter_map(|trend| {
            let change = trend.changes.last()?;
            let rose = change.after > change.before;
            Some(Shift {
                test: trend.test.clone(),
                metric: trend.metric.name.to_owned(),
                night: trend.points[change.at].0.clone(),
                nights: trend.points.len() - change.at,
                before: change.before,
                after: change.after,
                worse: rose == (trend.metric.better == Better::Lower),
                p: change.p,
            })
        })
        .collect();
    shifts.sort_by_key(|shift| (!shift.worse, shift.nights));
    shifts
}

impl std::fmt::Display for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = |value: f64| match Metric::by_name(&self.metric) {
            Some(metric) => crate::compare::text::value(value, metric.unit),
            None => value.to_string(),
        };
        write!(
            f,
            "{} of {} became {}: from {} to {}, since night {} ({} night{})",
            self.metric,
            self.test,
            if self.worse { "worse" } else { "better" },
            said(self.before),
            said(self.after),
            self.night,
            self.nights,
            if self.nights == 1 { "" } else { "s" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Ended;
    use super::super::summary::tests::{plan, run};
    use super::*;

    /// Nights of a test whose throughput falls after the first 15.
    fn history(nights: u32) -> Vec<Run> {
        (0..nights)
            .flat_map(|night| {
                let level = if night < 15 { 500.0 } else { 400.0 };
                let noise = f64::from(night * 7919 % 13);
                [Because::Planned, Because::Corpus].map(|because| Run {
                    night: format!("2026{night:04}"),
                    because,
                    metrics: BTreeMap::from([
                        (
                            "throughput.ok".to_owned(),
                            match because {
                                Because::Planned => level + noise,
                                _ => 1.0,
                            },
                        ),
                        ("latency.p99".to_owned(), 10.0 + noise),
                    ]),
                    ..run(1, "a", night.into(), Ended::Valid)
                })
            })
            .collect()
    }

    fn found(nights: u32) -> Vec<Trend> {
        let history = history(nights);
        let summary = Summary::of(&plan(&[("a", &[])]), Vec::new(), false, Vec::new());
        trends(&summary, &history)
    }

    #[test]
    fn a_fall_is_found_at_its_night_and_said_to_be_worse() {
        let trends = found(30);
        let shifts = shifts(&trends);
        assert_eq!(shifts.len(), 1, "{shifts:?}");
        assert_eq!(
            (shifts[0].night.as_str(), shifts[0].nights),
            ("20260015", 15)
        );
        let said = shifts[0].to_string();
        assert!(
            said.starts_with("throughput.ok of a became worse: from 50"),
            "{said}"
        );
    }

    #[test]
    fn seeds_chosen_for_what_they_do_are_left_out() {
        let trends = found(3);
        let throughput = trends.iter().find(|t| t.metric.name == "throughput.ok");
        let points = &throughput.unwrap().points;
        assert_eq!(points.len(), 3);
        assert!(points.iter().all(|(_, value)| *value >= 500.0));
    }

    #[test]
    fn one_night_is_no_trend() {
        assert!(found(1).is_empty());
    }
}
