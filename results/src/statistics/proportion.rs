//! What k of n says of the true share: exact bounds (Clopper and Pearson 1934). For 0 of n the upper bound is
//! 1 - (1 - confidence)^(1/n), about 3/n at 95 %.

use super::Interval;
use super::student::incomplete_beta;

/// The share that is exceeded with probability `1 - confidence` at the most, when k of n were seen.
/// Of nothing nothing is known: 1.
pub fn upper_bound(k: u64, n: u64, confidence: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    if k == 0 {
        return 1.0 - (1.0 - confidence).powf(1.0 / n as f64);
    }
    solve(
        |share| 1.0 - incomplete_beta(share, (k + 1) as f64, (n - k) as f64),
        1.0 - confidence,
    )
}

/// The share that the true one lies above with this confidence, when k of n were seen.
pub fn lower_bound(k: u64, n: u64, confidence: f64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    let k = k.min(n);
    1.0 - upper_bound(n - k, n, confidence)
}

/// Both bounds, half of what is left of the confidence on each side.
pub fn interval(k: u64, n: u64, confidence: f64) -> Interval {
    let each = 0.5 + confidence / 2.0;
    Interval {
        low: lower_bound(k, n, each),
        high: upper_bound(k, n, each),
    }
}

/// Where a falling function of a share has a value.
fn solve(falling: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if falling(middle) > value {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_of_n_leaves_about_three_in_n() {
        for (n, expected) in [
            (1, 0.95),
            (10, 0.258_866),
            (60, 0.048_703),
            (300, 0.009_936),
        ] {
            let found = upper_bound(0, n, 0.95);
            assert!((found - expected).abs() < 1e-6, "0 of {n}: {found}");
        }
    }

    /// Printed tables of Clopper-Pearson intervals.
    #[test]
    fn bounds_are_those_of_the_printed_tables() {
        let found = interval(2, 10, 0.95);
        assert!((found.low - 0.025_210_7).abs() < 1e-5, "{found:?}");
        assert!((found.high - 0.556_095_5).abs() < 1e-5, "{found:?}");
        let found = interval(7, 20, 0.95);
        assert!((found.low - 0.153_909).abs() < 1e-5, "{found:?}");
        assert!((found.high - 0.592_189).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn all_of_n_mirrors_none_of_n() {
        assert_eq!(upper_bound(10, 10, 0.95), 1.0);
        assert!((lower_bound(10, 10, 0.95) - (1.0 - 0.258_866)).abs() < 1e-6);
        assert_eq!(lower_bound(0, 10, 0.95), 0.0);
    }

    #[test]
    fn nothing_seen_says_nothing() {
        assert_eq!(upper_bound(0, 0, 0.95), 1.0);
        assert_eq!(lower_bound(0, 0, 0.95), 0.0);
    }
}
