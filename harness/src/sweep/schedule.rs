//! When a run's faults happen: one kind of fault, at moments that fall on all ages of a checkpoint.

use super::spec::SweepSpec;
use crate::spec::Span;
use nemesis::links::Shape;
use nemesis::{Kind, PlannedFault, Target, Variant};
use rand::RngExt;
use results::sweep::{Interval, Scenario};
use std::time::Duration;

/// How long a lag is expected to take; it ends by itself.
const LAG: Duration = Duration::from_secs(5);
/// What a recovery is expected to take, for the length of a run.
const RECOVERY: Duration = Duration::from_secs(1);

/// The faults of a run and how long it lasts; none for a control.
pub fn schedule(
    sweep: &SweepSpec,
    scenario: Scenario,
    faults: u32,
    spread: Duration,
    seed: u64,
) -> (Vec<PlannedFault>, Span) {
    let Some((kind, target, variant)) = fault(scenario) else {
        return (Vec::new(), sweep.control_time);
    };
    let mut rng = workloads::seed::stream(seed, "sweep");
    let mut random = || spread.mul_f64(rng.random());
    let lasts = match scenario {
        Scenario::Lag => LAG,
        _ => sweep.down.0,
    };
    let mut at = sweep.warmup.0 + random();
    let mut planned = Vec::new();
    for number in 1..=faults {
        // A fault comes when the pause after the one before is over: its recovery takes nothing from the pause.
        let pause = match number == faults {
            true => sweep.gap.0,
            false => sweep.gap.0 + random(),
        };
        planned.push(PlannedFault {
            number,
            kind,
            variant,
            target: target.clone(),
            start_ms: at.as_millis() as u64,
            duration_ms: lasts.as_millis() as u64,
            pause_ms: pause.as_millis() as u64,
        });
        at += lasts + RECOVERY + pause;
    }
    (planned, Span(Duration::from_millis(at.as_millis() as u64)))
}

/// How much moments differ: by as much as a checkpoint's age can, at the most by what the spec says.
pub fn spread(sweep: &SweepSpec, interval: Option<Interval>, write_per_s: Option<f64>) -> Duration {
    let most = sweep.spread.0;
    let period = match interval {
        Some(Interval::Entries(entries)) => write_per_s.map(|rate| entries as f64 / rate),
        Some(Interval::Seconds(seconds)) => Some(seconds),
        Some(Interval::Bytes(_) | Interval::Never) | None => None,
    };
    period.map_or(most, |seconds| {
        let least = most.min(Duration::from_secs(1));
        Duration::try_from_secs_f64(seconds).map_or(most, |period| period.clamp(least, most))
    })
}

/// One fault of the kind, so that a cell can be checked.
pub fn example(scenario: Scenario) -> Vec<PlannedFault> {
    let example = |(kind, target, variant)| PlannedFault {
        number: 1,
        kind,
        variant,
        target,
        start_ms: 0,
        duration_ms: 0,
        pause_ms: 0,
    };
    fault(scenario).map(example).into_iter().collect()
}

fn fault(scenario: Scenario) -> Option<(Kind, Target, Option<Variant>)> {
    let alone = Variant::Partition(Shape::LeaderAlone);
    Some(match scenario {
        Scenario::Control => return None,
        Scenario::KillLeader => (Kind::Kill, Target::Leader, None),
        Scenario::KillFollower => (Kind::Kill, Target::Follower, None),
        Scenario::KillAll => (Kind::Kill, Target::All, None),
        Scenario::PowerLoss => (Kind::PowerLoss, Target::All, None),
        Scenario::Lag => (Kind::Lag, Target::Follower, None),
        Scenario::Partition => (Kind::Partition, Target::Leader, Some(alone)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_moments_and_another_one_others() {
        let sweep = SweepSpec::default();
        let of = |seed| schedule(&sweep, Scenario::KillLeader, 5, sweep.spread.0, seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn a_run_lasts_until_its_last_recovery_was_watched() {
        let sweep = SweepSpec::default();
        let (faults, time) = schedule(&sweep, Scenario::KillAll, 3, Duration::ZERO, 7);
        assert_eq!(faults.len(), 3);
        assert_eq!(faults[0].start_ms, 3_000);
        assert_eq!(faults[2].start_ms, 3_000 + 2 * 4_100);
        assert_eq!(time.0, Duration::from_millis(3_000 + 3 * 4_100));
        let (none, time) = schedule(&sweep, Scenario::Control, 0, Duration::ZERO, 7);
        assert_eq!((none.len(), time), (0, sweep.control_time));
    }

    #[test]
    fn moments_differ_by_the_age_that_a_checkpoint_can_have() {
        let sweep = SweepSpec::default();
        let of = |interval| spread(&sweep, interval, Some(1_000.0)).as_secs();
        assert_eq!(of(Some(Interval::Entries(4_000))), 4);
        assert_eq!(of(Some(Interval::Entries(10))), 1);
        assert_eq!(of(Some(Interval::Entries(1_000_000))), 10);
        assert_eq!(of(Some(Interval::Seconds(2.0))), 2);
        assert_eq!(of(Some(Interval::Never)), 10);
        assert_eq!(
            spread(&sweep, Some(Interval::Entries(4_000)), None),
            sweep.spread.0
        );
    }
}
