//! Whether two sets of runs differ: by how much, how surely, and whether they may be compared at all.
//!
//! [`compare`] puts the runs of both sides into groups that belong together ([`grouping`]), says what differs
//! between their circumstances ([`circumstances`]) and judges each measure ([`row`]). [`aligned`] lays the
//! recoveries over each other. A [`Comparison`] is what is shown: [`text`] as a table and as Markdown,
//! [`page`] as HTML, and as it is in JSON.

pub mod aligned;
pub mod circumstances;
mod grouping;
pub mod page;
mod row;
pub mod text;

pub use row::{Change, Row, Summary, Verdict};

use crate::Results;
use crate::statistics::family::{self, Design};
use aligned::{Aligned, Overlay};
use checker::Validity;
use circumstances::Difference;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How likely a single false alarm in a whole comparison may be.
pub const ALPHA: f64 = 0.05;

/// One run as it goes into a comparison.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it is, to be shown.
    pub path: String,
    pub results: Results,
    /// What must be alike for figures to be comparable: machine, load, versions. By name.
    pub circumstances: BTreeMap<String, String>,
    /// What may differ because it is what people compare: the system and its settings. By name.
    pub subject: BTreeMap<String, String>,
    pub recoveries: Vec<Aligned>,
}

#[derive(Clone, Debug)]
pub struct Side {
    pub label: String,
    pub runs: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub base: String,
    pub new: String,
    pub alpha: f64,
    pub groups: Vec<Group>,
    /// What could not be put against anything, one sentence each.
    pub left_out: Vec<String>,
}

/// Runs of both sides that belong together: all of them, or those of one cell or test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Empty when it is the only one.
    pub name: String,
    pub base: Runs,
    pub new: Runs,
    pub design: Design,
    /// What is compared: settings and systems that differ.
    pub subject: Vec<Difference>,
    /// Why no measure can be judged.
    pub not_comparable: Option<String>,
    pub rows: Vec<Row>,
    pub overlays: Vec<Overlay>,
}

/// The runs of one side of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    pub paths: Vec<String>,
    pub invalid: usize,
    pub unknown: usize,
}

/// How many measures came to which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub regressed: usize,
    pub improved: usize,
    pub within_noise: usize,
    pub not_comparable: usize,
}

impl Comparison {
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for row in self.groups.iter().flat_map(|group| &group.rows) {
            match row.verdict {
                Verdict::Regressed => tally.regressed += 1,
                Verdict::Improved => tally.improved += 1,
                Verdict::WithinNoise => tally.within_noise += 1,
                Verdict::NotComparable => tally.not_comparable += 1,
            }
        }
        tally
    }

    /// The outcome in a sentence.
    pub fn sentence(&self) -> String {
        let tally = self.tally();
        let counts = [
            (tally.regressed, "regressed"),
            (tally.improved, "improved"),
            (tally.within_noise, "within noise"),
            (tally.not_comparable, "not comparable"),
        ];
        let said: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        match said.is_empty() {
            true => "no measure on both sides".to_owned(),
            false => said.join(", "),
        }
    }
}

/// Compares `new` with `base`. With `intended`, differences of the load and of the schedule are what is
/// compared and no reason to refuse; those of the machine always are.
pub fn compare(base: &Side, new: &Side, intended: bool) -> Comparison {
    let grouping::Matched { pairs, left_out } = grouping::matched(&base.runs, &new.runs);
    // One false alarm in the whole comparison, so each group has its share.
    let alpha = ALPHA / pairs.len().max(1) as f64;
    let groups = pairs.iter().map(|pair| {
        let (design, ours, theirs) = arranged(&pair.base, &pair.new, alpha);
        let (ours, theirs) = (ours.as_slice(), theirs.as_slice());
        let not_comparable = circumstances::refusal(ours, theirs, intended)
            .or_else(|| row::too_few(ours.len(), theirs.len(), design, alpha));
        Group {
            name: pair.name.clone(),
            base: runs(ours),
            new: runs(theirs),
            design,
            subject: circumstances::subject(ours, theirs, intended),
            rows: row::rows(ours, theirs, design, alpha, not_comparable.as_deref()),
            overlays: aligned::overlays(ours, theirs),
            not_comparable,
        }
    });
    Comparison {
        base: base.label.clone(),
        new: new.label.clone(),
        alpha: ALPHA,
        groups: groups.collect(),
        left_out,
    }
}

/// Runs with the same seeds on both sides had the same faults and operations: they are partners, provided that
/// there are enough of them; in pairs it takes a few more to be sure.
fn arranged<'a>(
    base: &[&'a Entry],
    new: &[&'a Entry],
    alpha: f64,
) -> (Design, Vec<&'a Entry>, Vec<&'a Entry>) {
    let by_seed = |side: &[&'a Entry]| {
        let mut sorted = side.to_vec();
        sorted.sort_by_key(|entry| entry.results.seed);
        sorted
    };
    let (base, new) = (by_seed(base), by_seed(new));
    let seeds = |side: &[&Entry]| -> Vec<u64> { side.iter().map(|e| e.results.seed).collect() };
    let (ours, theirs) = (seeds(&base), seeds(&new));
    let each_once = ours.windows(2).all(|two| two[0] != two[1]);
    let enough = family::least_p(ours.len(), theirs.len(), Design::Paired) <= alpha;
    let design = match ours == theirs && each_once && enough {
        true => Design::Paired,
        false => Design::Free,
    };
    (design, base, new)
}

fn runs(entries: &[&Entry]) -> Runs {
    let count = |valid: Validity| {
        let these = entries.iter().filter(|entry| entry.results.valid == valid);
        these.count()
    };
    Runs {
        paths: entries.iter().map(|entry| entry.path.clone()).collect(),
        invalid: count(Validity::Invalid),
        unknown: count(Validity::Unknown),
    }
}

#[cfg(test)]
mod tests;
