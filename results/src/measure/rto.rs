//! RTO: from the moment a fault took effect until service was restored, per fault and over all.

use super::faults::{FaultLife, FaultSummary};
use super::latency::connection_name;
use super::milestones::{Milestone, milestones};
use super::quantiles::Distribution;
use super::rejoin::{self, Rejoin};
use super::restoration::{Class, Restoration, Watch, reconnect};
use super::steady::{Load, Rate, Steady};
use super::{availability, ms, ms_between};
use crate::observe::{Connection, Probe};
use crate::recorded::Recorded;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The recovery of one fault. Times count from t0, when the fault took effect, unless their comment
/// says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rto {
    /// The fault took the leader or the majority away, so that service had to be restored.
    pub due: bool,
    /// No probe failed because of the fault: the outage, if any, was shorter than the resolution, and
    /// the first successes are given as 0.
    pub below_resolution: bool,
    /// The service was still away because of the fault before: the first successes count from this
    /// fault's t0, but what they end is that fault's outage.
    pub carried_over: bool,
    /// Any client: the smaller of the two below.
    pub first_success_ms: Option<f64>,
    pub first_success_kept_ms: Option<f64>,
    pub first_success_new_ms: Option<f64>,
    pub first_write_ms: Option<f64>,
    pub steady_ms: Option<f64>,
    pub steady_reason: Option<String>,
    pub baseline: Option<Rate>,
    /// From the beginning of the heal until the nodes that were hit had caught up.
    pub rejoin_ms: Option<f64>,
    pub rejoin_reason: Option<String>,
    /// Until a server was seen to notice.
    pub detect_ms: Option<f64>,
    /// From then until a new leader was seen.
    pub elect_ms: Option<f64>,
    /// From the beginning of the heal until the nodes that were hit served again.
    pub reconnect_kept_ms: Option<f64>,
    pub reconnect_new_ms: Option<f64>,
    /// What restarted servers say of their recovery, by node.
    pub recovery: BTreeMap<String, Recovery>,
    /// Length of what is attributed to this fault: until the next fault's t0, or the end.
    pub window_ms: f64,
    /// The measures that the end of the window cut off: they took longer than `window_ms`.
    pub censored: Vec<String>,
    /// Outages of the service that began within the window.
    pub outages: u64,
    pub outage_ms: f64,
    /// The moments of the recovery in their order. Empty in results of earlier versions.
    #[serde(default)]
    pub timeline: Vec<Milestone>,
}

/// A restarted server's own account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    pub phases_ms: BTreeMap<String, f64>,
    pub counts: BTreeMap<String, u64>,
}

impl Rto {
    /// For how long nobody was served, as far as is known.
    pub fn away_ms(&self) -> f64 {
        let open = self.due.then_some(self.window_ms);
        self.first_success_ms.or(open).unwrap_or_default()
    }
}

impl Recovery {
    /// What a phase is a part of: loading reads the full image, then what changed since.
    pub fn part_of(phase: &str) -> Option<&'static str> {
        matches!(phase, "full" | "deltas").then_some("load")
    }

    /// The phases in the order in which a server goes through them; names that are not known come last.
    pub fn phases(&self) -> impl Iterator<Item = (&str, f64)> {
        const ORDER: [&str; 6] = ["open", "load", "full", "deltas", "replay", "join"];
        let mut phases: Vec<(&str, f64)> = self
            .phases_ms
            .iter()
            .map(|(name, ms)| (name.as_str(), *ms))
            .collect();
        let place = |name| ORDER.iter().position(|known| *known == name);
        phases.sort_by_key(|(name, _)| place(*name).unwrap_or(ORDER.len()));
        phases.into_iter()
    }
}

/// `rto` in `results.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RtoReport {
    /// Faults that took the leader or the majority away.
    pub due: u64,
    /// Of these, how many had a first success within their window.
    pub measured: u64,
    /// Of first success: the probe interval.
    pub resolution_ms: f64,
    /// Of detect, elect and rejoin: the sampling interval.
    pub sample_resolution_ms: f64,
    pub steady_hold_ms: f64,
    /// Over the faults for which an RTO is due.
    #[serde(flatten)]
    pub all: KindRto,
    pub by_kind: BTreeMap<String, KindRto>,
}

/// Distributions over faults. First success, detect, elect, steady: over those for which an RTO is
/// due; rejoin: over all that took effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindRto {
    pub effective: u64,
    pub first_success: Distribution,
    pub first_success_kept: Distribution,
    pub first_success_new: Distribution,
    pub first_write: Distribution,
    pub detect: Distribution,
    pub elect: Distribution,
    pub steady: Distribution,
    pub rejoin: Distribution,
    /// First successes that did not come within their window; they are missing above.
    pub censored: u64,
}

pub(super) fn of_each(recorded: &Recorded, lives: &[FaultLife]) -> Vec<Option<Rto>> {
    let load = Load::of(recorded);
    let first_t0 = lives.iter().filter_map(|life| life.effective).min();
    let first_quiet = load.baseline(0, first_t0.unwrap_or(recorded.marks.load_end));
    // When the effects of the faults so far were over, if they were.
    let mut over = Some(recorded.marks.load_start);
    let mut still_away = false;
    lives
        .iter()
        .map(|life| {
            let t0 = life.effective?;
            let baseline = over
                .and_then(|from| load.baseline(from, t0))
                .or(first_quiet);
            let (mut rto, steady) = of_one(recorded, lives, life, t0, &load, baseline);
            rto.carried_over = still_away && !rto.below_resolution;
            still_away = rto.censored.iter().any(|name| name == "first_success");
            over = steady
                .after
                .zip(life.healed)
                .map(|(after, healed)| healed.max(t0 + after));
            Some(rto)
        })
        .collect()
}

