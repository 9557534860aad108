//! Availability as the probes saw it, in windows of intended time.
//!
//! A probe counts as served if it succeeded no later than [`crate::Method::late`] after it was meant
//! to be sent. An outage is a maximal run of windows whose share of served probes is under the
//! threshold; a window without probes says nothing and neither begins nor ends one. Its ends are the
//! first probe not served and the first one served again, so its resolution is the probe interval.

use super::quantiles::nearest_rank;
use super::{latency::connection_name, ms, ms_between};
use crate::observe::Probe;
use crate::recorded::{Method, Recorded};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Availability {
    /// All probes of all nodes together: the service as a whole.
    pub service: Lane,
    pub by_connection: BTreeMap<String, Lane>,
    pub by_node: BTreeMap<String, Lane>,
    /// The probe interval.
    pub resolution_ms: f64,
    pub window_ms: f64,
    pub threshold: f64,
    /// An answer later than this counts as not served.
    pub late_ms: f64,
}

/// A group of probes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    pub probes: u64,
    pub served: u64,
    /// Served of all; null without probes.
    pub ratio: Option<f64>,
    /// Share of the time that was no outage; null without probes.
    pub up_ratio: Option<f64>,
    pub outages: Outages,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outages {
    pub count: u64,
    pub longest_ms: f64,
    pub total_ms: f64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub intervals: Vec<Outage>,
}

/// One outage; times since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    pub from_ms: f64,
    pub to_ms: f64,
    /// False: still going on when the probes ended.
    pub ended: bool,
}

/// Whether the probe's client was served in time.
pub(crate) fn served(probe: &Probe, method: &Method) -> bool {
    probe.ok && probe.done.saturating_sub(probe.intended) <= method.late
}

pub(super) fn availability(recorded: &Recorded) -> Availability {
    let method = &recorded.method;
    let during_load: Vec<&Probe> = in_load(recorded).collect();
    let group = |name: fn(&Probe) -> String| {
        let mut groups: BTreeMap<String, Vec<&Probe>> = BTreeMap::new();
        for probe in &during_load {
            groups.entry(name(probe)).or_default().push(probe);
        }
        groups
            .into_iter()
            .map(|(name, probes)| (name, lane(&probes, method)))
            .collect()
    };
    Availability {
        service: lane(&during_load, method),
        by_connection: group(|probe| connection_name(probe.connection).to_owned()),
        by_node: group(|probe| probe.node.clone()),
        resolution_ms: ms(method.probe_interval),
        window_ms: ms(method.window),
        threshold: method.threshold,
        late_ms: ms(method.late),
    }
}

/// The probes that were meant for the load phase.
pub(crate) fn in_load(recorded: &Recorded) -> impl Iterator<Item = &Probe> {
    let phase = recorded.marks.load_start..=recorded.marks.load_end;
    recorded
        .probes
        .iter()
        .filter(move |probe| phase.contains(&probe.intended))
}

fn lane(probes: &[&Probe], method: &Method) -> Lane {
    let in_time = probes.iter().filter(|probe| served(probe, method)).count() as u64;
    let total = probes.len() as u64;
    let outages = outages(probes, method);
    let intended = || probes.iter().map(|probe| probe.intended);
    let span = intended()
        .max()
        .zip(intended().min())
        .map(|(last, first)| last - first + method.probe_interval);
    let share = |part: f64, whole: f64| (part / whole * 1e6).round() / 1e6;
    Lane {
        probes: total,
        served: in_time,
        ratio: (total > 0).then(|| share(in_time as f64, total as f64)),
        up_ratio: span.map(|span| 1.0 - share(outages.total_ms.min(ms(span)), ms(span))),
        outages,
    }
}

