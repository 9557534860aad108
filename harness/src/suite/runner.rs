//! Runs a night: one run after the other, a line for each as it ends.

use super::choice::{self, Standing};
use super::spec::{Suite, Test};
use crate::exit::{Failure, Result};
use crate::run::judge::Judged;
use crate::run::session::Session;
use crate::shrink::search::invalid_checks;
use results::metrics;
use results::suite::store::{Corpus, History, Night};
use results::suite::{self, Because, Ended, Failing, Plan, Run, Summary};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// So many runs in a row that could not be made are no accident.
const BROKEN_MOST: u32 = 3;

/// A night that can begin, or go on.
pub struct Runner<'a> {
    pub suite: &'a Suite,
    pub plan: &'a Plan,
    pub night: &'a Night,
    pub history: History,
    pub corpus: Corpus,
    /// No run is begun that would not end within this.
    pub budget: Option<Duration>,
    /// The system's program, if not the one beside this program.
    pub binary: Option<PathBuf>,
    /// What is to be said whatever comes, one sentence each.
    pub remarks: Vec<String>,
}

/// A night as it ended.
pub struct Done {
    pub summary: Summary,
    /// The runs of all nights.
    pub history: Vec<Run>,
}

/// The plan of a night. `corpus`: the seeds that failed before, of all tests.
pub fn plan(suite: &Suite, seed: u64, corpus: &[Failing], history: &[Run]) -> Result<Plan> {
    let mut room = suite.corpus;
    let mut tests = Vec::new();
    for test in &suite.tests {
        let seeds = test.seeds(seed);
        let failing = corpus
            .iter()
            .filter(|failing| failing.test == test.name() && !seeds.contains(&failing.seed));
        let failing: Vec<u64> = failing.map(|failing| failing.seed).take(room).collect();
        room -= failing.len();
        tests.push(suite::Test {
            name: test.name().to_owned(),
            expect: written(test),
            seeds,
            corpus: failing,
            takes_s: choice::takes(test, history).as_secs_f64(),
            spec: serde_json::to_value(&test.spec)?,
        });
    }
    Ok(Plan {
        name: suite.name.clone(),
        seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        reruns: suite.reruns,
        tests,
        ..Plan::default()
    })
}

fn written(test: &Test) -> std::collections::BTreeMap<String, String> {
    let pairs = test.expect.iter();
    pairs
        .map(|(metric, text)| (metric.to_owned(), text.to_owned()))
        .collect()
}

impl Runner<'_> {
    /// Goes on from what the night's folder holds.
    pub async fn run(mut self, session: &Session) -> Result<Done> {
        let begun = Instant::now();
        let lines = self.night.append_runs()?;
        let mut made = self.night.read_runs()?;
        let earlier = made.len();
        let mut broken = 0;
        let mut cut = false;
        loop {
            let standing = Standing {
                suite: self.suite,
                plan: self.plan,
                made: &made,
                earlier,
                history: &self.history.runs,
                left: self.budget.map(|all| all.saturating_sub(begun.elapsed())),
            };
            let Some(next) = standing.next() else { break };
            let test = &self.suite.tests[next.test];
            session
                .progress()
                .note(&self.announcement(&standing, &next));
            let number = made.len() as u32 + 1;
            let run = self.once(session, test, &next, number).await?;
            session.progress().note(&in_words(&run));
            cut = session.interrupt().happened();
            // A run that was cut short tells nothing, unless it proved a violation all the same.
            if cut && run.ended != Ended::Invalid {
                break;
            }
            lines.append(&run)?;
            self.history.append(&run)?;
            if run.ended == Ended::Invalid && run.because != Because::Rerun {
                self.corpus.append(&Failing::of(&run, self.plan))?;
            }
            broken = match run.ended {
                Ended::Broken => broken + 1,
                _ => 0,
            };
            made.push(run);
            let so_far = Summary::of(self.plan, made.clone(), true, Vec::new());
            super::show(self.night, &so_far, &[])?;
            if broken == BROKEN_MOST {
                self.remarks.push(format!(
                    "The night was ended early: {broken} runs in a row could not be made."
                ));
                cut = true;
            }
            if cut {
                break;
            }
        }
        if session.interrupt().happened() {
            self.remarks.push("The night was interrupted.".to_owned());
        }
        Ok(Done {
            summary: Summary::of(self.plan, made, cut, self.remarks),
            history: self.history.runs,
        })
    }

    async fn once(
        &self,
        session: &Session,
        test: &Test,
        next: &choice::Next,
        number: u32,
    ) -> Result<Run> {
        let begun = Instant::now();
        let started = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let judged = session
            .run(
                test.spec.clone(),
                next.seed,
                self.binary.clone(),
                self.night.path(),
            )
            .await;
        let mut run = Run {
            night: self.plan.night.clone(),
            number,
            test: test.name().to_owned(),
            seed: next.seed,
            because: next.because,
            started,
            took_s: (begun.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            ..Run::default()
        };
        match judged {
            Ok(judged) => self.fill(&mut run, test, &judged),
            // What the user got wrong is said at once, unless it would hide what runs before it found.
            Err(failure @ Failure::Usage(_)) if number == 1 => return Err(failure),
            Err(failure) => {
                run.ended = Ended::Broken;
                run.reason = failure.to_string();
            }
        }
        Ok(run)
    }

    fn fill(&self, run: &mut Run, test: &Test, judged: &Judged) {
        let results = &judged.results;
        run.ended = results.valid.into();
        run.reason = results.reason.clone();
        run.checks = invalid_checks(results).into_iter().collect();
        run.gates = test.expect.judge(results);
        run.repeat = judged.recorded.run.repeat.clone();
        run.metrics = metrics::ALL
            .iter()
            .filter_map(|metric| Some((metric.name.to_owned(), metric.of(results)?)))
            // JSON has no infinity.
            .filter(|(_, value)| value.is_finite())
            .collect();
        // Both as they were given: below the same store.
        let path = judged.folder.path();
        let below = path.strip_prefix(self.night.path()).unwrap_or(path);
        run.run = below.display().to_string();
    }

    fn announcement(&self, standing: &Standing<'_>, next: &choice::Next) -> String {
        let number = standing.made.len() + 1;
        let name = self.suite.tests[next.test].name();
        let why = match next.because {
            Because::Planned => "",
            Because::Corpus => ", a seed that failed before",
            Because::Rerun => ", again, to see how often it fails",
        };
        let left = match (standing.left, next.because) {
            (Some(left), _) => left,
            // It is in nobody's plan.
            (None, Because::Rerun) => self.left(standing) + standing.takes(next.test),
            (None, _) => self.left(standing),
        };
        format!(
            "run {number}: {name}, seed {}{why}; about {} left",
            next.seed,
            rough(left)
        )
    }

    /// Time of all runs that are planned and not made.
    fn left(&self, standing: &Standing<'_>) -> Duration {
        let summary = Summary::of(self.plan, standing.made.to_vec(), true, Vec::new());
        summary
            .missing
            .iter()
            .filter_map(|missing| {
                let mut tests = self.suite.tests.iter();
                let test = tests.position(|test| test.name() == missing.test)?;
                Some(standing.takes(test))
            })
            .sum()
    }
}

/// To the second below two minutes, else to the minute.
pub fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

fn in_words(run: &Run) -> String {
    let missed: Vec<String> = run.missed().map(ToString::to_string).collect();
    match missed.is_empty() {
        true => format!("{}: {}", run.ended, run.reason),
        false => format!(
            "{}: {}; missed: {}",
            run.ended,
            run.reason,
            missed.join("; ")
        ),
    }
}
