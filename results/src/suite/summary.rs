//! What a night came to: the verdict, the violations with how often they come again, the thresholds missed.

use super::record::{Because, Ended, Plan, Run, Test};
use super::trend::Shift;
use crate::metrics;
use crate::recorded::Program;
use crate::statistics::{median, proportion};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// `results.json` of a night.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    pub name: String,
    pub night: String,
    pub seed: u64,
    pub started: String,
    pub version: String,
    pub program: Option<Program>,
    pub outcome: Outcome,
    /// The outcome in a sentence.
    pub sentence: String,
    /// All that was to run has run, or the budget of time is used up.
    pub finished: bool,
    /// The command that goes on with a night that did not finish.
    pub resume: String,
    pub tests: Vec<Tested>,
    pub violations: Vec<Violation>,
    /// Runs that were planned and not made.
    pub missing: Vec<Missing>,
    /// What else is to be said, one sentence each.
    pub remarks: Vec<String>,
    /// Where measures changed their level over the nights; they don't count for the outcome.
    pub shifts: Vec<Shift>,
    /// In the order in which they were made.
    pub runs: Vec<Run>,
}

/// The later is the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every run was valid and met its thresholds.
    Valid,
    /// A run proved nothing, or was planned and not made.
    #[default]
    Unknown,
    /// A threshold was missed.
    Missed,
    /// A violation was proved.
    Invalid,
    /// A run could not be made.
    Broken,
}

/// A test of the night. Reruns are left out of its figures: they are of seeds that fail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tested {
    pub name: String,
    pub runs: u32,
    pub valid: u32,
    pub invalid: u32,
    pub unknown: u32,
    pub broken: u32,
    /// Thresholds as written.
    pub expect: BTreeMap<String, String>,
    /// Runs that missed each threshold.
    pub missed: BTreeMap<String, u32>,
    /// Over the runs that have the measure.
    pub medians: BTreeMap<String, f64>,
}

/// A seed that failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Violation {
    pub test: String,
    pub seed: u64,
    pub checks: Vec<String>,
    pub reason: String,
    pub run: String,
    pub repeat: String,
    /// Of the reruns.
    pub failed_again: u32,
    pub reruns: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    pub test: String,
    pub seed: u64,
    pub because: Because,
}

impl Summary {
    /// Of a plan and the runs that were made. `cut`: it ended before it was through.
    pub fn of(plan: &Plan, runs: Vec<Run>, cut: bool, remarks: Vec<String>) -> Self {
        let runs = counted(runs);
        let missing = missing(plan, &runs);
        let mut summary = Self {
            name: plan.name.clone(),
            night: plan.night.clone(),
            seed: plan.seed,
            started: plan.started.clone(),
            version: plan.version.clone(),
            program: plan.program.clone(),
            resume: plan.resume.clone(),
            finished: !cut && missing.is_empty(),
            tests: plan.tests.iter().map(|test| tested(test, &runs)).collect(),
            violations: violations(&runs),
            missing,
            remarks,
            runs,
            ..Self::default()
        };
        summary.outcome = summary.worst();
        summary.sentence = summary.in_words();
        summary
    }

    fn worst(&self) -> Outcome {
        let counted = self.runs.iter().filter(|run| run.because != Because::Rerun);
        let worst = counted.map(outcome_of).max();
        // A violation that only a rerun proved is one all the same.
        let proved = self.runs.iter().any(|run| run.ended == Ended::Invalid);
        // Nothing was shown where nothing ran.
        let worst = worst.unwrap_or_default();
        let worst = match self.missing.is_empty() {
            true => worst,
            false => worst.max(Outcome::Unknown),
        };
        match proved {
            true => worst.max(Outcome::Invalid),
            false => worst,
        }
    }

    /// How many runs ended so, reruns left out.
    pub fn count(&self, ended: Ended) -> usize {
        self.made().filter(|run| run.ended == ended).count()
    }

    /// Runs that are no reruns.
    pub fn made(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.because != Because::Rerun)
    }

    /// Runs that missed a threshold.
    pub fn missed(&self) -> impl Iterator<Item = &Run> {
        self.made().filter(|run| run.missed().next().is_some())
    }

    /// The outcome as a sentence that stands alone.
    pub fn said(&self) -> String {
        capital(&self.sentence) + "."
    }

    fn in_words(&self) -> String {
        let mut parts = Vec::new();
        let mut part = |n: usize, one: &str, many: &str| match n {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {many}")),
        };
        part(
            self.violations.len(),
            "seed proved a violation",
            "seeds proved violations",
        );
        part(
            self.count(Ended::Broken),
            "run could not be made",
            "runs could not be made",
        );
        part(
            self.missed().count(),
            "run missed a threshold",
            "runs missed thresholds",
        );
        part(
            self.count(Ended::Unknown),
            "run proved nothing",
            "runs proved nothing",
        );
        part(
            self.missing.len(),
            "planned run was not made",
            "planned runs were not made",
        );
        let all = self.made().count();
        match (parts.is_empty(), all) {
            (true, 0) => "no run was made".to_owned(),
            (true, 1) => "the only run is valid and met its thresholds".to_owned(),
            (true, _) => format!("all {all} runs are valid and met their thresholds"),
            (false, 1) => format!("of 1 run: {}", parts.join(", ")),
            (false, _) => format!("of {all} runs: {}", parts.join(", ")),
        }
    }
}

