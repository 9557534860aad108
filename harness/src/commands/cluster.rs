//! `shakedown cluster`: a cluster that keeps running, kept by a process in the background.
//!
//! The keeper owns the environment, so the cluster ends with it, however it ends. It runs on loopback: there
//! the nodes can be reached from any shell. `up` starts the keeper and waits for the file in which it says
//! where the cluster is; `down` ends the keeper by the process id *and* start time in that file.

use crate::cli::Output;
use crate::exit::{Failure, HARNESS, Result, VALID};
use crate::run::prepare;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use systems::System;
use testbed::{Environment, NodeId, Process, ProcessState, process};

#[derive(Debug, Args)]
pub struct Cluster {
    #[command(subcommand)]
    pub action: ClusterAction,
}

#[derive(Debug, Subcommand)]
pub enum ClusterAction {
    /// Start a cluster in the background and wait until it serves
    Up(ClusterUp),
    /// Ask every server of the cluster for its status
    Status(ClusterRef),
    /// End the cluster; its data stay unless --wipe
    Down(ClusterDown),
}

#[derive(Debug, Args)]
pub struct ClusterUp {
    #[arg(long, default_value_t = 3)]
    pub nodes: usize,
    /// A setting of the system; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub place: ClusterRef,
}

#[derive(Debug, Args)]
pub struct ClusterDown {
    /// Remove the cluster's folder
    #[arg(long)]
    pub wipe: bool,
    #[command(flatten)]
    pub place: ClusterRef,
}

#[derive(Debug, Args)]
pub struct ClusterRef {
    /// Folder of the cluster
    #[arg(long, value_name = "DIR", default_value = "runs/cluster")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub output: Output,
}

const READY: Duration = Duration::from_secs(30);
const GONE: Duration = Duration::from_secs(10);
const STATUS: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);
/// Tells the keeper which part it plays.
const KEEPER: &str = "SHAKEDOWN_CLUSTER_KEEPER";

/// `cluster.json`: where the cluster is and who keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    keeper: Process,
    nodes: Vec<KeptNode>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptNode {
    name: String,
    client: String,
}

pub fn run(args: &Cluster) -> Result<u8> {
    match &args.action {
        ClusterAction::Up(up) if std::env::var_os(KEEPER).is_some() => keep(up),
        ClusterAction::Up(up) => start(up),
        ClusterAction::Status(place) => status(place),
        ClusterAction::Down(down) => stop(down),
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("cluster.json")
}

fn read(dir: &Path) -> Result<Option<Kept>> {
    let path = file(dir);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::harness(format!("{}: {error}", path.display()))),
    };
    let kept: Kept = serde_json::from_str(&text)
        .map_err(|error| Failure::harness(format!("{}: {error}", path.display())))?;
    Ok(Some(kept).filter(|kept| process::stat::state(&kept.keeper) != ProcessState::Gone))
}

fn start(up: &ClusterUp) -> Result<u8> {
    let dir = &up.place.dir;
    if let Some(kept) = read(dir)? {
        return Err(Failure::usage(format!(
            "{}: a cluster runs already, kept by process {}; end it with `shakedown cluster down`",
            dir.display(),
            kept.keeper.pid
        )));
    }
    system(up)?;
    let made = std::fs::create_dir_all(dir);
    made.map_err(|error| Failure::usage(format!("{}: {error}", dir.display())))?;
    // What an earlier keeper left says nothing of this one.
    let _ = std::fs::remove_file(file(dir));
    let log = dir.join("keeper.log");
    let output = std::fs::File::create(&log)
        .map_err(|error| Failure::usage(format!("{}: {error}", log.display())))?;
    let mut keeper = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(KEEPER, "1")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    let end = Instant::now() + READY + GONE;
    loop {
        if let Some(kept) = read(dir)? {
            print(&kept, up.place.output.json)?;
            return Ok(VALID);
        }
        if let Some(status) = keeper.try_wait()? {
            let words = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(Failure::harness(format!(
                "the cluster did not start ({status}): {}",
                words.trim()
            )));
        }
        if Instant::now() > end {
            keeper.kill()?;
            return Err(Failure::harness(format!(
                "the cluster was not ready within {:?}; see {}",
                READY + GONE,
                log.display()
            )));
        }
        std::thread::sleep(POLL);
    }
}

