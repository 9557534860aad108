//! The environment that needs nothing: nodes are addresses of this machine, links are TCP proxies.
//!
//! One run owns a block 127.B.0.0/16, claimed by a listener, so that runs at the same time don't meet.
//! Node i is 127.B.0.i, the controller 127.B.0.254, and what `from` dials to reach `to` is
//! 127.B.from.to on the same port: a proxy (`proxy`) whose two streams each pass a gate (`link`)
//! that can be cut. The proxies have a runtime of their own, so that a busy harness does not slow the
//! network down.
//!
//! What it can't do that `netns` can: a connection is accepted by the proxy even when the target does not
//! answer; programs that ignore the address they are given and dial a peer directly bypass the proxy.

mod link;
mod probe;
mod proxy;

use crate::ends::{CONTROLLER, End, Ends, Pairs};
use crate::process::{self, Place, Spawner, lock};
use crate::{
    Environment, Error, LinkCounters, Network, Node, NodeId, Process, ProcessState, Program,
    Result, Signal,
};
use async_trait::async_trait;
use link::Link;
use probe::{Probe, Tokens};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The second octets of the blocks that runs may claim.
const BLOCKS: std::ops::RangeInclusive<u8> = 64..=250;
/// The port whose listener on 127.B.0.253 claims block B.
const CLAIM_PORT: u16 = 20007;
/// How long the end of processes may take once they are killed.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(10);

pub struct Loopback {
    nodes: Vec<Arc<dyn Node>>,
    spawner: Arc<Spawner>,
    fabric: Arc<Fabric>,
}

/// The network: links, and the proxies made so far.
struct Fabric {
    block: Block,
    ends: Ends,
    links: Pairs<Arc<Link>>,
    routes: Mutex<HashMap<(usize, usize, u16), SocketAddr>>,
    probes: Pairs<Option<Probe>>,
    tokens: Arc<Tokens>,
    runtime: Mutex<Option<Runtime>>,
}

/// A claimed block of addresses.
struct Block {
    octet: u8,
    _claim: std::net::TcpListener,
}

struct Host {
    end: End,
    place: Place,
    fabric: Arc<Fabric>,
    spawner: Arc<Spawner>,
}

impl Loopback {
    /// `nodes` nodes named `n1`, `n2`, ... with folders `<dir>/n1`, ...
    pub async fn new(nodes: usize, dir: &Path) -> Result<Arc<Self>> {
        let ends = Ends::new(nodes)?;
        let fabric = Fabric::new(ends.clone()).await?;
        let spawner = Arc::new(Spawner::new()?);
        let mut hosts: Vec<Arc<dyn Node>> = Vec::new();
        for end in ends.nodes() {
            let node = ends.name(end).clone();
            let folder = crate::node_folder(dir, &node)?;
            hosts.push(Arc::new(Host {
                end,
                place: Place {
                    node,
                    dir: folder,
                    confinement: None,
                },
                fabric: fabric.clone(),
                spawner: spawner.clone(),
            }));
        }
        Ok(Arc::new(Self {
            nodes: hosts,
            spawner,
            fabric,
        }))
    }
}

#[async_trait]
impl Environment for Loopback {
    fn name(&self) -> &'static str {
        "loopback"
    }

    fn nodes(&self) -> &[Arc<dyn Node>] {
        &self.nodes
    }

    fn network(&self) -> Option<Arc<dyn Network>> {
        Some(self.fabric.clone())
    }

    fn client_addr(&self, node: &NodeId, port: u16) -> SocketAddr {
        self.fabric.route(CONTROLLER, node, port)
    }

    async fn teardown(&self) -> Result<()> {
        self.fabric.close();
        self.spawner.end(TEARDOWN_LIMIT).await
    }
}

#[async_trait]
impl Node for Host {
    fn id(&self) -> &NodeId {
        &self.place.node
    }

    fn addr(&self) -> IpAddr {
        self.fabric.block.node(self.end)
    }

    fn dir(&self) -> &Path {
        &self.place.dir
    }

    fn route(&self, peer: &NodeId, port: u16) -> SocketAddr {
        self.fabric.route(self.end, peer, port)
    }

    async fn spawn(&self, program: &Program) -> Result<Process> {
        self.spawner.spawn(&self.place, program).await
    }

    async fn signal(&self, process: &Process, signal: Signal) -> Result<()> {
        self.spawner.signal(process, signal)
    }

    async fn state(&self, process: &Process) -> Result<ProcessState> {
        Ok(process::stat::state(process))
    }

    async fn await_state(
        &self,
        process: &Process,
        state: ProcessState,
        limit: Duration,
    ) -> Result<()> {
        process::await_state(process, state, limit).await
    }
}

#[async_trait]
impl Network for Fabric {
    async fn cut(&self, from: &NodeId, to: &NodeId) -> Result<()> {
        self.link(from, to)?.cut();
        Ok(())
    }

    async fn mend(&self, from: &NodeId, to: &NodeId) -> Result<()> {
        self.link(from, to)?.mend();
        Ok(())
    }

    async fn heal(&self) -> Result<()> {
        self.links.iter().for_each(|link| link.mend());
        Ok(())
    }

    fn counters(&self, from: &NodeId, to: &NodeId) -> LinkCounters {
        self.link(from, to)
            .map(|link| link.counters())
            .unwrap_or_default()
    }