/// The outages of a group of probes, in order.
pub(crate) fn outages(probes: &[&Probe], method: &Method) -> Outages {
    let mut sorted: Vec<&Probe> = probes.to_vec();
    sorted.sort_by_key(|probe| probe.intended);
    let window = method.window.max(1);
    let mut intervals = Vec::new();
    // The intended times of the first and the last probe not served of the outage that goes on.
    let mut open: Option<(u64, u64)> = None;
    for chunk in sorted.chunk_by(|a, b| a.intended / window == b.intended / window) {
        let in_time = chunk.iter().filter(|probe| served(probe, method)).count();
        let under = (in_time as f64) < method.threshold * chunk.len() as f64;
        let mut missed = chunk.iter().filter(|probe| !served(probe, method));
        let first_missed = missed.next().map(|probe| probe.intended);
        let last_missed = missed
            .next_back()
            .map(|probe| probe.intended)
            .or(first_missed);
        match (open, under) {
            (None, true) => open = first_missed.zip(last_missed),
            (Some((from, _)), true) => open = Some((from, last_missed.unwrap_or(from))),
            (Some((from, last)), false) => {
                let back = sorted
                    .iter()
                    .find(|probe| probe.intended > last && served(probe, method))
                    .map_or(last, |probe| probe.intended);
                intervals.push((from, back, true));
                open = None;
            }
            (None, false) => {}
        }
    }
    if let Some((from, last)) = open {
        intervals.push((from, last + method.probe_interval, false));
    }
    let mut lengths: Vec<f64> = intervals
        .iter()
        .map(|(from, to, _)| ms_between(*from, *to))
        .collect();
    lengths.sort_by(f64::total_cmp);
    Outages {
        count: lengths.len() as u64,
        longest_ms: lengths.last().copied().unwrap_or_default(),
        // The sum of no floats is -0.
        total_ms: (lengths.iter().fold(0.0, |sum, ms| sum + ms) * 1e3).round() / 1e3,
        p50_ms: nearest_rank(&lengths, 0.5),
        p95_ms: nearest_rank(&lengths, 0.95),
        intervals: intervals
            .into_iter()
            .map(|(from, to, ended)| Outage {
                from_ms: ms(from),
                to_ms: ms(to),
                ended,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Connection;

    const MS: u64 = 1_000_000;

    fn probe(at_ms: u64, took_ms: u64, ok: bool) -> Probe {
        Probe {
            intended: at_ms * MS,
            sent: at_ms * MS,
            done: (at_ms + took_ms) * MS,
            node: "n1".into(),
            connection: Connection::Kept,
            write: true,
            ok,
            error: None,
        }
    }

    fn outages_of(probes: &[Probe]) -> Outages {
        outages(&probes.iter().collect::<Vec<_>>(), &Method::default())
    }

    #[test]
    fn an_outage_lasts_from_the_first_probe_lost_to_the_first_one_served_again() {
        let probes: Vec<Probe> = (0..100)
            .map(|n| probe(n * 20, 1, !(20..45).contains(&n)))
            .collect();
        let found = outages_of(&probes);
        assert_eq!(found.count, 1);
        assert_eq!(found.longest_ms, 500.0);
        assert_eq!(found.intervals[0].from_ms, 400.0);
        assert_eq!(found.intervals[0].to_ms, 900.0);
        assert!(found.intervals[0].ended);
    }

    #[test]
    fn a_late_answer_is_an_outage_until_it_came() {
        let probes: Vec<Probe> = (0..100)
            .map(|n| {
                let stalled = (20..45).contains(&n);
                probe(n * 20, if stalled { 900 - n * 20 } else { 1 }, true)
            })
            .collect();
        // Those meant less than `late` before the end of the stall were served in time.
        let found = outages_of(&probes);
        assert_eq!(found.count, 1);
        assert_eq!(found.intervals[0].from_ms, 400.0);
        assert_eq!(found.intervals[0].to_ms, 660.0);
    }

    #[test]
    fn one_lost_probe_in_a_good_window_is_no_outage() {
        let probes: Vec<Probe> = (0..100).map(|n| probe(n * 20, 1, n != 50)).collect();
        assert_eq!(outages_of(&probes).count, 0);
    }

    #[test]
    fn an_outage_that_never_ended_says_so() {
        let probes: Vec<Probe> = (0..100).map(|n| probe(n * 20, 1, n < 50)).collect();
        let found = outages_of(&probes);
        assert_eq!(found.longest_ms, 1_000.0);
        assert!(!found.intervals[0].ended);
    }
}
