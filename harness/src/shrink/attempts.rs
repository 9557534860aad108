//! How candidates ended, kept in a file that grows by a line as each run ends.

use crate::exit::Result;
use crate::spec::Spec;
use results::folder::{self, Lines};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One run of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was run, with its schedule and its seed.
    pub spec: Spec,
    pub ended: Ended,
    /// The checks that proved a violation, or why there is no verdict.
    pub because: String,
    /// The run's folder; absent if there was none to judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// A check proved a violation that it also proved in the run that is shrunk.
    Failed,
    /// Invalid, but by checks that found nothing in the run that is shrunk.
    FailedOtherwise,
    /// Valid, or nothing was proved.
    Passed,
    /// The run could not be made.
    Broken,
}

/// When a candidate counts as failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// It is run so often at the most...
    pub repeats: u32,
    /// ...and must fail so often.
    pub least: u32,
}

/// Everything that was tried.
pub struct Attempts {
    lines: Lines<Attempt>,
    /// Failed and all runs of a candidate, by its text.
    counts: HashMap<String, Count>,
    made: usize,
}

/// How often a candidate failed and was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub failed: u32,
    pub runs: u32,
}

impl Attempts {
    /// Opens the file, and reads what an earlier search left there.
    pub fn open(path: &Path) -> Result<Self> {
        let mut attempts = Self {
            lines: Lines::open(path.to_owned())?,
            counts: HashMap::new(),
            made: 0,
        };
        for attempt in folder::read_lines::<Attempt>(path)?.items {
            attempts.count_in(&attempt)?;
        }
        Ok(attempts)
    }

    pub fn append(&mut self, attempt: &Attempt) -> Result<()> {
        self.lines.append(attempt)?;
        self.count_in(attempt)
    }

    /// Number of runs, those of earlier searches included.
    pub fn made(&self) -> usize {
        self.made
    }

    pub fn count(&self, candidate: &Spec) -> Count {
        key(candidate)
            .ok()
            .and_then(|key| self.counts.get(&key).copied())
            .unwrap_or_default()
    }

    fn count_in(&mut self, attempt: &Attempt) -> Result<()> {
        let count = self.counts.entry(key(&attempt.spec)?).or_default();
        count.runs += 1;
        count.failed += u32::from(attempt.ended == Ended::Failed);
        self.made += 1;
        Ok(())
    }
}

impl Count {
    /// Whether the candidate counts as failing; `None`: it must be run again to know.
    pub fn fails(self, rule: Rule) -> Option<bool> {
        if self.failed >= rule.least {
            return Some(true);
        }
        let left = rule.repeats.saturating_sub(self.runs);
        (self.failed + left < rule.least).then_some(false)
    }
}

fn key(spec: &Spec) -> Result<String> {
    Ok(serde_json::to_string(spec)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(rate: u64, ended: Ended) -> Attempt {
        Attempt {
            spec: Spec {
                rate,
                ..Spec::default()
            },
            ended,
            because: "register".into(),
            run: None,
        }
    }

    #[test]
    fn a_candidate_is_judged_as_soon_as_its_end_is_certain() {
        let rule = Rule {
            repeats: 3,
            least: 2,
        };
        let fails = |failed, runs| Count { failed, runs }.fails(rule);
        assert_eq!(fails(0, 0), None);
        assert_eq!(fails(1, 2), None);
        assert_eq!(fails(2, 2), Some(true));
        assert_eq!(fails(0, 2), Some(false));
        assert_eq!(fails(1, 3), Some(false));
    }

    #[test]
    fn what_was_tried_is_known_to_the_next_search_even_if_the_last_line_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts.jsonl");
        let mut attempts = Attempts::open(&path).unwrap();
        attempts.append(&attempt(100, Ended::Failed)).unwrap();
        attempts.append(&attempt(100, Ended::Passed)).unwrap();
        attempts
            .append(&attempt(50, Ended::FailedOtherwise))
            .unwrap();
        drop(attempts);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"spec\":{\"ra");
        std::fs::write(&path, text).unwrap();

        let again = Attempts::open(&path).unwrap();
        let count = |rate| again.count(&attempt(rate, Ended::Passed).spec);
        assert_eq!(again.made(), 3);
        assert_eq!(count(100), Count { failed: 1, runs: 2 });
        assert_eq!(count(50), Count { failed: 0, runs: 1 });
        assert_eq!(count(25), Count::default());
    }
}
