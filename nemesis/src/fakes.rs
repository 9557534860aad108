//! A cluster of numbers for tests: servers are states, links are a set, the log grows by one entry a
//! millisecond of (virtual) time while a majority is together, and everything done to it is noted down.

use crate::links::Link;
use crate::{Clock, Context, ProcessJournal};
use async_trait::async_trait;
use checker::history::faults::FaultRecord;
use checker::{Op, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use systems::{Client, ServerStatus, SettingDoc, System};
use testbed::{
    Environment, LinkCounters, Network, Node, NodeId, Process, ProcessState, Program, Signal,
};
use tokio::time::Instant;

/// How the fake misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    NoNetwork,
    /// Cut links let everything pass.
    LeakyCuts,
    /// A kill changes nothing.
    Unkillable,
    /// The leader keeps its whole log.
    NeverCompacts,
    /// No server starts.
    NoStarts,
    /// No link can be mended.
    NoMends,
    /// Nobody ever leads.
    NoLeader,
    /// Whoever is told to hand over keeps leading.
    NoHandOver,
    /// Whoever is removed stays a member.
    NoRemovals,
    /// A server without data is sent only what had changed.
    FalseDeltas,
    /// The system can't be told anything.
    NoAdmin,
}

/// Checkpoint interval and trailing entries of the fake's log.
const EVERY: u64 = 1000;
const TRAILING: u64 = 100;

struct State {
    servers: BTreeMap<NodeId, Server>,
    faults: BTreeSet<Fault>,
    cuts: BTreeSet<Link>,
    counters: BTreeMap<Link, LinkCounters>,
    members: BTreeSet<NodeId>,
    leader: Option<NodeId>,
    term: u64,
    commit: u64,
    grown: Instant,
    next_pid: i32,
    done: Vec<String>,
    /// The journal whose last line is noted with the first act after it.
    journal: Option<PathBuf>,
}

struct Server {
    process: Option<(Process, ProcessState)>,
    last_index: u64,
    images: u64,
    deltas: u64,
}

#[derive(Clone)]
pub(crate) struct FakeCluster {
    state: Arc<Mutex<State>>,
    nodes: Arc<Vec<Arc<dyn Node>>>,
}

pub(crate) struct FakeEnv(FakeCluster);
pub(crate) struct FakeSystem(FakeCluster);
struct FakeNetwork(FakeCluster);
struct FakeNode {
    id: NodeId,
    state: Arc<Mutex<State>>,
}

impl FakeCluster {
    /// Running servers on n1, n2, ...
    pub(crate) fn new(n: usize) -> Self {
        let ids: Vec<_> = (1..=n).map(|i| NodeId::new(format!("n{i}"))).collect();
        let server = |(id, pid): (&NodeId, i32)| {
            let process = Process {
                node: id.clone(),
                pid,
                started: pid as u64 * 10,
            };
            let server = Server {
                process: Some((process, ProcessState::Running)),
                last_index: 0,
                images: 0,
                deltas: 0,
            };
            (id.clone(), server)
        };
        let state = Arc::new(Mutex::new(State {
            servers: ids.iter().zip(101..).map(server).collect(),
            faults: BTreeSet::new(),
            cuts: BTreeSet::new(),
            counters: BTreeMap::new(),
            members: ids.iter().cloned().collect(),
            leader: None,
            term: 0,
            commit: 0,
            grown: Instant::now(),
            next_pid: 201,
            done: Vec::new(),
            journal: None,
        }));
        let node = |id: NodeId| -> Arc<dyn Node> {
            Arc::new(FakeNode {
                id,
                state: Arc::clone(&state),
            })
        };
        Self {
            nodes: Arc::new(ids.into_iter().map(node).collect()),
            state,
        }
    }

    pub(crate) fn env(&self) -> Arc<FakeEnv> {
        Arc::new(FakeEnv(self.clone()))
    }

    pub(crate) fn system(&self) -> Arc<FakeSystem> {
        Arc::new(FakeSystem(self.clone()))
    }

