//! How often the rare paths were taken: a simulation that never goes there says nothing about them.

use std::collections::BTreeMap;
use std::fmt;

/// Every path that is counted, with what it means.
pub const PATHS: &[(&str, &str)] = &[
    (
        "crash-of-one",
        "a server lost its power, and what was not synced",
    ),
    ("crash-of-all", "all servers lost their power"),
    ("kill", "a server's process ended, its disk kept everything"),
    (
        "disk-error",
        "a write, sync, rename or removal failed; the server stopped",
    ),
    ("pause", "a server stood still and went on"),
    ("isolation", "one server was cut off, often past compaction"),
    ("partition", "the servers were cut into two sides"),
    ("lost", "a message was lost"),
    ("doubled", "a message came twice"),
    ("leader", "a server became leader"),
    ("torn-tail", "a log came back with a torn tail"),
    ("checkpoint-full", "a full checkpoint"),
    ("checkpoint-increment", "an increment of level 0"),
    (
        "checkpoint-merge",
        "an increment of a higher level, in place of several",
    ),
    ("truncation", "log segments were removed"),
    ("install-full", "a whole image was installed"),
    (
        "install-delta",
        "an image of what had changed was installed",
    ),
    ("transfer-resumed", "a transfer went on where it broke"),
    (
        "transfer-continued",
        "another leader went on with a transfer",
    ),
    ("transfer-went-back", "pieces were sent again"),
    (
        "offer-during-checkpoint",
        "an image was offered while a checkpoint was being written",
    ),
    (
        "crash-in-checkpoint",
        "a crash within the writing of a checkpoint",
    ),
    (
        "crash-before-truncation",
        "a crash between the manifest and the cutting of the log",
    ),
    (
        "crash-in-install",
        "a crash within the installing of an image",
    ),
    ("crash-in-sync", "a crash within the writing of the log"),
    (
        "crash-while-joint",
        "a leader crashed in the middle of a change of members",
    ),
    ("member-removed", "a change of members removed a server"),
    ("member-added", "a change of members added a server"),
    ("member-replaced", "a server took another one's place"),
    (
        "member-wiped",
        "a removed server lost its data before it came back",
    ),
    ("hand-over", "a leader was asked to hand over"),
    ("lease-run", "reads were answered by lease"),
];

/// Counts by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub fn count(&mut self, path: &'static str) {
        self.add_to(path, 1);
    }

    pub fn add_to(&mut self, path: &'static str, times: u64) {
        debug_assert!(PATHS.iter().any(|(name, _)| *name == path), "{path}");
        *self.0.entry(path).or_default() += times;
    }

    pub fn add(&mut self, other: &Coverage) {
        for (path, times) in &other.0 {
            *self.0.entry(path).or_default() += times;
        }
    }

    pub fn of(&self, path: &str) -> u64 {
        self.0.get(path).copied().unwrap_or(0)
    }

    /// Every path with its count and meaning.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64, &'static str)> + '_ {
        PATHS
            .iter()
            .map(|(path, meaning)| (*path, self.of(path), *meaning))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, times, meaning) in self.all() {
            writeln!(f, "{path:<24} {times:>10}  {meaning}")?;
        }
        Ok(())
    }
}
