//! The `strata` command.

use clap::{Args, Parser, Subcommand, ValueEnum};
use cluster::bench::BenchError;
use cluster::replica::{Ack, Reads, Trigger};
use cluster::server::{self, Config, config};
use cluster::types::ServerId;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Bad usage, as in `shakedown`.
const USAGE: u8 = 254;
const FAILED: u8 = 1;

#[derive(Parser)]
#[command(
    name = "strata",
    version,
    about = "A replicated key-value store: checkpoint, delta log and Raft"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one server of a cluster
    Serve(Serve),
    /// Measure on this machine, alone or side by side with other stores
    #[command(subcommand)]
    Bench(cluster::bench::Bench),
}

#[derive(Args)]
struct Serve {
    /// Number of this server, 1 and up; its name is n1, n2, ...
    #[arg(long)]
    id: u64,
    /// Data folder; made if missing
    #[arg(long)]
    data: PathBuf,
    /// Address for clients (HTTP)
    #[arg(long, value_name = "ADDR:PORT")]
    client_listen: SocketAddr,
    /// Address for the other servers
    #[arg(long, value_name = "ADDR:PORT")]
    peer_listen: SocketAddr,
    /// All servers, as this one reaches them
    #[arg(long, value_name = "1=HOST:PORT,2=...", default_value = "")]
    peers: String,
    /// When the log is synced: always, interval=DURATION, never
    #[arg(long, default_value = "always")]
    sync: config::SyncPolicy,
    /// Checkpoint after so many entries; 0: not by entries
    #[arg(long, default_value_t = 10_000)]
    checkpoint_entries: u64,
    /// Checkpoint after so many bytes of commands, for example 64MiB
    #[arg(long, value_parser = config::size)]
    checkpoint_bytes: Option<u64>,
    /// Checkpoint after so much time, for example 30s
    #[arg(long, value_parser = config::duration)]
    checkpoint_seconds: Option<Duration>,
    /// Entries kept before a checkpoint for followers slightly behind
    #[arg(long, default_value_t = 500)]
    trailing: u64,
    /// Between two heartbeats of a leader
    #[arg(long, value_parser = config::duration, default_value = "50ms")]
    heartbeat: Duration,
    /// A follower waits this long, and up to as much again, before it asks for votes
    #[arg(long, value_parser = config::duration, default_value = "300ms")]
    election_timeout: Duration,
    /// `local` answers reads from any server's state: unsafe, for experiments
    #[arg(long, value_enum, default_value = "linearizable")]
    reads: ReadsArg,
    /// `leader` acknowledges writes before they are replicated: unsafe, for experiments
    #[arg(long, value_enum, default_value = "quorum")]
    ack: AckArg,
    /// `power-loss` keeps unsynced writes in memory, so that a kill loses them: for experiments
    #[arg(long, value_enum, default_value = "direct")]
    disk: DiskArg,
    /// A log segment ends at this size
    #[arg(long, value_parser = config::size, default_value = "64MiB")]
    segment_bytes: u64,
    /// Images travel in pieces of this size
    #[arg(long, value_parser = config::size, default_value = "256KiB")]
    chunk_bytes: u64,
    /// Stop when standard input ends: a server that must not outlive its parent
    #[arg(long)]
    exit_with_stdin: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReadsArg {
    Linearizable,
    Local,
}

#[derive(Clone, Copy, ValueEnum)]
enum AckArg {
    Quorum,
    Leader,
}

#[derive(Clone, Copy, ValueEnum)]
enum DiskArg {
    Direct,
    PowerLoss,
}

impl Serve {
    fn config(self) -> Result<Config, String> {
        if self.id == 0 {
            return Err("--id 0: ids begin at 1".into());
        }
        if self.heartbeat * 2 > self.election_timeout || self.heartbeat < config::TICK {
            return Err(format!(
                "--heartbeat {:?} must be at least {:?} and at most half of --election-timeout {:?}",
                self.heartbeat,
                config::TICK,
                self.election_timeout
            ));
        }
        if !(4_096..=32 << 20).contains(&self.chunk_bytes) {
            return Err("--chunk-bytes must be between 4KiB and 32MiB".into());
        }
        if self.segment_bytes < 64 << 10 {
            return Err("--segment-bytes must be at least 64KiB".into());
        }
        Ok(Config {
            id: ServerId(self.id),
            data: self.data,
            client_listen: self.client_listen,
            peer_listen: self.peer_listen,
            peers: config::peers(&self.peers).map_err(|error| format!("--peers: {error}"))?,
            sync: self.sync,
            checkpoint: Trigger {
                entries: (self.checkpoint_entries > 0).then_some(self.checkpoint_entries),
                bytes: self.checkpoint_bytes,
                millis: self.checkpoint_seconds.map(|span| span.as_millis() as u64),
            },
            trailing: self.trailing,
            heartbeat: self.heartbeat,
            election_timeout: self.election_timeout,
            reads: match self.reads {
                ReadsArg::Linearizable => Reads::Linearizable,
                ReadsArg::Local => Reads::Local,
            },
            ack: match self.ack {
                AckArg::Quorum => Ack::Quorum,
                AckArg::Leader => Ack::Leader,
            },
            disk: match self.disk {
                DiskArg::Direct => config::DiskKind::Direct,
                DiskArg::PowerLoss => config::DiskKind::PowerLoss,
            },
            segment_bytes: self.segment_bytes,
            chunk_bytes: self.chunk_bytes,
            exit_with_stdin: self.exit_with_stdin,
        })
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing can fail only when nobody reads.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let outcome = match cli.command {
        Command::Serve(serve) => match serve.config() {
            Ok(config) => server::run(config).map_err(|error| error.to_string()),
            Err(error) => {
                eprintln!("strata serve: {error}");
                return ExitCode::from(USAGE);
            }
        },
        Command::Bench(bench) => match cluster::bench::run(&bench) {
            Err(BenchError::Usage(error)) => {
                eprintln!("strata bench: {error}");
                return ExitCode::from(USAGE);
            }
            outcome => outcome.map_err(|error| error.to_string()),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strata: {error}");
            ExitCode::from(FAILED)
        }
    }
}
