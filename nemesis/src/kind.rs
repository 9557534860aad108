//! The kinds of fault, by the names used on the command line, in files and in reports.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Kill,
    Pause,
    Partition,
    Lag,
    PowerLoss,
    Transfer,
    Members,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Kill,
        Kind::Pause,
        Kind::Partition,
        Kind::Lag,
        Kind::PowerLoss,
        Kind::Transfer,
        Kind::Members,
    ];
    /// What a run does unless told otherwise. Power loss needs a system prepared for it, the last two one that
    /// can be told to change.
    pub const DEFAULT: [Kind; 4] = [Kind::Kill, Kind::Pause, Kind::Partition, Kind::Lag];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Kill => "kill",
            Kind::Pause => "pause",
            Kind::Partition => "partition",
            Kind::Lag => "lag",
            Kind::PowerLoss => "power-loss",
            Kind::Transfer => "transfer",
            Kind::Members => "members",
        }
    }

    /// One line for `shakedown list`.
    pub fn description(self) -> &'static str {
        match self {
            Kind::Kill => "servers are killed (SIGKILL) and started again",
            Kind::Pause => "servers are stopped (SIGSTOP) and go on later (SIGCONT)",
            Kind::Partition => "nodes can't reach each other: one, halves, ring, bridge, one-way",
            Kind::Lag => {
                "a follower is held away until the leader's log no longer reaches back to it"
            }
            Kind::PowerLoss => "all servers end at once and lose what they had not synced",
            Kind::Transfer => "the leader is told to hand over to another server",
            Kind::Members => {
                "a server is removed from the cluster and added again, with its data or without"
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("unknown fault `{name}`; known: {names}")
        })
    }
}
