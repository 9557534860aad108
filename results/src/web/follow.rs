//! What a run has written so far, counted as its lines come: memory grows with the run's seconds, never with its
//! operations.

use crate::plots::Series;
use checker::history::faults::FaultRecord;
use serde::Deserialize;
use std::collections::HashMap;

/// Seconds that are kept; what comes later is counted, but not drawn.
const SECONDS_MAX: usize = 4 * 3600;
/// Buckets of latency: eight to each doubling, from a microsecond on.
const BUCKETS: usize = 8 * 28;
/// Points of a chart.
const BINS_MAX: usize = 300;
/// Lines that could not be understood may be a later version's; more faults than this are no run's.
const FAULTS_MAX: usize = 10_000;

/// A run as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    pub ok: u64,
    pub fail: u64,
    pub unknown: u64,
    /// Lines that were no event.
    pub not_understood: u64,
    /// Of the newest event, nanoseconds since the start.
    pub newest: u64,
    pub faults: Vec<FaultRecord>,
    seconds: Vec<Second>,
    open: HashMap<u64, u64>,
}

#[derive(Clone, Debug, Default)]
struct Second {
    ends: [u64; 3],
    latencies: Vec<u32>,
    longest: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    process: Process<'a>,
    time: u64,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Process<'a> {
    Client(u64),
    Nemesis(#[allow(dead_code)] &'a str),
}

impl Follow {
    /// One line of `history.jsonl`.
    pub fn event(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
            // The first line is the header.
            self.not_understood += 1;
            return;
        };
        self.newest = self.newest.max(line.time);
        let Process::Client(process) = line.process else {
            return;
        };
        let end = match line.kind {
            "ok" => 0,
            "fail" => 1,
            "info" => 2,
            _ => {
                self.open.insert(process, line.time);
                return;
            }
        };
        *[&mut self.ok, &mut self.fail, &mut self.unknown][end] += 1;
        let begun = self.open.remove(&process);
        let at = (line.time / 1_000_000_000) as usize;
        if at >= SECONDS_MAX {
            return;
        }
        if self.seconds.len() <= at {
            self.seconds.resize_with(at + 1, Second::default);
        }
        let second = &mut self.seconds[at];
        second.ends[end] += 1;
        if let (0, Some(begun)) = (end, begun) {
            let latency = line.time.saturating_sub(begun);
            second.longest = second.longest.max(latency);
            second.latencies.resize(BUCKETS, 0);
            second.latencies[bucket(latency)] += 1;
        }
    }

    /// One line of `faults.jsonl`.
    pub fn fault(&mut self, line: &[u8]) {
        if self.faults.len() < FAULTS_MAX
            && let Ok(record) = serde_json::from_slice::<FaultRecord>(line)
        {
            self.newest = self.newest.max(record.time);
            self.faults.push(record);
        }
    }

    /// Successful operations in each of the last whole seconds, on average.
    pub fn rate(&self) -> f64 {
        let whole = self.seconds.len().saturating_sub(1);
        let last = &self.seconds[whole.saturating_sub(5)..whole];
        let ok: u64 = last.iter().map(|second| second.ends[0]).sum();
        ok as f64 / last.len().max(1) as f64
    }

    /// For charts: bins of whole seconds.
    pub fn series(&self) -> Series {
        let length = self.seconds.len().div_ceil(BINS_MAX).max(1);
        let mut series = Series {
            to_s: (self.seconds.len() as f64).max(1.0),
            bin_s: length as f64,
            ..Series::default()
        };
        for bin in self.seconds.chunks(length) {
            let of = |end: usize| -> f64 {
                let sum: u64 = bin.iter().map(|second| second.ends[end]).sum();
                sum as f64 / bin.len() as f64
            };
            series.ok.push(of(0));
            series.fail.push(of(1));
            series.unknown.push(of(2));
            series.p50.push(quantile(bin, 0.5));
            series.p99.push(quantile(bin, 0.99));
            let longest = bin.iter().map(|second| second.longest).max();
            series
                .max
                .push(longest.filter(|ns| *ns > 0).map(|ns| ns as f64 / 1e6));
        }
        series
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let micros = (nanoseconds as f64 / 1e3).max(1.0);
    ((micros.log2() * 8.0) as usize).min(BUCKETS - 1)
}

/// In milliseconds: the middle of the bucket, so at most 5 % off.
fn quantile(bin: &[Second], part: f64) -> Option<f64> {
    let count = |bucket: usize| -> u64 {
        let of = |second: &Second| second.latencies.get(bucket).copied().map_or(0, u64::from);
        bin.iter().map(of).sum()
    };
    let all: u64 = (0..BUCKETS).map(count).sum();
    let rank = ((all as f64 * part).ceil() as u64).max(1);
    let mut seen = 0;
    let found = (0..BUCKETS).find(|bucket| {
        seen += count(*bucket);
        seen >= rank
    })?;
    Some(((found as f64 + 0.5) / 8.0).exp2() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(process: &str, time_ms: u64, kind: &str) -> Vec<u8> {
        let time = time_ms * 1_000_000;
        format!("{{\"index\":1,\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"read\",\"value\":null}}").into_bytes()
    }

    #[test]
    fn operations_are_counted_by_how_they_ended_and_when() {
        let mut follow = Follow::default();
        follow.event(b"{\"version\":1,\"workload\":\"register\",\"model\":\"register\"}");
        for at in 0..100 {
            follow.event(&line("7", at * 20, "invoke"));
            follow.event(&line("7", at * 20 + 10, "ok"));
        }
        follow.event(&line("\"nemesis\"", 2_100, "info"));
        follow.event(&line("8", 2_200, "invoke"));
        follow.event(&line("8", 2_300, "info"));
        assert_eq!((follow.ok, follow.fail, follow.unknown), (100, 0, 1));
        let series = follow.series();
        assert_eq!(series.ok, [50.0, 50.0, 0.0]);
        assert_eq!(series.unknown, [0.0, 0.0, 1.0]);
        let p50 = series.p50[0].unwrap();
        assert!((9.4..10.6).contains(&p50), "{p50}");
        assert_eq!(series.p50[2], None);
        assert_eq!(follow.newest, 2_300_000_000);
    }

    #[test]
    fn a_line_that_is_no_event_is_counted_and_nothing_more() {
        let mut follow = Follow::default();
        follow.event(b"{\"ind");
        follow.fault(b"nonsense");
        assert_eq!(
            (follow.not_understood, follow.ok, follow.faults.len()),
            (1, 0, 0)
        );
        follow.series();
    }

    #[test]
    fn long_runs_have_few_points() {
        let mut follow = Follow::default();
        follow.event(&line("1", 3_600_000, "ok"));
        let series = follow.series();
        assert!(series.ok.len() <= 300, "{}", series.ok.len());
        assert_eq!(series.bin_s, 13.0);
    }
}
