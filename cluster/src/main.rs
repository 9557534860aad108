//! The `strata` command.

use clap::{Args, Parser, Subcommand, ValueEnum};
use cluster::bench::BenchError;
use cluster::bugs::{self, Bug};
use cluster::checkpoint::Keep;
use cluster::checkpoint::chain::Mode;
use cluster::disk::RealDisk;
use cluster::offline::{self, Point};
use cluster::replica::{Ack, CaptureBy, Reads, Retention, Trigger};
use cluster::server::{self, Config, config};
use cluster::types::ServerId;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Pages are many, are allocated by one thread and freed by another, and a restart allocates all of them at once on
/// several threads: the system's allocator makes those wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    Serve(Box<Serve>),
    /// Show what the data folder of a stopped server holds
    Inspect(DataFolder),
    /// Read every byte of the data folder of a stopped server; exit 1 and the place if something is broken
    Verify(DataFolder),
    /// Make a data folder with the state of a past index or time
    Restore(Restore),
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
    /// Belong to no cluster, and wait to be added to one by `POST /admin/members`; without effect on one that was
    #[arg(long)]
    join: bool,
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
    /// What checkpoints are made of: increments on three levels, increments until the chain is full, or all of it
    #[arg(long, value_enum, default_value = "levels")]
    checkpoint_mode: ModeArg,
    /// How the state is held while it is written: a reference to all of it, references to the changed pages, or by
    /// stopping until it is written (for comparison)
    #[arg(long, value_enum, default_value = "cow")]
    capture: CaptureArg,
    /// Bytes per second that a checkpoint is written at, so that it holds up nobody
    #[arg(long, value_parser = config::size, default_value = "16MiB")]
    checkpoint_rate: u64,
    /// Restore points kept: the last so many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    keep_checkpoints: u64,
    /// ... and the newest of each of the last so many hours
    #[arg(long, default_value_t = 0)]
    keep_hourly: u64,
    /// ... and of each of the last so many days
    #[arg(long, default_value_t = 0)]
    keep_daily: u64,
    /// What of the log before a checkpoint stays: discard, trailing=N entries, keep-for-followers=SIZE
    #[arg(long, value_parser = config::retention, default_value = "trailing=500")]
    log_retention: Retention,
    /// What becomes of log segments that are not needed any more: `archive` keeps them for `strata restore`
    #[arg(long, value_enum, default_value = "remove")]
    log_archive: ArchiveArg,
    /// A leader takes no more writes when so much of the log is not in a checkpoint; at half of it a checkpoint
    /// begins whatever the triggers say
    #[arg(long, value_parser = config::size, default_value = "1GiB")]
    log_limit: u64,
    /// Between two heartbeats of a leader
    #[arg(long, value_parser = config::duration, default_value = "50ms")]
    heartbeat: Duration,
    /// A follower waits this long, and up to as much again, before it asks for votes
    #[arg(long, value_parser = config::duration, default_value = "300ms")]
    election_timeout: Duration,
    /// `lease` saves a round where clocks can be trusted; the same on all servers. `local` answers reads from any server's state: unsafe, for experiments
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
    /// ... or at this age
    #[arg(long, value_parser = config::duration)]
    segment_age: Option<Duration>,
    /// Images travel in pieces of this size
    #[arg(long, value_parser = config::size, default_value = "256KiB")]
    chunk_bytes: u64,
    /// Bytes of an image under way to one follower
    #[arg(long, value_parser = config::size, default_value = "4MiB")]
    transfer_window: u64,
    /// Bytes of images per second, to all followers together; no limit unless given
    #[arg(long, value_parser = config::size)]
    transfer_rate: Option<u64>,
    /// `delta` sends what changed since the follower's checkpoint, `full` everything
    #[arg(long, value_enum, default_value = "delta")]
    transfer_mode: TransferArg,
    /// Bytes of the log that are kept while an image travels
    #[arg(long, value_parser = config::size, default_value = "256MiB")]
    transfer_pin: u64,
    /// Threads that load checkpoints and decode the log at a start; 0: one per core, at most 4
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Carry this bug of the catalogue: for proving that tests find it, in builds with the feature `bugs` only
    #[arg(long, value_name = "NAME", value_parser = bug, hide = true)]
    bug: Option<Bug>,
    /// Stop when standard input ends: a server that must not outlive its parent
    #[arg(long)]
    exit_with_stdin: bool,
}

#[derive(Args)]
struct DataFolder {
    /// The folder
    #[arg(long)]
    data: PathBuf,
}

#[derive(Args)]
struct Restore {
    /// The folder of a stopped server; it is not changed
    #[arg(long)]
    data: PathBuf,
    /// An index, `latest`, or a time in milliseconds since 1970 as `@1700000000000`
    #[arg(long, value_parser = point, default_value = "latest")]
    to: Point,
    /// The new folder; must not hold data
    #[arg(long)]
    out: PathBuf,
}

fn point(text: &str) -> Result<Point, String> {
    let expected = || format!("{text:?}: expected an index, latest or @MILLISECONDS");
    match text.strip_prefix('@') {
        _ if text == "latest" => Ok(Point::Latest),
        Some(time) => time.parse().map(Point::Time).map_err(|_| expected()),
        None => text.parse().map(Point::Index).map_err(|_| expected()),
    }
}

