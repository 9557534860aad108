//! From one judged run to what a sweep keeps of it.

use super::record::{Cost, Recovered, Repeat, Scenario, Waited};
use crate::Results;
use crate::measure::{FaultSummary, Recovery, Rto};
use crate::observe::Sample;
use crate::recorded::Recorded;
use std::collections::BTreeMap;

/// What can be told from the run alone; its cell, number, folder and command are the caller's to fill in.
pub fn repeat(scenario: Scenario, recorded: &Recorded, results: &Results) -> Repeat {
    let mut faults: Vec<&FaultSummary> = results.faults.iter().collect();
    faults.sort_by_key(|fault| fault.id);
    Repeat {
        seed: results.seed,
        valid: results.valid,
        reason: results.reason.clone(),
        recoveries: faults
            .into_iter()
            .filter_map(|fault| recovered(scenario, recorded, fault))
            .collect(),
        cost: cost(recorded, results),
        acknowledged: recorded.ledgers.iter().map(|one| one.acknowledged).sum(),
        lost: recorded.ledgers.iter().map(|one| one.lost).sum(),
        lost_seconds: recorded
            .ledgers
            .iter()
            .map(|one| one.lost_seconds)
            .fold(0.0, f64::max),
        lost_span_seconds: recorded
            .ledgers
            .iter()
            .map(|one| one.lost_span_seconds)
            .fold(0.0, f64::max),
        ..Repeat::default()
    }
}

/// `None` of a fault that never took effect.
fn recovered(scenario: Scenario, recorded: &Recorded, fault: &FaultSummary) -> Option<Recovered> {
    let rto = fault.rto.as_ref()?;
    let t0 = fault.effective_ms?;
    let down_ms = fault.heal_ms.map_or(0.0, |heal| heal - t0);
    let slowest = rto
        .recovery
        .iter()
        .max_by(|(_, a), (_, b)| took(a).total_cmp(&took(b)));
    let count = |name: &str| slowest.and_then(|(_, own)| own.counts.get(name).copied());
    let node = slowest
        .map(|(node, _)| node)
        .or_else(|| fault.targets.first());
    let (age_entries, age_ms) = node.map_or((None, None), |node| age(recorded, node, t0));
    let bytes: u64 = fault.returns.iter().map(|one| one.bytes).sum();
    Some(Recovered {
        fault: fault.id,
        service: scenario
            .takes_service()
            .then(|| service(scenario, recorded, rto, down_ms))
            .flatten(),
        restart: Some(match rto.rejoin_ms {
            Some(ms) => Waited::Ms(ms),
            None => Waited::LongerThanMs((rto.window_ms - down_ms).max(0.0)),
        }),
        phases_ms: phases(rto, slowest.map(|(_, own)| own)),
        age_entries,
        age_ms,
        replayed_entries: count("replayed_entries"),
        loaded_bytes: count("loaded_bytes"),
        received_bytes: (bytes > 0).then_some(bytes),
    })
}

/// Where all were hit, nobody can serve before the restart begins: the time until then is the schedule's choice and
/// not the system's.
fn service(scenario: Scenario, recorded: &Recorded, rto: &Rto, down_ms: f64) -> Option<Waited> {
    let before = if scenario.hits_all() { down_ms } else { 0.0 };
    let censored = rto.censored.iter().any(|name| name == "first_success");
    match rto.first_success_ms {
        // What it ends is the outage of the fault before.
        _ if rto.carried_over => None,
        _ if rto.below_resolution => Some(Waited::ShorterThanMs(
            recorded.method.probe_interval as f64 / 1e6,
        )),
        Some(ms) => Some(Waited::Ms((ms - before).max(0.0))),
        None if censored => Some(Waited::LongerThanMs((rto.window_ms - before).max(0.0))),
        None => None,
    }
}

fn took(recovery: &Recovery) -> f64 {
    let whole = |name: &&String| Recovery::part_of(name).is_none();
    let phases = recovery.phases_ms.iter();
    phases
        .filter(|(name, _)| whole(name))
        .map(|(_, ms)| ms)
        .sum()
}

fn phases(rto: &Rto, own: Option<&Recovery>) -> BTreeMap<String, f64> {
    let mut phases = own.map(|own| own.phases_ms.clone()).unwrap_or_default();
    let seen = [("detect", rto.detect_ms), ("elect", rto.elect_ms)];
    for (name, ms) in seen {
        phases.extend(ms.map(|ms| (name.to_owned(), ms)));
    }
    phases
}

/// How many entries the node had applied since its newest durable checkpoint, and how long ago that was seen to come,
/// as of its last sample before `t0_ms`.
fn age(recorded: &Recorded, node: &str, t0_ms: f64) -> (Option<u64>, Option<f64>) {
    let t0 = (t0_ms * 1e6) as u64;
    let before: Vec<&Sample> = recorded
        .samples
        .iter()
        .filter(|sample| sample.up && sample.node == node && sample.time <= t0)
        .collect();
    let Some(last) = before.last() else {
        return (None, None);
    };
    let entries = last.applied.saturating_sub(last.checkpoint_index);
    let earlier = before
        .iter()
        .rposition(|sample| sample.checkpoint_index != last.checkpoint_index);
    // It came between these two samples; what was there when the run began may be of any age.
    let came = earlier.map(|at| before[at + 1].time);
    let ms = came.map(|came| (t0.saturating_sub(came) / 1_000) as f64 / 1e3);
    (Some(entries), ms)
}

fn cost(recorded: &Recorded, results: &Results) -> Cost {
    let (from, to) = (recorded.marks.load_start, recorded.marks.load_end);
    let during = || {
        let samples = recorded.samples.iter().filter(|sample| sample.up);
        samples.filter(move |sample| (from..=to).contains(&sample.time))
    };
    let operations = results.latency.operations.get("all").filter(|q| q.n > 0);
    let checkpoints = &results.checkpoints;
    let known = checkpoints.measured.then_some(&checkpoints.all);
    let (entries, entries_per_s) = rate(during()).unwrap_or_default();
    Cost {
        entries_per_s,
        entries,
        p50_ms: operations.map(|quantiles| quantiles.p50_ms),
        p99_ms: operations.map(|quantiles| quantiles.p99_ms),
        checkpoints: checkpoints.all.written,
        checkpoint_bytes: checkpoints.all.bytes_written,
        write_amplification: checkpoints.all.write_amplification,
        longest_pause_ms: known.map(|all| all.longest_pause_us / 1e3),
        checkpoint_ms: mean(during().map(|sample| sample.checkpoint_last_ms)),
        state_bytes: during()
            .map(|sample| sample.checkpoint_chain_bytes)
            .max()
            .filter(|bytes| *bytes > 0),
        disk_bytes: recorded.run.data_bytes,
        resident_bytes: during()
            .map(|sample| sample.resident_bytes)
            .max()
            .filter(|bytes| *bytes > 0),
    }
}

/// Commits, and those in a second, by what all servers together were seen to have committed.
fn rate<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<(u64, f64)> {
    let mut most = 0;
    let mut seen: Option<(&Sample, u64)> = None;
    let mut last = None;
    for sample in samples {
        most = most.max(sample.commit);
        seen.get_or_insert((sample, sample.commit));
        last = Some(sample);
    }
    let ((first, least), last) = (seen?, last?);
    let seconds = last.time.checked_sub(first.time).filter(|ns| *ns > 0)? as f64 / 1e9;
    Some((most - least, (most - least) as f64 / seconds))
}

/// Of those that are more than 0, each counted once for as long as it stays the same.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
