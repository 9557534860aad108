//! The summary on the terminal: plain text that also reads well in a log; colour only for the verdict
//! and only if the caller says that there is a terminal to show it.

use crate::measure::{By, Distribution, FaultSummary, KindRto, Milestone, Moment, Results, Return};
use checker::Validity;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style};

/// The whole summary: verdict, figures, recovery by kind of fault, what was not in order, and what was not
/// exercised.
pub fn summary(results: &Results, colour: bool) -> String {
    let mut text = verdict_line(results, colour);
    text.push('\n');
    text += &figures(results);
    if results.rto.all.effective > 0 {
        text.push('\n');
        text += &recovery(results);
    }
    let open = complaints(results);
    if !open.is_empty() {
        text.push('\n');
        text += &open;
    }
    if !results.run.not_exercised.is_empty() {
        text += "\n  not exercised\n";
        for what in &results.run.not_exercised {
            text += &format!("    {what}\n");
        }
    }
    text
}

fn verdict_line(results: &Results, colour: bool) -> String {
    let word = results.valid.to_string().to_uppercase();
    let word = match (colour, results.valid) {
        (false, _) => word,
        (true, Validity::Valid) => format!("\x1b[1;32m{word}\x1b[0m"),
        (true, Validity::Unknown) => format!("\x1b[1;33m{word}\x1b[0m"),
        (true, Validity::Invalid) => format!("\x1b[1;31m{word}\x1b[0m"),
    };
    format!("{word}: {}\n", results.reason)
}

fn figures(results: &Results) -> String {
    let mut rows = Builder::default();
    let run = &results.run;
    rows.push_record([
        "run".to_owned(),
        format!(
            "{} on {} ({} nodes), workload {}, seed {}",
            results.system,
            run.environment,
            run.nodes.len(),
            results.workload,
            results.seed
        ),
    ]);
    let seconds = results.load_seconds();
    let rate = match seconds > 0.0 {
        true => format!(
            ", {}/s",
            count((results.ops.ok as f64 / seconds).round() as u64)
        ),
        false => String::new(),
    };
    rows.push_record([
        "operations".to_owned(),
        format!(
            "{} ok, {} fail, {} unknown in {seconds:.1} s{rate}",
            count(results.ops.ok),
            count(results.ops.fail),
            count(results.ops.info),
        ),
    ]);
    let effective = results
        .faults
        .iter()
        .filter(|fault| fault.effective)
        .count();
    rows.push_record([
        "faults".to_owned(),
        format!(
            "{effective} of {} took effect, {} took the leader or the majority away",
            results.faults.len(),
            results.rto.due
        ),
    ]);
    let first = &results.rto.all.first_success;
    rows.push_record([
        "RTO".to_owned(),
        match results.rto.due {
            0 => "no fault took the leader or the majority away".to_owned(),
            due => format!(
                "first success p50 {}, p95 {}, max {} over {} of {due} faults{} (resolution {})",
                results.restored(first.p50_ms),
                results.restored(first.p95_ms),
                results.restored(first.max_ms),
                first.n,
                match results.rto.all.censored {
                    0 => String::new(),
                    open => format!("; {open} not over before the next fault"),
                },
                duration(results.rto.resolution_ms)
            ),
        },
    ]);
    rows.push_record(["RPO".to_owned(), results.rpo.sentence()]);
    let service = &results.availability.service;
    rows.push_record([
        "available".to_owned(),
        match service.up_ratio.zip(service.ratio) {
            None => "not measured: no probes".to_owned(),
            Some((up, served)) => format!(
                "{} of the time; {} outages, longest {}, together {}; {} of {} probes served",
                percent(up),
                service.outages.count,
                duration(service.outages.longest_ms),
                duration(service.outages.total_ms),
                percent(served),
                count(service.probes),
            ),
        },
    ]);
    if let Some(all) = results.latency.operations.get("all") {
        rows.push_record([
            "latency".to_owned(),
            format!(
                "p50 {}, p99 {}, p99.9 {}, max {} (closed loop)",
                duration(all.p50_ms),
                duration(all.p99_ms),
                duration(all.p99_9_ms),
                duration(all.max_ms)
            ),
        ]);
    }
    if let Some(ways) = ways_back(results) {
        rows.push_record(["came back".to_owned(), ways]);
    }
    if results.checkpoints.measured {
        let all = &results.checkpoints.all;
        rows.push_record([
            "checkpoints".to_owned(),
            format!(
                "{} written; chain of {} files at most, write amplification {}, longest pause {}",
                count(all.written),
                all.chain_longest,
                amplification(all.write_amplification),
                micros(all.longest_pause_us),
            ),
        ]);
    }
    let mut table = rows.build();
    table
        .with(Style::empty())
        .with(Padding::zero())
        .with(Modify::new(Columns::first()).with(Padding::new(2, 2, 0, 0)));
    lines(&table.to_string())
}

