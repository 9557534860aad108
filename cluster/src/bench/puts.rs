//! `strata bench puts`: committed writes of a cluster, alone or turn by turn with etcd.

use super::client::Protocol;
use super::load::{Keys, Load};
use super::report::{Report, Samples};
use super::scratch::Scratch;
use super::server::{self, READY, Server, Strata};
use super::state::Values;
use super::{BenchError, Common};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::time::Duration;

/// Not measured: connections are made, caches and the peer's runtime get warm.
const WARM_UP: Duration = Duration::from_secs(1);
/// Equal for both systems. etcd wants its election timeout to be at least five heartbeats.
const HEARTBEAT_MS: u64 = 50;
const ELECTION_MS: u64 = 300;
const COLUMNS: &[&str] = &[
    "system", "run", "puts/s", "puts", "seconds", "p50 ms", "p99 ms", "p99.9 ms", "max ms",
    "refused",
];

#[derive(Args)]
pub struct Puts {
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    nodes: u64,
    /// Closed-loop clients, each with a connection of its own
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    clients: u64,
    #[arg(long, default_value_t = 256)]
    value_bytes: usize,
    /// Of each run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Sync policy of the servers
    #[arg(long, default_value = "always")]
    sync: String,
    /// Measure this store too, turn by turn
    #[arg(long, value_enum)]
    against: Option<Peer>,
    /// Drive etcd by gRPC, as its own clients do, instead of its JSON gateway
    #[arg(long, requires = "against")]
    etcd_grpc: bool,
    /// HTTP/2 connections that the clients of etcd share [default: one for each client]
    #[arg(long, requires = "etcd_grpc", value_parser = clap::value_parser!(u64).range(1..))]
    etcd_connections: Option<u64>,
    /// Runs of each system [default: 3 with --against, else 1]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    repeats: Option<u64>,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Peer {
    Etcd,
}

impl Puts {
    pub(super) async fn run(&self, scratch: &Scratch) -> Result<Report, BenchError> {
        let repeats = self
            .repeats
            .unwrap_or(if self.against.is_some() { 3 } else { 1 });
        let mut report = Report::new(
            "puts",
            COLUMNS,
            vec![
                ("nodes", json!(self.nodes)),
                ("clients", json!(self.clients)),
                ("value bytes", json!(self.value_bytes)),
                ("seconds", json!(self.seconds)),
                ("repeats", json!(repeats)),
                ("sync", json!(self.sync)),
                ("heartbeat ms", json!(HEARTBEAT_MS)),
                ("election ms", json!(ELECTION_MS)),
            ],
        );
        let mut systems = vec![(Protocol::Strata, "strata")];
        if self.against.is_some() {
            if self.sync != "always" {
                let text = "etcd syncs before it acknowledges: compare it with --sync always";
                return Err(BenchError::Usage(text.into()));
            }
            report.fact("etcd", server::etcd_version()?);
            systems.push(self.etcd(&mut report)?);
        }
        let mut rates = vec![Samples::default(); systems.len()];
        let mut p99s = vec![Samples::default(); systems.len()];
        for run in 1..=repeats {
            for (at, &(protocol, name)) in systems.iter().enumerate() {
                let dir = scratch.dir(&format!("{name}-{run}"))?;
                let mut servers = self.servers(protocol, &dir)?;
                let phase = self.measure(protocol, &mut servers).await?;
                drop(servers);
                rates[at].push(phase.puts_per_s());
                p99s[at].push(phase.quantile_ms(0.99));
                report.run(vec![
                    json!(name),
                    json!(run),
                    json!(phase.puts_per_s()),
                    json!(phase.puts()),
                    json!(phase.elapsed.as_secs_f64()),
                    json!(phase.quantile_ms(0.5)),
                    json!(phase.quantile_ms(0.99)),
                    json!(phase.quantile_ms(0.999)),
                    json!(phase.max_ms()),
                    json!(phase.refused),
                ]);
            }
        }
        for (at, (_, name)) in systems.iter().enumerate() {
            report.result(format!("{name} puts/s"), rates[at].clone());
            report.result(format!("{name} p99 ms"), p99s[at].clone());
        }
        if let [strata, etcd] = &rates[..] {
            report.result("puts/s, strata over etcd", strata.over(etcd));
            report.result("p99, strata over etcd", p99s[0].over(&p99s[1]));
        }
        report.note("closed loop; clients and servers share the cores of this machine");
        Ok(report)
    }

    fn etcd(&self, report: &mut Report) -> Result<(Protocol, &'static str), BenchError> {
        if !self.etcd_grpc {
            report.note(
                "etcd through its JSON gateway, which costs it more than gRPC does: --etcd-grpc is fairer",
            );
            return Ok((Protocol::EtcdJson, "etcd-json"));
        }
        #[cfg(feature = "etcd-grpc")]
        {
            let connections = self.etcd_connections.unwrap_or(self.clients);
            report.note(format!(
                "etcd by gRPC on {connections} HTTP/2 connections, strata by HTTP/1.1 with JSON on {}",
                self.clients
            ));
            Ok((Protocol::EtcdGrpc, "etcd-grpc"))
        }
        #[cfg(not(feature = "etcd-grpc"))]
        Err(BenchError::Usage(
            "this strata was built without gRPC: cargo build --release -p cluster --features etcd-grpc"
                .into(),
        ))
    }

    fn servers(
        &self,
        protocol: Protocol,
        dir: &std::path::Path,
    ) -> Result<Vec<Server>, BenchError> {
        let nodes = self.nodes as usize;
        if protocol != Protocol::Strata {
            return server::etcd(dir, nodes, HEARTBEAT_MS, ELECTION_MS, protocol);
        }
        let settings = Strata {
            sync: &self.sync,
            heartbeat_ms: HEARTBEAT_MS,
            election_ms: ELECTION_MS,
            more: &[],
        };
        settings.servers(dir, nodes)
    }

    async fn measure(
        &self,
        protocol: Protocol,
        servers: &mut [Server],
    ) -> Result<super::load::Phase, BenchError> {
        for server in servers.iter_mut() {
            server.start()?;
        }
        for server in servers.iter_mut() {
            server.until_writable(READY).await?;
        }
        let load = Load {
            protocol,
            addrs: servers.iter().map(|server| server.addr).collect(),
            clients: self.clients,
            connections: self.etcd_connections.unwrap_or(self.clients),
            values: Values::new(self.value_bytes),
            keys: Keys::OfClient(1_000),
        };
        let mut running = load.start(2).await?;
        tokio::time::sleep(WARM_UP).await;
        running.next();
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        let mut phases = running.finish().await?;
        Ok(phases.remove(1))
    }
}
