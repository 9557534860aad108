//! `strata bench replay`: how fast the log after a checkpoint is read and applied at a start.

use super::engine::Engine;
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::{BenchError, Common};
use crate::checkpoint::chain::Mode;
use crate::checkpoint::{Keep, Policy};
use crate::disk::RealDisk;
use crate::log::{DeltaLog, Segments};
use crate::store::{self, StoreError};
use crate::types::{Entry, EntryKind, HardState};
use clap::Args;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

#[derive(Args)]
pub struct Replay {
    /// Entries in the log
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    #[arg(long, default_value_t = 100)]
    value_bytes: usize,
    /// Different keys among them
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 3)]
    repeats: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Replay {
    pub async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        let facts = vec![
            ("entries", json!(self.entries)),
            ("value bytes", json!(self.value_bytes)),
            ("keys", json!(self.keys)),
            ("threads", json!(self.threads)),
            ("page cache", json!("warm")),
        ];
        let columns = &["read s", "apply s", "entries/s"];
        let mut report = Report::new("replay", columns, facts);
        let failed = |error: StoreError| BenchError::Answer {
            what: "log".into(),
            answer: error.to_string(),
        };
        let dir = scratch.dir("replay")?;
        let disk = Arc::new(RealDisk::open(&dir).map_err(BenchError::io("scratch folder"))?);
        let segments = Segments::of(32 << 20);
        let mut engine = Engine::filled(1, self.value_bytes);
        engine.keys = self.keys;
        {
            let (mut log, _) =
                DeltaLog::open(disk.clone(), segments, 1).map_err(|error| failed(error.into()))?;
            let mut batch = Vec::new();
            for index in 1..=self.entries {
                let key = engine.random();
                batch.push(Entry {
                    term: 1,
                    index,
                    kind: EntryKind::Command,
                    data: engine.command(key).encode().into(),
                });
                if batch.len() == 1_000 || index == self.entries {
                    let state = HardState {
                        term: 1,
                        vote: None,
                        commit: index,
                    };
                    log.append(None, &batch, Some(state), 1)
                        .map_err(|error| failed(error.into()))?;
                    batch.clear();
                }
            }
            log.sync().map_err(|error| failed(error.into()))?;
        }
        let mut rates = Samples::default();
        for repeat in 0..=self.repeats {
            let policy = Policy {
                mode: Mode::Levels,
                keep: Keep::default(),
            };
            let began = Instant::now();
            let opened =
                store::open(disk.clone(), segments, 1, policy, self.threads).map_err(failed)?;
            let recovered = opened.load().map_err(failed)?;
            let read = began.elapsed().as_secs_f64();
            let began = Instant::now();
            let replica = super::engine::replica(recovered)?;
            let applied = began.elapsed().as_secs_f64();
            if replica.replayed() != self.entries {
                return Err(BenchError::Answer {
                    what: "replay".into(),
                    answer: format!("{} entries were replayed", replica.replayed()),
                });
            }
            if repeat == 0 {
                continue;
            }
            let rate = self.entries as f64 / (read + applied);
            rates.push(rate);
            report.run(vec![json!(read), json!(applied), json!(rate)]);
        }
        report.result("entries per second, reading and applying", rates);
        Ok(report)
    }
}
