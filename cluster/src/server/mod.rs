//! The program around a [`crate::replica::Replica`]: threads, sockets and the disk.
//!
//! One thread steps the replica ([`core`]); one writes the log, many batches to one sync ([`storage`]); one writes,
//! reads and installs images ([`images`]). Peers ([`peers`]) and clients ([`http`]) are served on a small tokio
//! runtime. `/status` answers from the start on, while the state is still being loaded.
//!
//! An impossible state or a failing disk ends the process: a server that can't trust itself must not vote.

mod admin;
pub mod config;
mod core;
mod http;
mod images;
mod peers;
mod shared;
mod storage;
mod wire;

pub use config::Config;
pub use storage::now_ms;

use crate::checkpoint::Pace;
use crate::disk::{Disk, PowerLossDisk, RealDisk};
use crate::replica::Replica;
use crate::store;
use shared::Shared;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Why a server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{what}: {source}")]
    Io {
        what: String,
        source: std::io::Error,
    },
    #[error("data folder {dir}: {source}")]
    Store {
        dir: String,
        source: store::StoreError,
    },
    #[error(transparent)]
    Impossible(#[from] crate::raft::Impossible),
    #[error("{0}")]
    Stopped(String),
}

impl ServerError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| ServerError::Io { what, source }
    }
}

/// Runs a server until it is told to stop (SIGTERM, SIGINT, or the end of standard input if so configured).
pub fn run(config: Config) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServerError::io("runtime"))?;
    let shared = Arc::new(Shared::new(&config));
    let (jobs, queue) = mpsc::channel();
    let (fatal, failed) = mpsc::channel();

    // Clients may ask for the status from now on.
    let client_listener = runtime
        .block_on(tokio::net::TcpListener::bind(config.client_listen))
        .map_err(ServerError::io(format!(
            "client address {}",
            config.client_listen
        )))?;
    let peer_listener = runtime
        .block_on(tokio::net::TcpListener::bind(config.peer_listen))
        .map_err(ServerError::io(format!(
            "peer address {}",
            config.peer_listen
        )))?;
    runtime.spawn(http::serve(client_listener, shared.clone(), jobs.clone()));

    let recovered = recover(&config, &shared)?;
    let (replica, log, checkpoints) = recovered;
    let peers = peers::start(runtime.handle(), &config, peer_listener, jobs.clone());
    let log = storage::start(log, config.sync, jobs.clone(), fatal.clone())?;
    let images = images::start(
        checkpoints,
        Pace::new(config.checkpoint_rate),
        jobs.clone(),
        fatal.clone(),
    )?;
    core::start(
        replica,
        queue,
        core::Doors { peers, log, images },
        shared.clone(),
        fatal.clone(),
    )?;

    stop_on_signals(&runtime, config.exit_with_stdin, fatal);
    let outcome = failed.recv().unwrap_or(Ok(()));
    // The orderly way out: what was written is synced by the log's thread before it answers.
    let (done, synced) = mpsc::channel();
    if outcome.is_ok() && jobs.send(core::Job::Stop { done }).is_ok() {
        // Bounded: a server that hangs here would be killed by whoever stopped it, and lose nothing.
        let _ = synced.recv_timeout(std::time::Duration::from_secs(2));
    }
    runtime.shutdown_background();
    outcome
}

type Parts = (
    Replica,
    crate::log::DeltaLog,
    crate::checkpoint::Checkpoints,
);

/// Comes back from the data folder, phase by phase.
fn recover(config: &Config, shared: &Shared) -> Result<Parts, ServerError> {
    let dir = config.data.display().to_string();
    let failed = |source| ServerError::Store {
        dir: dir.clone(),
        source,
    };
    let real =
        RealDisk::open(&config.data).map_err(ServerError::io(format!("data folder {dir}")))?;
    let disk: Arc<dyn Disk> = match config.disk {
        config::DiskKind::Direct => Arc::new(real),
        config::DiskKind::PowerLoss => Arc::new(PowerLossDisk::new(real)),
    };
    let started = Instant::now();
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_millis() as u64);
    let opened = store::open(
        disk,
        config.segments(),
        now_ms,
        config.checkpoint_policy(),
        config.threads,
    )
    .map_err(failed)?;
    shared.phase_done("open", started, "load");
    let started = Instant::now();
    let recovered = opened.load().map_err(failed)?;
    shared.phase_took("full", recovered.loaded.full);
    shared.phase_took("deltas", recovered.loaded.deltas);
    shared.phase_done("load", started, "replay");
    let started = Instant::now();
    let installed_total = recovered.checkpoints.manifest().installed_total;
    let checkpoint = recovered.restored.snapshot.index;
    let loaded_bytes = recovered.loaded.bytes_read;
    let replica = Replica::new(
        config.replica(),
        recovered.restored,
        recovered.loaded.machine,
        recovered.checkpoints.manifest().chain(),
        recovered.boot,
    )?;
    shared.phase_done("replay", started, "join");
    shared.recovered(
        checkpoint,
        replica.replayed(),
        loaded_bytes,
        recovered.torn_bytes,
        installed_total,
    );
    tracing::info!(
        checkpoint,
        replayed = replica.replayed(),
        torn_bytes = recovered.torn_bytes,
        term = replica.raft().term(),
        "recovered"
    );
    Ok((replica, recovered.log, recovered.checkpoints))
}

fn stop_on_signals(
    runtime: &tokio::runtime::Runtime,
    with_stdin: bool,
    stop: mpsc::Sender<Result<(), ServerError>>,
) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = stop.clone();
    runtime.spawn(async move {
        let (Ok(mut term), Ok(mut int)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) else {
            return;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        // Whoever listens is on the way out already if this fails.
        let _ = signals.send(Ok(()));
    });
    if with_stdin {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = stop.send(Ok(()));
        });
    }
}
