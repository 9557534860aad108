//! Quantiles of latencies and of recovery times.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Of many values: latencies in milliseconds. All zero when `n` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub n: u64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p99_9_ms: f64,
    pub max_ms: f64,
}

/// Of few values: recovery times in milliseconds, nearest rank. Null when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    pub n: u64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub max_ms: Option<f64>,
}

/// Counts latencies: microseconds up to an hour, three significant digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3)
            .expect("constant bounds that hdrhistogram accepts");
        Self(histogram)
    }

    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds.div_ceil(1_000));
    }

    pub fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e3;
        if self.0.is_empty() {
            return Quantiles::default();
        }
        Quantiles {
            n: self.0.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p99_9_ms: at(0.999),
            max_ms: self.0.max() as f64 / 1e3,
        }
    }
}

impl Distribution {
    pub fn of(values_ms: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values_ms.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self {
            n: values.len() as u64,
            p50_ms: nearest_rank(&values, 0.5),
            p95_ms: nearest_rank(&values, 0.95),
            max_ms: values.last().copied(),
        }
    }
}

/// The smallest of the sorted values that at least this share of them do not exceed.
pub(crate) fn nearest_rank<T: Copy>(sorted: &[T], quantile: f64) -> Option<T> {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_thousand_known_latencies_are_exact_to_three_digits() {
        let mut latencies = Latencies::new();
        for n in 1..=1_000u64 {
            latencies.record(n * 1_000_000);
        }
        let q = latencies.quantiles();
        assert_eq!(q.n, 1_000);
        for (found, expected) in [
            (q.p50_ms, 500.0),
            (q.p90_ms, 900.0),
            (q.p99_ms, 990.0),
            (q.p99_9_ms, 999.0),
            (q.max_ms, 1_000.0),
        ] {
            assert!((found / expected - 1.0).abs() < 0.002, "{found} {expected}");
        }
    }

    #[test]
    fn a_latency_beyond_the_scale_is_kept_at_its_end() {
        let mut latencies = Latencies::new();
        latencies.record(u64::MAX);
        assert!(latencies.quantiles().max_ms >= 3_600_000.0);
    }

    #[test]
    fn few_values_are_ranked_not_interpolated() {
        let d = Distribution::of([30.0, 10.0, 20.0, 40.0]);
        assert_eq!(d.n, 4);
        assert_eq!(d.p50_ms, Some(20.0));
        assert_eq!(d.p95_ms, Some(40.0));
        assert_eq!(d.max_ms, Some(40.0));
        assert_eq!(Distribution::of([]).p50_ms, None);
    }
}
