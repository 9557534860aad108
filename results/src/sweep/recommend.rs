//! The cheapest setting that meets a target, and why the next cheaper one does not.

use super::cost::{Costs, Spread};
use super::loss::{Loss, Verdict};
use super::record::{Cell, Durability, Scenario, Sweep};
use super::waiting::{Measure, Quantile, Summary};
use serde::{Deserialize, Serialize};

/// What is to be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// By 95 % of the recoveries of every scenario that was run.
    pub rto_ms: Option<f64>,
    /// At the most, in seconds of work; 0: not one write.
    pub rpo_s: Option<f64>,
}

impl Target {
    pub fn is_given(&self) -> bool {
        self.rto_ms.is_some() || self.rpo_s.is_some()
    }
}

/// One combination of settings, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Of its control.
    pub cell: u32,
    pub settings: String,
    /// Share of the best throughput that is lost, in steps of [`STEP`]: less is within noise.
    pub lost_share: Option<f64>,
    pub bytes_per_entry: Option<f64>,
    /// The slowest scenario and measure, with its 95th percentile.
    pub slowest: Option<Slowest>,
    /// Recoveries of the scenario with the fewest.
    pub least_n: u64,
    pub durability: Option<Durability>,
    /// Seconds of work that a loss of power took at the most; `None`: not measured.
    pub lost_s: Option<f64>,
    /// The loss was measured with this durability and other settings.
    pub lost_elsewhere: bool,
    /// Empty: it meets the target.
    pub misses: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slowest {
    pub scenario: Scenario,
    pub measure: Measure,
    pub p95: Quantile,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    pub target: Target,
    /// From the cheapest to the most expensive.
    pub judged: Vec<Judged>,
    /// The place of the cheapest that meets the target.
    pub chosen: Option<usize>,
}

/// Throughputs that differ by less count as the same: a few controls on a busy machine tell no more.
pub const STEP: f64 = 0.1;
/// A 95th percentile of fewer is the longest of them, and says little.
pub const ENOUGH: u64 = 20;

impl Recommendation {
    pub fn chosen(&self) -> Option<&Judged> {
        self.judged.get(self.chosen?)
    }

    /// The one that is cheaper by one step, and does not meet the target.
    pub fn cheaper(&self) -> Option<&Judged> {
        self.judged.get(self.chosen?.checked_sub(1)?)
    }

    /// If none meets it: the one that misses by least, in recovery time.
    pub fn closest(&self) -> Option<&Judged> {
        let known = self.judged.iter().filter(|one| one.slowest.is_some());
        known.min_by(|a, b| {
            let key = |one: &Judged| one.slowest.map_or(f64::INFINITY, |slowest| slowest.p95.ms);
            key(a).total_cmp(&key(b))
        })
    }

    /// Target by what was measured: 2 is twice as fast as needed.
    pub fn margin(&self) -> Option<f64> {
        let slowest = self.chosen()?.slowest?;
        Some(self.target.rto_ms? / slowest.p95.ms)
    }
}

