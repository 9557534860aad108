//! A straight line through points, by least squares.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub slope: f64,
    pub intercept: f64,
    /// The share of the variance of y that the line explains; 1 if y is constant and met exactly.
    pub r_squared: f64,
    /// Standard deviation of the residuals; none of two points.
    pub residual: Option<f64>,
    pub n: usize,
}

impl Line {
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// The line with the least sum of squared residuals. None where there are not two different x.
pub fn fit(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if points.len() < 2 || spread == 0.0 {
        return None;
    }
    let together: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let slope = together / spread;
    let intercept = mean_y - slope * mean_x;
    let unexplained: f64 = points
        .iter()
        .map(|(x, y)| (y - intercept - slope * x).powi(2))
        .sum();
    Some(Line {
        slope,
        intercept,
        r_squared: r_squared(points.iter().map(|(x, y)| (*y, intercept + slope * x)))?,
        residual: (points.len() > 2).then(|| (unexplained / (n - 2.0)).sqrt()),
        n: points.len(),
    })
}

/// How much of the variance of what was measured a prediction explains that was made without it: pairs of
/// (measured, predicted). 1 is perfect, 0 no better than the mean, below 0 worse. None of nothing, and where
/// what was measured is constant and not met.
pub fn r_squared(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let n = pairs.clone().count();
    if n == 0 {
        return None;
    }
    let mean = pairs.clone().map(|(measured, _)| measured).sum::<f64>() / n as f64;
    let total: f64 = pairs
        .clone()
        .map(|(measured, _)| (measured - mean).powi(2))
        .sum();
    let left: f64 = pairs
        .map(|(measured, predicted)| (measured - predicted).powi(2))
        .sum();
    if total == 0.0 {
        return (left == 0.0).then_some(1.0);
    }
    Some(1.0 - left / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST Statistical Reference Datasets, Norris: (y, x) as published.
    const NORRIS: [(f64, f64); 36] = [
        (0.1, 0.2),
        (338.8, 337.4),
        (118.1, 118.2),
        (888.0, 884.6),
        (9.2, 10.1),
        (228.1, 226.5),
        (668.5, 666.3),
        (998.5, 996.3),
        (449.1, 448.6),
        (778.9, 777.0),
        (559.2, 558.2),
        (0.3, 0.4),
        (0.1, 0.6),
        (778.1, 775.5),
        (668.8, 666.9),
        (339.3, 338.0),
        (448.9, 447.5),
        (10.8, 11.6),
        (557.7, 556.0),
        (228.3, 228.1),
        (998.0, 995.8),
        (888.8, 887.6),
        (119.6, 120.2),
        (0.3, 0.3),
        (0.6, 0.3),
        (557.6, 556.8),
        (339.3, 339.1),
        (888.0, 887.2),
        (998.5, 999.0),
        (778.9, 779.0),
        (10.2, 11.1),
        (117.6, 118.3),
        (228.9, 229.2),
        (668.4, 669.1),
        (449.2, 448.9),
        (0.2, 0.5),
    ];

    #[test]
    fn the_reference_data_give_their_certified_line() {
        let points: Vec<_> = NORRIS.iter().map(|(y, x)| (*x, *y)).collect();
        let line = fit(&points).unwrap();
        assert!(
            (line.slope - 1.002_116_818_020_45).abs() < 1e-10,
            "{line:?}"
        );
        assert!(
            (line.intercept + 0.262_323_073_774_029).abs() < 1e-9,
            "{line:?}"
        );
        assert!(
            (line.r_squared - 0.999_993_745_883_712).abs() < 1e-12,
            "{line:?}"
        );
        assert!((line.residual.unwrap() - 0.884_796_396_144_373).abs() < 1e-9);
    }

    #[test]
    fn one_x_makes_no_line() {
        assert_eq!(fit(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(fit(&[(1.0, 2.0)]), None);
        assert_eq!(fit(&[]), None);
    }

    #[test]
    fn a_bad_prediction_explains_less_than_nothing() {
        let pairs = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)];
        assert_eq!(r_squared(pairs.into_iter()), Some(-3.0));
    }
}
