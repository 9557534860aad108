//! What a recovery should have taken, by figures that were measured apart from it.
//!
//! A restart loads a checkpoint of S bytes, replays the N entries after it, starts and joins:
//! restart = R + S/B + N/r₁. Where all servers restart, service waits for that and an election: service = E + S/B + N/r.
//! Where a leader is lost, it waits for an election alone. A follower that an image brings back waits for its bytes.

use super::record::{Calibration, Cell, Interval, Measured, Recovered, Scenario};
use super::waiting::Measure;
use serde::{Deserialize, Serialize};

/// A prediction by its parts, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Starting, joining, electing: what does not depend on the checkpoint.
    pub fixed_ms: f64,
    pub load_ms: f64,
    pub replay_ms: f64,
    /// Of an image that travels.
    pub install_ms: f64,
}

impl Predicted {
    pub fn total_ms(&self) -> f64 {
        self.fixed_ms + self.load_ms + self.replay_ms + self.install_ms
    }

    /// Whether replaying is at least half of it.
    pub fn is_mostly_replay(&self) -> bool {
        self.replay_ms * 2.0 >= self.total_ms()
    }
}

/// For one recovery, from what it had to load and to replay. `None` where a figure was not measured.
pub fn predict(
    calibration: &Calibration,
    scenario: Scenario,
    measure: Measure,
    recovered: &Recovered,
) -> Option<Predicted> {
    let mean = |measured: &Option<Measured>| measured.map(|measured| measured.mean);
    let alone = |fixed: Option<f64>| {
        Some(Predicted {
            fixed_ms: fixed?,
            ..Predicted::default()
        })
    };
    let restart = |fixed: Option<f64>, replay_per_s: &Option<Measured>| {
        let part = |amount: Option<u64>, rate: Option<f64>| match amount? {
            0 => Some(0.0),
            amount => Some(amount as f64 / rate? * 1e3),
        };
        Some(Predicted {
            fixed_ms: fixed?,
            load_ms: part(recovered.loaded_bytes, mean(&calibration.load_per_s))?,
            replay_ms: part(recovered.replayed_entries, mean(replay_per_s))?,
            install_ms: 0.0,
        })
    };
    match (measure, scenario) {
        (_, Scenario::Control) => None,
        (Measure::Service, Scenario::KillLeader | Scenario::Partition) => {
            alone(mean(&calibration.failover_ms))
        }
        (Measure::Service, Scenario::KillAll | Scenario::PowerLoss) => {
            let fixed = mean(&calibration.cold_start_ms);
            restart(fixed, &calibration.replay_per_s)
        }
        (Measure::Service, Scenario::KillFollower | Scenario::Lag) => None,
        (Measure::Restart, Scenario::Lag) => Some(Predicted {
            install_ms: recovered.received_bytes? as f64 / mean(&calibration.install_per_s)? * 1e3,
            ..Predicted::default()
        }),
        (Measure::Restart, Scenario::Partition | Scenario::KillAll | Scenario::PowerLoss) => None,
        (Measure::Restart, Scenario::KillLeader | Scenario::KillFollower) => {
            let fixed = mean(&calibration.restart_ms);
            restart(fixed, &calibration.replay_of_one_per_s)
        }
    }
}