fn of_one(
    recorded: &Recorded,
    lives: &[FaultLife],
    life: &FaultLife,
    t0: u64,
    load: &Load,
    baseline: Option<Rate>,
) -> (Rto, Steady) {
    let mut rto = Rto {
        due: life.rto_due(),
        baseline,
        window_ms: ms_between(t0, life.window_end),
        recovery: rejoin::recoveries(recorded, lives, life),
        reconnect_kept_ms: reconnect(recorded, life, Connection::Kept).map(ms),
        reconnect_new_ms: reconnect(recorded, life, Connection::New).map(ms),
        ..Rto::default()
    };
    let watch = Watch::of(recorded, life, t0);
    let mut seen = Vec::new();
    let mut restored = |name: String, class| {
        let restoration = watch.first_success(class);
        seen.push(restoration);
        match restoration {
            Restoration::NoProbes => None,
            Restoration::BelowResolution => Some(0.0),
            Restoration::After(after) => Some(ms(after)),
            Restoration::Censored(_) => {
                rto.censored.push(name);
                None
            }
        }
    };
    let by = |kind| {
        (
            format!("first_success_{}", connection_name(kind)),
            Class::Connection(kind),
        )
    };
    let (name, class) = by(Connection::Kept);
    rto.first_success_kept_ms = restored(name, class);
    let (name, class) = by(Connection::New);
    rto.first_success_new_ms = restored(name, class);
    rto.first_write_ms = restored("first_write".into(), Class::Writes);
    rto.below_resolution = seen.contains(&Restoration::BelowResolution)
        && seen
            .iter()
            .all(|r| matches!(r, Restoration::BelowResolution | Restoration::NoProbes));
    rto.first_success_ms = [rto.first_success_kept_ms, rto.first_success_new_ms]
        .into_iter()
        .flatten()
        .min_by(f64::total_cmp);
    if rto.first_success_ms.is_none() && !rto.censored.is_empty() {
        rto.censored.push("first_success".into());
    }
    // Steady begins no earlier than service: what clients catch up on after an outage must not make up for it.
    let served = rto.first_success_ms.map_or(0, |after| (after * 1e6) as u64);
    let steady = load.steady(t0, t0 + served, life.window_end, life.next, baseline);
    rto.steady_ms = steady.after.map(ms);
    rto.steady_reason = steady.reason.clone();
    if rto.due {
        let election = rejoin::election(recorded, life, t0);
        rto.detect_ms = election.detected.map(ms);
        rto.elect_ms = election
            .elected
            .map(|elected| ms_between(election.detected.unwrap_or_default(), elected));
    }
    match rejoin::rejoin(recorded, lives, life) {
        Rejoin::After(after) => rto.rejoin_ms = Some(ms(after)),
        Rejoin::Not(reason) => rto.rejoin_reason = Some(reason),
    }
    let window: Vec<&Probe> = availability::in_load(recorded)
        .filter(|probe| probe.intended >= t0 && probe.intended < life.window_end)
        .collect();
    let outages = availability::outages(&window, &recorded.method);
    rto.outages = outages.count;
    rto.outage_ms = outages.total_ms;
    let first_failure = watch.first_failure();
    rto.timeline = milestones(&recorded.method, life, &rto, &steady, first_failure);
    (rto, steady)
}

pub(super) fn report(recorded: &Recorded, faults: &[FaultSummary]) -> RtoReport {
    let all: Vec<(&str, &Rto)> = faults
        .iter()
        .filter_map(|fault| Some((fault.kind.as_str(), fault.rto.as_ref()?)))
        .collect();
    let mut by_kind: BTreeMap<&str, Vec<&Rto>> = BTreeMap::new();
    for (kind, rto) in &all {
        by_kind.entry(kind).or_default().push(rto);
    }
    let due = || all.iter().filter(|(_, rto)| rto.due);
    RtoReport {
        due: due().count() as u64,
        measured: due()
            .filter(|(_, rto)| rto.first_success_ms.is_some())
            .count() as u64,
        resolution_ms: ms(recorded.method.probe_interval),
        sample_resolution_ms: ms(recorded.method.sample_interval),
        steady_hold_ms: ms(recorded.method.hold),
        all: distributions(&all.iter().map(|(_, rto)| *rto).collect::<Vec<_>>()),
        by_kind: by_kind
            .into_iter()
            .map(|(kind, rtos)| (kind.to_owned(), distributions(&rtos)))
            .collect(),
    }
}

fn distributions(rtos: &[&Rto]) -> KindRto {
    let due = |of: fn(&Rto) -> Option<f64>| {
        Distribution::of(rtos.iter().filter(|rto| rto.due).filter_map(|rto| of(rto)))
    };
    KindRto {
        effective: rtos.len() as u64,
        first_success: due(|rto| rto.first_success_ms),
        first_success_kept: due(|rto| rto.first_success_kept_ms),
        first_success_new: due(|rto| rto.first_success_new_ms),
        first_write: due(|rto| rto.first_write_ms),
        detect: due(|rto| rto.detect_ms),
        elect: due(|rto| rto.elect_ms),
        steady: due(|rto| rto.steady_ms),
        rejoin: Distribution::of(rtos.iter().filter_map(|rto| rto.rejoin_ms)),
        censored: rtos
            .iter()
            .filter(|rto| rto.due && rto.first_success_ms.is_none())
            .count() as u64,
    }
}
