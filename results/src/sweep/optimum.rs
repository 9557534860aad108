//! How often to checkpoint for a given mean time between failures: the interval at which checkpoints and the work after
//! failures cost least together.
//!
//! Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974. Daly, "A higher order
//! estimate of the optimum checkpoint interval for restart dumps", FGCS 22, 2006, equations 20 (first order) and 37
//! (higher order). For failures at random (exponential) the exact optimum follows from the Lambert function. All three
//! take it that work stops during a checkpoint and that what came after it is computed again after a failure. A store
//! that replays its log does not compute it again: it replays at r entries a second what was written at w, so the work
//! after a failure is w/r of that, and the optimum is Young's times sqrt(r/w).

use super::record::Calibration;
use serde::{Deserialize, Serialize};

/// Mean times between failures that are shown: an hour, a day, thirty days. Seconds.
pub const FAILURES: [f64; 3] = [3_600.0, 86_400.0, 30.0 * 86_400.0];

/// Optimum intervals between checkpoints, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    /// Mean time between failures.
    pub failures_s: f64,
    pub young_s: f64,
    pub daly_s: f64,
    pub exact_s: f64,
    /// For a log that is replayed, and the same in entries.
    pub replay_s: Option<f64>,
    pub replay_entries: Option<f64>,
}

/// For each mean time between failures, as far as the figures were measured.
pub fn optima(calibration: &Calibration) -> Vec<Optimum> {
    let Some(cost) = calibration.checkpoint_ms.map(|one| one.mean / 1e3) else {
        return Vec::new();
    };
    let write = calibration.write_per_s.map(|one| one.mean);
    let replay = calibration.replay_per_s.map(|one| one.mean);
    let optimum = |failures: &f64| {
        let replay_s = write
            .zip(replay)
            .and_then(|(w, r)| replayed(cost, *failures, w, r));
        Some(Optimum {
            failures_s: *failures,
            young_s: young(cost, *failures)?,
            daly_s: daly(cost, *failures)?,
            exact_s: exact(cost, *failures)?,
            replay_s,
            replay_entries: replay_s.zip(write).map(|(seconds, w)| seconds * w),
        })
    };
    FAILURES.iter().filter_map(optimum).collect()
}

/// Young's first order: sqrt(2CM). All arguments and results in one unit of time; the interval is that of work, without
/// the checkpoint. None where an argument is not positive.
pub fn young(cost: f64, failures: f64) -> Option<f64> {
    (cost > 0.0 && failures > 0.0).then(|| (2.0 * cost * failures).sqrt())
}

/// Daly's higher order; the mean time between failures itself where a checkpoint costs at least twice as much.
pub fn daly(cost: f64, failures: f64) -> Option<f64> {
    let first = young(cost, failures)?;
    if cost >= 2.0 * failures {
        return Some(failures);
    }
    let part = cost / (2.0 * failures);
    Some(first * (1.0 + part.sqrt() / 3.0 + part / 9.0) - cost)
}

/// Exact for failures at random: M (1 + W0(-exp(-C/M - 1))).
pub fn exact(cost: f64, failures: f64) -> Option<f64> {
    young(cost, failures)?;
    let w = lambert_w0(-(-cost / failures - 1.0).exp())?;
    Some(failures * (1.0 + w))
}

/// For a log written at w entries a second and replayed at r: sqrt(2CM r/w).
pub fn replayed(cost: f64, failures: f64, write: f64, replay: f64) -> Option<f64> {
    let first = young(cost, failures)?;
    (write > 0.0 && replay > 0.0).then(|| first * (replay / write).sqrt())
}

