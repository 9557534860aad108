//! Connections between servers. Each server dials every other and sends on the connection that it dialled.
//!
//! Who the others are follows the membership ([`Peers::keep`]): those who are added are dialled, those who left are not
//! any more. Where a server is reached is known, in this order, by the membership, by configuration, or because
//! it said so itself when it dialled: a server that is being added, or that was away while the members changed,
//! must answer a leader that it has never heard of. Such a one is dialled when there is something to say.
//!
//! Raft repeats what matters, so messages are dropped rather than queued without end: a peer that does not take
//! them loses the newest. A connection whose data go unacknowledged for [`GIVE_UP`] is replaced, because TCP
//! would stretch a cut of seconds to minutes by its back-off.

use super::Config;
use super::core::Job;
use super::wire::{self, Hello};
use crate::raft::Message;
use crate::replica::Input;
use crate::types::ServerId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

const QUEUE: usize = 4_096;
const CONNECT: Duration = Duration::from_millis(500);
const GIVE_UP: Duration = Duration::from_millis(1_000);
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LAST_BACKOFF: Duration = Duration::from_millis(200);

/// Addresses that servers gave of themselves.
type Said = Arc<Mutex<BTreeMap<ServerId, String>>>;

/// Sends to the other servers.
pub struct Peers {
    id: ServerId,
    own_address: String,
    runtime: Handle,
    /// By the membership.
    agreed: BTreeMap<ServerId, String>,
    configured: BTreeMap<ServerId, String>,
    said: Said,
    links: BTreeMap<ServerId, Link>,
}

struct Link {
    addr: String,
    queue: mpsc::Sender<Message>,
    /// Pieces of images have a connection of their own: heartbeats must not wait behind megabytes.
    bulk: mpsc::Sender<Message>,
}

impl Peers {
    pub fn send(&mut self, to: ServerId, message: Message) {
        if !self.links.contains_key(&to) {
            self.dial(to);
        }
        if let Some(link) = self.links.get(&to) {
            let queue = match message {
                Message::Chunk { .. } => &link.bulk,
                _ => &link.queue,
            };
            // Full: the peer is away or slow, and will be told again.
            let _ = queue.try_send(message);
        }
    }

    /// Stays connected with these, and with nobody else.
    pub fn keep(&mut self, keep: &BTreeSet<ServerId>, agreed: BTreeMap<ServerId, String>) {
        self.agreed = agreed;
        let mut links = std::mem::take(&mut self.links);
        // A link whose queue is dropped ends.
        links.retain(|&id, link| {
            let kept = keep.contains(&id) && self.address(id).as_ref() == Some(&link.addr);
            if !kept {
                tracing::info!(peer = %id, addr = link.addr, "not dialled any more");
            }
            kept
        });
        self.links = links;
        for &id in keep {
            if !self.links.contains_key(&id) {
                self.dial(id);
            }
        }
    }

    fn address(&self, id: ServerId) -> Option<String> {
        let known = self.agreed.get(&id).or_else(|| self.configured.get(&id));
        known
            .cloned()
            .or_else(|| lock(&self.said).get(&id).cloned())
    }

    fn dial(&mut self, to: ServerId) {
        let Some(addr) = self.address(to).filter(|_| to != self.id) else {
            return;
        };
        let connection = || {
            let (sender, queue) = mpsc::channel(QUEUE);
            let hello = Hello {
                from: self.id,
                to,
                address: self.own_address.clone(),
            };
            self.runtime.spawn(dial(hello, addr.clone(), queue));
            sender
        };
        let (queue, bulk) = (connection(), connection());
        self.links.insert(to, Link { addr, queue, bulk });
    }
}

fn lock(said: &Said) -> MutexGuard<'_, BTreeMap<ServerId, String>> {
    said.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Takes connections. Nobody is dialled before the replica says who belongs.
pub fn start(runtime: &Handle, config: &Config, listener: TcpListener, jobs: Sender<Job>) -> Peers {
    let said = Said::default();
    runtime.spawn(accept(listener, config.id, said.clone(), jobs));
    Peers {
        id: config.id,
        own_address: config.own_address().unwrap_or_default(),
        runtime: runtime.clone(),
        agreed: BTreeMap::new(),
        configured: config.peers.clone(),
        said,
        links: BTreeMap::new(),
    }
}

async fn dial(hello: Hello, addr: String, mut queue: mpsc::Receiver<Message>) {
    let peer = hello.to;
    let mut backoff = FIRST_BACKOFF;
    loop {
        match connect(&addr).await {
            Ok(stream) => {
                backoff = FIRST_BACKOFF;
                // What was meant for the time before is stale.
                while queue.try_recv().is_ok() {}
                match send(stream, &hello, &mut queue).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%peer, %error, "connection lost"),
                }
            }
            Err(error) => {
                tracing::trace!(%peer, %error, "no connection");
                if queue.is_closed() {
                    return;
                }
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(LAST_BACKOFF);
            }
        }
    }
}

async fn connect(addr: &str) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT, TcpStream::connect(addr)).await??;
    stream.set_nodelay(true)?;
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(GIVE_UP))?;
    Ok(stream)
}

/// Sends until the connection breaks, or returns when there will be no more messages.
async fn send(
    mut stream: TcpStream,
    hello: &Hello,
    queue: &mut mpsc::Receiver<Message>,
) -> io::Result<()> {
    let mut bytes = wire::hello(hello);
    let mut messages = Vec::new();
    loop {
        if !bytes.is_empty() {
            timeout(GIVE_UP, stream.write_all(&bytes)).await??;
            bytes.clear();
        }
        // All that waits goes out in one write. Nothing comes back on this connection but its end.
        tokio::select! {
            taken = queue.recv_many(&mut messages, 256) => {
                if taken == 0 {
                    return Ok(());
                }
            }
            readable = stream.readable() => {
                readable?;
                match stream.try_read(&mut [0; 64]) {
                    Ok(_) => return Err(io::ErrorKind::ConnectionReset.into()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
        for message in messages.drain(..) {
            wire::encode(&message, &mut bytes);
        }
    }
}

async fn accept(listener: TcpListener, id: ServerId, said: Said, jobs: Sender<Job>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let (said, jobs) = (said.clone(), jobs.clone());
                tokio::spawn(async move {
                    if let Err(error) = receive(stream, id, &said, jobs).await {
                        tracing::debug!(%from, %error, "peer connection ended");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: it may pass.
                tracing::warn!(%error, "a peer could not be accepted");
                tokio::time::sleep(LAST_BACKOFF).await;
            }
        }
    }
}

async fn receive(
    stream: TcpStream,
    id: ServerId,
    said: &Said,
    jobs: Sender<Job>,
) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let Hello { from, to, address } = timeout(CONNECT, wire::read_hello(&mut stream)).await??;
    if to != id {
        return Err(io::Error::other(format!("{from} wants {to}, this is {id}")));
    }
    if super::config::is_address(&address) {
        lock(said).insert(from, address);
    }
    loop {
        let message = wire::read(&mut stream).await?;
        if jobs
            .send(Job::Input(Input::Message { from, message }))
            .is_err()
        {
            return Ok(());
        }
    }
}
