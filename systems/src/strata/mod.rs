//! strata, the reference system: one `strata serve` per node, spoken to over HTTP.
//!
//! [`settings`] is what may be chosen, `client` what becomes of an operation, `admin` how the cluster is told
//! to change. A server's name is `n1`,
//! `n2`, ... by its position among the nodes, which is also how servers name their leader.

mod admin;
mod client;
pub mod operations;
pub mod settings;

use crate::{Client, Error, Meaning, Result, ServerStatus, SettingDoc, System};
use admin::Request;
use async_trait::async_trait;
use checker::Op;
use client::StrataClient;
use settings::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use testbed::{Environment, Node, NodeId, Process, ProcessState, Program, Signal};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub const NAME: &str = "strata";
/// Where clients connect.
pub const CLIENT_PORT: u16 = 7000;
/// Where servers connect to each other.
pub const PEER_PORT: u16 = 7001;

const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at a cluster that is not ready.
const READY_PAUSE: Duration = Duration::from_millis(50);
/// One answer to `/status` while waiting for a cluster.
const STATUS_LIMIT: Duration = Duration::from_millis(500);
const LOG_LINES: usize = 5;
const LOG_BYTES: u64 = 4096;

/// See the module.
pub struct Strata {
    binary: PathBuf,
    settings: Settings,
    /// For `/status`: keeps no connection, so that a healed network is not mistaken for a cut one.
    http: reqwest::Client,
    deployment: Mutex<Deployment>,
}

#[derive(Default)]
struct Deployment {
    env: Option<Arc<dyn Environment>>,
    servers: BTreeMap<NodeId, Process>,
    /// Those whose data was removed. Their servers must not found a cluster of their own: whatever they
    /// start with, they wait to be given the state by the others.
    wiped: BTreeSet<NodeId>,
}

/// A node with its environment and the number of its server.
struct Seat {
    env: Arc<dyn Environment>,
    node: Arc<dyn Node>,
    number: usize,
}

impl Strata {
    /// Checks the program and the settings; touches nothing.
    pub fn new(binary: PathBuf, settings: BTreeMap<String, String>) -> Result<Self> {
        let settings = Settings::parse(&settings)?;
        let binary = executable(&binary)?;
        Ok(Self {
            binary,
            settings,
            http: client::http(0)?,
            deployment: Mutex::default(),
        })
    }

    fn deployment(&self) -> MutexGuard<'_, Deployment> {
        // Every critical section is one assignment or look-up: a panic elsewhere leaves it whole.
        self.deployment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn env(&self) -> Result<Arc<dyn Environment>> {
        self.deployment()
            .env
            .clone()
            .ok_or_else(|| Error::Failed("strata is not set up on any node yet".into()))
    }

    fn seat(&self, id: &NodeId) -> Result<Seat> {
        let env = self.env()?;
        let position = env.nodes().iter().position(|node| node.id() == id);
        let Some(position) = position else {
            return Err(Error::Failed(format!("strata: there is no node {id}")));
        };
        Ok(Seat {
            node: Arc::clone(&env.nodes()[position]),
            number: position + 1,
            env,
        })
    }

    fn program(&self, seat: &Seat) -> Program {
        let Seat { env, node, number } = seat;
        let node = node.as_ref();
        let nodes = env.nodes().iter().enumerate();
        let peers: Vec<String> = nodes
            .filter(|(_, peer)| peer.id() != node.id())
            .map(|(i, peer)| format!("{}={}", i + 1, node.route(peer.id(), PEER_PORT)))
            .collect();
        let mut args: Vec<String> = vec![
            "serve".into(),
            "--id".into(),
            number.to_string(),
            "--data".into(),
            data(node).display().to_string(),
            "--client-listen".into(),
            std::net::SocketAddr::new(node.addr(), CLIENT_PORT).to_string(),
            "--peer-listen".into(),
            std::net::SocketAddr::new(node.addr(), PEER_PORT).to_string(),
            "--peers".into(),
            peers.join(","),
        ];
        if self.deployment().wiped.contains(node.id()) {
            args.push("--join".into());
        }
        args.extend(self.settings.arguments());
        Program {
            path: self.binary.clone(),
            args,
            env: Vec::new(),
            log: log(node),
        }
    }

