//! `strata bench checkpoint`: what a checkpoint costs those who write meanwhile.
//!
//! One server without replication, filled before; each run begins from a copy of that state. Writers put random
//! existing keys all the time: first undisturbed, then while a checkpoint is written, then undisturbed again. What is
//! retained is the rate during the checkpoint over the rate before and after it.

use super::client::Protocol;
use super::load::{Keys, Load, Phase};
use super::report::{Report, Samples};
use super::scratch::{Scratch, copy_dir, settle};
use super::server::{self, Server, Strata};
use super::state::State;
use super::{BenchError, Common, until};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const WARM_UP: Duration = Duration::from_secs(1);
/// To load the state, or to write it.
const LIMIT: Duration = Duration::from_secs(300);
const ASK_EVERY: Duration = Duration::from_millis(10);
const COLUMNS: &[&str] = &[
    "system",
    "run",
    "puts/s without",
    "puts/s during",
    "retained %",
    "p99 ms without",
    "p99 ms during",
    "max ms during",
    "during s",
    "lost s",
    "MiB written",
    "pause us",
    "refused",
];

#[derive(Args)]
pub struct Checkpoint {
    /// Values in the store before anything is measured
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..))]
    state_mib: u64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    /// Closed-loop clients, each with a connection of its own
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    clients: u64,
    /// Undisturbed, before and again after the checkpoint
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// always, interval=1s or never; for Redis: appendfsync always, everysec or no
    #[arg(long, default_value = "always")]
    sync: String,
    /// Capture strategies to compare: `cow`, `dirty-flush`, `stop`, or `default` for the server's own
    #[arg(long, value_delimiter = ',', default_value = "cow,dirty-flush,stop")]
    capture: Vec<String>,
    /// Measure this store too, turn by turn
    #[arg(long, value_enum)]
    against: Option<Peer>,
    /// Runs of each system
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    repeats: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Peer {
    Redis,
}

struct System {
    name: String,
    protocol: Protocol,
    /// The filled state, to be copied.
    base: PathBuf,
    /// Arguments of the server.
    args: Vec<String>,
}

/// What one run showed.
struct Outcome {
    without: (Phase, Phase),
    during: Phase,
    bytes: u64,
    pause_us: Option<f64>,
}

impl Checkpoint {
    pub(super) async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        let state = State::of_mib(self.state_mib, self.value_bytes);
        let mut report = Report::new(
            "checkpoint",
            COLUMNS,
            vec![
                ("servers", json!("1, not replicated")),
                ("state MiB", json!(self.state_mib)),
                ("keys", json!(state.keys)),
                ("value bytes", json!(self.value_bytes)),
                ("clients", json!(self.clients)),
                ("seconds", json!(self.seconds)),
                ("repeats", json!(self.repeats)),
                ("sync", json!(self.sync)),
            ],
        );
        let systems = self.systems(scratch, &state, &mut report).await?;
        for system in &systems {
            settle(&system.base)?;
        }
        let mut retained = vec![Samples::default(); systems.len()];
        let mut lost = vec![Samples::default(); systems.len()];
        let mut rates = vec![Samples::default(); systems.len()];
        for run in 1..=self.repeats {
            for (at, system) in systems.iter().enumerate() {
                let dir = scratch.dir(&format!("{}-{run}", system.name))?;
                copy_dir(&system.base, &dir)?;
                settle(&dir)?;
                let mut server = self.server(system, &dir)?;
                let outcome = self.measure(&state, &mut server).await?;
                drop(server);
                std::fs::remove_dir_all(&dir).map_err(BenchError::io(dir.display().to_string()))?;
                rates[at].push(outcome.puts_per_s_without());
                retained[at].push(outcome.retained_percent());
                lost[at].push(outcome.lost_s());
                report.run(outcome.row(&system.name, run));
            }
        }
        for (at, system) in systems.iter().enumerate() {
            report.result(format!("{} puts/s without", system.name), rates[at].clone());
            report.result(format!("{} retained %", system.name), retained[at].clone());
            report.result(format!("{} lost s", system.name), lost[at].clone());
        }
        for (at, system) in systems.iter().enumerate().skip(1) {
            let what = format!("retained, {} over {}", systems[0].name, system.name);
            report.result(what, retained[0].over(&retained[at]));
        }
        report.note("closed loop: a stall shows in puts/s and in the maximum, hardly in p99");
        report.note("clients and server share the cores of this machine");
        Ok(report)
    }

    /// Fills one state for strata, one for Redis if asked for.
    async fn systems(
        &self,
        scratch: &Scratch,
        state: &State,
        report: &mut Report,
    ) -> Result<Vec<System>, BenchError> {
        let appendfsync = match (self.sync.as_str(), self.against) {
            ("always", _) => "always",
            ("interval=1s", _) => "everysec",
            ("never", _) => "no",
            (_, None) => "",
            (_, Some(_)) => {
                let text = "Redis has an equal of --sync always, interval=1s and never only";
                return Err(BenchError::Usage(text.into()));
            }
        };
        let redis = match self.against {
            Some(Peer::Redis) => Some(server::redis_version()?),
            None => None,
        };
        let base = scratch.dir("base-strata")?;
        fill_strata(&base, state).await?;
        let strata = self.capture.iter().map(|capture| System {
            name: match capture.as_str() {
                "default" => "strata".into(),
                _ => format!("strata-{capture}"),
            },
            protocol: Protocol::Strata,
            base: base.clone(),
            args: match capture.as_str() {
                "default" => vec![],
                _ => vec!["--capture".into(), capture.clone()],
            },
        });
        let mut systems: Vec<System> = strata.collect();
        if let Some(version) = redis {
            report.fact("redis", version);
            report.fact("appendfsync", appendfsync);
            let base = scratch.dir("base-redis")?;
            fill_redis(&base, state).await?;
            let args = ["--appendonly", "yes", "--appendfsync", appendfsync];
            systems.push(System {
                name: "redis".into(),
                protocol: Protocol::Redis,
                base,
                args: args.map(String::from).to_vec(),
            });
        }
        Ok(systems)
    }

    fn server(&self, system: &System, dir: &Path) -> Result<Server, BenchError> {
        let args: Vec<&str> = system.args.iter().map(String::as_str).collect();
        match system.protocol {
            Protocol::Redis => server::redis(dir, &args),
            _ => Strata::lone(dir, &self.sync, &args),
        }
    }

    async fn measure(&self, state: &State, server: &mut Server) -> Result<Outcome, BenchError> {
        server.start()?;
        server
            .until_read(LIMIT, async |client| state.check_last(client).await)
            .await?;
        let load = Load {
            protocol: server.protocol,
            addrs: vec![server.addr],
            clients: self.clients,
            connections: self.clients,
            values: state.values.clone(),
            keys: Keys::Anywhere(state.keys),
        };
        let undisturbed = Duration::from_secs(self.seconds);
        let mut running = load.start(4).await?;
        tokio::time::sleep(WARM_UP).await;
        running.next();
        tokio::time::sleep(undisturbed).await;
        running.next();
        let (bytes, pause_us) = match server.protocol {
            Protocol::Redis => save_redis(server).await?,
            _ => {
                server.checkpoint(LIMIT).await?;
                let checkpoint = server.status().await?.checkpoint;
                let pause = checkpoint.last_pause_us;
                (checkpoint.bytes, (pause > 0.0).then_some(pause))
            }
        };
        running.next();
        tokio::time::sleep(undisturbed).await;
        let phases: Result<[Phase; 4], _> = running.finish().await?.try_into();
        let Ok([_, before, during, after]) = phases else {
            unreachable!("four phases were announced and begun");
        };
        Ok(Outcome {
            without: (before, after),
            during,
            bytes,
            pause_us,
        })
    }
}

