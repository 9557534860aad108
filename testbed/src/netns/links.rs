//! The namespaces of nodes and the cables between them, made through netlink.
//!
//! Every end has one interface `eth0`, whose other side is an interface of the switch namespace. Neighbour
//! tables are filled in advance, so that no address resolution crosses the links and a cut link carries
//! nothing at all.

use super::address;
use crate::ends::{CONTROLLER, End, Ends};
use crate::{Error, Result};
use futures::TryStreamExt;
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth};
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;

const INTERFACE: &str = "eth0";

/// The network namespaces of a run. Each lives as long as its descriptor, a process or a socket in it.
pub(super) struct Namespaces {
    ends: Vec<OwnedFd>,
    switch: OwnedFd,
}

impl Namespaces {
    /// The controller's namespace is the caller's; nodes and the switch get new ones.
    pub fn new(ends: &Ends) -> Result<Self> {
        let mut namespaces = vec![own()?];
        for _ in ends.nodes() {
            namespaces.push(fresh()?);
        }
        Ok(Self {
            ends: namespaces,
            switch: fresh()?,
        })
    }

    pub fn of(&self, end: End) -> &OwnedFd {
        &self.ends[end.index()]
    }

    pub fn switch(&self) -> &OwnedFd {
        &self.switch
    }

    /// Connects every end to the switch. Returns the interface numbers of the switch's sides.
    pub fn connect(&self, ends: &Ends) -> Result<Vec<u32>> {
        self.disconnect_controller()?;
        let cables = inside(&self.switch, || netlink(|handle| self.cables(ends, handle)))?;
        for end in ends.all() {
            inside(self.of(end), || {
                netlink(|handle| configure(ends, end, handle))
            })?;
        }
        Ok(cables)
    }

    /// Removes the controller's interface; the kernel removes the others with their namespaces.
    pub fn disconnect_controller(&self) -> Result<()> {
        inside(self.of(CONTROLLER), || {
            netlink(async |handle| match index(&handle, INTERFACE).await? {
                Some(index) => handle
                    .link()
                    .del(index)
                    .execute()
                    .await
                    .map_err(refused("remove the controller's interface")),
                None => Ok(()),
            })
        })
    }

    async fn cables(&self, ends: &Ends, handle: Handle) -> Result<Vec<u32>> {
        let mut indices = Vec::new();
        for end in ends.all() {
            let side = format!("to-{}", ends.name(end));
            // Interface names hold at most 15 bytes.
            let side = side.get(..15).unwrap_or(&side).to_owned();
            let far = LinkMessageBuilder::<LinkUnspec>::new()
                .name(INTERFACE)
                .address(address::mac(end).to_vec())
                .setns_by_fd(self.of(end).as_raw_fd())
                .build();
            let cable = LinkVeth::new(&side, INTERFACE)
                .set_info_data(InfoData::Veth(InfoVeth::Peer(far)))
                .promiscuous(true)
                .up()
                .build();
            let what = format!("make the link of {}", ends.name(end));
            handle
                .link()
                .add(cable)
                .execute()
                .await
                .map_err(refused(what.clone()))?;
            let index = index(&handle, &side).await?;
            indices.push(index.ok_or_else(|| Error::Failed(format!("{what}: it is not there")))?);
        }
        Ok(indices)
    }
}

/// Brings up an end's interfaces, with its address and the link addresses of all others.
async fn configure(ends: &Ends, end: End, handle: Handle) -> Result<()> {
    let name = ends.name(end);
    for interface in ["lo", INTERFACE] {
        let up = LinkUnspec::new_with_name(interface).up().build();
        handle
            .link()
            .set(up)
            .execute()
            .await
            .map_err(refused(format!("{name}: bring {interface} up")))?;
    }
    let index = index(&handle, INTERFACE)
        .await?
        .ok_or_else(|| Error::Failed(format!("{name}: {INTERFACE} is not there")))?;
    handle
        .address()
        .add(index, address::ip(end), address::PREFIX_LENGTH)
        .execute()
        .await
        .map_err(refused(format!("{name}: set the address")))?;
    for other in ends.all().filter(|other| *other != end) {
        let ip: IpAddr = address::ip(other);
        handle
            .neighbours()
            .add(index, ip)
            .link_layer_address(&address::mac(other))
            .execute()
            .await
            .map_err(refused(format!("{name}: set the neighbour {ip}")))?;
    }
    Ok(())
}

async fn index(handle: &Handle, interface: &str) -> Result<Option<u32>> {
    // Listing all and looking, since asking for a missing one is an error like any other.
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await.map_err(refused("list interfaces"))? {
        let named = link.attributes.iter().any(|attribute| {
            matches!(attribute, rtnetlink::packet_route::link::LinkAttribute::IfName(name) if name == interface)
        });
        if named {
            return Ok(Some(link.header.index));
        }
    }
    Ok(None)
}

/// Runs `work` on a thread in the network namespace.
pub(super) fn inside<T: Send>(
    namespace: &OwnedFd,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    on_thread(|| {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Io {
            what: "enter a network namespace".into(),
            source: errno.into(),
        })?;
        work()
    })
}

/// A new network namespace without IPv6, which would talk on its own.
fn fresh() -> Result<OwnedFd> {
    on_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Io {
            what: "make a network namespace".into(),
            source: errno.into(),
        })?;
        for scope in ["all", "default"] {
            let path = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
            match std::fs::write(&path, "1") {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(path)(error));
                }
                _ => {}
            }
        }
        own()
    })
}

fn own() -> Result<OwnedFd> {
    let path = "/proc/thread-self/ns/net";
    let file = File::open(path).map_err(Error::io(path))?;
    Ok(file.into())
}

/// A namespace belongs to a thread: what enters one gets a thread that ends with it.
fn on_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("namespace".into())
            .spawn_scoped(scope, work)
            .map_err(Error::io("start a thread for a namespace"))?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Talks netlink in the network namespace of the calling thread.
fn netlink<T>(work: impl AsyncFnOnce(Handle) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start a runtime for netlink"))?;
    runtime.block_on(async {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(Error::io("open a netlink socket"))?;
        tokio::spawn(connection);
        work(handle).await
    })
}

fn refused(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Error {
    let what = what.into();
    move |error| Error::Failed(format!("{what}: {error}"))
}
