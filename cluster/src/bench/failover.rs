//! `strata bench failover`: the leader is killed; when is the next write acknowledged?
//!
//! Every round is a fresh cluster of three, strata and etcd in turn. After the kill, writes are begun on both
//! survivors every few milliseconds, each on a connection of its own and none waiting for another: a write that was
//! forwarded to the dead leader is lost with it and must not hold up the measurement. The first acknowledgement
//! counts, whoever gives it.

use super::client::{Client, Protocol};
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::server::{self, READY, Server, Strata};
use super::{BenchError, Common, http, until};
use clap::Args;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const NODES: usize = 3;
/// Between two writes that are begun on one survivor.
const BEGIN_EVERY: Duration = Duration::from_millis(5);
/// A cluster that does not come back in this time failed.
const LIMIT: Duration = Duration::from_secs(30);
const COLUMNS: &[&str] = &["system", "run", "ms to the first write", "by"];

#[derive(Args)]
pub struct Failover {
    /// Measure this store too, turn by turn
    #[arg(long, value_enum)]
    against: Option<super::puts::Peer>,
    /// Rounds of each system
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    repeats: u64,
    /// Of both systems; the time until an election is called is between this and twice as much in both
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(50..=10_000))]
    election_ms: u64,
    /// Of both systems; at most a fifth of the election timeout
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(10..))]
    heartbeat_ms: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Failover {
    pub(super) async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        if self.heartbeat_ms * 5 > self.election_ms {
            let text =
                "--heartbeat-ms must be at most a fifth of --election-ms, as etcd demands it";
            return Err(BenchError::Usage(text.into()));
        }
        let mut report = Report::new(
            "failover",
            COLUMNS,
            vec![
                ("nodes", json!(NODES)),
                ("repeats", json!(self.repeats)),
                ("sync", json!("always")),
                ("election ms", json!(self.election_ms)),
                ("heartbeat ms", json!(self.heartbeat_ms)),
            ],
        );
        let mut systems = vec![(Protocol::Strata, "strata")];
        if self.against.is_some() {
            report.fact("etcd", server::etcd_version()?);
            systems.push((Protocol::EtcdJson, "etcd"));
        }
        let mut times = vec![Samples::default(); systems.len()];
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(std::process::id().into());
        for run in 1..=self.repeats {
            for (at, &(protocol, name)) in systems.iter().enumerate() {
                let dir = scratch.dir(&format!("{name}-{run}"))?;
                // The kill falls anywhere between two heartbeats.
                let settle = Duration::from_millis(1_000 + random.random_range(0..200));
                let mut servers = self.servers(protocol, &dir)?;
                let (ms, by) = round(protocol, &mut servers, settle).await?;
                times[at].push(ms);
                report.run(vec![json!(name), json!(run), json!(ms), json!(by)]);
            }
        }
        for (at, (_, name)) in systems.iter().enumerate() {
            report.result(format!("{name} ms"), times[at].clone());
        }
        if let [strata, etcd] = &times[..] {
            let mut ratio = Samples::default();
            ratio.push(strata.median() / etcd.median());
            report.result("p50 over p50, strata over etcd", ratio);
            report.result("round by round, strata over etcd", strata.over(etcd));
        }
        report.note(
            "the leader is killed by SIGKILL: its sockets close at once, which a machine without power would not do",
        );
        if self.against.is_some() {
            report.note("etcd with its defaults otherwise (no pre-vote), through its JSON gateway");
        }
        Ok(report)
    }

    fn servers(
        &self,
        protocol: Protocol,
        dir: &std::path::Path,
    ) -> Result<Vec<Server>, BenchError> {
        if protocol != Protocol::Strata {
            return server::etcd(dir, NODES, self.heartbeat_ms, self.election_ms, protocol);
        }
        let settings = Strata {
            sync: "always",
            heartbeat_ms: self.heartbeat_ms,
            election_ms: self.election_ms,
            more: &[],
        };
        settings.servers(dir, NODES)
    }
}

async fn round(
    protocol: Protocol,
    servers: &mut [Server],
    settle: Duration,
) -> Result<(f64, String), BenchError> {
    for server in servers.iter_mut() {
        server.start()?;
    }
    for server in servers.iter_mut() {
        server.until_writable(READY).await?;
    }
    tokio::time::sleep(settle).await;
    let leader = until("a leader", READY, BEGIN_EVERY, async || {
        for (at, server) in servers.iter().enumerate() {
            if leads(server).await? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    })
    .await?;
    let survivors: Vec<(String, SocketAddr)> = servers
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != leader)
        .map(|(_, server)| (server.name.clone(), server.addr))
        .collect();
    let killed = servers[leader].kill();
    first_write(protocol, &survivors, killed).await
}

async fn leads(server: &Server) -> Result<bool, BenchError> {
    if server.protocol == Protocol::Strata {
        return Ok(server.status().await?.role == "leader");
    }
    let mut connection = http::Connection::open(server.addr).await?;
    let path = "/v3/maintenance/status";
    let (_, body) = connection.exchange("POST", path, "{}").await?;
    let status: serde_json::Value =
        serde_json::from_slice(&body).map_err(|error| BenchError::Answer {
            what: format!("{path} of {}", server.name),
            answer: error.to_string(),
        })?;
    Ok(status["leader"].is_string() && status["leader"] == status["header"]["member_id"])
}

/// Milliseconds from the kill to the first acknowledged write, and who acknowledged it.
async fn first_write(
    protocol: Protocol,
    survivors: &[(String, SocketAddr)],
    killed: Instant,
) -> Result<(f64, String), BenchError> {
    let (done, mut first) = mpsc::unbounded_channel();
    let mut begun = 0;
    while killed.elapsed() < LIMIT {
        for (name, addr) in survivors {
            let (done, name, addr) = (done.clone(), name.clone(), *addr);
            begun += 1;
            let key = format!("after-{begun}");
            tokio::spawn(async move {
                let Ok(mut client) = Client::open(protocol, addr).await else {
                    return;
                };
                if client.put(&key, "yes").await.is_ok() {
                    // The first one may have been received, and the receiver gone.
                    let _ = done.send((killed.elapsed().as_secs_f64() * 1e3, name));
                }
            });
        }
        if let Ok(Some(first)) = tokio::time::timeout(BEGIN_EVERY, first.recv()).await {
            return Ok(first);
        }
    }
    Err(BenchError::Late {
        what: "a write after the leader was killed".into(),
        limit: LIMIT,
    })
}
