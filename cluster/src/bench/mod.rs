//! `strata bench`: what strata costs and saves, measured beside the stores that one would otherwise take.
//!
//! One subcommand, one file: [`puts`], [`checkpoint`], [`restart`], [`failover`] with processes;
//! [`capture`], [`increment`], [`restore`], [`replay`], [`install`] and [`memory`] with the [`engine`] in this one. What
//! they share:
//! [`server`] starts servers of strata and of its peers as processes that end with this one; [`client`] speaks to
//! them ([`http`], [`resp`], `grpc`); [`load`] drives them in a closed loop; [`state`] says what they hold;
//! [`report`] prints what came out, with everything that one must know to believe it.
//!
//! Two systems are never measured one long after the other: runs alternate, each pair gives a ratio, and the median
//! and the spread of the ratios are the result. A new subcommand is a file with an `Args` struct and a `run` that
//! returns a [`report::Report`], and a line in [`Bench`] and in [`run`].

mod capture;
mod checkpoint;
mod client;
mod engine;
mod failover;
#[cfg(feature = "etcd-grpc")]
mod grpc;
mod http;
mod increment;
mod install;
mod load;
mod memory;
mod puts;
mod replay;
mod report;
mod resp;
mod restart;
mod restore;
mod scratch;
mod server;
mod state;

use clap::{Args, Subcommand};
use scratch::Scratch;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Subcommand)]
pub enum Bench {
    /// Committed writes of a cluster, alone or against etcd
    Puts(puts::Puts),
    /// Writes while a checkpoint is written, by capture strategy and against Redis
    Checkpoint(checkpoint::Checkpoint),
    /// From the start of the process to the first answered read, against Redis
    Restart(restart::Restart),
    /// From the kill of the leader to the next acknowledged write, against etcd
    Failover(failover::Failover),
    /// How long a capture stops the machine, by size of the state
    Capture(capture::Capture),
    /// Bytes of an increment against the pages that changed
    Increment(increment::Increment),
    /// How fast a checkpoint becomes a state again
    Restore(restore::Restore),
    /// How fast the log is read and applied at a start
    Replay(replay::Replay),
    /// What InstallSnapshot sends, against a full image, and again after a break
    Install(install::Install),
    /// Resident bytes per byte of data, at rest and while a checkpoint is held
    Memory(memory::Memory),
}

/// What every subcommand takes.
#[derive(Args)]
struct Common {
    /// Where the data folders are made; removed afterwards
    #[arg(long)]
    dir: Option<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("{what}: {source}")]
    Io {
        what: String,
        source: std::io::Error,
    },
    #[error("{0}")]
    Usage(String),
    #[error(
        "{program} is not in PATH; on Debian: apt-get install {package} (and stop the service that it starts)"
    )]
    NotInstalled {
        program: &'static str,
        package: &'static str,
    },
    #[error("{name} ended by itself; the last line of its log: {line}")]
    Ended { name: String, line: String },
    #[error("{what} did not happen within {limit:?}")]
    Late { what: String, limit: Duration },
    #[error("{what}: unexpected answer {answer:?}")]
    Answer { what: String, answer: String },
    #[error("a client stopped: {0}")]
    Client(#[from] tokio::task::JoinError),
}

impl BenchError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| BenchError::Io { what, source }
    }
}

pub fn run(bench: &Bench) -> Result<(), BenchError> {
    let common = match bench {
        Bench::Puts(puts) => &puts.common,
        Bench::Checkpoint(checkpoint) => &checkpoint.common,
        Bench::Restart(restart) => &restart.common,
        Bench::Failover(failover) => &failover.common,
        Bench::Capture(capture) => &capture.common,
        Bench::Increment(increment) => &increment.common,
        Bench::Restore(restore) => &restore.common,
        Bench::Replay(replay) => &replay.common,
        Bench::Install(install) => &install.common,
        Bench::Memory(memory) => &memory.common,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(BenchError::io("runtime"))?;
    let scratch = Scratch::new(common.dir.as_deref())?;
    runtime.spawn(scratch.remove_when_interrupted());
    // On this thread, because peers are told to end when the thread that started them does.
    let report = runtime.block_on(async {
        match bench {
            Bench::Puts(puts) => puts.run(&scratch).await,
            Bench::Checkpoint(checkpoint) => checkpoint.run(&scratch).await,
            Bench::Restart(restart) => restart.run(&scratch).await,
            Bench::Failover(failover) => failover.run(&scratch).await,
            Bench::Capture(capture) => capture.run(&scratch).await,
            Bench::Increment(increment) => increment.run(&scratch).await,
            Bench::Restore(restore) => restore.run(&scratch).await,
            Bench::Replay(replay) => replay.run(&scratch).await,
            Bench::Install(install) => install.run(&scratch).await,
            Bench::Memory(memory) => memory.run(&scratch).await,
        }
    })?;
    if common.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    Ok(())
}

/// Waits until `done` says so, asking every `pause`.
async fn until<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut done: impl AsyncFnMut() -> Result<Option<T>, BenchError>,
) -> Result<T, BenchError> {
    let began = std::time::Instant::now();
    loop {
        if let Some(value) = done().await? {
            return Ok(value);
        }
        if began.elapsed() > limit {
            return Err(BenchError::Late {
                what: what.into(),
                limit,
            });
        }
        tokio::time::sleep(pause).await;
    }
}