impl Outcome {
    fn puts_per_s_without(&self) -> f64 {
        let (before, after) = &self.without;
        let elapsed = before.elapsed + after.elapsed;
        (before.puts() + after.puts()) as f64 / elapsed.as_secs_f64()
    }

    fn retained_percent(&self) -> f64 {
        100.0 * self.during.puts_per_s() / self.puts_per_s_without()
    }

    /// Undisturbed writing that the checkpoint cost, in seconds: a short halt against a long slowness.
    fn lost_s(&self) -> f64 {
        self.during.elapsed.as_secs_f64() * (1.0 - self.retained_percent() / 100.0)
    }

    fn row(&self, name: &str, run: u64) -> Vec<Value> {
        let (before, after) = &self.without;
        vec![
            json!(name),
            json!(run),
            json!(self.puts_per_s_without()),
            json!(self.during.puts_per_s()),
            json!(self.retained_percent()),
            json!(before.quantile_ms(0.99).max(after.quantile_ms(0.99))),
            json!(self.during.quantile_ms(0.99)),
            json!(self.during.max_ms()),
            json!(self.during.elapsed.as_secs_f64()),
            json!(self.lost_s()),
            json!(self.bytes >> 20),
            json!(self.pause_us),
            json!(before.refused + self.during.refused + after.refused),
        ]
    }
}

/// The whole state in a checkpoint. Not synced: a power loss is not what is measured.
async fn fill_strata(dir: &Path, state: &State) -> Result<(), BenchError> {
    let mut server = Strata::lone(dir, "never", &[])?;
    server.start()?;
    server.until_writable(server::READY).await?;
    let protocol = Protocol::Strata;
    state.fill(protocol, server.addr, 0, state.keys).await?;
    server.checkpoint(LIMIT).await?;
    server.stop().await
}

/// The whole state in the base of an append-only file.
async fn fill_redis(dir: &Path, state: &State) -> Result<(), BenchError> {
    let args = ["--appendonly", "yes", "--appendfsync", "no"];
    let mut server = server::redis(dir, &args)?;
    server.start()?;
    server.until_writable(server::READY).await?;
    let protocol = Protocol::Redis;
    state.fill(protocol, server.addr, 0, state.keys).await?;
    server.rewrite_redis(LIMIT).await?;
    server.stop().await
}

/// Bytes of the image and the time of the fork.
async fn save_redis(server: &Server) -> Result<(u64, Option<f64>), BenchError> {
    let mut connection = server.redis().await?;
    connection.must(&["BGSAVE"]).await?;
    until("the end of BGSAVE", LIMIT, ASK_EVERY, async || {
        let busy = connection.info("rdb_bgsave_in_progress").await?;
        Ok((busy == "0").then_some(()))
    })
    .await?;
    let status = connection.info("rdb_last_bgsave_status").await?;
    if status != "ok" {
        return Err(BenchError::Answer {
            what: "BGSAVE".into(),
            answer: status,
        });
    }
    let image = server.data.join("dump.rdb");
    let bytes = std::fs::metadata(&image)
        .map_err(BenchError::io(image.display().to_string()))?
        .len();
    let fork = connection.info("latest_fork_usec").await?;
    Ok((bytes, fork.parse().ok()))
}
