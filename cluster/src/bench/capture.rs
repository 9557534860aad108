//! `strata bench capture`: how long taking a capture stops the machine, at several sizes of the state.

use super::engine::Engine;
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::{BenchError, Common};
use clap::Args;
use hdrhistogram::Histogram;
use serde_json::json;
use std::time::Instant;

#[derive(Args)]
pub struct Capture {
    /// Sizes of the state in MiB
    #[arg(long, value_delimiter = ',', default_values_t = [64u64, 1024, 4096])]
    mib: Vec<u64>,
    /// Captures per size
    #[arg(long, default_value_t = 2_000)]
    captures: u64,
    /// Writes between two captures
    #[arg(long, default_value_t = 100)]
    writes: u64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Capture {
    pub async fn run(&self, _: &Scratch) -> Result<Report, BenchError> {
        let facts = vec![
            ("captures", json!(self.captures)),
            ("writes between", json!(self.writes)),
            ("value bytes", json!(self.value_bytes)),
        ];
        let columns = &["MiB", "pages", "p50 us", "p99 us", "max us", "write p99 us"];
        let mut report = Report::new("capture", columns, facts);
        let (mut p99s, mut longest) = (Samples::default(), Samples::default());
        for &mib in &self.mib {
            let mut engine = Engine::filled(mib, self.value_bytes);
            let (mut pauses, mut writes) = (histogram(), histogram());
            // The one before is held, as a checkpoint under way would.
            let mut held = engine.machine.capture();
            for _ in 0..self.captures {
                for _ in 0..self.writes {
                    let key = engine.random();
                    let index = engine.machine.applied() + 1;
                    let command = engine.command(key);
                    let began = Instant::now();
                    engine.machine.apply(index, &command);
                    record(&mut writes, began);
                }
                let began = Instant::now();
                let capture = engine.machine.capture();
                engine.machine.mark_captured();
                record(&mut pauses, began);
                drop(std::mem::replace(&mut held, capture));
            }
            let us = |ns: u64| ns as f64 / 1e3;
            let (p99, max) = (us(pauses.value_at_quantile(0.99)), us(pauses.max()));
            report.run(vec![
                json!(mib),
                json!(engine.machine.counters().pages),
                json!(us(pauses.value_at_quantile(0.5))),
                json!(p99),
                json!(max),
                json!(us(writes.value_at_quantile(0.99))),
            ]);
            p99s.push(p99);
            longest.push(max);
        }
        report.result("p99 us, over the sizes", p99s);
        report.result("longest us, over the sizes", longest);
        report.note("a write right after a capture copies the page it changes: see its p99");
        Ok(report)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

fn record(histogram: &mut Histogram<u64>, began: Instant) {
    // A histogram that resizes itself takes any value.
    let _ = histogram.record(began.elapsed().as_nanos() as u64);
}
