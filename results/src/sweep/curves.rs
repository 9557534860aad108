//! Recovery time against the checkpoint interval: measured points beside the predicted line.

use super::predicted::{self, Predicted};
use super::record::{Calibration, Cell, Interval, Scenario, Sweep, Waited};
use super::waiting::{Measure, Summary};
use crate::statistics::line::r_squared;
use crate::statistics::mean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One scenario and measure, over all settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    pub scenario: Scenario,
    pub measure: Measure,
    /// One per combination of the settings other than the interval.
    pub curves: Vec<Curve>,
    pub fit: Fit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The settings besides the interval, as `checkpoint.mode=full`; empty if there are none.
    pub name: String,
    /// From the shortest interval to never.
    pub places: Vec<Place>,
}

/// A cell in its curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub cell: u32,
    pub interval: Interval,
    pub points: Vec<Point>,
    pub summary: Summary,
    /// Mean of the predictions of its points, at the ages that they met.
    pub predicted_ms: Option<f64>,
    /// If faults fell on all ages of a checkpoint alike.
    pub expected_ms: Option<f64>,
    /// Means over the recoveries, by phase.
    pub phases_ms: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub waited: Waited,
    pub predicted: Option<Predicted>,
    pub replayed_entries: Option<u64>,
}

/// How well the means of the cells follow what was predicted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Over all cells that have a mean and a prediction.
    pub cells: u64,
    pub r_squared: Option<f64>,
    /// Over those in which replaying is at least half of what is predicted.
    pub replay_cells: u64,
    pub replay_r_squared: Option<f64>,
    /// Mean of measured minus predicted, over all cells.
    pub residual_ms: Option<f64>,
}

/// All charts that there is anything to show of.
pub fn charts(sweep: &Sweep) -> Vec<Chart> {
    let makes_interval = interval_settings(sweep);
    let mut charts = Vec::new();
    for scenario in Scenario::ALL {
        for measure in Measure::ALL
            .into_iter()
            .filter(|one| one.applies_to(scenario))
        {
            charts.extend(chart(sweep, &makes_interval, scenario, measure));
        }
    }
    charts
}

fn chart(
    sweep: &Sweep,
    makes_interval: &[&str],
    scenario: Scenario,
    measure: Measure,
) -> Option<Chart> {
    let mut curves: Vec<Curve> = Vec::new();
    let cells: Vec<(&Cell, Interval)> = sweep
        .cells
        .iter()
        .filter(|cell| cell.scenario == scenario)
        .filter_map(|cell| Some((cell, cell.interval?)))
        .collect();
    // What all have in common tells no curve from another.
    let common = sweep.varied.iter().map(String::as_str).filter(|name| {
        let value = |(cell, _): &(&Cell, Interval)| cell.settings.get(*name).cloned();
        cells
            .windows(2)
            .all(|pair| value(&pair[0]) == value(&pair[1]))
    });
    let unnamed: Vec<&str> = makes_interval.iter().copied().chain(common).collect();
    for (cell, interval) in cells {
        let name = others(sweep, cell, &unnamed);
        let place = place(sweep, cell, interval, measure);
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.places.push(place),
            None => curves.push(Curve {
                name,
                places: vec![place],
            }),
        }
    }
    for curve in &mut curves {
        let ranks = |place: &Place| rank(place.interval);
        curve.places.sort_by(|a, b| ranks(a).total_cmp(&ranks(b)));
    }
    let points = || curves.iter().flat_map(|curve| &curve.places);
    let fit = Fit::of(points());
    let shown = points().any(|place| !place.points.is_empty());
    shown.then_some(Chart {
        scenario,
        measure,
        curves,
        fit,
    })
}

/// Of what is varied, that which makes the interval: two cells that differ in nothing else have different ones.
pub fn interval_settings(sweep: &Sweep) -> Vec<&str> {
    let differ_only_in = |a: &Cell, b: &Cell, name: &str| {
        a.settings.get(name) != b.settings.get(name)
            && sweep
                .varied
                .iter()
                .all(|other| other == name || a.settings.get(other) == b.settings.get(other))
    };
    let makes = |name: &&str| {
        sweep.cells.iter().any(|a| {
            let others = sweep.cells.iter().filter(|b| a.interval != b.interval);
            others.into_iter().any(|b| differ_only_in(a, b, name))
        })
    };
    sweep
        .varied
        .iter()
        .map(String::as_str)
        .filter(makes)
        .collect()
}

