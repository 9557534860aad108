//! Probes of links: numbered datagrams from a socket in one end's namespace to a socket in another's.
//!
//! They are packets like all others to the switch. They travel one way, so a probe tells the two
//! directions of a pair apart.

use super::address;
use super::links::{Namespaces, inside};
use crate::ends::{End, Ends};
use crate::process::lock;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// Outside the range that the kernel gives to clients, and no system's port that we know of.
const PORT: u16 = 997;
/// How long after a datagram the next one is sent, as one may get lost on a lossy link.
const REPEAT: Duration = Duration::from_millis(50);

pub(super) struct Probes {
    sockets: Vec<Arc<UdpSocket>>,
    next: AtomicU64,
    awaited: Arc<Awaited>,
    readers: Vec<AbortHandle>,
}

type Awaited = Mutex<BTreeMap<u64, oneshot::Sender<()>>>;

impl Probes {
    /// Opens a socket in every end's namespace. Must be called within a tokio runtime.
    pub fn open(ends: &Ends, namespaces: &Namespaces) -> Result<Self> {
        let awaited = Arc::new(Awaited::default());
        let (mut sockets, mut readers) = (Vec::new(), Vec::new());
        for end in ends.all() {
            let address = SocketAddr::new(address::ip(end), PORT);
            let failed = |source| Error::io(format!("open the probe socket {address}"))(source);
            let socket = inside(namespaces.of(end), || {
                std::net::UdpSocket::bind(address).map_err(failed)
            })?;
            socket.set_nonblocking(true).map_err(failed)?;
            let socket = Arc::new(UdpSocket::from_std(socket).map_err(failed)?);
            let reader = tokio::spawn(take_in(socket.clone(), awaited.clone()));
            readers.push(reader.abort_handle());
            sockets.push(socket);
        }
        Ok(Self {
            sockets,
            next: AtomicU64::new(0),
            awaited,
            readers,
        })
    }

    /// Whether a datagram sent from `from` reaches `to` within `limit`.
    pub async fn send(&self, from: End, to: End, limit: Duration) -> Result<bool> {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let (arrived, mut arrival) = oneshot::channel();
        lock(&self.awaited).insert(token, arrived);
        let outcome = self.attempt(from, to, token, &mut arrival, limit).await;
        lock(&self.awaited).remove(&token);
        outcome
    }

    async fn attempt(
        &self,
        from: End,
        to: End,
        token: u64,
        arrival: &mut oneshot::Receiver<()>,
        limit: Duration,
    ) -> Result<bool> {
        let target = SocketAddr::new(address::ip(to), PORT);
        let deadline = Instant::now() + limit;
        loop {
            self.sockets[from.index()]
                .send_to(&token.to_be_bytes(), target)
                .await
                .map_err(Error::io(format!("send a probe to {target}")))?;
            let next = deadline.min(Instant::now() + REPEAT);
            if timeout_at(next, &mut *arrival).await.is_ok() {
                return Ok(true);
            }
            if next == deadline {
                return Ok(false);
            }
        }
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

async fn take_in(socket: Arc<UdpSocket>, awaited: Arc<Awaited>) {
    let mut token = [0; 8];
    loop {
        match socket.recv(&mut token).await {
            Ok(8) => {
                if let Some(waiting) = lock(&awaited).remove(&u64::from_be_bytes(token)) {
                    let _ = waiting.send(());
                }
            }
            Ok(_) => {}
            // The end has no way to a peer for a moment; the next datagram is another matter.
            Err(_) => tokio::time::sleep(REPEAT).await,
        }
    }
}
