//! `strata bench memory`: resident bytes per byte of keys and values, at rest and while a checkpoint is held.

use super::engine::Engine;
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::{BenchError, Common};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct Memory {
    /// Size of the state in MiB
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Part of the pages that change while the checkpoint is held, in percent
    #[arg(long, default_value_t = 10.0)]
    percent: f64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Memory {
    pub async fn run(&self, _: &Scratch) -> Result<Report, BenchError> {
        let facts = vec![
            ("MiB", json!(self.mib)),
            ("changed %", json!(self.percent)),
            ("value bytes", json!(self.value_bytes)),
        ];
        let columns = &["moment", "live MB", "resident MB", "ratio"];
        let mut report = Report::new("memory", columns, facts);
        let before = resident()?;
        let mut engine = Engine::filled(self.mib, self.value_bytes);
        let live = engine.machine.bytes() as f64;
        let mut tell = |moment: &str| -> Result<f64, BenchError> {
            let bytes = (resident()? - before) as f64;
            let ratio = bytes / live;
            report.run(vec![
                json!(moment),
                json!(live / 1e6),
                json!(bytes / 1e6),
                json!(ratio),
            ]);
            Ok(ratio)
        };
        let (mut rest, mut held) = (Samples::default(), Samples::default());
        rest.push(tell("at rest")?);
        let capture = engine.machine.capture();
        let pages = engine.machine.counters().pages;
        let wanted = ((pages as f64 * self.percent / 100.0) as u64).max(1);
        for page in 0..wanted {
            let key = (page * engine.keys / wanted + 3) % engine.keys;
            engine.put(key);
        }
        held.push(tell("capture held")?);
        drop(capture);
        report.result("resident per live byte, at rest", rest);
        report.result("resident per live byte, capture held", held);
        Ok(report)
    }
}

/// Resident bytes of this process.
fn resident() -> Result<u64, BenchError> {
    let text =
        std::fs::read_to_string("/proc/self/statm").map_err(BenchError::io("/proc/self/statm"))?;
    let pages = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| BenchError::Answer {
        what: "/proc/self/statm".into(),
        answer: text.clone(),
    })?;
    Ok(pages * 4096)
}
