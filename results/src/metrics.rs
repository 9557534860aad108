//! The measures of a run as single numbers with names: what thresholds, comparisons and trends speak of.
//!
//! A name is a path like `rto.steady_p95`; [`ALL`] lists them with their unit and what is better. A number
//! that a run does not have (no fault of that kind, no ledger) is `None`, never 0.

use crate::Results;
use crate::measure::{Distribution, Quantiles};
use std::fmt;

/// One number of a run.
pub struct Metric {
    pub name: &'static str,
    pub unit: Unit,
    pub better: Better,
    /// What it is, in one sentence without a full stop.
    pub help: &'static str,
    value: fn(&Results) -> Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Time,
    Bytes,
    Count,
    PerSecond,
    /// Of 1.
    Ratio,
    /// Seconds of lost work.
    Seconds,
}

impl Unit {
    /// An amount in it, as thresholds are written.
    pub fn example(self) -> &'static str {
        match self {
            Unit::Time | Unit::Seconds => "5s",
            Unit::Bytes => "64MiB",
            Unit::Count => "0",
            Unit::PerSecond => "500/s",
            Unit::Ratio => "0.95",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

/// By name: it is the only one of its name.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Metric {
    pub fn of(&self, results: &Results) -> Option<f64> {
        (self.value)(results)
    }

    pub fn by_name(name: &str) -> Option<&'static Metric> {
        ALL.iter().find(|metric| metric.name == name)
    }
}

const fn lower(
    name: &'static str,
    unit: Unit,
    help: &'static str,
    value: fn(&Results) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        unit,
        better: Better::Lower,
        help,
        value,
    }
}

const fn higher(
    name: &'static str,
    unit: Unit,
    help: &'static str,
    value: fn(&Results) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        unit,
        better: Better::Higher,
        help,
        value,
    }
}

fn operations(results: &Results) -> Option<&Quantiles> {
    let all = results.latency.operations.get("all")?;
    (all.n > 0).then_some(all)
}

fn probed_writes(results: &Results) -> Option<&Quantiles> {
    let writes = results.latency.probes.get("write")?;
    (writes.n > 0).then_some(writes)
}

fn load_seconds(results: &Results) -> Option<f64> {
    let nanoseconds = results
        .marks
        .load_end
        .checked_sub(results.marks.load_start)?;
    (nanoseconds > 0).then_some(nanoseconds as f64 / 1e9)
}

fn p50(distribution: &Distribution) -> Option<f64> {
    distribution.p50_ms
}

