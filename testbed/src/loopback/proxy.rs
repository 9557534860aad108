//! The proxy of one directed route: what `from` dials to reach a port of `to`.
//!
//! A connection has two streams, one per direction, each of which goes through the [`Link`] of that
//! direction. A cut link holds bytes, ends of streams and resets back; it loses none, but a connection that
//! was held back for longer than a sender would wait is reset when the link opens. A connection opened
//! during a cut is accepted, as the kernel does that on its own, and goes nowhere until both directions
//! are open.
//!
//! A proxy must not hide that nobody listens at the target, for a client learns from a refused connection
//! that its request can't have arrived. So after the target refused once, the proxy stops listening until
//! the target is back; while a link is cut it listens again, since a cut network refuses nothing.

use super::link::Link;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// The most that is read at once, and so the most that is held per stream besides kernel buffers.
const CHUNK: usize = 64 * 1024;
/// How often a target that refused is tried again.
const RETRY: Duration = Duration::from_millis(20);
const BACKLOG: u32 = 1024;

pub(super) struct Route {
    /// Where `from` dials.
    pub listen: SocketAddr,
    /// Where the program on `to` listens.
    pub target: SocketAddr,
    /// The address that `to` sees `from` come from.
    pub source: SocketAddr,
    pub forth: Arc<Link>,
    pub back: Arc<Link>,
}

/// How a connection ended: after it stood, or because nobody listens at the target.
enum Dial {
    Ended,
    Refused,
}

/// Binds the route's address, or any free port of it where another program holds the port on all
/// addresses. Returns the listener and its address.
pub(super) fn listen(address: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)
        .or_else(|_| std::net::TcpListener::bind((address.ip(), 0)))?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves a route until the task is dropped, and every connection with it.
pub(super) async fn serve(route: Arc<Route>, listener: std::net::TcpListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut listener = TcpListener::from_std(listener)?;
    loop {
        accept(&route, listener, &mut connections).await;
        absent(&route, &mut connections).await;
        listener = reopen(route.listen).await;
    }
}

/// Takes connections until the target refuses one; stops listening then.
async fn accept(route: &Arc<Route>, listener: TcpListener, connections: &mut JoinSet<Dial>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(connection(route.clone(), client));
                }
                // Out of file descriptors, or a client that has left again: wait and go on.
                Err(_) => tokio::time::sleep(RETRY).await,
            },
            Some(ended) = connections.join_next() => {
                if matches!(ended, Ok(Dial::Refused)) {
                    return;
                }
            }
        }
    }
}

/// Returns when the target takes connections again, or when a cut hides whether it does.
async fn absent(route: &Route, connections: &mut JoinSet<Dial>) {
    loop {
        if !route.forth.is_open() || !route.back.is_open() {
            return;
        }
        if dial(route).await.is_ok() {
            return;
        }
        tokio::select! {
            () = route.forth.closed() => return,
            () = route.back.closed() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Listens again at an address that is ours alone; patient, as an old socket may still be closing.
async fn reopen(address: SocketAddr) -> TcpListener {
    loop {
        let socket = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        });
        match socket {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::debug!(%address, %error, "listen again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn dial(route: &Route) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(route.source.ip(), 0))?;
    socket.connect(route.target).await
}

/// One connection from its dialling to its end.
async fn connection(route: Arc<Route>, mut client: TcpStream) -> Dial {
    // The opening handshake needs both directions.
    while !route.forth.is_open() || !route.back.is_open() {
        route.forth.opened().await;
        route.back.opened().await;
    }
    let Ok(mut server) = dial(&route).await else {
        reset(&client);
        return Dial::Refused;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let ended = tokio::try_join!(
        stream(from_client, to_server, &route.forth),
        stream(from_server, to_client, &route.back),
    );
    if ended.is_err() {
        reset(&client);
        reset(&server);
    }
    Dial::Ended
}

/// Moves bytes one way until the stream ends. An error stands for a reset, which has passed the link.
async fn stream(from: ReadHalf<'_>, to: WriteHalf<'_>, link: &Link) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        from.readable().await?;
        let length = match from.try_read(&mut chunk) {
            Ok(0) => {
                link.opened().await;
                return shutdown(to).await;
            }
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => {
                link.opened().await;
                return Err(error);
            }
        };
        match write(&to, &chunk[..length], link).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
            // The other end has closed or reset; that is the other stream's to report.
            Err(_) => return Ok(()),
        }
    }
}

/// Writes all of `chunk`, each piece only while the link is open.
async fn write(to: &WriteHalf<'_>, mut chunk: &[u8], link: &Link) -> io::Result<()> {
    while !chunk.is_empty() {
        if !link.opened().await {
            return Err(io::ErrorKind::TimedOut.into());
        }
        to.writable().await?;
        let whole =
            |written: &io::Result<usize>| matches!(written, Ok(length) if *length == chunk.len());
        match link.pass(|| to.try_write(chunk), whole) {
            None => {}
            Some(Ok(length)) => chunk = &chunk[length..],
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

async fn shutdown(mut to: WriteHalf<'_>) -> io::Result<()> {
    // An error means that the other end has already gone.
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut to).await;
    Ok(())
}

/// Makes the coming close of the socket a reset.
fn reset(socket: &TcpStream) {
    let _ = socket.set_zero_linger();
}
