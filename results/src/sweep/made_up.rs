//! A made-up sweep whose truth is known: restarts take R + S/B + N/r with a little noise, throughput falls with the
//! frequency of checkpoints, a loss of power takes what was not synced.

use super::*;
use crate::statistics::random::Random;
use checker::Validity;
use std::collections::BTreeMap;

const WRITES: f64 = 5_000.0;
const REPLAY: f64 = 100_000.0;
const LOAD: f64 = 1e9;
const STATE: f64 = 2e7;
const RESTART: f64 = 90.0;
const COLD: f64 = 420.0;
const INTERVALS: [u64; 6] = [100, 1_000, 10_000, 50_000, 100_000, 0];

pub struct MadeUp {
    pub seed: u64,
    /// Of a duration, as a share.
    pub noise: f64,
    pub recoveries: u32,
    /// What replaying really takes, by what the calibration says.
    pub slower: f64,
}

impl Default for MadeUp {
    fn default() -> Self {
        Self {
            seed: 1,
            noise: 0.05,
            recoveries: 20,
            slower: 1.0,
        }
    }
}

impl MadeUp {
    pub fn sweep(&self) -> Sweep {
        let mut random = Random::new(self.seed);
        let mut sweep = Sweep {
            name: "made-up".into(),
            system: "strata".into(),
            varied: ["checkpoint.every", "checkpoint.mode", "sync"]
                .map(str::to_owned)
                .to_vec(),
            recoveries_wanted: self.recoveries,
            controls_wanted: 3,
            probe_ms: 20.0,
            sample_ms: 20.0,
            calibration: calibration(),
            cells: cells(),
            ..Sweep::default()
        };
        for cell in sweep.cells.clone() {
            let repeats = match cell.scenario {
                Scenario::Control => 3,
                _ => self.recoveries,
            };
            for number in 1..=repeats {
                sweep.repeats.push(self.repeat(&cell, number, &mut random));
            }
        }
        sweep
    }

    fn repeat(&self, cell: &Cell, number: u32, random: &mut Random) -> Repeat {
        let period = match cell.interval {
            Some(Interval::Entries(entries)) => entries as f64,
            _ => 300_000.0,
        };
        let age = random.unit() * period;
        // A checkpoint of all of the state costs more.
        let full = cell
            .settings
            .get("checkpoint.mode")
            .is_some_and(|mode| mode == "full");
        let share = if full { 40.0 } else { 8.0 } / period.min(300_000.0);
        let mut noisy = |value: f64| value * (1.0 + self.noise * random.normal());
        let restarts = cell.scenario.restarts();
        let parts = STATE / LOAD * 1e3 + age / REPLAY * 1e3 * self.slower;
        let recoveries = match cell.scenario {
            Scenario::Control => Vec::new(),
            scenario => vec![Recovered {
                fault: 1,
                service: scenario
                    .takes_service()
                    .then(|| Waited::Ms(noisy(COLD + parts))),
                restart: Some(Waited::Ms(noisy(RESTART + parts))),
                phases_ms: BTreeMap::from([
                    ("load".to_owned(), STATE / LOAD * 1e3),
                    ("replay".to_owned(), age / REPLAY * 1e3 * self.slower),
                ]),
                age_entries: Some(age as u64),
                age_ms: Some(age / WRITES * 1e3),
                replayed_entries: restarts.then_some(age as u64),
                loaded_bytes: restarts.then_some(STATE as u64),
                received_bytes: None,
            }],
        };
        let lost_seconds = match (cell.scenario, cell.durability) {
            (Scenario::PowerLoss, Some(Durability::WithinSeconds(s))) => s * 0.8,
            (Scenario::PowerLoss, Some(Durability::Checkpointed)) => age / WRITES,
            _ => 0.0,
        };
        Repeat {
            cell: cell.number,
            number,
            run: format!("runs/{}-{number}", cell.number),
            again: format!("shakedown test runs/{}-{number}/spec.yaml", cell.number),
            valid: Validity::Valid,
            recoveries,
            cost: Cost {
                entries_per_s: noisy(WRITES * (1.0 - share.min(0.6))),
                entries: 100_000,
                p50_ms: Some(noisy(4.0)),
                p99_ms: Some(noisy(20.0 * (1.0 + share))),
                checkpoints: (100_000.0 / period) as u64,
                checkpoint_bytes: (100_000.0 / period * if full { STATE } else { 1e6 }) as u64,
                write_amplification: Some(1.4),
                longest_pause_ms: Some(0.03),
                checkpoint_ms: Some(150.0),
                state_bytes: Some(STATE as u64),
                disk_bytes: Some(60_000_000),
                resident_bytes: Some(90_000_000),
            },
            acknowledged: 2_000,
            lost: (lost_seconds * 100.0) as u64,
            lost_seconds,
            lost_span_seconds: lost_seconds,
            ..Repeat::default()
        }
    }
}

fn calibration() -> Calibration {
    let measured = |mean: f64| Measured::of(&[mean * 0.95, mean, mean * 1.05]);
    Calibration {
        replay_per_s: measured(REPLAY),
        replay_of_one_per_s: measured(REPLAY),
        load_per_s: measured(LOAD),
        write_per_s: measured(WRITES),
        restart_ms: measured(RESTART),
        cold_start_ms: measured(COLD),
        failover_ms: measured(350.0),
        install_per_s: measured(2e8),
        state_bytes: measured(STATE),
        checkpoint_ms: measured(150.0),
    }
}

fn cells() -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut add = |scenario, settings: &[(&str, &str)], every: u64, durability| {
        let settings = settings
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        cells.push(Cell {
            number: cells.len() as u32 + 1,
            scenario,
            settings: settings.collect(),
            interval: Some(match every {
                0 => Interval::Never,
                every => Interval::Entries(every),
            }),
            durability: Some(durability),
            wanted: 0,
        });
    };
    for every in INTERVALS {
        let text = every.to_string();
        for mode in ["full", "levels"] {
            let settings = [
                ("checkpoint.every", text.as_str()),
                ("checkpoint.mode", mode),
            ];
            for scenario in [Scenario::Control, Scenario::KillFollower, Scenario::KillAll] {
                add(scenario, &settings, every, Durability::Always);
            }
        }
    }
    for (sync, durability) in [
        ("always", Durability::Always),
        ("interval=200ms", Durability::WithinSeconds(0.2)),
        ("never", Durability::Checkpointed),
    ] {
        let settings = [
            ("checkpoint.every", "1000"),
            ("checkpoint.mode", "levels"),
            ("sync", sync),
        ];
        add(Scenario::Control, &settings, 1_000, durability);
        add(Scenario::PowerLoss, &settings, 1_000, durability);
    }
    cells
}