/// In the order in which they are shown.
pub const ALL: &[Metric] = &[
    higher(
        "throughput.ok",
        Unit::PerSecond,
        "successful operations in a second of load",
        |r| Some(operations(r)?.n as f64 / load_seconds(r)?),
    ),
    lower(
        "latency.p50",
        Unit::Time,
        "median latency of successful operations",
        |r| Some(operations(r)?.p50_ms),
    ),
    lower(
        "latency.p99",
        Unit::Time,
        "99th percentile of the latency of successful operations",
        |r| Some(operations(r)?.p99_ms),
    ),
    lower(
        "latency.p99_9",
        Unit::Time,
        "99.9th percentile of the latency of successful operations",
        |r| Some(operations(r)?.p99_9_ms),
    ),
    lower(
        "latency.max",
        Unit::Time,
        "longest latency of a successful operation",
        |r| Some(operations(r)?.max_ms),
    ),
    lower(
        "latency.write_p50",
        Unit::Time,
        "median latency of successful writes of the probes, from the intended send",
        |r| Some(probed_writes(r)?.p50_ms),
    ),
    lower(
        "latency.write_p99",
        Unit::Time,
        "99th percentile of the latency of successful writes of the probes",
        |r| Some(probed_writes(r)?.p99_ms),
    ),
    higher(
        "availability.served",
        Unit::Ratio,
        "probes served of all",
        |r| r.availability.service.ratio,
    ),
    higher(
        "availability.up",
        Unit::Ratio,
        "share of the time that was no outage",
        |r| r.availability.service.up_ratio,
    ),
    lower(
        "outage.longest",
        Unit::Time,
        "longest outage of the service",
        |r| {
            let service = &r.availability.service;
            (service.probes > 0).then_some(service.outages.longest_ms)
        },
    ),
    lower(
        "outage.total",
        Unit::Time,
        "all outages of the service together",
        |r| {
            let service = &r.availability.service;
            (service.probes > 0).then_some(service.outages.total_ms)
        },
    ),
    lower(
        "rto.first_success_p50",
        Unit::Time,
        "median time from a fault to the first success, on any connection",
        |r| p50(&r.rto.all.first_success),
    ),
    lower(
        "rto.first_success_p95",
        Unit::Time,
        "95th percentile of the time from a fault to the first success",
        |r| r.rto.all.first_success.p95_ms,
    ),
    lower(
        "rto.first_success_max",
        Unit::Time,
        "longest time from a fault to the first success",
        |r| r.rto.all.first_success.max_ms,
    ),
    lower(
        "rto.first_success_kept_p95",
        Unit::Time,
        "the same on connections that were open before the fault",
        |r| r.rto.all.first_success_kept.p95_ms,
    ),
    lower(
        "rto.first_success_new_p95",
        Unit::Time,
        "the same on connections that were opened after the fault",
        |r| r.rto.all.first_success_new.p95_ms,
    ),
    lower(
        "rto.first_write_p95",
        Unit::Time,
        "95th percentile of the time from a fault to the first acknowledged write",
        |r| r.rto.all.first_write.p95_ms,
    ),
    lower(
        "rto.detect_p50",
        Unit::Time,
        "median time until a server was seen to notice a fault",
        |r| p50(&r.rto.all.detect),
    ),
    lower(
        "rto.elect_p50",
        Unit::Time,
        "median time from then until a new leader was seen",
        |r| p50(&r.rto.all.elect),
    ),
    lower(
        "rto.steady_p50",
        Unit::Time,
        "median time until throughput and p99 were those before the fault",
        |r| p50(&r.rto.all.steady),
    ),
    lower(
        "rto.steady_p95",
        Unit::Time,
        "95th percentile of the time until throughput and p99 were those before the fault",
        |r| r.rto.all.steady.p95_ms,
    ),
    lower(
        "rto.rejoin_p50",
        Unit::Time,
        "median time from the healing until the nodes that were hit had caught up",
        |r| p50(&r.rto.all.rejoin),
    ),
    lower(
        "rto.rejoin_p95",
        Unit::Time,
        "95th percentile of the time until the nodes that were hit had caught up",
        |r| r.rto.all.rejoin.p95_ms,
    ),
    lower(
        "rto.censored",
        Unit::Count,
        "faults after which no success came before the next one or the end",
        |r| Some(r.rto.all.censored as f64),
    ),
    lower(
        "rpo.lost",
        Unit::Count,
        "acknowledged writes that were gone afterwards",
        |r| r.rpo.measured.then_some(r.rpo.lost as f64),
    ),
    lower(
        "rpo.lost_seconds",
        Unit::Seconds,
        "time of the last acknowledged write minus that of the last surviving one",
        |r| r.rpo.measured.then_some(r.rpo.lost_seconds),
    ),
    lower(
        "checkpoints.write_amplification",
        Unit::Ratio,
        "bytes of checkpoints written for a byte changed",
        |r| r.checkpoints.all.write_amplification,
    ),
    lower(
        "checkpoints.bytes",
        Unit::Bytes,
        "bytes of checkpoints written by all servers",
        |r| {
            let checkpoints = &r.checkpoints;
            checkpoints
                .measured
                .then_some(checkpoints.all.bytes_written as f64)
        },
    ),
    lower(
        "checkpoints.longest_pause",
        Unit::Time,
        "longest time that taking a checkpoint stopped a server",
        |r| {
            let checkpoints = &r.checkpoints;
            checkpoints
                .measured
                .then_some(checkpoints.all.longest_pause_us / 1e3)
        },
    ),
    higher("ops.ok", Unit::Count, "operations that happened", |r| {
        Some(r.ops.ok as f64)
    }),
    lower(
        "ops.info",
        Unit::Count,
        "operations of unknown outcome",
        |r| Some(r.ops.info as f64),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_paths_and_all_different() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.contains('.'), "{}", metric.name);
            assert!(!metric.help.ends_with('.'), "{}", metric.name);
        }
        assert!(Metric::by_name("rpo.lost").is_some());
        assert!(Metric::by_name("rpo.found").is_none());
    }
}
