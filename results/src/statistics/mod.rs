//! What may be said of a few noisy numbers. Pure functions: no clock, and chance only from a seed.
//!
//! [`bootstrap`] gives intervals, [`proportion`] bounds for k of n (also for 0 of n), [`rank`] asks whether two
//! samples differ, [`family`] asks it of many measures at once without being fooled by their number,
//! [`mod@line`] fits a straight line, [`change`] finds where a series changed. [`student`] is the distribution
//! that intervals of means need, [`random`] the chance.

pub mod bootstrap;
pub mod change;
pub mod family;
pub mod line;
pub mod proportion;
pub mod random;
pub mod rank;
pub mod student;

use serde::{Deserialize, Serialize};

/// Where the true value lies, with the confidence that its maker states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The arithmetic mean; none of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Of a sample: with n - 1 in the denominator; none of fewer than two.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// The quantile `q` from 0 to 1, linear between the two nearest values (type 7 of Hyndman and Fan 1996).
/// None of nothing. The order of the values does not matter.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

pub(crate) fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    // Two equal infinite neighbours have no difference to weigh.
    Some(if below == above {
        below
    } else {
        below + (above - below) * place.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), Some(2.5));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        // quantile(1:4, 0.95) of R.
        assert!((quantile(&values, 0.95).unwrap() - 3.85).abs() < 1e-12);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_single_value_has_a_mean_and_no_variance() {
        assert_eq!(mean(&[3.0]), Some(3.0));
        assert_eq!(variance(&[3.0]), None);
        assert_eq!(variance(&[1.0, 3.0]), Some(2.0));
    }
}
