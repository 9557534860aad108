//! `strata bench restart`: from the start of the process to the first answered read.
//!
//! Every variant holds the same keys and values. The state is made once; then the variants start in turn, over and
//! over, each on its own folder, whose files are read once before so that they are in the page cache. The read asks
//! for the key that was written last and must return its value.

use super::client::Protocol;
use super::report::{Report, Samples};
use super::scratch::{Scratch, copy_dir, read_all, settle};
use super::server::{self, Server, Strata};
use super::state::State;
use super::{BenchError, Common, until};
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// To load the state, or to write it.
const LIMIT: Duration = Duration::from_secs(300);
const ASK_EVERY: Duration = Duration::from_millis(5);
const COLUMNS: &[&str] = &[
    "system",
    "run",
    "seconds",
    "MiB/s",
    "MiB on disk",
    "replayed",
    "phases ms",
];

#[derive(Args)]
pub struct Restart {
    /// Values in the store
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..))]
    state_mib: u64,
    /// How much of it was written after the checkpoint, where there is one
    #[arg(long, default_value_t = 128)]
    tail_mib: u64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    /// Measure this store too, turn by turn
    #[arg(long, value_enum)]
    against: Option<super::checkpoint::Peer>,
    /// Starts of each variant
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    repeats: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// The whole state in the checkpoint.
    StrataCheckpoint,
    /// The last part of the state in the log after the checkpoint.
    StrataTail,
    /// The whole state in `dump.rdb`.
    RedisRdb,
    /// An append-only file that begins with an RDB image, the last part as commands.
    RedisAofRdb,
    /// An append-only file of nothing but commands.
    RedisAof,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::StrataCheckpoint => "strata-checkpoint",
            Variant::StrataTail => "strata-checkpoint+log",
            Variant::RedisRdb => "redis-rdb",
            Variant::RedisAofRdb => "redis-rdb+aof",
            Variant::RedisAof => "redis-aof",
        }
    }

    fn server(self, dir: &Path) -> Result<Server, BenchError> {
        let preamble = match self {
            Variant::StrataCheckpoint | Variant::StrataTail => {
                return Strata::lone(dir, "never", &[]);
            }
            Variant::RedisRdb => return server::redis(dir, &["--appendonly", "no"]),
            Variant::RedisAofRdb => "yes",
            Variant::RedisAof => "no",
        };
        let args = "--appendonly yes --appendfsync no --aof-use-rdb-preamble";
        let args: Vec<&str> = args.split(' ').chain([preamble]).collect();
        server::redis(dir, &args)
    }
}

impl Restart {
    pub(super) async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        if self.tail_mib > self.state_mib {
            let text = "--tail-mib is a part of --state-mib and can't be more";
            return Err(BenchError::Usage(text.into()));
        }
        let state = State::of_mib(self.state_mib, self.value_bytes);
        let mut report = Report::new(
            "restart",
            COLUMNS,
            vec![
                ("servers", json!("1, not replicated")),
                ("state MiB", json!(self.state_mib)),
                ("of it in the log", json!(self.tail_mib)),
                ("keys", json!(state.keys)),
                ("value bytes", json!(self.value_bytes)),
                ("repeats", json!(self.repeats)),
                ("page cache", json!("warm")),
            ],
        );
        let mut variants = vec![Variant::StrataCheckpoint, Variant::StrataTail];
        if self.against.is_some() {
            report.fact("redis", server::redis_version()?);
            variants.extend([Variant::RedisRdb, Variant::RedisAofRdb, Variant::RedisAof]);
        }
        for &variant in &variants {
            self.fill(variant, scratch, &state).await?;
            settle(&scratch.path().join(variant.name()))?;
        }
        let mut times = vec![Samples::default(); variants.len()];
        for run in 1..=self.repeats {
            for (&variant, times) in variants.iter().zip(&mut times) {
                let dir = scratch.path().join(variant.name());
                let bytes = read_all(&dir)?;
                let mut server = variant.server(&dir)?;
                let began = server.start()?;
                server
                    .until_read(LIMIT, async |client| state.check_last(client).await)
                    .await?;
                let seconds = began.elapsed().as_secs_f64();
                times.push(seconds);
                let (replayed, phases) = phases(&server).await?;
                report.run(vec![
                    json!(variant.name()),
                    json!(run),
                    json!(seconds),
                    json!(self.state_mib as f64 / seconds),
                    json!(bytes >> 20),
                    json!(replayed),
                    json!(phases),
                ]);
            }
        }
        for (variant, times) in variants.iter().zip(&times) {
            report.result(format!("{} s", variant.name()), times.clone());
        }
        for (strata, redis) in [(0, 2), (1, 3), (1, 4)] {
            if let (Some(own), Some(other)) = (times.get(strata), times.get(redis)) {
                let (a, b) = (variants[redis].name(), variants[strata].name());
                report.result(format!("time, {a} over {b}"), other.over(own));
            }
        }
        report.note(
            "reads of strata are linearizable; a lone server elects itself first (phase join)",
        );
        report.note("Redis without compression of its image; both check sums");
        Ok(report)
    }

    /// Makes the state of a variant. The strata variants share most of theirs.
    async fn fill(
        &self,
        variant: Variant,
        scratch: &Scratch,
        state: &State,
    ) -> Result<(), BenchError> {
        let dir = scratch.dir(variant.name())?;
        let tail_from = state.keys - (self.tail_mib << 20) / self.value_bytes.max(1) as u64;
        let mut server = variant.server(&dir)?;
        let (protocol, addr) = (server.protocol, server.addr);
        if variant == Variant::StrataTail {
            // What the checkpoint of the other one holds but for the tail was put aside there.
            let early = scratch.path().join("early");
            copy_dir(&early, &dir)?;
            server.start()?;
            server.until_writable(LIMIT).await?;
            state.fill(protocol, addr, tail_from, state.keys).await?;
            return server.stop().await;
        }
        server.start()?;
        server.until_writable(server::READY).await?;
        state.fill(protocol, addr, 0, tail_from).await?;
        match variant {
            Variant::StrataCheckpoint => {
                server.checkpoint(LIMIT).await?;
                server.stop().await?;
                copy_dir(&dir, &scratch.path().join("early"))?;
                server.start()?;
                server.until_writable(LIMIT).await?;
            }
            Variant::RedisAofRdb => server.rewrite_redis(LIMIT).await?,
            _ => {}
        }
        state.fill(protocol, addr, tail_from, state.keys).await?;
        match variant {
            Variant::StrataCheckpoint => server.checkpoint(LIMIT).await?,
            Variant::RedisRdb => server.redis().await?.must(&["SAVE"]).await?,
            _ => {}
        }
        server.stop().await
    }
}

/// Entries replayed, and the phases of a recovery, as strata tells them.
async fn phases(server: &Server) -> Result<(Option<u64>, Option<String>), BenchError> {
    if server.protocol != Protocol::Strata {
        return Ok((None, None));
    }
    // The read may be answered a moment before the status tells of it.
    let recovery = until("the last phase", LIMIT, ASK_EVERY, async || {
        let recovery = server.status().await?.recovery;
        Ok(recovery.phases_ms.contains_key("join").then_some(recovery))
    })
    .await?;
    let phases: Vec<String> = recovery
        .phases_ms
        .iter()
        .map(|(phase, ms)| format!("{phase} {ms:.0}"))
        .collect();
    Ok((Some(recovery.replayed_entries), Some(phases.join(" "))))
}