/// For a cell, if faults fall on all ages of a checkpoint alike. When a checkpoint is durable, it is as old already as
/// it took to write; then its age grows by an interval, or by the time of writing the next one if that is longer.
/// `None` where the interval tells no number of entries.
pub fn expected(calibration: &Calibration, cell: &Cell, measure: Measure) -> Option<Predicted> {
    if !cell.scenario.restarts() {
        return None;
    }
    let interval = match cell.interval? {
        Interval::Entries(entries) => entries as f64,
        Interval::Seconds(seconds) => seconds * calibration.write_per_s?.mean,
        Interval::Bytes(_) | Interval::Never => return None,
    };
    let written = calibration.checkpoint_ms.zip(calibration.write_per_s);
    let while_writing = written.map_or(0.0, |(ms, rate)| ms.mean / 1e3 * rate.mean);
    let entries = while_writing + interval.max(while_writing) / 2.0;
    let typical = Recovered {
        loaded_bytes: Some(calibration.state_bytes?.mean as u64),
        replayed_entries: Some(entries.round() as u64),
        ..Recovered::default()
    };
    predict(calibration, cell.scenario, measure, &typical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(mean: f64) -> Option<Measured> {
        Measured::of(&[mean])
    }

    fn calibration() -> Calibration {
        Calibration {
            replay_per_s: measured(100_000.0),
            replay_of_one_per_s: measured(100_000.0),
            load_per_s: measured(1e9),
            write_per_s: measured(5_000.0),
            restart_ms: measured(80.0),
            cold_start_ms: measured(400.0),
            failover_ms: measured(350.0),
            install_per_s: measured(1e8),
            state_bytes: measured(5e7),
            checkpoint_ms: None,
        }
    }

    fn restart(loaded: u64, replayed: u64) -> Recovered {
        Recovered {
            loaded_bytes: Some(loaded),
            replayed_entries: Some(replayed),
            ..Recovered::default()
        }
    }

    fn total(scenario: Scenario, measure: Measure, recovered: &Recovered) -> Option<f64> {
        predict(&calibration(), scenario, measure, recovered).map(|one| one.total_ms())
    }

    #[test]
    fn a_restart_loads_replays_and_joins() {
        let one = restart(100_000_000, 30_000);
        let of = |scenario, measure| total(scenario, measure, &one);
        assert_eq!(of(Scenario::KillFollower, Measure::Restart), Some(480.0));
        assert_eq!(of(Scenario::KillAll, Measure::Service), Some(800.0));
        assert_eq!(of(Scenario::KillLeader, Measure::Service), Some(350.0));
        assert_eq!(of(Scenario::KillFollower, Measure::Service), None);
    }

    #[test]
    fn replay_is_most_of_a_long_log_and_not_of_a_short_one() {
        let of = |entries| {
            let one = restart(0, entries);
            predict(
                &calibration(),
                Scenario::KillFollower,
                Measure::Restart,
                &one,
            )
            .unwrap()
        };
        assert!(of(8_000).is_mostly_replay() && !of(7_000).is_mostly_replay());
    }

    #[test]
    fn an_image_takes_as_long_as_its_bytes() {
        let one = Recovered {
            received_bytes: Some(5_000_000),
            ..Recovered::default()
        };
        assert_eq!(total(Scenario::Lag, Measure::Restart, &one), Some(50.0));
    }

    #[test]
    fn what_was_not_measured_predicts_nothing() {
        let none = Calibration::default();
        let one = restart(1, 1);
        assert_eq!(
            predict(&none, Scenario::KillAll, Measure::Service, &one),
            None
        );
        // Nothing to load needs no rate of loading.
        let mut some = calibration();
        some.load_per_s = None;
        let of = |one: &Recovered| predict(&some, Scenario::KillFollower, Measure::Restart, one);
        assert!(of(&restart(0, 5)).is_some() && of(&restart(5, 5)).is_none());
    }

    #[test]
    fn half_an_interval_is_expected_and_what_came_while_the_checkpoint_was_written() {
        let cell = |interval| Cell {
            number: 1,
            scenario: Scenario::KillFollower,
            settings: Default::default(),
            interval: Some(interval),
            durability: None,
            wanted: 0,
        };
        let of = |interval| {
            let expected = expected(&calibration(), &cell(interval), Measure::Restart);
            expected.map(|one| one.total_ms().round())
        };
        assert_eq!(of(Interval::Entries(20_000)), Some(80.0 + 50.0 + 100.0));
        assert_eq!(of(Interval::Seconds(4.0)), Some(80.0 + 50.0 + 100.0));
        assert_eq!(of(Interval::Never), None);
        let mut slow = calibration();
        slow.checkpoint_ms = measured(1_000.0);
        let of = |entries| {
            let cell = cell(Interval::Entries(entries));
            expected(&slow, &cell, Measure::Restart).map(|one| one.replay_ms.round())
        };
        // 5,000 entries come while it is written, and as many more until the next one is.
        assert_eq!(of(20_000), Some(150.0));
        assert_eq!(of(100), Some(75.0));
    }
}