pub fn recommend(
    sweep: &Sweep,
    costs: &[Costs],
    losses: &[Loss],
    target: Target,
) -> Recommendation {
    let rates = costs.iter().filter_map(|cost| cost.entries_per_s);
    let best = rates.reduce(|a, b| if b.mean > a.mean { b } else { a });
    let mut judged: Vec<Judged> = costs
        .iter()
        .filter_map(|cost| {
            let control = sweep.cell(cost.cell)?;
            let lost_share = cost.entries_per_s.zip(best).map(lost_share);
            Some(judge(sweep, cost, control, lost_share, losses, target))
        })
        .collect();
    judged.sort_by(|a, b| {
        let key = |one: &Judged| {
            let known = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
            (known(one.lost_share), known(one.bytes_per_entry))
        };
        let (a, b) = (key(a), key(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let chosen = match target.is_given() {
        true => judged.iter().position(|one| one.misses.is_empty()),
        false => None,
    };
    Recommendation {
        target,
        judged,
        chosen,
    }
}

/// How much less than the best, in whole steps; nothing where their intervals meet. So noise does not order settings
/// of the same cost.
fn lost_share((rate, best): (Spread, Spread)) -> f64 {
    let apart = rate.high.zip(best.low).is_none_or(|(high, low)| high < low);
    match apart {
        true => ((1.0 - rate.mean / best.mean) / STEP).floor() * STEP,
        false => 0.0,
    }
}

fn judge(
    sweep: &Sweep,
    cost: &Costs,
    control: &Cell,
    lost_share: Option<f64>,
    losses: &[Loss],
    target: Target,
) -> Judged {
    let cells = || sweep.cells.iter().filter(|cell| cell.belongs_to(control));
    let mut slowest: Option<Slowest> = None;
    let mut least_n = None;
    for cell in cells().filter(|cell| cell.scenario != Scenario::Control) {
        let measure = match cell.scenario.takes_service() {
            true => Measure::Service,
            false => Measure::Restart,
        };
        let recoveries = sweep
            .repeats_of(cell.number)
            .flat_map(|one| &one.recoveries);
        let waited: Vec<_> = recoveries.filter_map(|one| measure.of(one)).collect();
        let summary = Summary::of(&waited);
        least_n = Some(least_n.unwrap_or(u64::MAX).min(summary.n));
        if let Some(p95) = summary.p95 {
            let one = Slowest {
                scenario: cell.scenario,
                measure,
                p95,
            };
            let slower = |other: &Slowest| {
                let key = |quantile: &Quantile| (quantile.longer, quantile.ms);
                key(&p95) > key(&other.p95)
            };
            if slowest.as_ref().is_none_or(slower) {
                slowest = Some(one);
            }
        }
    }
    let known = |loss: &&Loss| loss.verdict != Verdict::Unknown;
    let numbers: Vec<u32> = cells().map(|cell| cell.number).collect();
    let own = || {
        losses
            .iter()
            .filter(|loss| numbers.contains(&loss.cell))
            .filter(known)
    };
    let same = || {
        let alike = |loss: &&Loss| {
            loss.scenario == Scenario::PowerLoss && loss.durability == control.durability
        };
        losses.iter().filter(alike).filter(known)
    };
    let worst = |found: &mut dyn Iterator<Item = &Loss>| {
        found
            .map(|loss| match (loss.lost, loss.worst_seconds) {
                (0, _) => 0.0,
                // One lost write is not nothing, whatever its time.
                (_, seconds) => seconds.max(f64::MIN_POSITIVE),
            })
            .reduce(f64::max)
    };
    let power = |loss: &&Loss| loss.scenario == Scenario::PowerLoss;
    let lost_own = worst(&mut own().filter(power));
    let lost_s = lost_own.or_else(|| worst(&mut same()));
    let mut judged = Judged {
        cell: control.number,
        settings: words(control),
        lost_share,
        bytes_per_entry: cost.bytes_per_entry,
        slowest,
        least_n: least_n.unwrap_or_default(),
        durability: control.durability,
        lost_s,
        lost_elsewhere: lost_own.is_none() && lost_s.is_some(),
        misses: Vec::new(),
    };
    judged.misses = misses(&judged, target);
    judged
}

fn misses(one: &Judged, target: Target) -> Vec<String> {
    let mut misses = Vec::new();
    if let Some(limit) = target.rto_ms {
        match one.slowest {
            None => misses.push("no recovery was measured".to_owned()),
            Some(slowest) if !slowest.p95.is_within(limit) => misses.push(format!(
                "{} of {}: {}{} ms at the 95th percentile",
                slowest.measure.name(),
                slowest.scenario,
                if slowest.p95.longer { "> " } else { "" },
                slowest.p95.ms.round()
            )),
            Some(_) => {}
        }
    }
    if let Some(limit) = target.rpo_s {
        match one.lost_s {
            None => misses.push("no loss of power was measured with this durability".to_owned()),
            Some(lost) if lost > limit => {
                misses.push(format!("up to {lost:.2} s of work lost"));
            }
            Some(_) => {}
        }
    }
    misses
}

fn words(cell: &Cell) -> String {
    let settings = cell
        .settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    settings.collect::<Vec<_>>().join(" ")
}
