//! `strata bench restore`: how fast a checkpoint becomes a state again, from the page cache.

use super::engine::Engine;
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::{BenchError, Common};
use crate::checkpoint::chain::{Mode, plan};
use crate::checkpoint::{Captured, CheckpointError, Checkpoints, Keep, Policy};
use crate::disk::RealDisk;
use clap::Args;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

#[derive(Args)]
pub struct Restore {
    /// Size of the state in MiB
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Numbers of threads to try
    #[arg(long, value_delimiter = ',', default_values_t = [1usize, 2])]
    threads: Vec<usize>,
    /// Increments on top of the full file, of 1 % of the pages each
    #[arg(long, default_value_t = 4)]
    increments: u64,
    #[arg(long, default_value_t = 5)]
    repeats: u64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Restore {
    pub async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        let facts = vec![
            ("MiB", json!(self.mib)),
            ("increments", json!(self.increments)),
            ("value bytes", json!(self.value_bytes)),
            ("page cache", json!("warm")),
        ];
        let columns = &["threads", "s", "GB/s", "read MB", "blocks", "hidden"];
        let mut report = Report::new("restore", columns, facts);
        let failed = |error: CheckpointError| BenchError::Answer {
            what: "checkpoint".into(),
            answer: error.to_string(),
        };
        let dir = scratch.dir("restore")?;
        let disk = Arc::new(RealDisk::open(&dir).map_err(BenchError::io("scratch folder"))?);
        let policy = Policy {
            mode: Mode::Levels,
            keep: Keep::default(),
        };
        let mut checkpoints = Checkpoints::open(disk, 1, policy).map_err(failed)?;
        let mut engine = Engine::filled(self.mib, self.value_bytes);
        for increment in 0..=self.increments {
            if increment > 0 {
                for _ in 0..engine.machine.counters().pages / 100 {
                    let key = engine.random();
                    engine.put(key);
                }
            }
            let counters = *engine.machine.counters();
            let chain = checkpoints.manifest().chain();
            let next = plan(Mode::Levels, &chain, counters.bytes, counters.changed_bytes);
            let captured = Captured::state(engine.machine.capture());
            engine.machine.mark_captured();
            checkpoints
                .write(&engine.meta(), &captured, next, 0)
                .map_err(failed)?;
        }
        let bytes = engine.machine.counters().bytes;
        drop(engine);
        let mut rates: Vec<Samples> = vec![Samples::default(); self.threads.len()];
        for repeat in 0..=self.repeats {
            for (threads, rates) in self.threads.iter().zip(&mut rates) {
                let began = Instant::now();
                let loaded = checkpoints.load(*threads).map_err(failed)?;
                let seconds = began.elapsed().as_secs_f64();
                if repeat == 0 {
                    // It warms the cache.
                    continue;
                }
                let rate = bytes as f64 / seconds / 1e9;
                rates.push(rate);
                report.run(vec![
                    json!(threads),
                    json!(seconds),
                    json!(rate),
                    json!(loaded.bytes_read as f64 / 1e6),
                    json!(loaded.blocks_read),
                    json!(loaded.blocks_skipped),
                ]);
            }
        }
        for (threads, rates) in self.threads.iter().zip(rates) {
            report.result(format!("GB of pages per second, {threads} threads"), rates);
        }
        report.note("every block's checksum and the sum over all entries are verified");
        Ok(report)
    }
}
