//! Probes of links: for every directed pair a standing connection through the same proxy as all traffic,
//! over which numbered tokens travel one way to a sink on the node.
//!
//! The connections stand before any cut, so that a probe tells the two directions apart: a new connection
//! would need both.

use crate::process::lock;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::JoinSet;

/// The tokens that are under way, and who waits for them.
#[derive(Default)]
pub(super) struct Tokens {
    next: AtomicU64,
    awaited: Mutex<BTreeMap<u64, oneshot::Sender<()>>>,
}

/// The standing connection of one directed pair.
pub(super) struct Probe {
    route: SocketAddr,
    stream: AsyncMutex<Option<TcpStream>>,
}

impl Tokens {
    fn issue(&self) -> (u64, oneshot::Receiver<()>) {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let (arrived, arrival) = oneshot::channel();
        lock(&self.awaited).insert(token, arrived);
        (token, arrival)
    }

    fn arrived(&self, token: u64) {
        if let Some(waiting) = lock(&self.awaited).remove(&token) {
            let _ = waiting.send(());
        }
    }

    fn forget(&self, token: u64) {
        lock(&self.awaited).remove(&token);
    }
}

impl Probe {
    pub async fn connect(route: SocketAddr) -> Result<Self> {
        let stream = AsyncMutex::new(Some(open(route).await?));
        Ok(Self { route, stream })
    }

    /// Whether a token sent now arrives within `limit`. A connection that was reset, as happens to one
    /// that was held back for long, is opened anew.
    pub async fn send(&self, tokens: &Tokens, limit: Duration) -> Result<bool> {
        let (token, arrival) = tokens.issue();
        let sent = self.write(token).await;
        if let Err(error) = sent {
            tokens.forget(token);
            return Err(error);
        }
        let arrived = tokio::time::timeout(limit, arrival).await.is_ok();
        if !arrived {
            // If the link is open, the connection must have been lost on the way.
            *self.stream.lock().await = None;
        }
        tokens.forget(token);
        Ok(arrived)
    }

    async fn write(&self, token: u64) -> Result<()> {
        let mut stream = self.stream.lock().await;
        if let Some(open) = stream.as_mut()
            && open.write_all(&token.to_be_bytes()).await.is_ok()
        {
            return Ok(());
        }
        let mut anew = open(self.route).await?;
        let sent = anew.write_all(&token.to_be_bytes()).await;
        *stream = Some(anew);
        sent.map_err(Error::io("send a probe"))
    }
}

async fn open(route: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(route).await;
    stream
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        .map_err(Error::io(format!("connect the probe to {route}")))
}

/// Opens the sink of a node.
pub(super) fn open_sink(address: IpAddr) -> Result<(std::net::TcpListener, u16)> {
    let open = || {
        let listener = std::net::TcpListener::bind((address, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    open().map_err(Error::io(format!("listen for probes on {address}")))
}

/// Takes in tokens until the task is dropped.
pub(super) async fn sink(listener: std::net::TcpListener, tokens: Arc<Tokens>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let tokens = tokens.clone();
        connections.spawn(async move {
            while let Ok(token) = stream.read_u64().await {
                tokens.arrived(token);
            }
        });
    }
}