    async fn probe(&self, from: &NodeId, to: &NodeId, limit: Duration) -> Result<bool> {
        let (source, target) = self.ends.pair(from, to)?;
        match self.probes.get(source, target) {
            Some(probe) => probe.send(&self.tokens, limit).await,
            None => Err(Error::Failed(format!(
                "there is no link from {from} to {to}"
            ))),
        }
    }
}

impl Fabric {
    async fn new(ends: Ends) -> Result<Arc<Self>> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("loopback")
            .enable_all()
            .build()
            .map_err(Error::io("start the runtime of the proxies"))?;
        let mut fabric = Self {
            block: Block::claim()?,
            links: Pairs::new(&ends, || Arc::new(Link::new())),
            routes: Mutex::new(HashMap::new()),
            probes: Pairs::new(&ends, || None),
            tokens: Arc::new(Tokens::default()),
            runtime: Mutex::new(Some(runtime)),
            ends,
        };
        fabric.connect_probes().await?;
        Ok(Arc::new(fabric))
    }

    async fn connect_probes(&mut self) -> Result<()> {
        let mut ports = HashMap::new();
        for end in self.ends.all() {
            let (listener, port) = probe::open_sink(self.block.node(end))?;
            self.run(probe::sink(listener, self.tokens.clone()));
            ports.insert(end.index(), port);
        }
        for (from, to) in self.ends.pairs() {
            let route = self.bind_route(from, to, ports[&to.index()])?;
            let probe = Probe::connect(route).await?;
            *self.probes.get_mut(from, to) = Some(probe);
        }
        Ok(())
    }

    fn link(&self, from: &NodeId, to: &NodeId) -> Result<&Arc<Link>> {
        let (source, target) = (self.ends.find(from)?, self.ends.find(to)?);
        if source == target {
            return Err(Error::Failed(format!(
                "there is no link from {from} to itself"
            )));
        }
        Ok(self.links.get(source, target))
    }

    /// The address `from` dials; made on first use. Where it can't be made (unknown peer, no file
    /// descriptors left) the address is one that refuses, and the reason is logged.
    fn route(&self, from: End, peer: &NodeId, port: u16) -> SocketAddr {
        let made = self.ends.find(peer).and_then(|to| {
            if to == from {
                Ok(SocketAddr::new(self.block.node(to), port))
            } else {
                self.bind_route(from, to, port)
            }
        });
        made.unwrap_or_else(|error| {
            tracing::error!(from = %self.ends.name(from), to = %peer, port, %error, "no route");
            SocketAddr::new(self.block.address(0, 0), port)
        })
    }

    fn bind_route(&self, from: End, to: End, port: u16) -> Result<SocketAddr> {
        let mut routes = lock(&self.routes);
        let key = (from.index(), to.index(), port);
        if let Some(address) = routes.get(&key) {
            return Ok(*address);
        }
        let wanted = SocketAddr::new(self.block.address(from.octet(), to.octet()), port);
        let (listener, address) =
            proxy::listen(wanted).map_err(Error::io(format!("listen on {wanted}")))?;
        let route = proxy::Route {
            listen: address,
            target: SocketAddr::new(self.block.node(to), port),
            source: SocketAddr::new(self.block.node(from), 0),
            forth: self.links.get(from, to).clone(),
            back: self.links.get(to, from).clone(),
        };
        self.run(async move {
            if let Err(error) = proxy::serve(Arc::new(route), listener).await {
                tracing::error!(%address, %error, "proxy");
            }
        });
        routes.insert(key, address);
        Ok(address)
    }

    /// Runs a task until the environment ends.
    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &*lock(&self.runtime) {
            runtime.spawn(task);
        }
    }

    fn close(&self) {
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        self.close();
    }
}

impl Block {
    /// Claims the first free block, starting at a place that differs between processes.
    fn claim() -> Result<Self> {
        let count = u32::from(BLOCKS.end() - BLOCKS.start()) + 1;
        let mut reason = None;
        for step in 0..count {
            let place = (std::process::id() + step) % count;
            let octet = BLOCKS.start() + u8::try_from(place).expect("count is below 256");
            let address = IpAddr::V4(Ipv4Addr::new(127, octet, 0, 253));
            match std::net::TcpListener::bind((address, CLAIM_PORT)) {
                Ok(claim) => {
                    return Ok(Self {
                        octet,
                        _claim: claim,
                    });
                }
                Err(error) => reason = Some(error),
            }
        }
        Err(Error::Unsupported(format!(
            "no block of addresses 127.{}-{}.0.0/16 is free: {}",
            BLOCKS.start(),
            BLOCKS.end(),
            reason.map_or_else(|| "none was tried".into(), |error| error.to_string())
        )))
    }

    fn address(&self, third: u8, fourth: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.octet, third, fourth))
    }

    fn node(&self, end: End) -> IpAddr {
        self.address(0, end.octet())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_runs_at_once_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let one = Loopback::new(2, &folder.path().join("one")).await.unwrap();
        let two = Loopback::new(2, &folder.path().join("two")).await.unwrap();
        assert_ne!(one.nodes()[0].addr(), two.nodes()[0].addr());
        let (n1, n2) = (NodeId::numbered(1), NodeId::numbered(2));
        let limit = Duration::from_secs(5);
        let (first, second) = (one.network().unwrap(), two.network().unwrap());
        first.cut(&n1, &n2).await.unwrap();
        assert!(second.probe(&n1, &n2, limit).await.unwrap());
        one.teardown().await.unwrap();
        assert!(second.probe(&n2, &n1, limit).await.unwrap());
        two.teardown().await.unwrap();
    }
}
