//! What runs next. Pure: it is told what has run and how much time is left.
//!
//! First the reruns of a violation just found, then the seeds that failed in earlier nights, then what is planned:
//! every test once before any test twice, so that a night that is cut short has seen all of them. With a budget
//! of time it is the test that has been run least, over all nights, with a seed that has been run least.

use super::spec::{Seeds, Suite, Test};
use results::suite::{Because, Ended, Plan, Run};
use std::collections::HashSet;
use std::time::Duration;

/// What a run takes besides its load and its quiet period: deploying, healing, judging.
const AROUND: Duration = Duration::from_secs(5);
/// So many of the latest runs of a test tell how long the next may take.
const LATEST: usize = 20;
/// Only so many seeds of a test are run again: a build that fails always must not take the whole night for it.
pub const RERUN_SEEDS: usize = 3;

/// A run to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// Place in the suite's tests.
    pub test: usize,
    pub seed: u64,
    pub because: Because,
}

/// What is known when something is to be chosen.
pub struct Standing<'a> {
    pub suite: &'a Suite,
    pub plan: &'a Plan,
    /// Of this night.
    pub made: &'a [Run],
    /// So many of these were made by earlier commands: what was broken then is made again.
    pub earlier: usize,
    /// Of all nights, this one included.
    pub history: &'a [Run],
    /// Until the budget is used up; none: there is no budget.
    pub left: Option<Duration>,
}

impl Standing<'_> {
    /// The next run; none: the night is through, or nothing that is left would end in time.
    pub fn next(&self) -> Option<Next> {
        let fits = |next: &Next| self.fits(next.test);
        let seldom = self.seldom_run();
        self.reruns()
            .chain(self.corpus())
            .chain(self.planned())
            .chain(seldom)
            .find(fits)
    }

    /// How long a run of the test may take: what its spec says, or the longest of late.
    pub fn takes(&self, test: usize) -> Duration {
        takes(&self.suite.tests[test], self.history)
    }

    fn fits(&self, test: usize) -> bool {
        self.left.is_none_or(|left| self.takes(test) <= left)
    }

    fn reruns(&self) -> impl Iterator<Item = Next> {
        let mut seen = vec![0; self.suite.tests.len()];
        let violations = self
            .made
            .iter()
            .filter(|run| run.ended == Ended::Invalid && run.because != Because::Rerun);
        violations.filter_map(move |run| {
            let test = self.position(&run.test)?;
            seen[test] += 1;
            let again = self.made.iter().filter(|other| {
                other.because == Because::Rerun
                    && (&other.test, other.seed) == (&run.test, run.seed)
            });
            let due = seen[test] <= RERUN_SEEDS && again.count() < self.plan.reruns as usize;
            due.then_some(Next {
                test,
                seed: run.seed,
                because: Because::Rerun,
            })
        })
    }

    fn corpus(&self) -> impl Iterator<Item = Next> {
        let tests = self.plan.tests.iter();
        let seeds = tests.flat_map(|test| test.corpus.iter().map(|seed| (&test.name, *seed)));
        seeds.filter_map(|(name, seed)| self.due(name, seed, Because::Corpus))
    }

    fn planned(&self) -> impl Iterator<Item = Next> {
        let rounds = match self.left {
            // Chosen by what was run least instead.
            Some(_) => 0,
            None => {
                let seeds = self.plan.tests.iter().map(|test| test.seeds.len());
                seeds.max().unwrap_or_default()
            }
        };
        (0..rounds).flat_map(move |round| {
            let tests = self.plan.tests.iter();
            tests.filter_map(move |test| {
                self.due(&test.name, *test.seeds.get(round)?, Because::Planned)
            })
        })
    }

    fn due(&self, test: &str, seed: u64, because: Because) -> Option<Next> {
        let made = self.made.iter().enumerate().any(|(at, run)| {
            (run.test.as_str(), run.seed, run.because) == (test, seed, because)
                && !(run.ended == Ended::Broken && at < self.earlier)
        });
        let test = self.position(test)?;
        (!made).then_some(Next {
            test,
            seed,
            because,
        })
    }

    /// All tests, that with the fewest runs first; for a budget only.
    fn seldom_run(&self) -> Vec<Next> {
        if self.left.is_none() {
            return Vec::new();
        }
        let mut order: Vec<usize> = (0..self.suite.tests.len()).collect();
        order.sort_by_key(|test| self.runs_of(*test).count());
        order
            .into_iter()
            .map(|test| Next {
                test,
                seed: self.seldom_run_seed(test),
                because: Because::Planned,
            })
            .collect()
    }

    fn seldom_run_seed(&self, test: usize) -> u64 {
        match &self.suite.tests[test].seeds {
            Seeds::These(seeds) => {
                let times = |seed| self.runs_of(test).filter(|run| run.seed == seed).count();
                let least = seeds.iter().copied().min_by_key(|seed| times(*seed));
                least.unwrap_or_default()
            }
            Seeds::Derived(_) => {
                let derived = |n| self.suite.tests[test].derived(self.plan.seed, n);
                let used: HashSet<u64> = self.runs_of(test).map(|run| run.seed).collect();
                // One more candidate than seeds: at least one of them never ran.
                let mut candidates = (0..=used.len() as u64).map(derived);
                let fresh = candidates.find(|seed| !used.contains(seed));
                fresh.unwrap_or_else(|| derived(0))
            }
        }
    }

    fn runs_of(&self, test: usize) -> impl Iterator<Item = &Run> {
        let name = self.suite.tests[test].name();
        self.history
            .iter()
            .filter(move |run| run.test == name && run.because != Because::Rerun)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.suite.tests.iter().position(|test| test.name() == name)
    }
}