fn bug(name: &str) -> Result<Bug, String> {
    if !cfg!(feature = "bugs") {
        return Err("this build has no planted bugs; build it with --features bugs".into());
    }
    bugs::by_name(name)
        .map(|entry| entry.bug)
        .ok_or_else(|| format!("{name}: no such bug; `shakedown sim --list-bugs` names them"))
}

/// Opens a folder that must be one of a server.
fn existing(data: &std::path::Path) -> Result<RealDisk, String> {
    if !data.is_dir() {
        return Err(format!("{}: no such folder", data.display()));
    }
    RealDisk::open(data).map_err(|error| format!("{}: {error}", data.display()))
}

fn inspect(folder: &DataFolder) -> Result<(), String> {
    let disk = existing(&folder.data)?;
    let contents =
        offline::inspect(&disk).map_err(|error| format!("{}: {error}", folder.data.display()))?;
    print!("{}", contents.describe());
    Ok(())
}

fn verify(folder: &DataFolder) -> Result<(), String> {
    let disk = existing(&folder.data)?;
    let findings = offline::verify(&disk, threads(0))
        .map_err(|error| format!("{}: {error}", folder.data.display()))?;
    let mut first = None;
    for finding in &findings {
        match &finding.state {
            Ok(state) => println!("ok      {:>12} B  {}: {state}", finding.bytes, finding.what),
            Err(error) => {
                println!("BROKEN  {:>12} B  {}: {error}", finding.bytes, finding.what);
                first.get_or_insert(error);
            }
        }
    }
    match first {
        None => Ok(()),
        Some(error) => Err(format!("{}: {error}", folder.data.display())),
    }
}

fn restore(order: &Restore) -> Result<(), String> {
    let from = existing(&order.data)?;
    let into =
        RealDisk::open(&order.out).map_err(|error| format!("{}: {error}", order.out.display()))?;
    let restored = offline::restore(&from, std::sync::Arc::new(into), order.to, threads(0))
        .map_err(|error| format!("{}: {error}", order.data.display()))?;
    println!(
        "restored index {} of term {}: {} keys, root {}\nfrom the checkpoint of {} and {} entries of the log; \
         {} bytes, lineage {}",
        restored.index,
        restored.term,
        restored.keys,
        restored.root,
        restored.checkpoint,
        restored.replayed,
        restored.bytes,
        restored.lineage
    );
    Ok(())
}

/// Threads for loading; 0: one per core, at most 4.
fn threads(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
        threads => threads,
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ReadsArg {
    Linearizable,
    Lease,
    Local,
}

#[derive(Clone, Copy, ValueEnum)]
enum AckArg {
    Quorum,
    Leader,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeArg {
    Full,
    Incremental,
    Levels,
}

#[derive(Clone, Copy, ValueEnum)]
enum CaptureArg {
    Cow,
    DirtyFlush,
    Stop,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArchiveArg {
    Remove,
    Archive,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TransferArg {
    Delta,
    Full,
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
        let config = Config {
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
            mode: match self.checkpoint_mode {
                ModeArg::Full => Mode::Full,
                ModeArg::Incremental => Mode::Incremental,
                ModeArg::Levels => Mode::Levels,
            },
            capture: match self.capture {
                CaptureArg::Cow => CaptureBy::Cow,
                CaptureArg::DirtyFlush => CaptureBy::DirtyFlush,
                CaptureArg::Stop => CaptureBy::Stop,
            },
            keep: Keep {
                last: self.keep_checkpoints as usize,
                hourly: self.keep_hourly as usize,
                daily: self.keep_daily as usize,
            },
            checkpoint_rate: self.checkpoint_rate,
            retention: self.log_retention,
            archive: self.log_archive == ArchiveArg::Archive,
            backlog_bytes: self.log_limit,
            heartbeat: self.heartbeat,
            election_timeout: self.election_timeout,
            reads: match self.reads {
                ReadsArg::Linearizable => Reads::Linearizable,
                ReadsArg::Lease => Reads::Lease,
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
            segment_age: self.segment_age,
            transfer: config::TransferLimits {
                chunk_bytes: self.chunk_bytes,
                window_bytes: self.transfer_window,
                bytes_per_s: self.transfer_rate,
                delta: self.transfer_mode == TransferArg::Delta,
                pinned_bytes: self.transfer_pin,
            },
            threads: threads(self.threads),
            exit_with_stdin: self.exit_with_stdin,
            join: self.join,
        };
        if config.reads == Reads::Lease && config.lease() <= config.heartbeat {
            return Err(format!(
                "--reads lease: a lease of {:?} ends before the next heartbeat; raise --election-timeout",
                config.lease()
            ));
        }
        Ok(config)
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
        Command::Serve(serve) => {
            if let Some(bug) = serve.bug {
                // The flag is refused where this could fail.
                bugs::plant(Some(bug));
                tracing::warn!("this server carries a planted bug: {bug:?}");
            }
            match serve.config() {
                Ok(config) => server::run(config).map_err(|error| error.to_string()),
                Err(error) => {
                    eprintln!("strata serve: {error}");
                    return ExitCode::from(USAGE);
                }
            }
        }
        Command::Inspect(folder) => inspect(&folder),
        Command::Verify(folder) => verify(&folder),
        Command::Restore(order) => restore(&order),
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
