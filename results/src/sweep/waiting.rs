//! Durations of which some were not seen to end: numbered, ordered and summed up without leaving those out.

use super::record::{Recovered, Scenario, Waited};
use crate::statistics::{bootstrap, mean};
use serde::{Deserialize, Serialize};

/// Which of the two durations of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Until clients were served again.
    Service,
    /// Until the servers had caught up.
    Restart,
}

impl Measure {
    pub const ALL: [Measure; 2] = [Measure::Service, Measure::Restart];

    pub fn name(self) -> &'static str {
        match self {
            Measure::Service => "service",
            Measure::Restart => "restart",
        }
    }

    /// Whether it says something of a scenario. Where all servers are hit, nobody knows what there is to catch up with
    /// until there is a leader again: service says it all.
    pub fn applies_to(self, scenario: Scenario) -> bool {
        match self {
            Measure::Service => scenario.takes_service(),
            Measure::Restart => scenario != Scenario::Control && !scenario.hits_all(),
        }
    }

    pub fn of(self, recovered: &Recovered) -> Option<Waited> {
        match self {
            Measure::Service => recovered.service,
            Measure::Restart => recovered.restart,
        }
    }
}

impl Waited {
    /// What is known of it: the duration, or the bound.
    pub fn known_ms(self) -> f64 {
        match self {
            Waited::Ms(ms) | Waited::ShorterThanMs(ms) | Waited::LongerThanMs(ms) => ms,
        }
    }

    pub fn is_censored(self) -> bool {
        matches!(self, Waited::LongerThanMs(_))
    }

    /// Whether it is certain to be within a limit.
    pub fn is_within(self, limit_ms: f64) -> bool {
        !self.is_censored() && self.known_ms() <= limit_ms
    }
}

/// Many durations in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub n: u64,
    /// Not seen to end.
    pub censored: u64,
    /// Shorter than the probes can tell; they count as their bound.
    pub below_resolution: u64,
    /// `None` where one was censored: then there is no mean.
    pub mean_ms: Option<f64>,
    /// 95 %, by bootstrap.
    pub mean_low_ms: Option<f64>,
    pub mean_high_ms: Option<f64>,
    pub p50: Option<Quantile>,
    pub p95: Option<Quantile>,
    pub max: Option<Quantile>,
}

/// A duration that a share of all does not exceed; "longer than" where its rank is that of a censored one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    pub ms: f64,
    #[serde(default)]
    pub longer: bool,
    /// The upper end of its 95 % interval, by bootstrap; `None` of fewer than two, and where it did not end.
    pub high_ms: Option<f64>,
}

impl Quantile {
    pub fn is_within(&self, limit_ms: f64) -> bool {
        !self.longer && self.ms <= limit_ms
    }
}

/// The same durations give the same intervals.
const SEED: u64 = 11;

impl Summary {
    pub fn of(waited: &[Waited]) -> Self {
        let censored = waited.iter().filter(|one| one.is_censored()).count() as u64;
        let below = |one: &&Waited| matches!(one, Waited::ShorterThanMs(_));
        let known: Vec<f64> = waited.iter().map(|one| one.known_ms()).collect();
        let interval = match censored {
            0 => bootstrap::interval(&known, 0.95, SEED, mean),
            _ => None,
        };
        Self {
            n: waited.len() as u64,
            censored,
            below_resolution: waited.iter().filter(below).count() as u64,
            mean_ms: (censored == 0).then(|| mean(&known)).flatten(),
            mean_low_ms: interval.map(|interval| interval.low),
            mean_high_ms: interval.map(|interval| interval.high),
            p50: quantile(waited, 0.5),
            p95: quantile(waited, 0.95),
            max: quantile(waited, 1.0),
        }
    }
}

/// By nearest rank; the censored come last, since nothing is known of how much longer they took.
fn quantile(waited: &[Waited], q: f64) -> Option<Quantile> {
    let mut sorted = waited.to_vec();
    sorted.sort_by(|a, b| {
        let ended_first = a.is_censored().cmp(&b.is_censored());
        ended_first.then(a.known_ms().total_cmp(&b.known_ms()))
    });
    let rank = |n: usize| ((q * n as f64).ceil() as usize).clamp(1, n.max(1)) - 1;
    let found = sorted.get(rank(sorted.len()))?;
    // Places and not values are drawn: so a censored one stays the longest.
    let places: Vec<f64> = (0..sorted.len()).map(|place| place as f64).collect();
    let high = bootstrap::interval(&places, 0.95, SEED, |drawn| {
        let mut drawn = drawn.to_vec();
        let at = rank(drawn.len());
        Some(*drawn.select_nth_unstable_by(at, f64::total_cmp).1)
    });
    let high = high.and_then(|interval| sorted.get(interval.high.ceil() as usize));
    Some(Quantile {
        ms: found.known_ms(),
        longer: found.is_censored(),
        high_ms: high
            .filter(|one| !one.is_censored())
            .map(|one| one.known_ms()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(values: &[f64]) -> Vec<Waited> {
        values.iter().map(|ms| Waited::Ms(*ms)).collect()
    }

    #[test]
    fn durations_that_ended_have_a_mean_with_its_interval() {
        let summary = Summary::of(&ended(&[10.0, 20.0, 30.0, 40.0]));
        assert_eq!((summary.n, summary.mean_ms), (4, Some(25.0)));
        let (low, high) = (summary.mean_low_ms.unwrap(), summary.mean_high_ms.unwrap());
        assert!((10.0..25.0).contains(&low) && (25.0..=40.0).contains(&high));
        assert_eq!(summary.p50.unwrap().ms, 20.0);
        assert_eq!(summary.p95.unwrap().ms, 40.0);
    }

    #[test]
    fn what_did_not_end_is_last_and_there_is_no_mean() {
        let mut waited = ended(&[10.0, 20.0, 30.0]);
        waited.insert(0, Waited::LongerThanMs(5.0));
        let summary = Summary::of(&waited);
        assert_eq!((summary.censored, summary.mean_ms), (1, None));
        assert_eq!(summary.p50.unwrap().ms, 20.0);
        let worst = summary.p95.unwrap();
        assert!(worst.longer && worst.ms == 5.0 && !worst.is_within(60.0));
    }

    #[test]
    fn what_was_too_short_to_see_counts_as_the_resolution() {
        let summary = Summary::of(&[Waited::ShorterThanMs(20.0), Waited::Ms(40.0)]);
        assert_eq!((summary.below_resolution, summary.mean_ms), (1, Some(30.0)));
        assert!(Waited::ShorterThanMs(20.0).is_within(20.0));
    }

    #[test]
    fn of_nothing_there_is_nothing_and_of_all_censored_no_number() {
        let none = Summary::of(&[]);
        assert_eq!((none.n, none.p50, none.mean_ms), (0, None, None));
        let all = Summary::of(&[Waited::LongerThanMs(9.0), Waited::LongerThanMs(8.0)]);
        assert!(all.p50.unwrap().longer && all.p50.unwrap().high_ms.is_none());
    }
}
