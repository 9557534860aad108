//! The figures that predictions are made of, from the runs that were made for them.
//!
//! A server that restarts reads its log before it applies it, so what an entry costs is in two phases of its account:
//! opening and replaying. The rate of replay is the slope of both together over the entries, by least squares over
//! restarts whose logs had different lengths. Where one server restarts, the others write on meanwhile, and it joins the
//! later for that: there the slope is that of all of its restart but loading. What does not grow with the entries belongs
//! to the restart.

use super::record::{Calibration, Measured, Recovered, Scenario, Waited};
use super::store::Calibrated;
use crate::statistics::line;

/// Fewer do not tell a rate.
const LEAST_REPLAYED: u64 = 1_000;
const LEAST_LOADED: u64 = 1 << 20;
/// The longest log must be so many times as long as the shortest for a slope.
const LEAST_RATIO: u64 = 3;

impl Calibration {
    pub fn of(runs: &[Calibrated]) -> Self {
        let faults = |scenario: Option<Scenario>| {
            let of = move |run: &&Calibrated| scenario.is_none_or(|one| run.scenario == one);
            let runs = runs.iter().filter(of);
            runs.flat_map(|run| &run.repeat.recoveries)
        };
        let restarts: Vec<&Recovered> = faults(None)
            .filter(|one| one.phases_ms.contains_key("load"))
            .collect();
        let (replay_per_s, replay_of_one_per_s) = (
            slope(restarts.iter().filter_map(|one| {
                let open = phase(one, "open").unwrap_or_default();
                Some((one.replayed_entries?, open + phase(one, "replay")?))
            })),
            slope(faults(Some(Scenario::KillFollower)).filter_map(|one| {
                let Waited::Ms(ms) = one.restart? else {
                    return None;
                };
                Some((one.replayed_entries?, ms - phase(one, "load")?))
            })),
        );
        let rate = |amount: Option<u64>, least: u64, ms: Option<f64>| {
            let (amount, ms) = (amount?, ms?);
            (amount >= least && ms > 0.0).then(|| amount as f64 / ms * 1e3)
        };
        // What is left of a duration besides loading and replaying.
        let besides = |one: &Recovered, whole: Option<Waited>, per_s: Option<Measured>| match whole?
        {
            Waited::Ms(ms) => {
                let replaying = match one.replayed_entries? {
                    0 => 0.0,
                    entries => entries as f64 / per_s?.mean * 1e3,
                };
                Some((ms - phase(one, "load")? - replaying).max(0.0))
            }
            _ => None,
        };
        let ended = |waited: Option<Waited>| match waited? {
            Waited::Ms(ms) => Some(ms),
            _ => None,
        };
        let costs = || runs.iter().map(|run| &run.repeat.cost);
        let controls = runs.iter().filter(|run| run.scenario == Scenario::Control);
        let written = controls.map(|run| run.repeat.cost.entries_per_s);
        Self {
            replay_per_s,
            replay_of_one_per_s,
            load_per_s: measured(
                restarts
                    .iter()
                    .filter_map(|one| rate(one.loaded_bytes, LEAST_LOADED, phase(one, "load"))),
            ),
            write_per_s: measured(written.filter(|rate| *rate > 0.0)),
            restart_ms: measured(
                faults(Some(Scenario::KillFollower))
                    .filter_map(|one| besides(one, one.restart, replay_of_one_per_s)),
            ),
            cold_start_ms: measured(
                faults(Some(Scenario::KillAll))
                    .filter_map(|one| besides(one, one.service, replay_per_s)),
            ),
            failover_ms: measured(
                faults(Some(Scenario::KillLeader)).filter_map(|one| ended(one.service)),
            ),
            install_per_s: measured(
                faults(Some(Scenario::Lag))
                    .filter_map(|one| rate(one.received_bytes, 1, ended(one.restart))),
            ),
            state_bytes: measured(costs().filter_map(|cost| Some(cost.state_bytes? as f64))),
            checkpoint_ms: measured(costs().filter_map(|cost| cost.checkpoint_ms)),
        }
    }
}

fn phase(one: &Recovered, name: &str) -> Option<f64> {
    one.phases_ms.get(name).copied()
}

