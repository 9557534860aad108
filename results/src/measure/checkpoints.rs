//! What checkpoints cost over the run: the length of the chains, the bytes written for the bytes changed, and
//! how long the servers stood still. From the servers' own counters.

use super::growth::growth;
use crate::observe::Sample;
use crate::recorded::Recorded;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All servers together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoints {
    /// False: no server told of a checkpoint, and the rest says nothing.
    pub measured: bool,
    #[serde(flatten)]
    pub all: CheckpointFigures,
    pub by_node: BTreeMap<String, CheckpointFigures>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckpointFigures {
    pub written: u64,
    pub bytes_written: u64,
    /// Of the pages that had changed between them.
    pub bytes_changed: u64,
    /// Bytes written for a byte changed; null where nothing had changed.
    pub write_amplification: Option<f64>,
    /// Files that a restart would have read, at the most and at the end.
    pub chain_longest: u64,
    pub chain_last: u64,
    /// Longest time that taking a checkpoint stopped the server.
    pub longest_pause_us: f64,
}

pub(super) fn checkpoints(recorded: &Recorded) -> Checkpoints {
    let mut nodes: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in recorded.samples.iter().filter(|sample| sample.up) {
        nodes.entry(&sample.node).or_default().push(sample);
    }
    let by_node: BTreeMap<String, CheckpointFigures> = nodes
        .into_iter()
        .map(|(node, samples)| (node.to_owned(), CheckpointFigures::of(&samples)))
        .collect();
    Checkpoints {
        measured: by_node
            .values()
            .any(|one| one.chain_longest > 0 || one.bytes_written > 0),
        all: CheckpointFigures::sum(by_node.values()),
        by_node,
    }
}

impl CheckpointFigures {
    fn of(samples: &[&Sample]) -> Self {
        let grown = |counter: fn(&Sample) -> u64| growth(None, samples.iter().copied(), counter);
        let pauses = samples.iter().map(|s| s.checkpoint_longest_pause_us);
        let chains = || samples.iter().map(|sample| sample.checkpoint_chain);
        Self {
            written: grown(|sample| sample.checkpoints_written),
            bytes_written: grown(|sample| sample.checkpoint_bytes_written),
            bytes_changed: grown(|sample| sample.checkpoint_bytes_changed),
            write_amplification: None,
            chain_longest: chains().max().unwrap_or_default(),
            chain_last: chains().next_back().unwrap_or_default(),
            longest_pause_us: pauses.fold(0.0, f64::max),
        }
        .amplified()
    }

    fn sum<'a>(of: impl Iterator<Item = &'a Self>) -> Self {
        of.fold(Self::default(), |all, one| Self {
            written: all.written + one.written,
            bytes_written: all.bytes_written + one.bytes_written,
            bytes_changed: all.bytes_changed + one.bytes_changed,
            write_amplification: None,
            chain_longest: all.chain_longest.max(one.chain_longest),
            chain_last: all.chain_last.max(one.chain_last),
            longest_pause_us: all.longest_pause_us.max(one.longest_pause_us),
        })
        .amplified()
    }

    fn amplified(mut self) -> Self {
        let changed = self.bytes_changed as f64;
        self.write_amplification = (self.bytes_changed > 0)
            .then(|| (self.bytes_written as f64 / changed * 1e3).round() / 1e3);
        self
    }
}
