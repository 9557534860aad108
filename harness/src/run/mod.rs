//! A run, from a spec to a judged folder. [`test()`] reads as its phases.
//!
//! The folder is written as the run goes on, so whatever happens, what was recorded before it can be
//! judged later with `shakedown analyze`.

mod background;
mod evidence;
pub mod judge;
mod load;
pub mod machine;
mod observe;
pub mod online;
pub mod prefill;
pub mod prepare;
pub mod program;
pub mod session;
pub mod stored;
pub mod workload;

use crate::exit::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use anyhow::Context;
use judge::Judged;
use prepare::Prepared;
use results::Folder;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Limit for the cluster to come up and elect a leader.
const READY: Duration = Duration::from_secs(30);

/// Runs one test. The folder exists from the first phase on; its path is printed before anything else
/// happens, so that it can be found whatever comes.
pub async fn test(
    prepared: Prepared,
    folder: Folder,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Judged> {
    let spec = prepared.spec.clone();
    let mut stored = prepared.stored(&folder)?;
    folder.write_spec(&stored.yaml()?)?;

    progress.phase(
        "deploy",
        &format!(
            "{} nodes of {} in {}",
            spec.nodes,
            spec.system,
            prepared.environment_name()
        ),
    );
    let processes = Arc::new(nemesis::ProcessJournal::create(folder.path())?);
    let deployed = deploy(&prepared, &processes).await;
    let outcome = match deployed {
        Ok(()) => {
            load::run(
                &prepared,
                &folder,
                processes,
                &mut stored.marks,
                progress,
                interrupt,
            )
            .await
        }
        Err(failure) => Err(failure),
    };

    let outcome = match outcome {
        Ok(remarks) => evidence::last_look(&prepared, &folder, stored.marks.end)
            .await
            .map(|()| remarks),
        Err(failure) => {
            tracing::error!(%failure, "the run failed");
            Err(failure)
        }
    };
    progress.phase("collect", "logs");
    collect(&prepared, &folder);
    stored.run.data_bytes = data_bytes(&prepared).await;
    let torn_down = prepared.teardown().await;
    let outcome = outcome.map(|remarks| stored.run.remarks = remarks);
    folder.write_spec(&stored.yaml()?)?;
    outcome?;
    torn_down?;

    // Judging is computation: it must not hold up the runtime's threads.
    let progress = progress.clone();
    tokio::task::spawn_blocking(move || judge::judge(folder, &spec, &progress))
        .await
        .map_err(|error| Failure::harness(format!("judging ended abnormally: {error}")))?
}

async fn deploy(prepared: &Prepared, processes: &nemesis::ProcessJournal) -> Result<()> {
    let Some(environment) = &prepared.environment else {
        return Ok(());
    };
    prepared.system.setup(environment.clone()).await?;
    for node in environment.nodes() {
        let process = prepared.system.start(node.id()).await?;
        processes.started(&process)?;
    }
    Ok(prepared.system.ready(READY).await?)
}

/// Copies the servers' logs into the run folder, unless they were written there. A log that is missing is worth
/// a line, not a failure.
fn collect(prepared: &Prepared, folder: &Folder) {
    for node in prepared.nodes() {
        for file in prepared.system.log_files(&node) {
            if let Err(error) = keep(&file, folder, node.as_str()) {
                tracing::warn!("{node}: {}: not kept: {error:#}", file.display());
            }
        }
    }
}

/// Of the largest node's folder; `None` where there are no nodes, or one can't be looked at.
async fn data_bytes(prepared: &Prepared) -> Option<u64> {
    let mut most = None;
    for node in prepared.environment.as_ref()?.nodes() {
        most = most.max(Some(node.bytes(node.dir()).await.ok()?));
    }
    most
}

fn keep(file: &Path, folder: &Folder, node: &str) -> anyhow::Result<()> {
    let name = file.file_name().context("it has no name")?;
    let kept = folder.node(node)?.join(name);
    // Copying a file onto itself would empty it.
    if kept.canonicalize().ok() != Some(file.canonicalize()?) {
        std::fs::copy(file, kept)?;
    }
    Ok(())
}
