//! Whether two samples differ, by the order of their values alone (Mann and Whitney 1947). Ties share their
//! rank. Exact up to a total of [`EXACT`] values, beyond that normal with the correction for ties.

/// So many values together are judged exactly.
pub const EXACT: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// Pairs in which the value of `b` is the greater one; a tie counts half.
    pub u: f64,
    /// Two-sided: how likely a difference of at least this size is when there is none.
    pub p: f64,
    /// `u` as a share of all pairs: 0.5 when neither is greater.
    pub greater: f64,
}

/// Compares `b` with `a`; none where one of them is empty.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<RankTest> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let pairs = (a.len() * b.len()) as f64;
    let halves = a
        .iter()
        .flat_map(|x| b.iter().map(move |y| half_points(*x, *y)));
    let u = halves.sum::<u64>() as f64 / 2.0;
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let p = if all.len() <= EXACT {
        exact(&doubled_ranks(&all), b.len(), u)
    } else {
        normal(&all, a.len(), b.len(), u)
    };
    Some(RankTest {
        u,
        p: p.min(1.0),
        greater: u / pairs,
    })
}

fn half_points(x: f64, y: f64) -> u64 {
    match y.total_cmp(&x) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => 1,
        std::cmp::Ordering::Greater => 2,
    }
}

/// Twice the rank of each value, so that shared ranks are whole numbers.
fn doubled_ranks(values: &[f64]) -> Vec<usize> {
    let rank = |value: &f64| {
        let below = values
            .iter()
            .filter(|other| other.total_cmp(value).is_lt())
            .count();
        let equal = values
            .iter()
            .filter(|other| other.total_cmp(value).is_eq())
            .count();
        2 * below + equal + 1
    };
    values.iter().map(rank).collect()
}

/// The share of all ways to choose `n` of the ranks whose sum is as far from the middle as the one seen.
fn exact(ranks: &[usize], n: usize, u: f64) -> f64 {
    let total: usize = ranks.iter().sum();
    // ways[k][s]: choices of k ranks with sum s.
    let mut ways = vec![vec![0f64; total + 1]; n + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for k in (1..=n).rev() {
            for sum in (*rank..=total).rev() {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    let others = ranks.len() - n;
    // In doubled ranks: the least sum that n distinct ranks can have is n (n + 1), U is what exceeds it.
    let seen = 2.0 * u - (n * others) as f64;
    let as_far = ways[n].iter().enumerate().filter(|(sum, _)| {
        let doubled_u = *sum as f64 - (n * (n + 1)) as f64;
        (doubled_u - (n * others) as f64).abs() >= seen.abs() - 1e-9
    });
    as_far.map(|(_, count)| count).sum::<f64>() / all
}

fn normal(all: &[f64], n_a: usize, n_b: usize, u: f64) -> f64 {
    let (n_a, n_b, n) = (n_a as f64, n_b as f64, all.len() as f64);
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|x, y| x == y)
        .map(|tied| (tied.len() as f64).powi(3) - tied.len() as f64)
        .sum();
    let variance = n_a * n_b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    // Half a step towards the middle, because U takes whole or half values.
    let away = ((u - n_a * n_b / 2.0).abs() - 0.5).max(0.0);
    2.0 * upper_tail(away / variance.sqrt())
}

/// The share of the normal distribution above z >= 0 (Abramowitz and Stegun 26.2.17; error below 7.5e-8).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let sum = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hollander and Wolfe 1973, page 69: permeability of membranes; U = 35, one-sided p = 0.1272.
    #[test]
    fn the_published_example_has_its_published_p() {
        let at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let earlier = [1.15, 0.88, 0.90, 0.74, 1.21];
        let found = mann_whitney(&earlier, &at_term).unwrap();
        assert_eq!(found.u, 35.0);
        assert!((found.p - 2.0 * 0.127_206).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn complete_separation_is_as_rare_as_its_one_arrangement() {
        let found = mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
        let found = found.unwrap();
        assert!((found.p - 2.0 / 252.0).abs() < 1e-12, "{found:?}");
        assert_eq!(found.greater, 1.0);
    }

    #[test]
    fn equal_samples_do_not_differ() {
        let found = mann_whitney(&[2.0; 5], &[2.0; 6]).unwrap();
        assert!((found.p - 1.0).abs() < 1e-9, "{found:?}");
        let found = mann_whitney(&[2.0; 50], &[2.0; 60]).unwrap();
        assert_eq!(found.p, 1.0);
    }

    #[test]
    fn exact_and_normal_agree_on_long_samples() {
        let a: Vec<f64> = (0..30).map(|n| f64::from(n * 7 % 30)).collect();
        let b: Vec<f64> = (0..30).map(|n| f64::from(n * 11 % 30) + 4.5).collect();
        let found = mann_whitney(&a, &b).unwrap();
        let all: Vec<f64> = a.iter().chain(&b).copied().collect();
        let approximate = normal(&all, 30, 30, found.u);
        assert!(
            (found.p - approximate).abs() < 0.005,
            "{found:?} {approximate}"
        );
    }

    #[test]
    fn nothing_can_not_be_compared() {
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }
}
