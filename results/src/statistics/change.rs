//! Where a series changed its level: the nights of a trend.
//!
//! Binary segmentation: the split that best separates a stretch by the means of its ranks is kept if it is
//! better than what shuffled orders of the same values give (the test of Pettitt 1979, with its p from
//! permutations). It lies where the values are nearest to the medians of both sides: ranks say well that there is a
//! change, but place one near an end too near to the middle. Then both sides are searched. Ranks and medians make
//! it deaf to single outliers.

use super::median;
use super::random::Random;
use serde::{Deserialize, Serialize};

/// A split leaves at least so many values on each side.
pub const SHORTEST: usize = 3;
const SHUFFLES: usize = 999;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangePoint {
    /// The first value of the new level, counted from 0.
    pub at: usize,
    /// Medians of the stretches to both sides, up to the next change points.
    pub before: f64,
    pub after: f64,
    /// How likely so good a split is in a series that does not change.
    pub p: f64,
}

/// All change points in order, each with p of at most `alpha` (0.01 for a trend that is looked at daily).
pub fn change_points(values: &[f64], alpha: f64, seed: u64) -> Vec<ChangePoint> {
    let mut found = Vec::new();
    search(values, 0, alpha, &mut Random::new(seed), &mut found);
    found.sort_by_key(|(at, _)| *at);
    let mut points = Vec::new();
    for (n, (at, p)) in found.iter().enumerate() {
        let from = if n == 0 { 0 } else { found[n - 1].0 };
        let to = found.get(n + 1).map_or(values.len(), |next| next.0);
        if let (Some(before), Some(after)) = (median(&values[from..*at]), median(&values[*at..to]))
        {
            points.push(ChangePoint {
                at: *at,
                before,
                after,
                p: *p,
            });
        }
    }
    points
}

fn search(
    values: &[f64],
    offset: usize,
    alpha: f64,
    random: &mut Random,
    found: &mut Vec<(usize, f64)>,
) {
    if values.len() < 2 * SHORTEST {
        return;
    }
    let mut ranks = centred_ranks(values);
    let separation = best_split(&ranks);
    let as_good = (0..SHUFFLES).filter(|_| {
        random.shuffle(&mut ranks);
        best_split(&ranks) >= separation
    });
    let p = (1 + as_good.count()) as f64 / (1 + SHUFFLES) as f64;
    if p > alpha {
        return;
    }
    let at = nearest_split(values);
    found.push((offset + at, p));
    search(&values[..at], offset, alpha, random, found);
    search(&values[at..], offset + at, alpha, random, found);
}

/// Ranks with the mean 0, doubled.
fn centred_ranks(values: &[f64]) -> Vec<i64> {
    let rank = |value: &f64| {
        let side = |other: &f64| match other.total_cmp(value) {
            std::cmp::Ordering::Less => 1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => -1,
        };
        values.iter().map(side).sum()
    };
    values.iter().map(rank).collect()
}

/// The greatest sum of ranks to the left of a split, by size: Pettitt's K.
fn best_split(ranks: &[i64]) -> i64 {
    let sums = ranks[..ranks.len() - SHORTEST].iter().scan(0, |sum, rank| {
        *sum += rank;
        Some(*sum)
    });
    let sizes = sums.skip(SHORTEST - 1).map(i64::abs);
    sizes.max().unwrap_or_default()
}

/// The split with the least distance of all values from the medians of their sides.
fn nearest_split(values: &[f64]) -> usize {
    let away = |side: &[f64]| -> f64 {
        let middle = median(side).unwrap_or_default();
        side.iter().map(|value| (value - middle).abs()).sum()
    };
    let cost = |at: &usize| away(&values[..*at]) + away(&values[*at..]);
    let splits = SHORTEST..=values.len() - SHORTEST;
    let nearest = splits.min_by(|a, b| cost(a).total_cmp(&cost(b)));
    nearest.unwrap_or(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flow of the Nile at Aswan, 1871 to 1970 (Cobb 1978); the level fell after 1898.
    const NILE: [u32; 100] = [
        1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960,
        1180, 799, 958, 1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694,
        940, 833, 701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764,
        821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822,
        1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050,
        918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
    ];

    #[test]
    fn the_nile_fell_after_1898() {
        let flow = NILE.map(f64::from);
        let found = change_points(&flow, 0.01, 1);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(1871 + found[0].at, 1899);
        assert!(
            found[0].before > 1_090.0 && found[0].after < 860.0,
            "{found:?}"
        );
    }

    #[test]
    fn two_steps_are_both_found() {
        let mut random = Random::new(3);
        let level = |n: usize| [10.0, 14.0, 11.0][n / 20];
        let series: Vec<f64> = (0..60).map(|n| level(n) + 0.3 * random.normal()).collect();
        let at: Vec<usize> = change_points(&series, 0.01, 1)
            .iter()
            .map(|p| p.at)
            .collect();
        assert_eq!(at, [20, 40]);
    }

    #[test]
    fn noise_alone_seldom_changes() {
        let mut random = Random::new(5);
        let fooled = (0..100).filter(|seed| {
            let series: Vec<f64> = (0..30).map(|_| random.normal()).collect();
            !change_points(&series, 0.01, *seed).is_empty()
        });
        let fooled = fooled.count();
        assert!(fooled <= 5, "{fooled} of 100");
    }

    #[test]
    fn an_outlier_or_a_short_series_is_no_change() {
        let mut series = vec![5.0; 20];
        series[10] = 500.0;
        assert_eq!(change_points(&series, 0.01, 1), []);
        assert_eq!(change_points(&[1.0, 9.0], 0.01, 1), []);
        assert_eq!(change_points(&[], 0.01, 1), []);
    }

    #[test]
    fn a_change_near_the_end_is_found_where_it_was() {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let level = |n: usize| if n < 30 { 400.0 } else { 240.0 };
            let series: Vec<f64> = (0..38).map(|n| level(n) + 12.0 * random.normal()).collect();
            let found = change_points(&series, 0.01, 1);
            let at: Vec<usize> = found.iter().map(|point| point.at).collect();
            assert!(at.contains(&30), "seed {seed}: {at:?}");
        }
    }
}