/// The principal branch of the Lambert function, w exp(w) = x, by Halley's iteration. None below -1/e, where it is not
/// defined.
fn lambert_w0(x: f64) -> Option<f64> {
    const LEAST: f64 = -1.0 / std::f64::consts::E;
    if !(LEAST..f64::INFINITY).contains(&x) {
        return None;
    }
    // Near its end the function has a square root; elsewhere the logarithm is near enough.
    let mut w = match x < 0.0 {
        true => {
            let p = (2.0 * (std::f64::consts::E * x + 1.0)).max(0.0).sqrt();
            -1.0 + p - p * p / 3.0
        }
        false => (1.0 + x).ln(),
    };
    for _ in 0..64 {
        let e = w.exp();
        let off = w * e - x;
        let slope = e * (w + 1.0);
        if off == 0.0 || slope == 0.0 {
            break;
        }
        let step = off / (slope - (w + 2.0) * off / (2.0 * w + 2.0));
        w -= step;
        if step.abs() <= 1e-14 * (1.0 + w.abs()) {
            break;
        }
    }
    Some(w)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: Option<f64>, expected: f64, within: f64) {
        let value = value.expect("there is a value");
        assert!(
            (value - expected).abs() <= within,
            "{value} is not {expected}"
        );
    }

    /// Daly's figures 3 to 5: a checkpoint of 5 minutes; in minutes.
    #[test]
    fn the_published_optima_are_met() {
        for (failures, by_young, by_daly, exactly) in [
            (24.0 * 60.0, 120.00, 116.69, 116.69),
            (6.0 * 60.0, 60.00, 56.71, 56.71),
            (15.0, 12.25, 9.14, 9.17),
        ] {
            near(young(5.0, failures), by_young, 0.005);
            near(daly(5.0, failures), by_daly, 0.005);
            near(exact(5.0, failures), exactly, 0.005);
        }
    }

    /// By trying intervals: the expected time to get so much work done with failures at random.
    #[test]
    fn the_exact_optimum_is_the_least_of_all_intervals() {
        let (cost, failures) = (5.0, 15.0);
        let wasted = |interval: f64| ((interval + cost) / failures).exp_m1() / interval;
        let best = (100..4_000)
            .map(|n| f64::from(n) / 100.0)
            .min_by(|a, b| wasted(*a).total_cmp(&wasted(*b)));
        near(exact(cost, failures), best.unwrap(), 0.01);
    }

    #[test]
    fn a_log_that_is_replayed_allows_longer_intervals() {
        // C = 2 s, M = 1 h, r/w = 10.
        near(replayed(2.0, 3_600.0, 1_000.0, 10_000.0), 379.5, 0.05);
        let rate = |interval: f64| 2.0 / interval + interval / 2.0 / 10.0 / 3_600.0;
        let best = (1..10_000)
            .map(|n| f64::from(n) / 10.0)
            .min_by(|a, b| rate(*a).total_cmp(&rate(*b)));
        near(
            replayed(2.0, 3_600.0, 1_000.0, 10_000.0),
            best.unwrap(),
            0.1,
        );
    }

    #[test]
    fn what_makes_no_sense_has_no_optimum() {
        assert_eq!(young(0.0, 60.0), None);
        assert_eq!(daly(1.0, -1.0), None);
        assert_eq!(exact(f64::NAN, 1.0), None);
        assert_eq!(daly(10.0, 4.0), Some(4.0));
        assert_eq!(replayed(1.0, 1.0, 0.0, 1.0), None);
        assert_eq!(optima(&Calibration::default()), []);
    }

    #[test]
    fn the_lambert_function_is_the_inverse_it_should_be() {
        // W(1) is the omega constant, W(e) = 1, W(-1/e) = -1.
        near(lambert_w0(1.0), 0.567_143_290_409_784, 1e-12);
        near(lambert_w0(std::f64::consts::E), 1.0, 1e-12);
        near(lambert_w0(-1.0 / std::f64::consts::E), -1.0, 1e-6);
        near(lambert_w0(0.0), 0.0, 0.0);
        assert_eq!(lambert_w0(-0.4), None);
        for x in [-0.36, -0.2, -0.01, 0.5, 10.0, 1e6] {
            let w = lambert_w0(x).unwrap();
            assert!((w * w.exp() - x).abs() <= 1e-12 * (1.0 + x.abs()), "{x}");
        }
    }
}
