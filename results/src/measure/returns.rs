//! How a server that was away got the state of the others: by the log, by what had changed, or in full.
//! All from status samples: what happened between two of them is known by the counters' differences.

use super::faults::FaultLife;
use super::growth::growth;
use super::rejoin::next_on;
use crate::observe::Sample;
use crate::recorded::Recorded;
use serde::{Deserialize, Serialize};

/// By what a server came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The entries of the log alone.
    Log,
    /// Images of what had changed.
    Delta,
    /// At least one image of the whole state.
    Full,
}

/// One server's way back after one fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return {
    pub node: String,
    pub by: By,
    /// Installed, and how many of them brought only what had changed.
    pub images: u64,
    pub deltas: u64,
    /// The index that the last image was added to; null: to nothing.
    pub base: Option<u64>,
    /// Of the images installed, on the wire; and what full images would have taken. 0: the server did not say.
    pub bytes: u64,
    pub full_bytes: u64,
    /// The one by the other.
    pub ratio: Option<f64>,
}

impl By {
    pub fn name(self) -> &'static str {
        match self {
            By::Log => "log",
            By::Delta => "delta",
            By::Full => "full",
        }
    }
}

/// The ways back of the nodes that a fault hit, until the next fault on the same node. The log goes without
/// saying, except after faults that are made to keep a server away for long.
pub(super) fn returns(recorded: &Recorded, lives: &[FaultLife], fault: &FaultLife) -> Vec<Return> {
    if fault.effective.is_none() {
        return Vec::new();
    }
    let expected = matches!(fault.kind.as_str(), "lag" | "members") && fault.healed.is_some();
    let found = fault
        .targets
        .iter()
        .map(|node| way(recorded, lives, fault, node));
    found.filter(|way| way.images > 0 || expected).collect()
}

fn way(recorded: &Recorded, lives: &[FaultLife], fault: &FaultLife, node: &str) -> Return {
    let window = Window::of(recorded, lives, fault, node);
    let images = window.images();
    let delta = |sample: &Sample| sample.snapshots_installed_delta;
    let deltas = growth(window.before, window.after.iter().copied(), delta).min(images);
    let (mut bytes, mut full_bytes, mut base) = (0, 0, None);
    for sample in window.installs() {
        bytes += sample.snapshot_last_bytes;
        full_bytes += sample.snapshot_last_full_bytes;
        base = Some(sample.snapshot_last_base).filter(|base| *base > 0);
    }
    if bytes == 0 && images > 0 {
        let received = |sample: &Sample| sample.snapshot_bytes_received;
        bytes = growth(window.before, window.after.iter().copied(), received);
    }
    Return {
        node: node.to_owned(),
        by: match (images, deltas) {
            (0, _) => By::Log,
            (images, deltas) if images == deltas => By::Delta,
            _ => By::Full,
        },
        images,
        deltas,
        base,
        bytes,
        full_bytes,
        ratio: (bytes > 0 && full_bytes > 0).then(|| bytes as f64 / full_bytes as f64),
    }
}

/// Images that the nodes of this fault received because of it, by the count that outlives restarts.
pub(crate) fn images(recorded: &Recorded, lives: &[FaultLife], fault: &FaultLife) -> u64 {
    let of = |node: &String| Window::of(recorded, lives, fault, node).images();
    fault.targets.iter().map(of).sum()
}

/// What a node said while its state is put down to one fault.
struct Window<'a> {
    before: Option<&'a Sample>,
    after: Vec<&'a Sample>,
    /// Images counted when it began.
    had: u64,
}

impl<'a> Window<'a> {
    fn of(recorded: &'a Recorded, lives: &[FaultLife], fault: &FaultLife, node: &str) -> Self {
        let until = next_on(lives, fault, node).unwrap_or(u64::MAX);
        let own = || recorded.samples.iter().filter(|s| s.node == node && s.up);
        // Data that was removed took its counts along; the server begins at nothing when the fault is healed.
        let anew = fault.kind == "members" && fault.variant == "replace";
        let from = match (anew, fault.heal) {
            (true, Some(heal)) => heal,
            _ => fault.effective.unwrap_or(fault.intend),
        };
        let mut before = own().filter(|s| s.time <= from && !anew);
        Self {
            had: before.clone().map(counted).max().unwrap_or_default(),
            before: before.next_back(),
            after: own().filter(|s| s.time > from && s.time < until).collect(),
        }
    }

    fn images(&self) -> u64 {
        let now = self.after.iter().map(|sample| counted(sample)).max();
        now.unwrap_or_default().saturating_sub(self.had)
    }

    /// The samples in which an image was seen for the first time.
    fn installs(&self) -> impl Iterator<Item = &'a Sample> {
        let mut seen = self.had;
        self.after.iter().copied().filter(move |sample| {
            let more = counted(sample) > seen;
            seen = seen.max(counted(sample));
            more
        })
    }
}

fn counted(sample: &Sample) -> u64 {
    sample
        .snapshots_installed_total
        .max(sample.snapshots_installed)
}