    /// The error for a server that is no longer there, with what it said last; nothing while it lives.
    async fn obituary(&self, node: &dyn Node) -> Option<Error> {
        let process = self.process(node.id())?;
        if !matches!(node.state(&process).await, Ok(ProcessState::Gone)) {
            return None;
        }
        Some(Error::Failed(format!(
            "{}: the strata server (process {}) has ended; {}",
            node.id(),
            process.pid,
            last_words(node).await
        )))
    }

    async fn survey(&self, env: &Arc<dyn Environment>) -> Vec<(NodeId, Result<ServerStatus>)> {
        let mut asking = JoinSet::new();
        for (i, node) in env.nodes().iter().enumerate() {
            let (http, url) = (self.http.clone(), status_url(env.as_ref(), node.id()));
            let names = names(env.as_ref());
            asking.spawn(async move { (i, ask(&http, &url, STATUS_LIMIT, &names).await) });
        }
        let mut answers = asking.join_all().await;
        answers.sort_by_key(|(i, _)| *i);
        answers
            .into_iter()
            .map(|(i, answer)| (env.nodes()[i].id().clone(), answer))
            .collect()
    }
}

#[async_trait]
impl System for Strata {
    fn name(&self) -> &'static str {
        NAME
    }

    fn supports(&self, op: &Op) -> bool {
        operations::supports(op)
    }

    fn meaning(&self) -> Meaning {
        self.settings.meaning()
    }

    fn settings(&self) -> Vec<SettingDoc> {
        settings::docs()
    }

    fn compacts_log(&self) -> bool {
        true
    }

    fn has_admin(&self) -> bool {
        true
    }

    async fn setup(&self, env: Arc<dyn Environment>) -> Result<()> {
        for node in env.nodes() {
            node.make_folder(&data(node.as_ref())).await?;
        }
        let mut deployment = self.deployment();
        deployment.env = Some(env);
        deployment.servers.clear();
        deployment.wiped.clear();
        Ok(())
    }

    async fn start(&self, id: &NodeId) -> Result<Process> {
        let seat = self.seat(id)?;
        let node = &seat.node;
        if let Some(process) = self.process(id)
            && node.state(&process).await? != ProcessState::Gone
        {
            return Err(Error::Failed(format!(
                "{id}: the strata server already runs as process {}",
                process.pid
            )));
        }
        let program = self.program(&seat);
        let process = node.spawn(&program).await?;
        self.deployment()
            .servers
            .insert(id.clone(), process.clone());
        match self.obituary(node.as_ref()).await {
            None => Ok(process),
            Some(error) => Err(error),
        }
    }

    async fn stop(&self, id: &NodeId) -> Result<()> {
        let node = self.seat(id)?.node;
        let Some(process) = self.process(id) else {
            return Ok(());
        };
        if node.state(&process).await? != ProcessState::Gone {
            node.signal(&process, Signal::Terminate).await?;
            node.await_state(&process, ProcessState::Gone, STOP_LIMIT)
                .await?;
        }
        self.forget(id);
        Ok(())
    }

    fn process(&self, node: &NodeId) -> Option<Process> {
        self.deployment().servers.get(node).cloned()
    }

    fn forget(&self, node: &NodeId) {
        self.deployment().servers.remove(node);
    }

    async fn wipe(&self, id: &NodeId) -> Result<()> {
        let node = self.seat(id)?.node;
        if self.process(id).is_some() {
            return Err(Error::Failed(format!(
                "{id}: the data of a running strata server can't be removed"
            )));
        }
        let folder = data(node.as_ref());
        // Noted first: a folder that is gone in part must not found a cluster either.
        self.deployment().wiped.insert(id.clone());
        node.remove_folder(&folder).await?;
        Ok(node.make_folder(&folder).await?)
    }

    fn kill_loses_unsynced(&self) -> bool {
        self.settings.is("disk", "power-loss")
    }

    async fn ready(&self, limit: Duration) -> Result<()> {
        let env = self.env()?;
        let end = Instant::now() + limit;
        loop {
            let answers = self.survey(&env).await;
            let Some(obstacle) = obstacle(&answers) else {
                return Ok(());
            };
            for node in env.nodes() {
                if let Some(error) = self.obituary(node.as_ref()).await {
                    return Err(error);
                }
            }
            if Instant::now() >= end {
                return Err(Error::Failed(format!(
                    "strata is not ready after {limit:?}: {obstacle}"
                )));
            }
            tokio::time::sleep(READY_PAUSE).await;
        }
    }

    async fn connect(&self, id: &NodeId) -> Result<Box<dyn Client>> {
        let env = self.seat(id)?.env;
        Ok(Box::new(StrataClient::new(
            env.client_addr(id, CLIENT_PORT),
        )?))
    }

    async fn status(&self, id: &NodeId, limit: Duration) -> Result<ServerStatus> {
        let Seat { env, node, .. } = self.seat(id)?;
        let url = status_url(env.as_ref(), id);
        match ask(&self.http, &url, limit, &names(env.as_ref())).await {
            Ok(status) => Ok(status),
            Err(error) => Err(match self.obituary(node.as_ref()).await {
                Some(obituary) => obituary,
                None => Error::Failed(format!("{id}: no status: {error}")),
            }),
        }
    }

    async fn transfer_leadership(&self, to: Option<&NodeId>, limit: Duration) -> Result<()> {
        let to = to.map(|node| self.seat(node)).transpose()?;
        let request = Request::transfer(to.map(|seat| seat.number));
        self.administer(&request, limit).await
    }

    async fn remove_member(&self, id: &NodeId, limit: Duration) -> Result<()> {
        let request = Request::remove(self.seat(id)?.number);
        self.administer(&request, limit).await
    }

    async fn add_member(&self, id: &NodeId, limit: Duration) -> Result<()> {
        let request = Request::add(self.seat(id)?.number);
        self.administer(&request, limit).await
    }

    fn log_files(&self, id: &NodeId) -> Vec<PathBuf> {
        self.seat(id)
            .map(|seat| vec![log(seat.node.as_ref())])
            .unwrap_or_default()
    }
}