    pub(crate) fn context(&self, folder: &Path) -> Context {
        self.lock().journal = Some(folder.join(crate::journal::FAULTS_FILE));
        Context {
            env: self.env(),
            system: self.system(),
            clock: Clock::new(Instant::now()),
            processes: Arc::new(ProcessJournal::create(folder).unwrap()),
        }
    }

    pub(crate) fn break_with(&self, fault: Fault) {
        self.lock().faults.insert(fault);
    }

    /// What a bug in the server would do.
    pub(crate) fn crash(&self, node: &str) {
        let mut state = self.lock();
        let server = state.servers.get_mut(&NodeId::new(node)).unwrap();
        server.process.as_mut().unwrap().1 = ProcessState::Gone;
    }

    /// Everything that was done, one act a line.
    pub(crate) fn done(&self) -> String {
        self.lock().done.join("\n")
    }

    /// Whether every link passes and every server runs and is a member.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.lock();
        let runs = |server: &Server| matches!(server.process, Some((_, ProcessState::Running)));
        let all = state.members.len() == state.servers.len();
        all && state.cuts.is_empty() && state.servers.values().all(runs)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn note(&mut self, act: String) {
        if let Some(path) = &self.journal
            && let Ok(text) = std::fs::read_to_string(path)
            && let Some(line) = text.lines().last()
        {
            let last: FaultRecord = serde_json::from_str(line).unwrap();
            let step = serde_json::to_value(last.step).unwrap();
            let seen = format!("[journal: {} {}]", last.fault, step.as_str().unwrap());
            if self.done.iter().rfind(|line| line.starts_with('[')) != Some(&seen) {
                self.done.push(seen);
            }
        }
        self.done.push(act);
    }

    fn runs(&self, node: &NodeId) -> bool {
        let server = self.servers.get(node);
        matches!(
            server.and_then(|s| s.process.as_ref()),
            Some((_, ProcessState::Running))
        )
    }

    fn passes(&self, from: &NodeId, to: &NodeId) -> bool {
        let link = Link {
            from: from.clone(),
            to: to.clone(),
        };
        self.has(Fault::LeakyCuts) || !self.cuts.contains(&link)
    }

    /// Those that run and exchange messages with this node, which runs.
    fn company(&self, node: &NodeId) -> Vec<NodeId> {
        let all = self.members.iter();
        let meets =
            |peer: &&NodeId| self.runs(peer) && self.passes(node, peer) && self.passes(peer, node);
        all.filter(meets).cloned().collect()
    }

    /// Lets the cluster do what it would have done since it was last looked at.
    fn advance(&mut self) {
        let quorum = self.members.len() / 2 + 1;
        let can_lead = |state: &State, node: &NodeId| {
            state.members.contains(node)
                && state.runs(node)
                && state.company(node).len() >= quorum
                && !state.has(Fault::NoLeader)
        };
        let leads = self.leader.clone().filter(|node| can_lead(self, node));
        if leads.is_none() {
            let next = self.members.iter().find(|node| can_lead(self, node));
            self.leader = next.cloned();
            self.term += u64::from(self.leader.is_some());
        }
        let passed = self.grown.elapsed().as_millis() as u64;
        self.grown = Instant::now();
        let Some(leader) = self.leader.clone() else {
            return;
        };
        self.commit += passed;
        let (commit, first) = (self.commit, self.first_index());
        for node in self.company(&leader) {
            let all = self.has(Fault::FalseDeltas);
            let server = self.servers.get_mut(&node).unwrap();
            let behind = server.last_index + 1 < first;
            server.images += u64::from(behind);
            server.deltas += u64::from(behind && (all || server.last_index > 0));
            server.last_index = commit;
        }
    }

    fn first_index(&self) -> u64 {
        if self.has(Fault::NeverCompacts) {
            return 1;
        }
        (self.commit / EVERY * EVERY)
            .saturating_sub(TRAILING)
            .max(1)
    }
}

#[async_trait]
impl Node for FakeNode {
    fn id(&self) -> &NodeId {
        &self.id
    }

