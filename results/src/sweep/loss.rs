//! What a loss of power took of what had been acknowledged, and how much it may take by the settings.

use super::record::{Cell, Durability, Repeat, Scenario, Sweep};
use crate::statistics::proportion;
use checker::Validity;
use serde::{Deserialize, Serialize};

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    pub cell: u32,
    pub scenario: Scenario,
    pub durability: Option<Durability>,
    /// Runs whose ledger was read in the end; those that lost something among them.
    pub runs: u64,
    pub runs_with_loss: u64,
    /// 95 %, exact: at most this share of runs loses something.
    pub share_upper: f64,
    pub acknowledged: u64,
    pub lost: u64,
    pub worst_writes: u64,
    pub worst_seconds: f64,
    /// At least, in the worst run: from the first lost write to the last.
    pub least_seconds: f64,
    /// The most that the settings allow, in seconds of work; `None` where they bound nothing.
    pub bound_seconds: Option<f64>,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing may be lost, and nothing was.
    Nothing,
    /// Not more than what the settings allow.
    Within,
    /// More than that.
    Beyond,
    /// No run told.
    Unknown,
    /// The settings say nothing of it.
    NotBounded,
}

/// Whether a run lost what its settings let a loss of power take, and no more: its history is invalid, as it must be,
/// and that is no violation.
pub fn is_allowed(cell: &Cell, repeat: &Repeat) -> bool {
    let may_lose = !matches!(cell.durability, None | Some(Durability::Always));
    cell.scenario == Scenario::PowerLoss
        && may_lose
        && repeat.lost > 0
        && verdict(cell.durability, repeat) == Verdict::Within
}

/// All cells whose faults end every server, where something could be lost that a majority had.
pub fn losses(sweep: &Sweep) -> Vec<Loss> {
    let cells = sweep.cells.iter().filter(|cell| cell.scenario.hits_all());
    cells
        .map(|cell| {
            let runs: Vec<&Repeat> = sweep
                .repeats_of(cell.number)
                .filter(|repeat| repeat.acknowledged > 0 && !repeat.recoveries.is_empty())
                .collect();
            // A kill loses nothing that the kernel has.
            let durability = match cell.scenario {
                Scenario::KillAll => Some(Durability::Always),
                _ => cell.durability,
            };
            loss(cell.number, cell.scenario, durability, &runs)
        })
        .collect()
}

fn loss(cell: u32, scenario: Scenario, durability: Option<Durability>, runs: &[&Repeat]) -> Loss {
    let with_loss = runs.iter().filter(|run| run.lost > 0).count() as u64;
    let verdicts: Vec<Verdict> = runs.iter().map(|run| verdict(durability, run)).collect();
    let worst = |of: fn(&Repeat) -> f64| runs.iter().map(|run| of(run)).fold(0.0, f64::max);
    let bounds: Option<Vec<f64>> = runs.iter().map(|run| bound(durability, run)).collect();
    Loss {
        cell,
        scenario,
        durability,
        runs: runs.len() as u64,
        runs_with_loss: with_loss,
        share_upper: proportion::upper_bound(with_loss, runs.len() as u64, 0.95),
        acknowledged: runs.iter().map(|run| run.acknowledged).sum(),
        lost: runs.iter().map(|run| run.lost).sum(),
        worst_writes: runs.iter().map(|run| run.lost).max().unwrap_or_default(),
        worst_seconds: worst(|run| run.lost_seconds),
        least_seconds: worst(|run| run.lost_span_seconds),
        bound_seconds: bounds.and_then(|bounds| bounds.into_iter().reduce(f64::max)),
        verdict: match verdicts.contains(&Verdict::Beyond) {
            true => Verdict::Beyond,
            false => verdicts.first().copied().unwrap_or(Verdict::Unknown),
        },
    }
}

/// Of one run, in seconds of work. What was being synced when the power went counts too, so what an operation takes
/// at the 99th percentile comes on top.
fn bound(durability: Option<Durability>, run: &Repeat) -> Option<f64> {
    let under_way = run.cost.p99_ms.unwrap_or_default() / 1e3;
    match durability? {
        Durability::Always => Some(0.0),
        Durability::WithinSeconds(seconds) => Some(seconds + under_way),
        Durability::Checkpointed => {
            let ages = run.recoveries.iter().map(|one| one.age_ms);
            let oldest = ages.reduce(|a, b| Some(a?.max(b?))).flatten();
            // A checkpoint takes its time: what is durable is the state at its beginning.
            let writing = run.cost.checkpoint_ms.unwrap_or_default() / 1e3;
            Some(oldest? / 1e3 + writing + under_way)
        }
    }
}