/// How long a run of a test may take.
pub fn takes(test: &Test, history: &[Run]) -> Duration {
    let nominal = test.spec.time.0 + test.spec.quiet.0 + AROUND;
    let of_test = history.iter().rev().filter(|run| {
        run.test == test.name() && matches!(run.ended, Ended::Valid | Ended::Invalid)
    });
    let longest = of_test
        .take(LATEST)
        .filter_map(|run| Duration::try_from_secs_f64(run.took_s).ok())
        .max();
    nominal.max(longest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::spec::Overrides;
    use super::*;

    const SUITE: &str = "{name: s, reruns: 2, defaults: {time: 10s, quiet: 1s, nemesis: []},
        tests: [{name: a, repeats: 2}, {name: b}, {name: c, seeds: [5, 6]}]}";

    fn suite() -> Suite {
        Suite::parse(SUITE, "s.yaml", &Overrides::default()).unwrap()
    }

    fn plan(suite: &Suite, corpus: &[u64]) -> Plan {
        Plan {
            seed: 1,
            reruns: suite.reruns,
            tests: suite
                .tests
                .iter()
                .map(|test| results::suite::Test {
                    name: test.name().to_owned(),
                    seeds: test.seeds(1),
                    corpus: match test.name() {
                        "b" => corpus.to_vec(),
                        _ => Vec::new(),
                    },
                    ..Default::default()
                })
                .collect(),
            ..Plan::default()
        }
    }

    fn run(test: &str, seed: u64, because: Because, ended: Ended) -> Run {
        Run {
            test: test.into(),
            seed,
            because,
            ended,
            took_s: 3.0,
            ..Run::default()
        }
    }

    /// Plays a night in which everything ends as told; gives `test seed reason` of each run.
    fn night(corpus: &[u64], left: Option<u64>, ended: impl Fn(&Next) -> Ended) -> Vec<String> {
        let suite = suite();
        let plan = plan(&suite, corpus);
        let mut made: Vec<Run> = Vec::new();
        let mut told = Vec::new();
        loop {
            let spent = 16 * made.len() as u64;
            let standing = Standing {
                suite: &suite,
                plan: &plan,
                made: &made,
                earlier: 0,
                history: &made,
                left: left.map(|left| Duration::from_secs(left.saturating_sub(spent))),
            };
            let Some(next) = standing.next() else {
                return told;
            };
            let name = suite.tests[next.test].name();
            let seed = match next.seed {
                small @ 0..100 => small.to_string(),
                derived => format!("#{}", derived - suite.tests[next.test].derived(1, 0)),
            };
            told.push(format!("{name} {seed} {:?}", next.because).to_lowercase());
            made.push(run(name, next.seed, next.because, ended(&next)));
            assert!(made.len() < 50, "{told:?}");
        }
    }

    #[test]
    fn every_test_runs_once_before_any_runs_twice() {
        assert_eq!(
            night(&[], None, |_| Ended::Valid),
            [
                "a #0 planned",
                "b #0 planned",
                "c 5 planned",
                "a #1 planned",
                "c 6 planned"
            ]
        );
    }

    #[test]
    fn seeds_that_failed_before_come_first() {
        let told = night(&[77], None, |_| Ended::Valid);
        assert_eq!(told[..2], ["b 77 corpus", "a #0 planned"]);
    }

    #[test]
    fn a_violation_is_run_again_at_once_and_only_so_often() {
        let told = night(&[], None, |next| match next.seed {
            5 => Ended::Invalid,
            _ => Ended::Valid,
        });
        assert_eq!(
            told[2..],
            [
                "c 5 planned",
                "c 5 rerun",
                "c 5 rerun",
                "a #1 planned",
                "c 6 planned"
            ]
        );
    }

    #[test]
    fn a_budget_takes_what_was_run_least_and_begins_nothing_that_would_not_end() {
        // Each run takes 16 s.
        let told = night(&[], Some(16 * 5 + 15), |_| Ended::Valid);
        assert_eq!(
            told,
            [
                "a #0 planned",
                "b #0 planned",
                "c 5 planned",
                "a #1 planned",
                "b #1 planned"
            ]
        );
        assert_eq!(night(&[], Some(15), |_| Ended::Valid), [""; 0]);
    }

    #[test]
    fn earlier_nights_count_for_a_budget() {
        let suite = suite();
        let plan = plan(&suite, &[]);
        let mut history = Vec::new();
        for _ in 0..3 {
            history.push(run("a", 9, Because::Planned, Ended::Valid));
            history.push(run("b", 9, Because::Planned, Ended::Valid));
        }
        history.push(run("c", 5, Because::Planned, Ended::Valid));
        let standing = Standing {
            suite: &suite,
            plan: &plan,
            made: &[],
            earlier: 0,
            history: &history,
            left: Some(Duration::from_secs(100)),
        };
        let next = standing.next().unwrap();
        assert_eq!((next.test, next.seed), (2, 6));
    }

    #[test]
    fn what_was_broken_is_made_again_when_the_night_goes_on() {
        let suite = suite();
        let plan = plan(&suite, &[]);
        let first = suite.tests[0].derived(1, 0);
        let made = [run("a", first, Because::Planned, Ended::Broken)];
        let next = |earlier| {
            let standing = Standing {
                suite: &suite,
                plan: &plan,
                made: &made,
                earlier,
                history: &made,
                left: None,
            };
            standing.next().unwrap().test
        };
        assert_eq!([next(0), next(1)], [1, 0]);
    }

    #[test]
    fn a_test_that_took_long_of_late_is_expected_to_again() {
        let suite = suite();
        let slow = Run {
            took_s: 40.0,
            ..run("a", 1, Because::Planned, Ended::Valid)
        };
        assert_eq!(takes(&suite.tests[0], &[slow]), Duration::from_secs(40));
        assert_eq!(takes(&suite.tests[1], &[]), Duration::from_secs(16));
    }
}