    fn addr(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    fn dir(&self) -> &Path {
        Path::new("nowhere")
    }

    fn route(&self, _peer: &NodeId, port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    async fn spawn(&self, _program: &Program) -> testbed::Result<Process> {
        Err(testbed::Error::Failed("a fake node runs nothing".into()))
    }

    async fn signal(&self, process: &Process, signal: Signal) -> testbed::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.advance();
        state.note(format!("{signal:?} {} {}", process.node, process.pid));
        let unkillable = state.has(Fault::Unkillable);
        let server = state.servers.get_mut(&self.id).unwrap();
        if let Some((held, now)) = &mut server.process
            && held == process
        {
            *now = match signal {
                Signal::Kill if unkillable => *now,
                Signal::Kill | Signal::Terminate => ProcessState::Gone,
                Signal::Stop => ProcessState::Stopped,
                Signal::Continue => ProcessState::Running,
            };
        }
        Ok(())
    }

    async fn state(&self, process: &Process) -> testbed::Result<ProcessState> {
        let state = self.state.lock().unwrap();
        Ok(match &state.servers[&self.id].process {
            Some((held, now)) if held == process => *now,
            _ => ProcessState::Gone,
        })
    }

    async fn await_state(
        &self,
        process: &Process,
        wanted: ProcessState,
        limit: Duration,
    ) -> testbed::Result<()> {
        if self.state(process).await? == wanted {
            return Ok(());
        }
        tokio::time::sleep(limit).await;
        let text = format!("{}: process {} is not {wanted:?}", self.id, process.pid);
        Err(testbed::Error::Failed(text))
    }
}

#[async_trait]
impl Network for FakeNetwork {
    async fn cut(&self, from: &NodeId, to: &NodeId) -> testbed::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        state.note(format!("cut {from}->{to}"));
        let (from, to) = (from.clone(), to.clone());
        state.cuts.insert(Link { from, to });
        Ok(())
    }

    async fn mend(&self, from: &NodeId, to: &NodeId) -> testbed::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        state.note(format!("mend {from}->{to}"));
        if state.has(Fault::NoMends) {
            let text = format!("link {from}->{to} can't be mended");
            return Err(testbed::Error::Failed(text));
        }
        let (from, to) = (from.clone(), to.clone());
        state.cuts.remove(&Link { from, to });
        Ok(())
    }

    async fn heal(&self) -> testbed::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        state.cuts.clear();
        Ok(())
    }

    fn counters(&self, from: &NodeId, to: &NodeId) -> LinkCounters {
        let (from, to) = (from.clone(), to.clone());
        let state = self.0.lock();
        let counters = state.counters.get(&Link { from, to });
        counters.copied().unwrap_or_default()
    }

    async fn probe(&self, from: &NodeId, to: &NodeId, limit: Duration) -> testbed::Result<bool> {
        let passes = {
            let mut state = self.0.lock();
            let passes = state.passes(from, to);
            let (from, to) = (from.clone(), to.clone());
            let counters = state.counters.entry(Link { from, to }).or_default();
            counters.passed += u64::from(passes);
            counters.cut += u64::from(!passes);
            passes
        };
        if !passes {
            tokio::time::sleep(limit).await;
        }
        Ok(passes)
    }
}

#[async_trait]
impl Environment for FakeEnv {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn nodes(&self) -> &[Arc<dyn Node>] {
        &self.0.nodes
    }

    fn network(&self) -> Option<Arc<dyn Network>> {
        let missing = self.0.lock().has(Fault::NoNetwork);
        (!missing).then(|| Arc::new(FakeNetwork(self.0.clone())) as Arc<dyn Network>)
    }

    fn client_addr(&self, _node: &NodeId, port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    async fn teardown(&self) -> testbed::Result<()> {
        Ok(())
    }
}

struct NoClient;

#[async_trait]
impl Client for NoClient {
    async fn invoke(&mut self, _op: &Op, _deadline: Duration) -> Outcome {
        Outcome::Fail(checker::Reason::new("fake"))
    }

    fn disconnect(&mut self) {}
}

#[async_trait]
impl System for FakeSystem {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn supports(&self, _op: &Op) -> bool {
        false
    }

    fn settings(&self) -> Vec<SettingDoc> {
        Vec::new()
    }

    fn compacts_log(&self) -> bool {
        true
    }