fn data(node: &dyn Node) -> PathBuf {
    node.dir().join("data")
}

fn log(node: &dyn Node) -> PathBuf {
    node.dir().join("strata.log")
}

fn status_url(env: &dyn Environment, node: &NodeId) -> String {
    format!("http://{}/status", env.client_addr(node, CLIENT_PORT))
}

/// Server name to node name.
fn names(env: &dyn Environment) -> BTreeMap<String, String> {
    let nodes = env.nodes().iter().enumerate();
    nodes
        .map(|(i, node)| (format!("n{}", i + 1), node.id().to_string()))
        .collect()
}

async fn ask(
    http: &reqwest::Client,
    url: &str,
    limit: Duration,
    names: &BTreeMap<String, String>,
) -> Result<ServerStatus> {
    let answer = async {
        let response = http.get(url).timeout(limit).send().await?;
        response.error_for_status()?.bytes().await
    };
    let body = answer.await.map_err(|error| {
        Error::Failed(if error.is_timeout() {
            format!("no answer within {limit:?}")
        } else {
            client::root(&error)
        })
    })?;
    let status = serde_json::from_slice(&body)
        .map_err(|error| Error::Failed(format!("answer is not a status: {error}")))?;
    Ok(translate(status, names))
}

fn translate(status: cluster::api::Status, names: &BTreeMap<String, String>) -> ServerStatus {
    let node = |server: String| names.get(&server).cloned().unwrap_or(server);
    ServerStatus {
        role: match status.role.as_str() {
            "pre-candidate" => "candidate".into(),
            _ => status.role,
        },
        term: status.term,
        leader: status.leader.map(node),
        commit: status.commit,
        applied: status.applied,
        first_index: status.first_index,
        last_index: status.last_index,
        checkpoint_index: status.checkpoint.index,
        snapshots_installed: status.install.installed,
        snapshots_installed_total: status.install.installed_total,
        snapshots_installed_delta: status.install.installed_delta,
        snapshot_bytes_received: status.install.bytes_received,
        snapshot_last_bytes: status.install.last_bytes,
        snapshot_last_full_bytes: status.install.last_full_bytes,
        snapshot_last_base: status.install.last_base,
        snapshot_bytes_sent: status.install.bytes_sent,
        snapshot_bytes_resent: status.install.bytes_resent,
        checkpoint_chain: status.checkpoint.chain.len() as u64,
        checkpoint_chain_bytes: status.checkpoint.chain_bytes,
        checkpoint_last_ms: status.checkpoint.last_duration_ms,
        checkpoints_written: status.checkpoint.written,
        checkpoint_bytes_written: status.checkpoint.bytes_written,
        checkpoint_bytes_changed: status.checkpoint.bytes_changed,
        checkpoint_longest_pause_us: status.checkpoint.longest_pause_us,
        voters: status.members.voters.into_iter().map(node).collect(),
        learners: status.members.learners.into_iter().map(node).collect(),
        recovery_ms: status.recovery.phases_ms,
        recovery_counts: BTreeMap::from([
            (
                "checkpoint_index".to_owned(),
                status.recovery.checkpoint_index,
            ),
            (
                "replayed_entries".to_owned(),
                status.recovery.replayed_entries,
            ),
            ("loaded_bytes".to_owned(), status.recovery.loaded_bytes),
            ("torn_bytes".to_owned(), status.recovery.torn_bytes),
        ]),
        uptime_ms: status.uptime_ms,
    }
}