fn verdict(durability: Option<Durability>, run: &Repeat) -> Verdict {
    match (durability, bound(durability, run)) {
        (None, _) => Verdict::NotBounded,
        (Some(Durability::Always), _) if run.lost == 0 => match run.valid {
            Validity::Invalid => Verdict::Beyond,
            _ => Verdict::Nothing,
        },
        (Some(Durability::Always), _) => Verdict::Beyond,
        // No checkpoint had come: everything may be lost.
        (Some(_), None) => Verdict::Within,
        // By what was lost at least: from the last write that survived it may be longer only because none came between.
        (Some(_), Some(bound)) if run.lost_span_seconds <= bound => Verdict::Within,
        (Some(_), Some(_)) => Verdict::Beyond,
    }
}

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Nothing => "nothing lost, as it must be",
            Verdict::Within => "within what the settings allow",
            Verdict::Beyond => "more than the settings allow",
            Verdict::Unknown => "not measured",
            Verdict::NotBounded => "the settings say nothing of it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Recovered;
    use super::*;

    fn run(lost: u64, lost_seconds: f64, age_ms: Option<f64>) -> Repeat {
        Repeat {
            acknowledged: 1_000,
            lost,
            lost_seconds,
            lost_span_seconds: lost_seconds,
            recoveries: vec![Recovered {
                age_ms,
                ..Recovered::default()
            }],
            ..Repeat::default()
        }
    }

    fn of(durability: Durability, runs: &[Repeat]) -> Loss {
        let runs: Vec<&Repeat> = runs.iter().collect();
        loss(1, Scenario::PowerLoss, Some(durability), &runs)
    }

    #[test]
    fn where_nothing_may_be_lost_one_write_is_too_many() {
        let none = of(Durability::Always, &[run(0, 0.0, None), run(0, 0.0, None)]);
        assert_eq!(none.verdict, Verdict::Nothing);
        // 1 - 0.05^(1/2)
        assert!((none.share_upper - 0.776).abs() < 0.001, "{none:?}");
        let one = of(Durability::Always, &[run(0, 0.0, None), run(1, 0.01, None)]);
        assert_eq!((one.verdict, one.lost), (Verdict::Beyond, 1));
    }

    #[test]
    fn what_is_synced_at_times_may_lose_that_time() {
        let durability = Durability::WithinSeconds(0.2);
        assert_eq!(
            of(durability, &[run(30, 0.15, None)]).verdict,
            Verdict::Within
        );
        assert_eq!(
            of(durability, &[run(90, 0.5, None)]).verdict,
            Verdict::Beyond
        );
    }

    #[test]
    fn without_syncing_all_since_the_checkpoint_may_be_lost() {
        let durability = Durability::Checkpointed;
        let bounded = of(durability, &[run(900, 3.9, Some(4_000.0))]);
        assert_eq!(
            (bounded.verdict, bounded.bound_seconds),
            (Verdict::Within, Some(4.0))
        );
        assert_eq!(
            of(durability, &[run(900, 4.1, Some(4_000.0))]).verdict,
            Verdict::Beyond
        );
        let never = of(durability, &[run(900, 60.0, None)]);
        assert_eq!(
            (never.verdict, never.bound_seconds),
            (Verdict::Within, None)
        );
    }

    #[test]
    fn a_loss_that_the_settings_allow_is_no_violation() {
        let allowed = |durability, lost, seconds| {
            let cell = Cell {
                number: 1,
                scenario: Scenario::PowerLoss,
                settings: Default::default(),
                interval: None,
                durability: Some(durability),
                wanted: 1,
            };
            is_allowed(&cell, &run(lost, seconds, None))
        };
        assert!(allowed(Durability::WithinSeconds(0.2), 4, 0.19));
        assert!(!allowed(Durability::WithinSeconds(0.2), 9, 0.9));
        assert!(!allowed(Durability::Always, 1, 0.01));
        // Invalid, and not by a loss: something else is wrong.
        assert!(!allowed(Durability::WithinSeconds(0.2), 0, 0.0));
    }

    #[test]
    fn no_run_tells_nothing() {
        assert_eq!(of(Durability::Always, &[]).verdict, Verdict::Unknown);
    }
}
