//! Runs the candidates until nothing smaller fails, or the time is up.

use super::attempts::{Attempt, Attempts, Count, Ended, Rule};
use super::reduce::reduce;
use crate::exit::{Failure, Result};
use crate::run::session::Session;
use crate::spec::Spec;
use checker::Validity;
use results::Results;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What a run takes besides its load and its quiet period: deploying, healing, judging.
const AROUND: Duration = Duration::from_secs(5);
/// So many runs in a row that could not be made are no accident.
const BROKEN_MOST: u32 = 3;

/// A search for a smaller run.
pub struct Search {
    /// The run to shrink, with its faults as a schedule and its seed.
    pub base: Spec,
    /// The checks that proved its violation.
    pub checks: BTreeSet<String>,
    pub limits: Limits,
    /// The system's program, if not the one beside this program.
    pub binary: Option<PathBuf>,
    /// Folder that keeps the runs.
    pub runs: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rule: Rule,
    /// No run is begun that would not end within this.
    pub time: Duration,
}

/// What a search came to.
#[derive(Clone, Debug, Serialize)]
pub struct Shrunk {
    pub ended: Why,
    /// The smallest spec that is known to fail; what was begun with if that never failed again.
    pub smallest: Spec,
    /// How often that one failed.
    pub reproduced: Count,
    /// Runs that were made, by earlier searches too.
    pub runs: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No single step leads to a smaller one that fails.
    Smallest,
    TimeIsUp,
    Interrupted,
    /// The run itself did not fail again, so nothing can be said of smaller ones.
    NotReproduced,
}

impl Search {
    /// Goes on from what `attempts` holds.
    pub async fn run(&self, session: &Session, attempts: &mut Attempts) -> Result<Shrunk> {
        let begun = Instant::now();
        let mut broken = 0;
        let rule = self.limits.rule;
        loop {
            let (candidate, smallest, trial) = match attempts.count(&self.base).fails(rule) {
                Some(false) => {
                    return Ok(self.shrunk(Why::NotReproduced, self.base.clone(), attempts));
                }
                None => (self.base.clone(), self.base.clone(), "the run as it was"),
                Some(true) => match reduce(&self.base, |spec| attempts.count(spec).fails(rule)) {
                    Ok(smallest) if attempts.count(&smallest).runs >= rule.repeats => {
                        return Ok(self.shrunk(Why::Smallest, smallest, attempts));
                    }
                    // Tells how often it fails.
                    Ok(smallest) => (smallest.clone(), smallest, "the smallest once more"),
                    Err(next) => (next.candidate, next.smallest, next.trial),
                },
            };
            let takes = candidate.time.0 + candidate.quiet.0 + AROUND;
            if begun.elapsed() + takes > self.limits.time {
                return Ok(self.shrunk(Why::TimeIsUp, smallest, attempts));
            }
            let count = attempts.count(&candidate);
            session.progress().note(&format!(
                "run {}: {trial}: {}",
                attempts.made() + 1,
                in_words(&candidate)
            ));
            let attempt = self.attempt(session, candidate).await?;
            if session.interrupt().happened() {
                // A run that was cut short tells nothing.
                return Ok(self.shrunk(Why::Interrupted, smallest, attempts));
            }
            let failed = count.failed + u32::from(attempt.ended == Ended::Failed);
            session.progress().note(&format!(
                "{} ({failed} of {} failed)",
                attempt.because,
                count.runs + 1
            ));
            broken = match attempt.ended {
                Ended::Broken => broken + 1,
                _ => 0,
            };
            if broken == BROKEN_MOST {
                return Err(Failure::harness(format!(
                    "{broken} runs in a row could not be made; the last: {}",
                    attempt.because
                )));
            }
            attempts.append(&attempt)?;
        }
    }

    fn shrunk(&self, ended: Why, smallest: Spec, attempts: &Attempts) -> Shrunk {
        Shrunk {
            ended,
            reproduced: attempts.count(&smallest),
            smallest,
            runs: attempts.made(),
        }
    }

    async fn attempt(&self, session: &Session, candidate: Spec) -> Result<Attempt> {
        let seed = candidate.seed.unwrap_or_default();
        let judged = session
            .run(candidate.clone(), seed, self.binary.clone(), &self.runs)
            .await;
        let (ended, because, run) = match judged {
            Ok(judged) => {
                let (ended, because) = self.judge(&judged.results);
                (ended, because, Some(judged.folder.path().to_owned()))
            }
            // What the user got wrong stays wrong.
            Err(failure @ Failure::Usage(_)) => return Err(failure),
            Err(failure) => (Ended::Broken, failure.to_string(), None),
        };
        Ok(Attempt {
            spec: candidate,
            ended,
            because,
            run,
        })
    }

    fn judge(&self, results: &Results) -> (Ended, String) {
        let invalid = invalid_checks(results);
        let names = invalid.iter().cloned().collect::<Vec<_>>().join(", ");
        if !self.checks.is_disjoint(&invalid) {
            return (Ended::Failed, format!("fails: {names}"));
        }
        match results.valid {
            Validity::Invalid => (Ended::FailedOtherwise, format!("fails otherwise: {names}")),
            _ => (Ended::Passed, format!("does not fail: {}", results.reason)),
        }
    }
}

/// The checks that proved a violation.
pub fn invalid_checks(results: &Results) -> BTreeSet<String> {
    results
        .checks
        .iter()
        .filter(|(_, verdict)| verdict.valid == Validity::Invalid)
        .map(|(name, _)| name.clone())
        .collect()
}

/// The size of a run, in words.
pub fn in_words(spec: &Spec) -> String {
    format!(
        "{} faults, {}, {} clients, {} ops/s, {}",
        spec.schedule.len(),
        spec.time,
        spec.clients,
        spec.rate,
        spec.workloads.join("+")
    )
}