/// By what servers that were away came back: how many by each, and the bytes that it took.
fn ways_back(results: &Results) -> Option<String> {
    let ways = || results.faults.iter().flat_map(|fault| &fault.returns);
    let parts: Vec<String> = [By::Delta, By::Full, By::Log]
        .into_iter()
        .filter_map(|by| {
            let of = || ways().filter(|way| way.by == by);
            let sum = |bytes: fn(&Return) -> u64| of().map(bytes).sum::<u64>();
            let (bytes, full) = (sum(|way| way.bytes), sum(|way| way.full_bytes));
            let name = match by {
                By::Full => "in full",
                By::Delta => "by delta",
                By::Log => "by the log",
            };
            let cost = match (by, bytes, full) {
                (By::Log, ..) | (_, 0, _) => String::new(),
                (By::Delta, bytes, full) if full > 0 => format!(
                    " ({} on the wire, {} of {} in full)",
                    size(bytes),
                    ratio(Some(bytes as f64 / full as f64)),
                    size(full)
                ),
                (_, bytes, _) => format!(" ({} on the wire)", size(bytes)),
            };
            let n = of().count();
            (n > 0).then(|| format!("{n} {name}{cost}"))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Recovery by kind of fault.
fn recovery(results: &Results) -> String {
    let mut rows = Builder::default();
    rows.push_record([
        "recovery after",
        "faults",
        "due",
        "first success p50",
        "max",
        "first write p50",
        "steady p50",
        "rejoin p50",
        "max",
    ]);
    let p50 = |d: &Distribution| results.restored(d.p50_ms);
    let max = |d: &Distribution| results.restored(d.max_ms);
    let mut row = |name: &str, kind: &KindRto, due: u64| {
        rows.push_record([
            name.to_owned(),
            kind.effective.to_string(),
            due.to_string(),
            p50(&kind.first_success),
            max(&kind.first_success),
            p50(&kind.first_write),
            optional(kind.steady.p50_ms),
            results.sampled(kind.rejoin.p50_ms),
            results.sampled(kind.rejoin.max_ms),
        ]);
    };
    for (name, kind) in &results.rto.by_kind {
        row(name, kind, kind.first_success.n + kind.censored);
    }
    row("all", &results.rto.all, results.rto.due);
    grid(rows, 1)
}

/// Recovery fault by fault.
pub fn faults(results: &Results) -> String {
    let mut rows = Builder::default();
    rows.push_record([
        "#",
        "fault",
        "targets",
        "hit",
        "at",
        "kept",
        "new",
        "first write",
        "steady",
        "rejoin",
        "by",
    ]);
    for fault in &results.faults {
        let at = fault.effective_ms.unwrap_or(fault.intend_ms);
        let mut cells = vec![
            fault.id.to_string(),
            fault.title(),
            fault.targets.join(" "),
            fault.role.clone(),
            duration(at),
        ];
        cells.extend(rto_cells(results, fault));
        let ways = fault.returns.iter().map(|way| match way.ratio {
            Some(part) if way.by == By::Delta => format!("delta {}", ratio(Some(part))),
            _ => way.by.name().to_owned(),
        });
        cells.push(ways.collect::<Vec<_>>().join(", "));
        rows.push_record(cells);
    }
    grid(rows, 4)
}

/// First success on kept and on new connections, first write, steady, rejoin.
pub(crate) fn rto_cells(results: &Results, fault: &FaultSummary) -> [String; 5] {
    let Some(rto) = &fault.rto else {
        return ["no effect", "", "", "", ""].map(str::to_owned);
    };
    let cell = |name: &str, value: Option<f64>| match value {
        None if rto.censored.iter().any(|c| c == name) => format!("> {}", duration(rto.window_ms)),
        value => results.restored(value),
    };
    [
        cell("first_success_kept", rto.first_success_kept_ms),
        cell("first_success_new", rto.first_success_new_ms),
        cell("first_write", rto.first_write_ms),
        optional(rto.steady_ms),
        results.sampled(rto.rejoin_ms),
    ]
}

fn complaints(results: &Results) -> String {
    let mut text = String::new();
    for (name, verdict) in &results.checks {
        if verdict.valid != Validity::Valid {
            text += &format!("  check {name}: {}: {}\n", verdict.valid, verdict.reason);
        }
    }
    for (name, gate) in results.gates.iter().filter(|(_, gate)| !gate.passed) {
        text += &format!("  gate {name}: {}\n", gate.reason);
    }
    text
}

/// A table without lines: the first `names` columns hold names, the others numbers.
fn grid(rows: Builder, names: usize) -> String {
    let mut table = rows.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::new(names..)).with(Alignment::right()))
        .with(Modify::new(Columns::first()).with(Padding::new(2, 2, 0, 0)));
    lines(&table.to_string())
}

/// Without blanks at the ends of lines.
fn lines(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

impl Return {
    /// For the fault's own page.
    pub(crate) fn sentence(&self) -> String {
        let Self { node, images, .. } = self;
        let images = match images {
            1 => "1 image".to_owned(),
            n => format!("{n} images"),
        };
        let bytes = match (self.bytes, self.ratio) {
            (0, _) => String::new(),
            (bytes, None) => format!(", {} on the wire", size(bytes)),
            (bytes, part) => format!(
                ", {} on the wire, {} of the {} that full images would have taken",
                size(bytes),
                ratio(part),
                size(self.full_bytes)
            ),
        };
        match (self.by, self.base) {
            (By::Log, _) => format!("{node} came back by the log alone."),
            (By::Delta, Some(base)) => format!(
                "{node} came back by what had changed since index {}: {images}{bytes}.",
                count(base)
            ),
            (By::Delta, None) => format!("{node} came back by what had changed: {images}{bytes}."),
            (By::Full, _) => format!("{node} came back by the whole state: {images}{bytes}."),
        }
    }
}

impl Milestone {
    /// The time as it is known.
    pub(crate) fn written(&self) -> String {
        match (self.at_ms, self.moment) {
            (Some(0.0), Moment::ThroughputBack | Moment::P99Back) => "never away".to_owned(),
            (at, _) => known_to(self.resolution_ms, at),
        }
    }
}

impl Results {
    /// Length of the load phase.
    pub fn load_seconds(&self) -> f64 {
        self.marks.load_end.saturating_sub(self.marks.load_start) as f64 / 1e9
    }

    /// A time until clients were served: under the probe interval it is only known to be shorter.
    pub(crate) fn restored(&self, value_ms: Option<f64>) -> String {
        known_to(self.rto.resolution_ms, value_ms)
    }

    /// A time taken from the status samples.
    pub(crate) fn sampled(&self, value_ms: Option<f64>) -> String {
        known_to(self.rto.sample_resolution_ms, value_ms)
    }
}

fn known_to(resolution_ms: f64, value_ms: Option<f64>) -> String {
    match value_ms {
        None => "-".to_owned(),
        Some(value) if value < resolution_ms => format!("< {}", duration(resolution_ms)),
        Some(value) => duration(value),
    }
}

/// A time, or a dash where there is none.
pub(crate) fn optional(ms: Option<f64>) -> String {
    ms.map_or("-".to_owned(), duration)
}

/// Milliseconds for a reader: three digits that matter.
pub fn duration(ms: f64) -> String {
    // -0 is no time that a reader knows.
    match ms + 0.0 {
        ms if ms >= 100_000.0 => format!("{:.0} s", ms / 1e3),
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 1_000.0 => format!("{:.2} s", ms / 1e3),
        ms if ms >= 100.0 || ms == ms.round() => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms if ms >= 0.1 => format!("{ms:.2} ms"),
        ms => format!("{:.0} us", ms * 1e3),
    }
}

/// Microseconds for a reader.
pub(crate) fn micros(us: f64) -> String {
    match us {
        us if us >= 1_000.0 => duration(us / 1e3),
        us if us >= 10.0 => format!("{us:.0} us"),
        us => format!("{us:.1} us"),
    }
}

/// Bytes for a reader.
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) => {
            let amount = bytes as f64 / unit as f64;
            let digits = if amount < 99.95 { 1 } else { 0 };
            format!("{amount:.digits$} {name}")
        }
    }
}

