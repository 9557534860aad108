//! Recoveries laid over each other: the rate of successful operations around each fault, counted from the
//! moment the fault took effect.

use super::Entry;
use crate::measure::{completions, lives};
use crate::recorded::Recorded;
use crate::statistics::quantile;
use checker::Phase;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is shown before the fault and after it, and the length of a bin, in milliseconds.
pub const BEFORE_MS: u64 = 2_000;
pub const AFTER_MS: u64 = 8_000;
pub const BIN_MS: u64 = 100;

const BINS: usize = ((BEFORE_MS + AFTER_MS) / BIN_MS) as usize;

/// One fault of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aligned {
    pub kind: String,
    /// Successful operations a second, bin by bin; none outside the load or where the next fault has begun.
    pub rate: Vec<Option<f64>>,
}

/// All faults of a kind, both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlay {
    pub kind: String,
    pub from_ms: i64,
    pub bin_ms: u64,
    pub base: Band,
    pub new: Band,
}

/// Bin by bin: the median over the faults, and between which rates the middle 80 % of them lie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Band {
    pub faults: usize,
    pub low: Vec<Option<f64>>,
    pub median: Vec<Option<f64>>,
    pub high: Vec<Option<f64>>,
}

/// The recoveries of a run.
pub fn recoveries(recorded: &Recorded) -> Vec<Aligned> {
    let done: Vec<u64> = completions(recorded)
        .filter(|completion| matches!(completion.phase, Phase::Ok(_)))
        .map(|completion| completion.at)
        .collect();
    let marks = &recorded.marks;
    let lives = lives(recorded);
    let faults = lives.iter().filter_map(|life| {
        let t0 = life.effective?;
        // Until the next fault: what comes then is another's doing.
        let until = life.window_end.min(marks.load_end);
        let rate = |bin: usize| {
            let from = (t0 + bin as u64 * BIN_MS * 1_000_000).checked_sub(BEFORE_MS * 1_000_000)?;
            let to = from + BIN_MS * 1_000_000;
            if from < marks.load_start || to > until {
                return None;
            }
            let count = done.partition_point(|at| *at < to) - done.partition_point(|at| *at < from);
            Some(count as f64 * 1e3 / BIN_MS as f64)
        };
        Some(Aligned {
            kind: life.kind.clone(),
            rate: (0..BINS).map(rate).collect(),
        })
    });
    faults.collect()
}

/// By kind of fault, of those that both sides had.
pub(super) fn overlays(base: &[&Entry], new: &[&Entry]) -> Vec<Overlay> {
    let (mut ours, mut theirs) = (by_kind(base), by_kind(new));
    let kinds: BTreeSet<String> = ours.keys().map(|kind| (*kind).to_owned()).collect();
    let both = kinds.into_iter().filter_map(|kind| {
        let (base, new) = (ours.remove(kind.as_str())?, theirs.remove(kind.as_str())?);
        Some(Overlay {
            from_ms: -(BEFORE_MS as i64),
            bin_ms: BIN_MS,
            base: band(&base),
            new: band(&new),
            kind,
        })
    });
    both.collect()
}

fn by_kind<'a>(side: &[&'a Entry]) -> BTreeMap<&'a str, Vec<&'a Aligned>> {
    let mut by_kind: BTreeMap<&str, Vec<&Aligned>> = BTreeMap::new();
    for aligned in side.iter().flat_map(|entry| &entry.recoveries) {
        by_kind.entry(&aligned.kind).or_default().push(aligned);
    }
    by_kind
}

fn band(faults: &[&Aligned]) -> Band {
    let line = |q: f64| -> Vec<Option<f64>> {
        let at = |bin: usize| {
            let values = faults
                .iter()
                .filter_map(|f| f.rate.get(bin).copied().flatten());
            quantile(&values.collect::<Vec<_>>(), q)
        };
        (0..BINS).map(at).collect()
    };
    Band {
        faults: faults.len(),
        low: line(0.1),
        median: line(0.5),
        high: line(0.9),
    }
}