/// Entries in a second, of entries with milliseconds. The spread is that of the single restarts around the slope.
fn slope(points: impl Iterator<Item = (u64, f64)>) -> Option<Measured> {
    let points: Vec<(f64, f64)> = points.map(|(entries, ms)| (entries as f64, ms)).collect();
    let most = points
        .iter()
        .map(|(entries, _)| *entries)
        .fold(0.0, f64::max);
    let least = points
        .iter()
        .map(|(entries, _)| *entries)
        .fold(f64::INFINITY, f64::min);
    if most < LEAST_REPLAYED as f64 || most < least * LEAST_RATIO as f64 {
        return None;
    }
    let line = line::fit(&points).filter(|line| line.slope > 0.0)?;
    let single = points
        .iter()
        .filter(|(entries, ms)| *entries >= most / 10.0 && *ms > line.intercept)
        .map(|(entries, ms)| entries / (ms - line.intercept) * 1e3);
    let around = measured(single)?;
    Some(Measured {
        n: points.len() as u64,
        mean: 1e3 / line.slope,
        ..around
    })
}

fn measured(values: impl Iterator<Item = f64>) -> Option<Measured> {
    Measured::of(&values.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::Repeat;
    use super::*;
    use std::collections::BTreeMap;

    /// Opening takes 10 ms and 4 ms for a thousand entries, replaying 1 ms, and joining 3 ms for what comes meanwhile;
    /// besides, 35 ms to start and join.
    fn restart(replayed: u64, loaded: u64, load_ms: f64) -> Recovered {
        let thousands = replayed as f64 / 1e3;
        let phases = [
            ("open", 10.0 + thousands * 4.0),
            ("load", load_ms),
            ("replay", thousands),
            ("join", 5.0 + thousands * 3.0),
        ];
        Recovered {
            restart: Some(Waited::Ms(45.0 + load_ms + thousands * 8.0)),
            replayed_entries: Some(replayed),
            loaded_bytes: Some(loaded),
            phases_ms: BTreeMap::from(phases.map(|(name, ms)| (name.to_owned(), ms))),
            ..Recovered::default()
        }
    }

    fn killed(recoveries: Vec<Recovered>) -> Calibrated {
        Calibrated {
            scenario: Scenario::KillFollower,
            case: 1,
            repeat: Repeat {
                recoveries,
                ..Repeat::default()
            },
        }
    }

    fn near(measured: Option<Measured>, mean: f64) -> u64 {
        let measured = measured.expect("it was measured");
        assert!((measured.mean / mean - 1.0).abs() < 1e-9, "{measured:?}");
        measured.n
    }

    #[test]
    fn the_rate_of_replay_is_the_slope_and_the_rest_belongs_to_the_restart() {
        let runs = [killed(vec![
            restart(10_000, 0, 0.0),
            restart(50_000, 0, 0.0),
            restart(500, 4 << 20, 2.0),
        ])];
        let calibration = Calibration::of(&runs);
        assert_eq!(near(calibration.replay_per_s, 200_000.0), 3);
        assert_eq!(near(calibration.replay_of_one_per_s, 125_000.0), 3);
        assert_eq!(near(calibration.load_per_s, (4 << 20) as f64 * 500.0), 1);
        assert_eq!(near(calibration.restart_ms, 45.0), 3);
        assert_eq!(calibration.failover_ms, None);
    }

    #[test]
    fn logs_of_the_same_length_tell_no_rate() {
        let alike =
            Calibration::of(&[killed(vec![restart(9_000, 0, 0.0), restart(9_900, 0, 0.0)])]);
        assert_eq!((alike.replay_per_s, alike.restart_ms), (None, None));
        let short = Calibration::of(&[killed(vec![restart(9, 0, 0.0), restart(99, 0, 0.0)])]);
        assert_eq!(short.replay_per_s, None);
    }

    #[test]
    fn a_restart_that_did_not_end_tells_no_duration() {
        let mut open = restart(50_000, 0, 0.0);
        open.restart = Some(Waited::LongerThanMs(900.0));
        let calibration = Calibration::of(&[killed(vec![open])]);
        assert_eq!(calibration.restart_ms, None);
    }
}