/// What keeps the cluster from serving, by node; nothing when every server follows one leader that has
/// committed an entry.
fn obstacle(answers: &[(NodeId, Result<ServerStatus>)]) -> Option<String> {
    let mut leader: Option<(&NodeId, &str)> = None;
    for (node, answer) in answers {
        let status = match answer {
            Ok(status) => status,
            Err(error) => return Some(format!("{node}: {error}")),
        };
        match (status.leader.as_deref(), leader) {
            (None, _) => return Some(format!("{node} is {} and knows no leader", status.role)),
            (Some(one), Some((other, another))) if one != another => {
                return Some(format!("{node} follows {one}, {other} follows {another}"));
            }
            (Some(one), _) => leader = Some((node, one)),
        }
    }
    let (_, leader) = leader?;
    let status = answers
        .iter()
        .find(|(node, _)| node.as_str() == leader)
        .and_then(|(_, answer)| answer.as_ref().ok());
    match status {
        Some(status) if status.role != "leader" => {
            Some(format!("{leader} is followed but is {}", status.role))
        }
        Some(status) if status.commit == 0 => {
            Some(format!("{leader} leads but has committed nothing"))
        }
        Some(_) => None,
        None => Some(format!("all follow {leader}, which is no node")),
    }
}

/// The program as an absolute path, or what is wrong with it.
fn executable(binary: &Path) -> Result<PathBuf> {
    let fault = |what: String| {
        Error::Failed(format!(
            "the strata server program {} {what}",
            binary.display()
        ))
    };
    let meta = fs::metadata(binary).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => fault("does not exist".into()),
        _ => fault(format!("can't be looked at: {error}")),
    })?;
    if !meta.is_file() {
        return Err(fault("is not a file".into()));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(fault("is not executable".into()));
    }
    fs::canonicalize(binary).map_err(|error| fault(format!("can't be resolved: {error}")))
}

/// The end of the server's log, for an error message.
async fn last_words(node: &dyn Node) -> String {
    let path = log(node);
    let log = path.display();
    let tail = match node.tail(&path, LOG_BYTES).await {
        Ok(tail) => tail,
        Err(error) => return format!("its log can't be read: {error}"),
    };
    let text = String::from_utf8_lossy(&tail);
    if text.trim().is_empty() {
        return format!("its log {log} is empty");
    }
    let lines: Vec<_> = text.trim_end().lines().collect();
    let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
    format!("its log {log} ends:\n{}", tail.join("\n"))
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