/// The settings of a cell but those, as `checkpoint.mode=full sync=always`.
pub fn others(sweep: &Sweep, cell: &Cell, but: &[&str]) -> String {
    let settings = sweep.varied.iter().filter_map(|name| {
        let value = cell.settings.get(name)?;
        (!but.contains(&name.as_str())).then(|| format!("{name}={value}"))
    });
    settings.collect::<Vec<_>>().join(" ")
}

/// Orders intervals; of one kind as a rule.
pub fn rank(interval: Interval) -> f64 {
    match interval {
        Interval::Entries(entries) => entries as f64,
        Interval::Bytes(bytes) => bytes as f64,
        Interval::Seconds(seconds) => seconds,
        Interval::Never => f64::INFINITY,
    }
}

fn place(sweep: &Sweep, cell: &Cell, interval: Interval, measure: Measure) -> Place {
    let calibration: &Calibration = &sweep.calibration;
    let recoveries: Vec<_> = sweep
        .repeats_of(cell.number)
        .flat_map(|repeat| &repeat.recoveries)
        .collect();
    let points: Vec<Point> = recoveries
        .iter()
        .filter_map(|recovered| {
            Some(Point {
                waited: measure.of(recovered)?,
                predicted: predicted::predict(calibration, cell.scenario, measure, recovered),
                replayed_entries: recovered.replayed_entries,
            })
        })
        .collect();
    let waited: Vec<Waited> = points.iter().map(|point| point.waited).collect();
    let predictions: Option<Vec<f64>> = points
        .iter()
        .map(|point| point.predicted.map(|one| one.total_ms()))
        .collect();
    let mut phases: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for recovered in &recoveries {
        for (name, ms) in &recovered.phases_ms {
            phases.entry(name.clone()).or_default().push(*ms);
        }
    }
    Place {
        cell: cell.number,
        interval,
        summary: Summary::of(&waited),
        points,
        predicted_ms: predictions.and_then(|all| mean(&all)),
        expected_ms: predicted::expected(calibration, cell, measure).map(|one| one.total_ms()),
        phases_ms: phases
            .into_iter()
            .filter_map(|(name, all)| Some((name, mean(&all)?)))
            .collect(),
    }
}

impl Place {
    /// Whether replaying is at least half of what is predicted for its recoveries together.
    pub fn is_mostly_replay(&self) -> bool {
        let predictions = || self.points.iter().filter_map(|point| point.predicted);
        let replay: f64 = predictions().map(|one| one.replay_ms).sum();
        let total: f64 = predictions().map(|one| one.total_ms()).sum();
        total > 0.0 && replay * 2.0 >= total
    }
}

impl Fit {
    fn of<'a>(places: impl Iterator<Item = &'a Place>) -> Self {
        let known: Vec<(&Place, (f64, f64))> = places
            .filter_map(|place| Some((place, (place.summary.mean_ms?, place.predicted_ms?))))
            .collect();
        let all: Vec<(f64, f64)> = known.iter().map(|(_, pair)| *pair).collect();
        let replay: Vec<(f64, f64)> = known
            .iter()
            .filter(|(place, _)| place.is_mostly_replay())
            .map(|(_, pair)| *pair)
            .collect();
        let residuals: Vec<f64> = all.iter().map(|(measured, said)| measured - said).collect();
        // Of two cells the one explains the other.
        let explained = |pairs: &[(f64, f64)]| match pairs.len() {
            0..=2 => None,
            _ => r_squared(pairs.iter().copied()),
        };
        Self {
            cells: all.len() as u64,
            r_squared: explained(&all),
            replay_cells: replay.len() as u64,
            replay_r_squared: explained(&replay),
            residual_ms: mean(&residuals),
        }
    }
}
