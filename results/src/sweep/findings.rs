//! All that a sweep says.

use super::cost::{Costs, costs};
use super::curves::{Chart, charts};
use super::loss::{Loss, is_allowed, losses};
use super::optimum::{Optimum, optima};
use super::recommend::{Recommendation, Target, recommend};
use super::record::{Calibration, Repeat, Scenario, Sweep};
use serde::{Deserialize, Serialize};

/// `results.json` of a sweep, but for the records themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub charts: Vec<Chart>,
    pub losses: Vec<Loss>,
    pub costs: Vec<Costs>,
    pub recommendation: Recommendation,
    pub calibration: Calibration,
    pub optima: Vec<Optimum>,
    /// What is missing or limits what is said, one sentence each.
    pub remarks: Vec<String>,
    /// Runs that proved a violation: cell and folder.
    pub violations: Vec<(u32, String)>,
}

/// So few recoveries in a cell are too few for a published curve.
const PUBLISHED: u32 = 20;

pub fn analyse(sweep: &Sweep, target: Target) -> Findings {
    let charts = charts(sweep);
    let costs = costs(sweep);
    let losses = losses(sweep);
    let recommendation = recommend(sweep, &costs, &losses, target);
    let violations = sweep
        .repeats
        .iter()
        .filter(|repeat| repeat.valid == checker::Validity::Invalid)
        .filter(|repeat| !allowed(sweep, repeat))
        .map(|repeat| (repeat.cell, repeat.run.clone()))
        .collect();
    Findings {
        remarks: remarks(sweep, &charts, &costs),
        charts,
        losses,
        costs,
        recommendation,
        calibration: sweep.calibration.clone(),
        optima: optima(&sweep.calibration),
        violations,
    }
}

fn allowed(sweep: &Sweep, repeat: &Repeat) -> bool {
    let cell = sweep.cell(repeat.cell);
    cell.is_some_and(|cell| is_allowed(cell, repeat))
}

fn remarks(sweep: &Sweep, charts: &[Chart], costs: &[Costs]) -> Vec<String> {
    let mut remarks = Vec::new();
    let found = |number| -> u32 {
        let repeats = sweep.repeats_of(number);
        repeats.map(|repeat| repeat.recoveries.len() as u32).sum()
    };
    let faulty = || {
        sweep
            .cells
            .iter()
            .filter(|cell| cell.scenario != Scenario::Control)
    };
    let empty = faulty().filter(|cell| found(cell.number) == 0).count();
    let few = faulty()
        .filter(|cell| (1..cell.wanted).contains(&found(cell.number)))
        .count();
    if empty > 0 {
        remarks.push(format!(
            "{empty} cells have no recovery yet: they are empty below."
        ));
    }
    if few > 0 {
        remarks.push(format!(
            "{few} cells have fewer recoveries than were wanted."
        ));
    }
    if sweep.recoveries_wanted < PUBLISHED {
        remarks.push(format!(
            "{} recoveries in a cell are a first look: {PUBLISHED} are the least for a curve to publish.",
            sweep.recoveries_wanted
        ));
    }
    let missing = missing(&sweep.calibration);
    if !missing.is_empty() {
        remarks.push(format!(
            "Not calibrated: {}. What needs it has no prediction.",
            missing.join(", ")
        ));
    }
    let broken = sweep
        .repeats
        .iter()
        .filter(|repeat| repeat.run.is_empty())
        .count();
    if broken > 0 {
        remarks.push(format!("{broken} runs could not be made."));
    }
    let all_runs = costs.iter().filter(|cost| cost.bytes_of_all_runs).count();
    if all_runs > 0 {
        remarks.push(format!(
            "For {all_runs} settings the bytes of checkpoints are those of all their runs: the controls were too short for a few \
             checkpoints."
        ));
    }
    let unseen = |cost: &&Costs| cost.bytes_per_entry.is_none() && cost.runs > 0;
    let unseen = costs.iter().filter(unseen).count();
    if unseen > 0 {
        remarks.push(format!(
            "For {unseen} settings no run was long enough for a checkpoint: what checkpoints cost with them is not known."
        ));
    }
    let as_promised = sweep.repeats.iter().filter(|repeat| allowed(sweep, repeat));
    let as_promised = as_promised.count();
    if as_promised > 0 {
        remarks.push(format!(
            "{as_promised} runs lost writes that their settings let a loss of power take: their histories are invalid, as they \
             must be, and do not count as violations."
        ));
    }
    let unknown = sweep
        .repeats
        .iter()
        .filter(|repeat| repeat.valid == checker::Validity::Unknown && !repeat.run.is_empty());
    let unknown = unknown.count();
    if unknown > 0 {
        remarks.push(format!(
            "{unknown} runs were judged unknown: their durations are shown all the same."
        ));
    }
    for chart in charts.iter().filter(|chart| chart.scenario.restarts()) {
        remarks.extend(doubt(chart));
    }
    remarks.extend(
        sweep
            .left_out
            .iter()
            .map(|what| format!("Left out: {what}")),
    );
    remarks
}

/// Why the prediction does not hold, or can't be judged, where it should.
fn doubt(chart: &Chart) -> Option<String> {
    let name = format!("{} of {}", chart.measure.name(), chart.scenario);
    let fit = &chart.fit;
    // What takes no replay can't follow it.
    let depends = chart
        .curves
        .iter()
        .flat_map(|curve| &curve.places)
        .flat_map(|place| &place.points)
        .any(|point| point.predicted.is_some_and(|one| one.replay_ms > 0.0));
    if !depends {
        return None;
    }
    let intervals = chart.curves.iter().map(|curve| curve.places.len()).max();
    match fit.replay_r_squared {
        Some(r) if r >= 0.9 => None,
        // A few intervals are no curve.
        None if intervals.is_none_or(|count| count < 3) => None,
        Some(r) => Some(format!(
            "Prediction of {name}: R² is {r:.2} over the {} cells that mostly replay, where 0.9 was aimed at; measured \
             minus predicted is {:+.0} ms on average.",
            fit.replay_cells,
            fit.residual_ms.unwrap_or_default()
        )),
        None => Some(format!(
            "Prediction of {name}: replaying is at least half of it in {} cells only, so it can't be said how well \
             durations follow it; longer intervals would tell.",
            fit.replay_cells
        )),
    }
}

fn missing(calibration: &Calibration) -> Vec<&'static str> {
    let figures = [
        (calibration.replay_per_s.is_none(), "rate of replay"),
        (calibration.load_per_s.is_none(), "rate of loading"),
        (calibration.write_per_s.is_none(), "rate of writing"),
        (calibration.restart_ms.is_none(), "restart of one server"),
        (
            calibration.cold_start_ms.is_none(),
            "restart of all servers",
        ),
        (calibration.failover_ms.is_none(), "failover"),
        (calibration.install_per_s.is_none(), "installing an image"),
    ];
    let missing = figures.into_iter().filter(|(missing, _)| *missing);
    missing.map(|(_, name)| name).collect()
}
