//! The moments of a recovery in their order, each counted from t0: what a reader of one fault wants to see at
//! a glance, with the reason where a moment never came.

use super::faults::FaultLife;
use super::rto::Rto;
use super::steady::Steady;
use super::{ms, ms_between};
use crate::recorded::Method;
use serde::{Deserialize, Serialize};

/// One moment of a fault's recovery. In a file by its kebab-case name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    Effective,
    FirstFailed,
    Detected,
    Elected,
    FirstOkNew,
    FirstOkKept,
    FirstWrite,
    ThroughputBack,
    P99Back,
    HealBegun,
    Healed,
    Rejoined,
}

/// When a moment came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Milestone {
    pub moment: Moment,
    /// After t0; null: it did not come, or was not seen.
    pub at_ms: Option<f64>,
    /// How finely that is known; 0: as finely as the clock.
    pub resolution_ms: f64,
    /// Why there is no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Moment {
    /// In the order in which a recovery usually passes them.
    pub const ALL: [Self; 12] = [
        Self::Effective,
        Self::FirstFailed,
        Self::Detected,
        Self::Elected,
        Self::FirstOkNew,
        Self::FirstOkKept,
        Self::FirstWrite,
        Self::ThroughputBack,
        Self::P99Back,
        Self::HealBegun,
        Self::Healed,
        Self::Rejoined,
    ];

    /// A name for readers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Effective => "fault in effect",
            Self::FirstFailed => "first request failed",
            Self::Detected => "noticed",
            Self::Elected => "new leader",
            Self::FirstOkNew => "first success, new",
            Self::FirstOkKept => "first success, kept",
            Self::FirstWrite => "first write",
            Self::ThroughputBack => "throughput back",
            Self::P99Back => "p99 back",
            Self::HealBegun => "heal begun",
            Self::Healed => "healed",
            Self::Rejoined => "caught up",
        }
    }

    /// What it is, in one sentence without a full stop.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Effective => "t0: the fault was shown to have taken effect",
            Self::FirstFailed => {
                "the first probe of the nodes that were not hit that failed, or was answered too late, because of \
                 the fault"
            }
            Self::Detected => {
                "a server was seen with a higher term, as a candidate or without a leader"
            }
            Self::Elected => "a leader of a higher term, or another one, was seen",
            Self::FirstOkNew => {
                "the first probe after the failure that was served on a connection opened for it"
            }
            Self::FirstOkKept => {
                "the first probe after the failure that was served on a connection kept open since before it"
            }
            Self::FirstWrite => "the first probe after the failure that wrote and was acknowledged",
            Self::ThroughputBack => {
                "from here the clients' throughput was, for the hold time, what it had been before"
            }
            Self::P99Back => {
                "from here, with throughput back, the clients' p99 was what it had been before"
            }
            Self::HealBegun => "the fault began to be undone",
            Self::Healed => "the fault was shown to be undone",
            Self::Rejoined => {
                "every node that was hit had applied all that was known to be committed when it came back"
            }
        }
    }
}

/// The moments of a fault that took effect, in the order of [`Moment::ALL`].
pub(super) fn milestones(
    method: &Method,
    life: &FaultLife,
    rto: &Rto,
    steady: &Steady,
    first_failure: Option<u64>,
) -> Vec<Milestone> {
    let probe = ms(method.probe_interval);
    let sample = ms(method.sample_interval);
    let window = ms(method.hold / 10);
    let step = |time: Option<u64>| Some(ms_between(life.effective?, time?));
    let never_away = "no request failed because of it, as far as probes could see";
    let served = |of: Option<f64>, name: &str| match of {
        _ if rto.below_resolution => Err(never_away.to_owned()),
        // Nothing failed on this kind of connection, though it did on another.
        Some(0.0) => Err("no such request failed because of it".to_owned()),
        Some(after) => Ok(after),
        None if rto.censored.iter().any(|c| c == name) => Err(format!(
            "not within {:.0} ms, when the next fault took effect or the run ended",
            rto.window_ms
        )),
        None => Err("no such probe was sent".to_owned()),
    };
    let told = |of: Option<f64>, what: &str| match (of, rto.due) {
        (Some(after), _) => Ok(after),
        (None, false) => Err("neither the leader nor the majority was taken away".to_owned()),
        (None, true) => Err(what.to_owned()),
    };
    let back = |of: Option<u64>| {
        let unsaid = || "never again before the next fault or the end".to_owned();
        of.map(ms)
            .ok_or_else(|| steady.reason.clone().unwrap_or_else(unsaid))
    };
    let elected = rto
        .elect_ms
        .map(|after| rto.detect_ms.unwrap_or_default() + after);
    let rejoined = step(life.heal)
        .zip(rto.rejoin_ms)
        .map(|(heal, after)| heal + after);
    let not_rejoined = || {
        rto.rejoin_reason
            .clone()
            .unwrap_or_else(|| "not seen".into())
    };
    let not_healed = |at: Option<u64>| step(at).ok_or_else(|| "not recorded".to_owned());
    Moment::ALL
        .into_iter()
        .map(|moment| {
            let (found, resolution_ms) = match moment {
                Moment::Effective => (Ok(0.0), 0.0),
                Moment::FirstFailed => {
                    let failed = first_failure.map(ms);
                    (failed.ok_or_else(|| never_away.to_owned()), probe)
                }
                Moment::Detected => (told(rto.detect_ms, "no server was seen to notice"), sample),
                Moment::Elected => (
                    told(
                        elected,
                        "no new leader was seen before the next fault or the end",
                    ),
                    sample,
                ),
                Moment::FirstOkNew => {
                    (served(rto.first_success_new_ms, "first_success_new"), probe)
                }
                Moment::FirstOkKept => (
                    served(rto.first_success_kept_ms, "first_success_kept"),
                    probe,
                ),
                Moment::FirstWrite => (served(rto.first_write_ms, "first_write"), probe),
                Moment::ThroughputBack => (back(steady.throughput), window),
                Moment::P99Back => (back(steady.p99), window),
                Moment::HealBegun => (not_healed(life.heal), 0.0),
                Moment::Healed => (not_healed(life.healed), 0.0),
                Moment::Rejoined => (rejoined.ok_or_else(not_rejoined), sample),
            };
            Milestone {
                moment,
                at_ms: found.as_ref().ok().map(|at| (at * 1e3).round() / 1e3),
                resolution_ms,
                reason: found.err(),
            }
        })
        .collect()
}
