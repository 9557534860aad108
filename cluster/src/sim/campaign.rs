//! Many seeds, on several threads.

use super::{Coverage, Options, Report, run};
use crate::bugs::{self, Bug};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    /// Of seeds that did not hold, the lowest first.
    pub violations: Vec<Report>,
    pub undecided: u64,
    pub coverage: Coverage,
    pub events: u64,
    pub acknowledged: u64,
    pub simulated: Duration,
    pub elapsed: Duration,
}

/// Plays `count` seeds from `first` on with `one`, which plays one of them. Ends early at the first violation if `stop` says so, or when `interrupted`
/// does. `progress` is called now and then with the number of seeds done and of violations.
pub fn play(
    first: u64,
    count: u64,
    threads: usize,
    stop: bool,
    interrupted: &AtomicBool,
    progress: &(dyn Fn(u64, usize) + Sync),
    one: &(dyn Fn(u64) -> Report + Sync),
) -> Summary {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let ended = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    let lock = || {
        summary
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    };
    let work = || {
        loop {
            if ended.load(Ordering::Relaxed) || interrupted.load(Ordering::Relaxed) {
                return;
            }
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let seed = first + at;
            let report = one(seed);
            let mut summary = lock();
            summary.seeds += 1;
            summary.undecided += u64::from(report.undecided);
            summary.coverage.add(&report.coverage);
            summary.events += report.events;
            summary.acknowledged += report.acknowledged;
            summary.simulated += Duration::from_millis(report.simulated_ms);
            if report.violation.is_some() {
                summary.violations.push(report);
                if stop {
                    ended.store(true, Ordering::Relaxed);
                }
            }
            progress(summary.seeds, summary.violations.len());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut summary = summary
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    summary.violations.sort_by_key(|report| report.seed);
    summary.elapsed = began.elapsed();
    summary
}

/// How quickly a planted bug was found.
#[derive(Clone, Debug)]
pub struct Hunt {
    pub bug: Bug,
    /// Of each trial: seeds and seconds until it was found; `None`: not within the limit.
    pub trials: Vec<Option<(u64, f64)>>,
    /// What the first trial that found it said, and its seed.
    pub said: Option<(u64, String)>,
}

impl Hunt {
    pub fn found(&self) -> usize {
        self.trials.iter().flatten().count()
    }

    /// Median seeds and seconds of the trials that found it, counted with the others as later than all.
    pub fn median(&self) -> Option<(u64, f64)> {
        let mut trials: Vec<_> = self.trials.iter().flatten().copied().collect();
        trials.sort_by_key(|(seeds, _)| *seeds);
        trials.get(self.trials.len() / 2).copied()
    }
}

/// Looks for a planted bug, in `trials` rows of at most `limit` seeds that begin at different places. `None`: this build
/// has no planted bugs.
pub fn hunt(bug: Bug, trials: u64, limit: u64, interrupted: &AtomicBool) -> Option<Hunt> {
    if !bugs::plant(Some(bug)) {
        return None;
    }
    let mut hunt = Hunt {
        bug,
        trials: Vec::new(),
        said: None,
    };
    for trial in 0..trials {
        let began = Instant::now();
        let first = trial * 1_000_000;
        let found = (0..limit)
            .take_while(|_| !interrupted.load(Ordering::Relaxed))
            .find_map(|at| {
                let report = run(first + at, &Options::of(first + at));
                report.violation.map(|violation| (at + 1, violation))
            });
        if let Some((seeds, violation)) = &found
            && hunt.said.is_none()
        {
            hunt.said = Some((first + seeds - 1, violation.0.clone()));
        }
        hunt.trials
            .push(found.map(|(seeds, _)| (seeds, began.elapsed().as_secs_f64())));
    }
    bugs::plant(None);
    Some(hunt)
}
