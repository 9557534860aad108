//! Whether two sets of runs differ in any of many measures, without being fooled by their number.
//!
//! Thirty measures at 5 % each would cry wolf in three of four comparisons of equal sets. The correction here
//! is the step-down maxT of Westfall and Young (Resampling-Based Multiple Testing, 1993, algorithm 2.8): the
//! runs are dealt to the two sides anew, all measures of a run together, and a difference counts only if few
//! deals have one of this size in *any* measure not yet found. So the chance of one false alarm in the whole
//! table is at most alpha whatever the distributions, and measures that move together cost little.
//!
//! The size of a difference is Student's t on the logarithms where all values are positive. A measure without
//! spread would find the smallest difference infinitely large; [`FLOOR`] is added to the standard error.

use super::mean;
use super::random::Random;

/// Deals tried when there are more than that.
const DEALS: usize = 10_000;

/// Added to the standard error, as a share of the mean: differences far below it are of no interest.
pub const FLOOR: f64 = 0.01;

/// The values of one measure in the runs of both sides; none: the run does not have it.
#[derive(Clone, Debug)]
pub struct Measure {
    /// On the scale of comparison, with the mean 0.
    values: Vec<Option<f64>>,
    /// Of a raw measure: what [`FLOOR`] is a share of. On a logarithmic scale it is 1.
    scale: f64,
    logarithmic: bool,
}

impl Measure {
    /// `base` and `new` are in the order of the runs, the same in all measures of a family.
    pub fn new(base: &[Option<f64>], new: &[Option<f64>]) -> Self {
        let values: Vec<Option<f64>> = base.iter().chain(new).copied().collect();
        let present: Vec<f64> = values.iter().flatten().copied().collect();
        let logarithmic = present.iter().all(|value| *value > 0.0);
        let size: Vec<f64> = present.iter().map(|value| value.abs()).collect();
        let scaled = |value: f64| if logarithmic { value.ln() } else { value };
        let scaled_present: Vec<f64> = present.iter().map(|value| scaled(*value)).collect();
        let centre = mean(&scaled_present).unwrap_or_default();
        let values = values
            .iter()
            .map(|value| value.map(|value| scaled(value) - centre));
        Self {
            values: values.collect(),
            scale: match logarithmic {
                true => 1.0,
                false => mean(&size).unwrap_or_default(),
            },
            logarithmic,
        }
    }

    /// Whether differences are of logarithms, that is ratios.
    pub fn logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// The size of the difference when the runs marked are the new ones.
    fn difference(&self, is_new: &[bool]) -> f64 {
        // In one pass, because it is done for every deal: number, sum and sum of squares of each side. The values
        // are centred, so that the squares lose no digits.
        let mut sides = [(0f64, 0f64, 0f64); 2];
        for (value, is_new) in self.values.iter().zip(is_new) {
            if let Some(value) = value {
                let side = &mut sides[usize::from(*is_new)];
                *side = (side.0 + 1.0, side.1 + value, side.2 + value * value);
            }
        }
        let [(n_a, sum_a, squares_a), (n_b, sum_b, squares_b)] = sides;
        if n_a < 2.0 || n_b < 2.0 {
            return 0.0;
        }
        let (mean_a, mean_b) = (sum_a / n_a, sum_b / n_b);
        let unexplained =
            (squares_a - sum_a * mean_a).max(0.0) + (squares_b - sum_b * mean_b).max(0.0);
        let pooled = unexplained / (n_a + n_b - 2.0);
        let error = (pooled * (1.0 / n_a + 1.0 / n_b)).sqrt() + FLOOR * self.scale;
        if error == 0.0 {
            return 0.0;
        }
        (mean_b - mean_a).abs() / error
    }
}

/// The least p that so many runs can give, however different they are.
pub fn least_p(base: usize, new: usize) -> f64 {
    let both = if base == new { 2.0 } else { 1.0 };
    both / ways(base + new, new)
}