/// Without those that could not be made and were made later, when the night went on.
fn counted(runs: Vec<Run>) -> Vec<Run> {
    let key = |run: &Run| (run.test.clone(), run.seed, run.because);
    let superseded = |at: usize, run: &Run| {
        run.ended == Ended::Broken
            && run.because != Because::Rerun
            && runs[at + 1..].iter().any(|later| key(later) == key(run))
    };
    let counts: Vec<bool> = runs
        .iter()
        .enumerate()
        .map(|(at, run)| !superseded(at, run))
        .collect();
    let counted = runs.into_iter().zip(counts);
    counted
        .filter_map(|(run, counts)| counts.then_some(run))
        .collect()
}

/// What a single run means for the night.
pub fn outcome_of(run: &Run) -> Outcome {
    let verdict = match run.ended {
        Ended::Valid => Outcome::Valid,
        Ended::Invalid => Outcome::Invalid,
        Ended::Unknown => Outcome::Unknown,
        Ended::Broken => Outcome::Broken,
    };
    match run.missed().next() {
        Some(_) => verdict.max(Outcome::Missed),
        None => verdict,
    }
}

fn missing(plan: &Plan, runs: &[Run]) -> Vec<Missing> {
    let made = |test: &str, seed: u64, because: Because| {
        runs.iter()
            .any(|run| run.test == test && run.seed == seed && run.because == because)
    };
    let mut missing = Vec::new();
    for test in &plan.tests {
        // A budget says how long, not what.
        let planned: &[u64] = match plan.budget_s {
            Some(_) => &[],
            None => &test.seeds,
        };
        let wanted = [
            (Because::Corpus, test.corpus.as_slice()),
            (Because::Planned, planned),
        ];
        for (because, seeds) in wanted {
            if plan.budget_s.is_some() {
                continue;
            }
            for seed in seeds {
                if !made(&test.name, *seed, because) {
                    missing.push(Missing {
                        test: test.name.clone(),
                        seed: *seed,
                        because,
                    });
                }
            }
        }
    }
    missing
}

fn tested(test: &Test, runs: &[Run]) -> Tested {
    let mut tested = Tested {
        name: test.name.clone(),
        expect: test.expect.clone(),
        ..Tested::default()
    };
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let of_test = |run: &&Run| run.test == test.name && run.because != Because::Rerun;
    for run in runs.iter().filter(of_test) {
        tested.runs += 1;
        *match run.ended {
            Ended::Valid => &mut tested.valid,
            Ended::Invalid => &mut tested.invalid,
            Ended::Unknown => &mut tested.unknown,
            Ended::Broken => &mut tested.broken,
        } += 1;
        for gate in run.missed() {
            *tested.missed.entry(gate.metric.clone()).or_default() += 1;
        }
        for (name, value) in &run.metrics {
            values.entry(name).or_default().push(*value);
        }
    }
    for metric in metrics::ALL {
        if let Some(median) = values.get(metric.name).and_then(|values| median(values)) {
            tested.medians.insert(metric.name.to_owned(), median);
        }
    }
    tested
}

fn violations(runs: &[Run]) -> Vec<Violation> {
    let mut found: Vec<Violation> = Vec::new();
    for run in runs {
        let known = found
            .iter_mut()
            .find(|violation| violation.test == run.test && violation.seed == run.seed);
        let invalid = run.ended == Ended::Invalid;
        match known {
            // What could not be made says nothing of the rate.
            Some(violation) if run.because == Because::Rerun && run.ended != Ended::Broken => {
                violation.reruns += 1;
                violation.failed_again += u32::from(invalid);
            }
            Some(_) => {}
            None if invalid => found.push(Violation {
                test: run.test.clone(),
                seed: run.seed,
                checks: run.checks.clone(),
                reason: run.reason.clone(),
                run: run.run.clone(),
                repeat: run.repeat.clone(),
                ..Violation::default()
            }),
            None => {}
        }
    }
    found
}

impl Violation {
    /// How often it comes again, in words. None: it was not run again.
    pub fn reproduction(&self) -> Option<String> {
        if self.reruns == 0 {
            return None;
        }
        let bounds = proportion::interval(self.failed_again.into(), self.reruns.into(), 0.95);
        Some(format!(
            "failed again in {} of {} reruns (95 %: {:.0} to {:.0} % of runs)",
            self.failed_again,
            self.reruns,
            bounds.low * 100.0,
            bounds.high * 100.0
        ))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Valid => "valid",
            Outcome::Unknown => "unknown",
            Outcome::Missed => "threshold missed",
            Outcome::Invalid => "invalid",
            Outcome::Broken => "broken",
        })
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
pub(super) mod tests;