/// A part of a whole as a reader compares it, or a dash.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// Bytes written for a byte changed, or a dash.
pub(crate) fn amplification(factor: Option<f64>) -> String {
    factor.map_or("-".to_owned(), |factor| format!("{factor:.2}"))
}

/// A count with its thousands set apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share, cut and not rounded: less than everything is never 100 %.
pub fn percent(ratio: f64) -> String {
    format!("{:.2} %", (ratio * 1e4 + 1e-6).floor() / 1e2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(percent(0.99999), "99.99 %");
        assert_eq!(percent(1.0), "100.00 %");
        assert_eq!(percent(0.07), "7.00 %");
        assert_eq!(duration(-0.0), "0 ms");
        assert_eq!(duration(0.123), "0.12 ms");
        assert_eq!(duration(0.003), "3 us");
        assert_eq!(duration(20.0), "20 ms");
        assert_eq!(duration(1_234.0), "1.23 s");
        assert_eq!(duration(61_000.0), "61.0 s");
        assert_eq!(micros(3.21), "3.2 us");
        assert_eq!(micros(420.0), "420 us");
        assert_eq!(micros(1_500.0), "1.50 ms");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(512 << 20), "512 MiB");
        assert_eq!(ratio(Some(0.0512)), "5.1 %");
    }
}