/// How likely it is that so great a difference comes up in any measure of the family when nothing differs:
/// one p for each measure, in order. All measures must have as many values as there are runs.
pub fn corrected(measures: &[Measure], base: usize, new: usize, seed: u64) -> Vec<f64> {
    let runs = base + new;
    let actual: Vec<bool> = (0..runs).map(|run| run >= base).collect();
    let observed: Vec<f64> = measures.iter().map(|m| m.difference(&actual)).collect();
    // From the greatest difference to the least.
    let mut order: Vec<usize> = (0..measures.len()).collect();
    order.sort_by(|a, b| observed[*b].total_cmp(&observed[*a]));

    let mut exceeded = vec![0usize; measures.len()];
    let mut deals = 0usize;
    let mut count = |is_new: &[bool]| {
        deals += 1;
        let mut most = 0f64;
        for place in (0..order.len()).rev() {
            most = most.max(measures[order[place]].difference(is_new));
            // What is equal but for rounding is as great.
            if most >= observed[order[place]] * (1.0 - 1e-9) {
                exceeded[place] += 1;
            }
        }
    };
    if ways(runs, new) <= DEALS as f64 {
        every_deal(runs, new, &mut count);
    } else {
        count(&actual);
        let mut random = Random::new(seed);
        let mut is_new = actual.clone();
        for _ in 1..DEALS {
            random.shuffle(&mut is_new);
            count(&is_new);
        }
    }
    // A measure can't be surer than one with a greater difference.
    let mut corrected = vec![1.0; measures.len()];
    let mut least = 0f64;
    for (place, measure) in order.iter().enumerate() {
        least = least.max(exceeded[place] as f64 / deals as f64);
        corrected[*measure] = least;
    }
    corrected
}

/// In how many ways `chosen` of `all` can be chosen.
fn ways(all: usize, chosen: usize) -> f64 {
    (0..chosen)
        .map(|n| (all - n) as f64 / (n + 1) as f64)
        .product()
}

fn every_deal(runs: usize, new: usize, visit: &mut impl FnMut(&[bool])) {
    let mut chosen: Vec<usize> = (0..new).collect();
    loop {
        let mut is_new = vec![false; runs];
        for run in &chosen {
            is_new[*run] = true;
        }
        visit(&is_new);
        // The last place that can still move up.
        let Some(place) = (0..new).rev().find(|n| chosen[*n] < runs - new + n) else {
            return;
        };
        chosen[place] += 1;
        for later in place + 1..new {
            chosen[later] = chosen[later - 1] + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(random: &mut Random, n: usize, level: f64) -> Vec<Option<f64>> {
        let values = (0..n).map(|_| Some(level * (0.05 * random.normal()).exp()));
        values.collect()
    }

    /// Thirty independent measures are the worst case for a correction.
    fn alarms(random: &mut Random, n: usize, level_of_first: f64) -> Vec<f64> {
        let measures: Vec<Measure> = (0..30)
            .map(|number| {
                let level = if number == 0 { level_of_first } else { 1.0 };
                Measure::new(&noisy(random, n, 1.0), &noisy(random, n, level))
            })
            .collect();
        corrected(&measures, n, n, 1)
    }

    #[test]
    fn every_deal_is_visited_once() {
        let mut seen = std::collections::BTreeSet::new();
        every_deal(7, 3, &mut |is_new| assert!(seen.insert(is_new.to_vec())));
        assert_eq!(seen.len(), 35);
        assert_eq!(ways(7, 3), 35.0);
    }

    #[test]
    fn equal_sets_seldom_differ_in_any_of_thirty_measures() {
        let mut random = Random::new(11);
        let tries = 100;
        let fooled = (0..tries).filter(|_| alarms(&mut random, 5, 1.0).iter().any(|p| *p <= 0.05));
        let fooled = fooled.count();
        assert!(fooled <= 10, "{fooled} of {tries}");
    }

    #[test]
    fn a_fifth_more_is_found_among_thirty_measures() {
        let mut random = Random::new(12);
        let tries = 40;
        let found = (0..tries).filter(|_| alarms(&mut random, 6, 1.2)[0] <= 0.05);
        let found = found.count();
        assert!(found * 10 >= tries * 9, "{found} of {tries}");
    }

    #[test]
    fn four_runs_a_side_are_the_fewest_that_can_tell() {
        assert!(least_p(3, 3) > 0.05);
        assert!(least_p(4, 4) <= 0.05);
        assert!((least_p(4, 4) - 2.0 / 70.0).abs() < 1e-12);
    }

    #[test]
    fn a_measure_that_never_moves_does_not_differ() {
        let zeros = [Some(0.0); 5];
        let measure = Measure::new(&zeros, &zeros);
        assert_eq!(corrected(&[measure], 5, 5, 1), [1.0]);
    }

    #[test]
    fn missing_values_are_left_out() {
        let base = [
            Some(1.0),
            None,
            Some(1.01),
            Some(0.99),
            Some(1.0),
            Some(1.02),
        ];
        let new = [
            Some(2.0),
            Some(2.02),
            None,
            Some(1.99),
            Some(2.0),
            Some(2.01),
        ];
        let measure = Measure::new(&base, &new);
        assert!(measure.logarithmic());
        let p = corrected(&[measure], 6, 6, 1)[0];
        assert!(p <= 0.05, "{p}");
    }
}