fn system(up: &ClusterUp) -> Result<Arc<dyn System>> {
    let mut spec = crate::spec::Spec {
        nodes: up.nodes,
        nemesis: Vec::new(),
        ..crate::spec::Spec::default()
    };
    for assignment in &up.settings {
        spec.set(assignment)?;
    }
    spec.validate()?;
    Ok(prepare::check(spec, up.binary.clone())?.system)
}

/// The keeper: brings the cluster up, says where it is, and waits to be told to end.
fn keep(up: &ClusterUp) -> Result<u8> {
    let system = system(up)?;
    super::runtime()?.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let dir = up.place.dir.canonicalize()?;
        let environment = testbed::loopback::Loopback::new(up.nodes, &dir.join("nodes")).await?;
        let environment: Arc<dyn Environment> = environment;
        let journal = nemesis::ProcessJournal::create(&dir)?;
        system.setup(environment.clone()).await?;
        for node in environment.nodes() {
            journal.started(&system.start(node.id()).await?)?;
        }
        system.ready(READY).await?;
        let nodes = environment.nodes().iter().map(|node| KeptNode {
            name: node.id().to_string(),
            client: environment
                .client_addr(node.id(), systems::strata::CLIENT_PORT)
                .to_string(),
        });
        let pid = std::process::id() as i32;
        let started = process::stat::read(pid)?.started;
        let keeper = Process {
            node: NodeId::controller(),
            pid,
            started,
        };
        let kept = Kept {
            keeper,
            nodes: nodes.collect(),
        };
        let written = dir.join("cluster.json.tmp");
        std::fs::write(&written, serde_json::to_vec_pretty(&kept)?)?;
        std::fs::rename(&written, file(&dir))?;
        terminate.recv().await;
        for node in environment.nodes() {
            // One that does not stop in time is ended with the environment.
            let _ = system.stop(node.id()).await;
        }
        environment.teardown().await?;
        std::fs::remove_file(file(&dir))?;
        Ok(VALID)
    })
}

fn none(dir: &Path) -> Failure {
    Failure::usage(format!(
        "{}: no cluster runs here; start one with `shakedown cluster up`",
        dir.display()
    ))
}

fn status(place: &ClusterRef) -> Result<u8> {
    let kept = read(&place.dir)?.ok_or_else(|| none(&place.dir))?;
    let lines = super::runtime()?.block_on(async {
        let mut lines = Vec::new();
        for node in &kept.nodes {
            lines.push((
                node,
                ask(&node.client).await.map_err(|error| error.to_string()),
            ));
        }
        lines
    });
    let code = if lines.iter().all(|(_, answer)| answer.is_ok()) {
        VALID
    } else {
        HARNESS
    };
    if place.output.json {
        let list: Vec<_> = lines
            .iter()
            .map(|(node, answer)| match answer {
                Ok(status) => {
                    serde_json::json!({"name": node.name, "client": node.client, "status": status})
                }
                Err(error) => {
                    serde_json::json!({"name": node.name, "client": node.client, "error": error})
                }
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(code);
    }
    for (node, answer) in lines {
        match answer {
            Ok(status) => println!(
                "{}  http://{}  {} of term {}, applied {}, log from {}, checkpoint {}",
                node.name,
                node.client,
                status["role"].as_str().unwrap_or("?"),
                status["term"],
                status["applied"],
                status["first_index"],
                status["checkpoint"]["index"],
            ),
            Err(error) => println!("{}  http://{}  no answer: {error}", node.name, node.client),
        }
    }
    Ok(code)
}

async fn ask(client: &str) -> reqwest::Result<serde_json::Value> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(STATUS)
        .build()?;
    http.get(format!("http://{client}/status"))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await
}

fn stop(down: &ClusterDown) -> Result<u8> {
    let dir = &down.place.dir;
    let kept = read(dir)?.ok_or_else(|| none(dir))?;
    // Its servers die with it.
    process::end_foreign(&kept.keeper, GONE)?;
    if down.wipe {
        std::fs::remove_dir_all(dir)?;
    }
    match down.place.output.json {
        true => println!("{}", serde_json::json!({"ended": kept.keeper.pid})),
        false => println!("the cluster has ended"),
    }
    Ok(VALID)
}

fn print(kept: &Kept, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(kept)?);
        return Ok(());
    }
    for node in &kept.nodes {
        println!("{}  http://{}", node.name, node.client);
    }
    if let Some(node) = kept.nodes.first() {
        println!(
            "\ntry: curl -d '{{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\"}}' http://{}/v1/kv",
            node.client
        );
    }
    Ok(())
}
