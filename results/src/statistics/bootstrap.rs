//! Intervals for any statistic without assuming a distribution: what the statistic would have been had other
//! values of the same sample been drawn (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
//! chapter 13: percentile intervals).
//!
//! The intervals of samples of fewer than about ten values are somewhat too narrow; of fewer than two there is
//! none.

use super::random::Random;
use super::{Interval, quantile_of_sorted};

/// Enough that the ends of a 95 % interval move little from seed to seed.
pub const RESAMPLES: usize = 2_000;

/// The interval of a statistic at a confidence such as 0.95. The same seed gives the same interval.
/// None where there are fewer than two values or the statistic has no value.
pub fn interval(
    values: &[f64],
    confidence: f64,
    seed: u64,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    percentiles(resampled(values, seed, statistic), confidence)
}

/// The same for a statistic of two samples that are drawn independently, such as the ratio of their medians.
pub fn interval_of_two(
    (a, b): (&[f64], &[f64]),
    confidence: f64,
    seed: u64,
    statistic: impl Fn(&[f64], &[f64]) -> Option<f64>,
) -> Option<Interval> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let mut random = Random::new(seed);
    let (mut drawn_a, mut drawn_b) = (a.to_vec(), b.to_vec());
    let found = (0..RESAMPLES).filter_map(|_| {
        draw(a, &mut drawn_a, &mut random);
        draw(b, &mut drawn_b, &mut random);
        statistic(&drawn_a, &drawn_b)
    });
    percentiles(found.collect(), confidence)
}

fn resampled(values: &[f64], seed: u64, statistic: impl Fn(&[f64]) -> Option<f64>) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut drawn = values.to_vec();
    let found = (0..RESAMPLES).filter_map(|_| {
        draw(values, &mut drawn, &mut random);
        statistic(&drawn)
    });
    found.collect()
}

fn draw(from: &[f64], into: &mut [f64], random: &mut Random) {
    for value in into {
        *value = from[random.below(from.len())];
    }
}

fn percentiles(mut found: Vec<f64>, confidence: f64) -> Option<Interval> {
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        low: quantile_of_sorted(&found, tail)?,
        high: quantile_of_sorted(&found, 1.0 - tail)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{mean, median, variance};
    use super::*;

    /// Survival of treated and of untreated mice: Efron and Tibshirani 1993, table 2.1.
    const TREATED: [f64; 7] = [94.0, 197.0, 16.0, 38.0, 99.0, 141.0, 23.0];
    const CONTROL: [f64; 9] = [52.0, 104.0, 146.0, 10.0, 51.0, 30.0, 40.0, 27.0, 46.0];

    #[test]
    fn the_spread_of_the_mice_is_the_published_one() {
        // Table 2.2: the standard error of the mean goes to 23.36, that of the median to 37.83.
        let error = |statistic: fn(&[f64]) -> Option<f64>| {
            variance(&resampled(&TREATED, 1, statistic)).unwrap().sqrt()
        };
        assert!((error(mean) - 23.36).abs() < 1.2, "{}", error(mean));
        assert!((error(median) - 37.83).abs() < 2.0, "{}", error(median));
    }

    #[test]
    fn an_interval_holds_the_estimate_and_repeats() {
        let found = interval(&TREATED, 0.95, 7, mean).unwrap();
        assert!(found.contains(mean(&TREATED).unwrap()), "{found:?}");
        assert_eq!(Some(found), interval(&TREATED, 0.95, 7, mean));
        assert!(found.low > 16.0 && found.high < 197.0, "{found:?}");
    }

    #[test]
    fn the_mice_of_both_groups_can_not_be_told_apart() {
        let difference = |a: &[f64], b: &[f64]| Some(mean(a)? - mean(b)?);
        let found = interval_of_two((&TREATED, &CONTROL), 0.95, 7, difference).unwrap();
        assert!(found.contains(0.0), "{found:?}");
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(interval(&[1.0], 0.95, 1, mean), None);
        assert_eq!(interval(&[], 0.95, 1, mean), None);
    }
}
