//! `strata bench increment`: bytes of an incremental checkpoint against the bytes of the pages that changed.

use super::engine::Engine;
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::{BenchError, Common};
use crate::checkpoint::chain::{FULL, Mode, Plan};
use crate::checkpoint::{Captured, Checkpoints, Keep, Policy};
use crate::disk::RealDisk;
use clap::Args;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

#[derive(Args)]
pub struct Increment {
    /// Size of the state in MiB
    #[arg(long, default_value_t = 256)]
    mib: u64,
    /// Parts of the pages that change, in percent
    #[arg(long, value_delimiter = ',', default_values_t = [0.1, 1.0, 10.0, 100.0])]
    percent: Vec<f64>,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Increment {
    pub async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        let facts = vec![
            ("MiB", json!(self.mib)),
            ("value bytes", json!(self.value_bytes)),
        ];
        let columns = &[
            "changed %",
            "pages",
            "page bytes",
            "file bytes",
            "ratio",
            "ms",
        ];
        let mut report = Report::new("increment", columns, facts);
        let dir = scratch.dir("increment")?;
        let disk = Arc::new(RealDisk::open(&dir).map_err(BenchError::io("scratch folder"))?);
        let policy = Policy {
            mode: Mode::Incremental,
            keep: Keep::default(),
        };
        let failed = |error: crate::checkpoint::CheckpointError| BenchError::Answer {
            what: "writing a checkpoint".into(),
            answer: error.to_string(),
        };
        let mut checkpoints = Checkpoints::open(disk, 1, policy).map_err(failed)?;
        let mut engine = Engine::filled(self.mib, self.value_bytes);
        let full = Plan {
            level: FULL,
            base: 0,
        };
        let captured = Captured::state(engine.machine.capture());
        let written = checkpoints.write(&engine.meta(), &captured, full, 0);
        written.map_err(failed)?;
        let per_page = engine.keys / engine.machine.counters().pages.max(1);
        let mut ratios = Samples::default();
        for &percent in &self.percent {
            let base = engine.machine.applied();
            engine.machine.capture();
            engine.machine.mark_captured();
            let pages = engine.machine.counters().pages;
            let wanted = ((pages as f64 * percent / 100.0) as u64).clamp(1, pages);
            // One key out of each of the wanted pages, evenly over the key space.
            for page in 0..wanted {
                let key = (page * engine.keys / wanted + per_page / 2) % engine.keys;
                engine.put(key);
            }
            let captured = Captured::state(engine.machine.capture());
            let (changed_pages, changed_bytes) = {
                let counters = engine.machine.counters();
                (counters.changed_pages, counters.changed_bytes)
            };
            let began = Instant::now();
            let plan = Plan { level: 0, base };
            let file = checkpoints
                .write(&engine.meta(), &captured, plan, 0)
                .map_err(failed)?
                .ok_or_else(|| BenchError::Answer {
                    what: "writing a checkpoint".into(),
                    answer: "nothing was newer".into(),
                })?;
            let ratio = file.bytes as f64 / changed_bytes as f64;
            ratios.push(ratio);
            report.run(vec![
                json!(percent),
                json!(changed_pages),
                json!(changed_bytes),
                json!(file.bytes),
                json!(ratio),
                json!(began.elapsed().as_secs_f64() * 1e3),
            ]);
        }
        report.result("file bytes per changed page byte", ratios);
        Ok(report)
    }
}
