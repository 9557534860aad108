//! Connections between servers. Each server dials every other and sends on the connection that it dialled.
//!
//! Raft repeats what matters, so messages are dropped rather than queued without end: a peer that does not take
//! them loses the newest. A connection whose data go unacknowledged for [`GIVE_UP`] is replaced, because TCP
//! would stretch a cut of seconds to minutes by its back-off.

use super::core::Job;
use super::{Config, wire};
use crate::raft::Message;
use crate::replica::Input;
use crate::types::ServerId;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::Sender;
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

/// Sends to the other servers.
pub struct Peers(BTreeMap<ServerId, mpsc::Sender<Message>>);

impl Peers {
    pub fn send(&self, to: ServerId, message: Message) {
        if let Some(queue) = self.0.get(&to) {
            // Full: the peer is away or slow, and will be told again.
            let _ = queue.try_send(message);
        }
    }
}

pub fn start(runtime: &Handle, config: &Config, listener: TcpListener, jobs: Sender<Job>) -> Peers {
    let id = config.id;
    runtime.spawn(accept(listener, id, jobs));
    let others = config.peers.iter().filter(|(peer, _)| **peer != id);
    Peers(
        others
            .map(|(&peer, addr)| {
                let (sender, queue) = mpsc::channel(QUEUE);
                runtime.spawn(dial(id, peer, addr.clone(), queue));
                (peer, sender)
            })
            .collect(),
    )
}

async fn dial(id: ServerId, peer: ServerId, addr: String, mut queue: mpsc::Receiver<Message>) {
    let mut backoff = FIRST_BACKOFF;
    loop {
        match connect(&addr).await {
            Ok(stream) => {
                backoff = FIRST_BACKOFF;
                // What was meant for the time before is stale.
                while queue.try_recv().is_ok() {}
                match send(stream, id, peer, &mut queue).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%peer, %error, "connection lost"),
                }
            }
            Err(error) => {
                tracing::trace!(%peer, %error, "no connection");
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
    id: ServerId,
    peer: ServerId,
    queue: &mut mpsc::Receiver<Message>,
) -> io::Result<()> {
    let mut bytes = wire::hello(id, peer);
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

async fn accept(listener: TcpListener, id: ServerId, jobs: Sender<Job>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let jobs = jobs.clone();
                tokio::spawn(async move {
                    if let Err(error) = receive(stream, id, jobs).await {
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

async fn receive(stream: TcpStream, id: ServerId, jobs: Sender<Job>) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    let (from, to) = timeout(CONNECT, wire::read_hello(&mut stream)).await??;
    if to != id {
        return Err(io::Error::other(format!("{from} wants {to}, this is {id}")));
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
