//! What a setting costs while nothing breaks: from the controls.

use super::record::{Cell, Cost, Interval, Scenario, Sweep};
use crate::statistics::{bootstrap, mean};
use serde::{Deserialize, Serialize};

/// One combination of settings. Means over its controls; intervals are 95 %, by bootstrap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    pub cell: u32,
    pub interval: Option<Interval>,
    /// The settings besides the interval.
    pub name: String,
    pub runs: u64,
    pub entries_per_s: Option<Spread>,
    /// Of the throughput without checkpoints, where that was measured with the same other settings.
    pub kept: Option<Spread>,
    pub p50_ms: Option<Spread>,
    pub p99_ms: Option<Spread>,
    /// Of checkpoints, by all servers, for an entry committed. `None` where the interval is longer than any run, so
    /// that no checkpoint was seen.
    pub bytes_per_entry: Option<f64>,
    /// Those bytes are of all runs with these settings, since the controls were too short for a few checkpoints.
    #[serde(default)]
    pub bytes_of_all_runs: bool,
    pub checkpoints: Option<f64>,
    pub write_amplification: Option<f64>,
    pub longest_pause_ms: Option<f64>,
    pub checkpoint_ms: Option<f64>,
    pub disk_bytes: Option<f64>,
    pub resident_bytes: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub mean: f64,
    /// `None` of fewer than two runs.
    pub low: Option<f64>,
    pub high: Option<f64>,
}

const SEED: u64 = 12;

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let interval = bootstrap::interval(values, 0.95, SEED, mean);
        Some(Self {
            mean: mean(values)?,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
        })
    }
}

/// All controls, in the order of the cells.
pub fn costs(sweep: &Sweep) -> Vec<Costs> {
    let makes_interval = super::curves::interval_settings(sweep);
    let name = |cell: &Cell| super::curves::others(sweep, cell, &makes_interval);
    let controls: Vec<(&Cell, String)> = sweep
        .cells
        .iter()
        .filter(|cell| cell.scenario == Scenario::Control)
        .map(|cell| (cell, name(cell)))
        .collect();
    // A system that does not say what it committed has no rate.
    let rates = |cell: &Cell| -> Vec<f64> {
        let known = |cost: &Cost| Some(cost.entries_per_s).filter(|rate| *rate > 0.0);
        values(sweep, cell, known)
    };
    controls
        .iter()
        .map(|(cell, name)| {
            let without = controls.iter().find(|(other, other_name)| {
                other.interval == Some(Interval::Never) && other_name == name
            });
            let kept = without.and_then(|(without, _)| {
                let (with, without) = (rates(cell), rates(without));
                let ratio = |a: &[f64], b: &[f64]| Some(mean(a)? / mean(b).filter(|m| *m > 0.0)?);
                let interval = bootstrap::interval_of_two((&with, &without), 0.95, SEED, ratio);
                Some(Spread {
                    mean: ratio(&with, &without)?,
                    low: interval.map(|interval| interval.low),
                    high: interval.map(|interval| interval.high),
                })
            });
            let of = |value: fn(&Cost) -> Option<f64>| values(sweep, cell, value);
            let (bytes_per_entry, bytes_of_all_runs) = bytes_per_entry(sweep, cell);
            let most = |value: fn(&Cost) -> Option<f64>| of(value).into_iter().reduce(f64::max);
            Costs {
                cell: cell.number,
                interval: cell.interval,
                name: name.clone(),
                runs: of(|cost| Some(cost.entries_per_s)).len() as u64,
                entries_per_s: Spread::of(&rates(cell)),
                kept,
                p50_ms: Spread::of(&of(|cost| cost.p50_ms)),
                p99_ms: Spread::of(&of(|cost| cost.p99_ms)),
                bytes_per_entry,
                bytes_of_all_runs,
                checkpoints: mean(&of(|cost| Some(cost.checkpoints as f64))),
                write_amplification: mean(&of(|cost| cost.write_amplification)),
                longest_pause_ms: most(|cost| cost.longest_pause_ms),
                checkpoint_ms: mean(&of(|cost| cost.checkpoint_ms)),
                disk_bytes: most(|cost| cost.disk_bytes.map(|bytes| bytes as f64)),
                resident_bytes: most(|cost| cost.resident_bytes.map(|bytes| bytes as f64)),
            }
        })
        .collect()
}

/// Fewer checkpoints in a run, by all servers, tell little of what they cost: the first one, or none, may just have fallen
/// into it.
const FEW: f64 = 10.0;

/// And whether it took all runs with a control's settings to tell.
fn bytes_per_entry(sweep: &Sweep, control: &Cell) -> (Option<f64>, bool) {
    let sums = |cells: &dyn Fn(&Cell) -> bool| {
        let cells = sweep.cells.iter().filter(|cell| cells(cell));
        let repeats = cells.flat_map(|cell| sweep.repeats_of(cell.number));
        let made = repeats.filter(|repeat| !repeat.run.is_empty());
        made.fold(
            (0.0, 0.0, 0.0, 0.0),
            |(runs, entries, bytes, checkpoints), one| {
                (
                    runs + 1.0,
                    entries + one.cost.entries as f64,
                    bytes + one.cost.checkpoint_bytes as f64,
                    checkpoints + one.cost.checkpoints as f64,
                )
            },
        )
    };
    let ratio = |entries: f64, bytes: f64| (entries > 0.0).then(|| bytes / entries);
    let (runs, entries, bytes, checkpoints) = sums(&|cell| cell.number == control.number);
    if control.interval == Some(Interval::Never) || checkpoints >= FEW * runs {
        return (ratio(entries, bytes), false);
    }
    let (_, entries, bytes, checkpoints) = sums(&|cell| cell.belongs_to(control));
    match checkpoints > 0.0 {
        true => (ratio(entries, bytes), true),
        false => (None, false),
    }
}

fn values(sweep: &Sweep, cell: &Cell, value: impl Fn(&Cost) -> Option<f64>) -> Vec<f64> {
    let repeats = sweep.repeats_of(cell.number);
    let made = repeats.filter(|repeat| !repeat.run.is_empty());
    made.filter_map(|repeat| value(&repeat.cost)).collect()
}
