//! The environment of network namespaces: every node has its own network, hostname and mounts, and every
//! packet between nodes goes through a switch of our own.
//!
//! ```text
//!  n1            n2            controller            namespaces of the ends
//!  eth0          eth0          eth0                  10.88.0.1   10.88.0.2   10.88.0.254
//!   │             │             │                    veth pairs
//!  to-n1         to-n2         to-controller         namespace of the switch
//!   └── packet sockets ── switch thread ──┘          one quality and one set of counters per direction
//! ```
//!
//! Start reading at [`enter()`], which brings the whole program into namespaces in which nothing can be
//! left behind; then `links` (the cables), `switch` (the thread that moves packets) and `fate` (what
//! happens to one).

mod address;
mod enter;
mod fate;
mod links;
mod packet;
mod probe;
mod switch;
mod tether;

pub use enter::{Entered, enter, is_inside};
pub(crate) use packet::open as open_packet_socket;

use crate::ends::{CONTROLLER, End, Ends, Pairs};
use crate::process::{self, Confinement, Place, Spawner};
use crate::{
    Environment, Error, LinkCounters, LinkQuality, Network, Node, NodeId, Process, ProcessState,
    Program, Result, Signal,
};
use async_trait::async_trait;
use fate::Link;
use links::Namespaces;
use probe::Probes;
use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use switch::Switch;

/// How long the end of processes may take once they are killed.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(10);

pub struct Netns {
    nodes: Vec<Arc<dyn Node>>,
    spawner: Arc<Spawner>,
    fabric: Arc<Fabric>,
    namespaces: Namespaces,
}

struct Fabric {
    ends: Ends,
    links: Arc<Pairs<Link>>,
    switch: Switch,
    probes: Probes,
}

struct Host {
    end: End,
    place: Place,
    spawner: Arc<Spawner>,
    ends: Ends,
}

impl Netns {
    /// `nodes` nodes named `n1`, `n2`, ... with folders `<dir>/n1`, ... Only inside [`enter()`], in a
    /// tokio runtime, and one at a time.
    pub async fn new(nodes: usize, dir: &Path) -> Result<Arc<Self>> {
        if !is_inside() {
            return Err(Error::Unsupported(
                "the netns environment needs the program to have called netns::enter first".into(),
            ));
        }
        let ends = Ends::new(nodes)?;
        let spawner = Arc::new(Spawner::new()?);
        let namespaces = Namespaces::new(&ends)?;
        let interfaces = namespaces.connect(&ends)?;
        let links = Arc::new(Pairs::new(&ends, Link::default));
        let switch = links::inside(namespaces.switch(), || {
            Switch::start(&ends, &interfaces, links.clone())
        })?;
        let probes = Probes::open(&ends, &namespaces)?;
        let mut hosts: Vec<Arc<dyn Node>> = Vec::new();
        for end in ends.nodes() {
            hosts.push(Arc::new(Host {
                end,
                place: place(&ends, end, &namespaces, dir)?,
                spawner: spawner.clone(),
                ends: ends.clone(),
            }));
        }
        Ok(Arc::new(Self {
            nodes: hosts,
            spawner,
            fabric: Arc::new(Fabric {
                ends,
                links,
                switch,
                probes,
            }),
            namespaces,
        }))
    }
}

/// A node's folder, and the confinement of its programs.
fn place(ends: &Ends, end: End, namespaces: &Namespaces, dir: &Path) -> Result<Place> {
    let node = ends.name(end).clone();
    let folder = crate::node_folder(dir, &node)?;
    let network = namespaces
        .of(end)
        .try_clone()
        .map_err(Error::io(format!("{node}: keep the network namespace")))?;
    Ok(Place {
        confinement: Some(Arc::new(Confinement {
            network,
            hostname: node.to_string(),
            hosts: hosts_file(ends, &folder)?,
        })),
        node,
        dir: folder,
    })
}

/// Writes the names of all ends, to be seen as `/etc/hosts`; none where the machine has no such file.
fn hosts_file(ends: &Ends, folder: &Path) -> Result<Option<CString>> {
    if !Path::new("/etc/hosts").exists() {
        return Ok(None);
    }
    let mut text = String::from("127.0.0.1 localhost\n");
    for end in ends.all() {
        text += &format!("{} {}\n", address::ip(end), ends.name(end));
    }
    let path = folder.join("hosts");
    let shown = path.display().to_string();
    std::fs::write(&path, text).map_err(Error::io(shown.clone()))?;
    CString::new(path.as_os_str().as_bytes())
        .map(Some)
        .map_err(|_| Error::Failed(format!("{shown}: a path can't hold a zero byte")))
}

#[async_trait]
impl Environment for Netns {
    fn name(&self) -> &'static str {
        "netns"
    }

    fn nodes(&self) -> &[Arc<dyn Node>] {
        &self.nodes
    }

    fn network(&self) -> Option<Arc<dyn Network>> {
        Some(self.fabric.clone())
    }

    fn client_addr(&self, node: &NodeId, port: u16) -> SocketAddr {
        route(&self.fabric.ends, node, port)
    }

    async fn teardown(&self) -> Result<()> {
        let ended = self.spawner.end(TEARDOWN_LIMIT).await;
        self.fabric.switch.stop();
        self.namespaces.disconnect_controller()?;
        ended
    }
}

#[async_trait]
impl Node for Host {
    fn id(&self) -> &NodeId {
        &self.place.node
    }

    fn addr(&self) -> IpAddr {
        address::ip(self.end)
    }

    fn dir(&self) -> &Path {
        &self.place.dir
    }

    fn route(&self, peer: &NodeId, port: u16) -> SocketAddr {
        route(&self.ends, peer, port)
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

    async fn shape(&self, from: &NodeId, to: &NodeId, quality: LinkQuality) -> Result<()> {
        self.link(from, to)?.shape(&quality);
        Ok(())
    }

    async fn heal(&self) -> Result<()> {
        for link in self.links.iter() {
            link.shape(&LinkQuality::default());
            link.mend();
        }
        Ok(())
    }

    fn counters(&self, from: &NodeId, to: &NodeId) -> LinkCounters {
        self.link(from, to).map(Link::counters).unwrap_or_default()
    }

    async fn probe(&self, from: &NodeId, to: &NodeId, limit: Duration) -> Result<bool> {
        let (source, target) = self.ends.pair(from, to)?;
        self.probes.send(source, target, limit).await
    }
}

impl Fabric {
    fn link(&self, from: &NodeId, to: &NodeId) -> Result<&Link> {
        let (source, target) = self.ends.pair(from, to)?;
        Ok(self.links.get(source, target))
    }
}

/// Everyone reaches a node at its own address. An unknown one gets an address that nobody has.
fn route(ends: &Ends, peer: &NodeId, port: u16) -> SocketAddr {
    let address = ends.find(peer).map(address::ip);
    SocketAddr::new(address.unwrap_or_else(|_| address::ip(CONTROLLER)), port)
}
