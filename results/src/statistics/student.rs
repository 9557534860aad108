//! Student's t distribution, and the regularised incomplete beta function that it and the binomial stand on
//! (continued fraction of Lentz as in Abramowitz and Stegun 26.5.8).

use super::{Interval, mean, variance};

/// The logarithm of the gamma function for x > 0 (Lanczos 1964, g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let base = x + 7.5;
    let sum = TERMS
        .iter()
        .enumerate()
        .fold(0.999_999_999_999_809_9, |sum, (n, term)| {
            sum + term / (x + n as f64 + 1.0)
        });
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

/// I_x(a, b): the share of the beta distribution below x.
pub(super) fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges fast on one side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..=500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            step = c * d;
            value *= step;
        }
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The share of the distribution with so many degrees of freedom that is below t.
pub fn below(t: f64, freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The t that a share of the distribution is below; `share` strictly between 0 and 1.
pub fn quantile(share: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (-1e9, 1e9);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if below(middle, freedom) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The interval of the mean that a sample was drawn from; none of fewer than two values.
pub fn of_mean(values: &[f64], confidence: f64) -> Option<Interval> {
    let (mean, variance) = (mean(values)?, variance(values)?);
    let n = values.len() as f64;
    let reach = quantile(0.5 + confidence / 2.0, n - 1.0) * (variance / n).sqrt();
    Some(Interval {
        low: mean - reach,
        high: mean + reach,
    })
}

/// The interval of `mean(b) - mean(a)` for samples of unequal variance (Welch 1947). None where one of them
/// has fewer than two values.
pub fn difference(a: &[f64], b: &[f64], confidence: f64) -> Option<Interval> {
    let shift = mean(b)? - mean(a)?;
    let (part_a, part_b) = (variance(a)? / a.len() as f64, variance(b)? / b.len() as f64);
    let error = (part_a + part_b).sqrt();
    if error == 0.0 {
        return Some(Interval {
            low: shift,
            high: shift,
        });
    }
    let freedom = (part_a + part_b).powi(2)
        / (part_a.powi(2) / (a.len() - 1) as f64 + part_b.powi(2) / (b.len() - 1) as f64);
    let reach = quantile(0.5 + confidence / 2.0, freedom) * error;
    Some(Interval {
        low: shift - reach,
        high: shift + reach,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_printed_tables() {
        for (share, freedom, expected) in [
            (0.975, 1.0, 12.706),
            (0.975, 10.0, 2.228),
            (0.95, 5.0, 2.015),
            (0.995, 30.0, 2.750),
            (0.025, 10.0, -2.228),
        ] {
            let found = quantile(share, freedom);
            assert!(
                (found - expected).abs() < 5e-4,
                "{share} {freedom}: {found}"
            );
        }
    }

    /// R's `sleep` data (Student 1908): t.test(extra ~ group) gives -3.3654832 to 0.2054832.
    #[test]
    fn the_difference_of_two_drugs_is_the_published_one() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let found = difference(&second, &first, 0.95).unwrap();
        assert!((found.low + 3.365_483_2).abs() < 1e-6, "{found:?}");
        assert!((found.high - 0.205_483_2).abs() < 1e-6, "{found:?}");
    }

    /// The same data paired by patient: -2.4598858 to -0.7001142.
    #[test]
    fn the_paired_difference_of_two_drugs_is_the_published_one() {
        let steps = [-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4];
        let found = of_mean(&steps, 0.95).unwrap();
        assert!((found.low + 2.459_885_8).abs() < 1e-6, "{found:?}");
        assert!((found.high + 0.700_114_2).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn samples_without_spread_differ_exactly() {
        let found = difference(&[1.0, 1.0], &[3.0, 3.0], 0.95).unwrap();
        assert_eq!((found.low, found.high), (2.0, 2.0));
        assert_eq!(difference(&[1.0], &[3.0, 3.0], 0.95), None);
    }
}
