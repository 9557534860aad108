//! What the pictures over time are drawn from: the run in bins of equal length, counted once. The page carries
//! the same numbers, so that its shared cursor can say what each picture shows at a moment.

use super::canvas::{Bands, Timescale};
use super::strips;
use crate::measure::{completions, nearest_rank, served};
use crate::recorded::Recorded;
use checker::Phase;
use serde::Serialize;

/// One value for each bin, from `from_s` on; null where nothing was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Seconds since the start of the run.
    pub from_s: f64,
    pub to_s: f64,
    pub bin_s: f64,
    /// Where the scale lies in the pictures: from, to, and the width of the whole picture.
    pub scale: [i32; 3],
    /// Latency of successful operations in milliseconds.
    pub p50: Vec<Option<f64>>,
    pub p99: Vec<Option<f64>>,
    pub max: Vec<Option<f64>>,
    /// Operations per second by how they ended.
    pub ok: Vec<f64>,
    pub fail: Vec<f64>,
    pub unknown: Vec<f64>,
    /// Percent of the probes that were served.
    pub served: Vec<Option<f64>>,
    /// From, to, and what a reader calls it: leaders and faults. A fault's number comes first.
    pub leaders: Vec<(f64, f64, String)>,
    pub faults: Vec<(f64, f64, u32, String)>,
}

impl Series {
    pub(super) fn of(recorded: &Recorded, scale: &Timescale, bands: &Bands) -> Self {
        let bins = scale.bins();
        let mut latencies: Vec<Vec<u64>> = vec![Vec::new(); bins];
        let mut ends = [(); 3].map(|()| vec![0u64; bins]);
        for completion in completions(recorded) {
            let outcome = match completion.phase {
                Phase::Invoke => continue,
                Phase::Ok(_) => 0,
                Phase::Fail(_) => 1,
                Phase::Info(_) => 2,
            };
            if let Some(bin) = scale.bin_of(completion.at) {
                ends[outcome][bin] += 1;
                if outcome == 0 {
                    latencies[bin].push(completion.latency);
                }
            }
        }
        for bin in &mut latencies {
            bin.sort_unstable();
        }
        let quantile = |quantile: f64| -> Vec<Option<f64>> {
            let of =
                |bin: &Vec<u64>| nearest_rank(bin, quantile).map(|ns: u64| short(ns as f64 / 1e6));
            latencies.iter().map(of).collect()
        };
        let mut probes = vec![(0u32, 0u32); bins];
        for probe in &recorded.probes {
            if let Some(bin) = scale.bin_of(probe.intended) {
                probes[bin].0 += u32::from(served(probe, &recorded.method));
                probes[bin].1 += 1;
            }
        }
        let per_second = 1e9 / scale.bin() as f64;
        let rates = |counts: Vec<u64>| -> Vec<f64> {
            let rate = |n| (n as f64 * per_second).round();
            counts.into_iter().map(rate).collect()
        };
        let [ok, fail, unknown] = ends.map(rates);
        let (left, right, width) = Timescale::place();
        Self {
            from_s: seconds(scale.from),
            to_s: seconds(scale.to),
            bin_s: seconds(scale.bin()),
            scale: [left, right, width],
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: quantile(1.0),
            ok,
            fail,
            unknown,
            served: probes
                .into_iter()
                .map(|(served, all)| {
                    (all > 0).then(|| (f64::from(served) / f64::from(all) * 1e3).floor() / 10.0)
                })
                .collect(),
            leaders: strips::reigns(&recorded.samples)
                .into_iter()
                .filter(|reign| reign.to > reign.from)
                .filter_map(|reign| {
                    let (node, term) = reign.leader?;
                    let name = format!("{node} in term {term}");
                    Some((seconds(reign.from), seconds(reign.to), name))
                })
                .collect(),
            faults: bands
                .0
                .iter()
                .map(|band| {
                    let name = format!("{} {}", band.kind, band.targets);
                    (seconds(band.from), seconds(band.to), band.id, name)
                })
                .collect(),
        }
    }

    /// Times of the middle of each bin beside its value.
    pub(super) fn points<'a, T: Copy>(
        &self,
        values: &'a [T],
    ) -> impl Iterator<Item = (f64, T)> + use<'a, T> {
        let (from, bin) = (self.from_s, self.bin_s);
        let middle = move |at: usize| from + (at as f64 + 0.5) * bin;
        values
            .iter()
            .enumerate()
            .map(move |(at, value)| (middle(at), *value))
    }
}

/// To the millisecond.
fn seconds(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1e6).round() / 1e3
}

/// Three digits that matter, at least a microsecond: the pictures show no more, and the page stays small.
fn short(ms: f64) -> f64 {
    let ms = ms.max(0.001);
    let unit = 10f64.powf(2.0 - ms.log10().floor());
    (ms * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_keep_three_digits() {
        assert_eq!(short(1.23456), 1.23);
        assert_eq!(short(987.6), 988.0);
        assert_eq!(short(0.0), 0.001);
        assert_eq!(short(12_345.0), 12_300.0);
    }
}
