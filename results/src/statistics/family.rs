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
use serde::{Deserialize, Serialize};

/// Deals tried when there are more than that.
const DEALS: usize = 10_000;

/// Added to the standard error, as a share of the mean: differences far below it are of no interest.
pub const FLOOR: f64 = 0.01;

/// Which deals are as likely as the one that was made, when nothing differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Any run could have been on either side.
    Free,
    /// Each run of the base has a partner among the new ones, at the same place (one seed, one round): only the
    /// partners could be exchanged. What both have in common cancels out.
    Paired,
}

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
    fn difference(&self, is_new: &[bool], design: Design) -> f64 {
        match design {
            Design::Free => self.free_difference(is_new),
            Design::Paired => self.paired_difference(is_new),
        }
    }

    fn paired_difference(&self, is_new: &[bool]) -> f64 {
        let (ours, theirs) = self.values.split_at(self.values.len() / 2);
        let (mut n, mut sum, mut squares) = (0f64, 0f64, 0f64);
        for ((base, new), exchanged) in ours.iter().zip(theirs).zip(is_new) {
            if let (Some(base), Some(new)) = (base, new) {
                let step = if *exchanged { base - new } else { new - base };
                (n, sum, squares) = (n + 1.0, sum + step, squares + step * step);
            }
        }
        if n < 2.0 {
            return 0.0;
        }
        let unexplained = (squares - sum * sum / n).max(0.0);
        self.ratio(sum / n, (unexplained / (n - 1.0) / n).sqrt())
    }

    fn ratio(&self, difference: f64, error: f64) -> f64 {
        let error = error + FLOOR * self.scale;
        if error == 0.0 {
            return 0.0;
        }
        difference.abs() / error
    }

    fn free_difference(&self, is_new: &[bool]) -> f64 {
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
        let error = (pooled * (1.0 / n_a + 1.0 / n_b)).sqrt();
        self.ratio(mean_b - mean_a, error)
    }
}

/// The least p that so many runs can give, however different they are. Of pairs both numbers are theirs.
pub fn least_p(base: usize, new: usize, design: Design) -> f64 {
    match design {
        Design::Free if base == new => 2.0 / ways(base + new, new),
        Design::Free => 1.0 / ways(base + new, new),
        Design::Paired => 2.0 / 2f64.powi(base.min(new) as i32),
    }
}

/// How likely it is that so great a difference comes up in any measure of the family when nothing differs:
/// one p for each measure, in order. All measures must have as many values as there are runs.
///
/// # Panics
/// If the design is paired and the sides are not of one size.
pub fn corrected(
    measures: &[Measure],
    (base, new): (usize, usize),
    design: Design,
    seed: u64,
) -> Vec<f64> {
    assert!(design == Design::Free || base == new, "pairs need partners");
    let runs = base + new;
    let actual: Vec<bool> = (0..runs).map(|run| run >= base).collect();
    let observed: Vec<f64> = measures
        .iter()
        .map(|m| m.difference(&actual, design))
        .collect();
    // From the greatest difference to the least.
    let mut order: Vec<usize> = (0..measures.len()).collect();
    order.sort_by(|a, b| observed[*b].total_cmp(&observed[*a]));

    let mut exceeded = vec![0usize; measures.len()];
    let mut deals = 0usize;
    let mut count = |is_new: &[bool]| {
        deals += 1;
        let mut most = 0f64;
        for place in (0..order.len()).rev() {
            most = most.max(measures[order[place]].difference(is_new, design));
            // What is equal but for rounding is as great.
            if most >= observed[order[place]] * (1.0 - 1e-9) {
                exceeded[place] += 1;
            }
        }
    };
    let all = match design {
        Design::Free => ways(runs, new),
        Design::Paired => 2f64.powi(base as i32),
    };
    match (all <= DEALS as f64, design) {
        (true, Design::Free) => every_deal(runs, new, &mut count),
        (true, Design::Paired) => every_exchange(base, &mut count),
        (false, _) => {
            count(&actual);
            let mut random = Random::new(seed);
            let mut is_new = actual.clone();
            for _ in 1..DEALS {
                match design {
                    Design::Free => random.shuffle(&mut is_new),
                    Design::Paired => exchange(&mut is_new, |_| random.below(2) == 1),
                }
                count(&is_new);
            }
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

/// Puts the run of the base on the new side, and its partner on the other, where `exchanged` says so.
fn exchange(is_new: &mut [bool], mut exchanged: impl FnMut(usize) -> bool) {
    let pairs = is_new.len() / 2;
    for pair in 0..pairs {
        is_new[pair] = exchanged(pair);
        is_new[pairs + pair] = !is_new[pair];
    }
}

fn every_exchange(pairs: usize, visit: &mut impl FnMut(&[bool])) {
    let mut is_new = vec![false; 2 * pairs];
    for mask in 0..1u64 << pairs {
        exchange(&mut is_new, |pair| mask >> pair & 1 == 1);
        visit(&is_new);
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
        corrected(&measures, (n, n), Design::Free, 1)
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
        assert!(least_p(3, 3, Design::Free) > 0.05);
        assert!(least_p(4, 4, Design::Free) <= 0.05);
        assert!((least_p(4, 4, Design::Free) - 2.0 / 70.0).abs() < 1e-12);
    }

    #[test]
    fn a_measure_that_never_moves_does_not_differ() {
        let zeros = [Some(0.0); 5];
        let measure = Measure::new(&zeros, &zeros);
        assert_eq!(corrected(&[measure], (5, 5), Design::Free, 1), [1.0]);
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
        let p = corrected(&[measure], (6, 6), Design::Free, 1)[0];
        assert!(p <= 0.05, "{p}");
    }

    #[test]
    fn pairs_find_what_the_noise_of_the_rounds_hides() {
        let mut random = Random::new(13);
        // Rounds differ by a factor of two, partners by 10 % and little noise.
        let rounds: Vec<f64> = (0..7).map(|_| (0.7 * random.normal()).exp()).collect();
        let mut side = |level: f64| -> Vec<Option<f64>> {
            let noisy = |round: &f64| Some(round * level * (0.01 * random.normal()).exp());
            rounds.iter().map(noisy).collect()
        };
        let measure = Measure::new(&side(1.0), &side(1.1));
        let p = |design| corrected(std::slice::from_ref(&measure), (7, 7), design, 1)[0];
        assert!(p(Design::Free) > 0.05, "{}", p(Design::Free));
        assert!(
            (p(Design::Paired) - 2.0 / 128.0).abs() < 1e-12,
            "{}",
            p(Design::Paired)
        );
    }

    #[test]
    fn equal_pairs_seldom_differ_in_any_of_thirty_measures() {
        let mut random = Random::new(14);
        let tries = 100;
        let fooled = (0..tries).filter(|_| {
            let measures: Vec<Measure> = (0..30)
                .map(|_| Measure::new(&noisy(&mut random, 7, 1.0), &noisy(&mut random, 7, 1.0)))
                .collect();
            let p = corrected(&measures, (7, 7), Design::Paired, 1);
            p.iter().any(|p| *p <= 0.05)
        });
        let fooled = fooled.count();
        assert!(fooled <= 10, "{fooled} of {tries}");
    }

    #[test]
    fn six_pairs_are_the_fewest_that_can_tell() {
        assert!(least_p(5, 5, Design::Paired) > 0.05);
        assert!(least_p(6, 6, Design::Paired) <= 0.05);
    }
}