    fn has_admin(&self) -> bool {
        !self.0.lock().has(Fault::NoAdmin)
    }

    async fn setup(&self, _env: Arc<dyn Environment>) -> systems::Result<()> {
        Ok(())
    }

    async fn start(&self, node: &NodeId) -> systems::Result<Process> {
        let mut state = self.0.lock();
        state.advance();
        state.note(format!("start {node}"));
        if state.has(Fault::NoStarts) {
            let text = format!("{node}: the server does not start");
            return Err(systems::Error::Failed(text));
        }
        let pid = state.next_pid;
        state.next_pid += 1;
        let process = Process {
            node: node.clone(),
            pid,
            started: pid as u64 * 10,
        };
        let server = state.servers.get_mut(node).unwrap();
        server.process = Some((process.clone(), ProcessState::Running));
        Ok(process)
    }

    async fn stop(&self, node: &NodeId) -> systems::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        state.note(format!("stop {node}"));
        state.servers.get_mut(node).unwrap().process = None;
        Ok(())
    }

    fn process(&self, node: &NodeId) -> Option<Process> {
        let state = self.0.lock();
        let server = state.servers.get(node)?;
        server.process.as_ref().map(|(process, _)| process.clone())
    }

    fn forget(&self, node: &NodeId) {
        self.0.lock().servers.get_mut(node).unwrap().process = None;
    }

    async fn wipe(&self, node: &NodeId) -> systems::Result<()> {
        let mut state = self.0.lock();
        assert!(!state.runs(node), "the data of a running server");
        state.note(format!("wipe {node}"));
        let server = state.servers.get_mut(node).unwrap();
        (server.last_index, server.images, server.deltas) = (0, 0, 0);
        Ok(())
    }

    async fn transfer_leadership(
        &self,
        to: Option<&NodeId>,
        _limit: Duration,
    ) -> systems::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        let old = state.leader.clone().unwrap();
        let heir = to.cloned();
        let next = state.members.iter().find(|node| **node != old).cloned();
        let next = heir.or(next).unwrap();
        state.note(format!("transfer {old} to {next}"));
        if !state.has(Fault::NoHandOver) {
            state.leader = Some(next);
            state.term += 1;
        }
        Ok(())
    }

    async fn remove_member(&self, node: &NodeId, _limit: Duration) -> systems::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        state.note(format!("remove {node}"));
        if !state.has(Fault::NoRemovals) {
            state.members.remove(node);
        }
        Ok(())
    }

    async fn add_member(&self, node: &NodeId, _limit: Duration) -> systems::Result<()> {
        let mut state = self.0.lock();
        state.advance();
        state.note(format!("add {node}"));
        state.members.insert(node.clone());
        Ok(())
    }

    fn kill_loses_unsynced(&self) -> bool {
        false
    }

    async fn ready(&self, _limit: Duration) -> systems::Result<()> {
        Ok(())
    }

    async fn connect(&self, _node: &NodeId) -> systems::Result<Box<dyn Client>> {
        Ok(Box::new(NoClient))
    }

    async fn status(&self, node: &NodeId, _limit: Duration) -> systems::Result<ServerStatus> {
        let mut state = self.0.lock();
        state.advance();
        if !state.runs(node) {
            let text = format!("{node}: connection refused");
            return Err(systems::Error::Failed(text));
        }
        let with_leader = state
            .leader
            .clone()
            .filter(|leader| state.company(leader).contains(node));
        let leads = state.leader.as_ref() == Some(node);
        let server = &state.servers[node];
        Ok(ServerStatus {
            role: if leads { "leader" } else { "follower" }.into(),
            term: state.term,
            leader: with_leader.map(|leader| leader.to_string()),
            commit: server.last_index,
            applied: server.last_index,
            first_index: state.first_index().min(server.last_index + 1),
            last_index: server.last_index,
            snapshots_installed_total: server.images,
            snapshots_installed_delta: server.deltas,
            voters: state.members.iter().map(NodeId::to_string).collect(),
            ..ServerStatus::default()
        })
    }

    fn log_files(&self, _node: &NodeId) -> Vec<PathBuf> {
        Vec::new()
    }
}
