//! `shakedown serve`: web pages over the runs, for this machine only.
//!
//! [`store`] is the only door to files, [`guard`] what every request passes, [`pages`] the way from an address to a
//! page of [`results::web`]. [`rows`] keeps what is known of each run, [`tail`] follows runs that go on, [`writer`]
//! tells those from interrupted ones, [`files`] streams what is fetched. Nothing is ever written, so there is
//! nothing to lose and nothing to clean up.

mod files;
mod guard;
mod pages;
mod rows;
pub mod store;
mod tail;
mod writer;

use crate::exit::{Failure, Result};
use std::net::SocketAddr;
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// After Ctrl-C, answers that are under way may take so long to end.
const ENDING: Duration = Duration::from_secs(2);

/// Where to listen; anything that others could reach is refused.
pub fn address(text: &str) -> Result<SocketAddr> {
    let named = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let address: SocketAddr = named.parse().map_err(|_| {
        Failure::usage(format!(
            "--listen {text}: not an address with a port, like 127.0.0.1:8742"
        ))
    })?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(Failure::usage(format!(
            "--listen {text}: only loopback addresses are served (127.0.0.1 or [::1]): the pages show whatever the runs \
             recorded, to anyone who asks. From another machine, use a tunnel: ssh -L {port}:127.0.0.1:{port} HOST",
            port = address.port()
        ))),
    }
}

/// Serves until Ctrl-C. `began` is told the address.
pub async fn serve(
    store: Store,
    address: SocketAddr,
    began: impl FnOnce(SocketAddr),
) -> Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::usage(format!("--listen {address}: {error}")))?;
    began(listener.local_addr()?);
    let (ending, mut ended) = tokio::sync::watch::channel(false);
    let mut stop = ended.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        ending.send_replace(true);
    });
    let server = axum::serve(listener, pages::router(store)).with_graceful_shutdown(async move {
        // An error is the end of the task above, which is the end of all.
        let _ = stop.wait_for(|ending| *ending).await;
    });
    let overdue = async {
        let _ = ended.wait_for(|ending| *ending).await;
        tokio::time::sleep(ENDING).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        () = overdue => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for text in ["127.0.0.1:0", "127.1.2.3:80", "[::1]:8742", "localhost:1"] {
            assert!(address(text).unwrap().ip().is_loopback(), "{text}");
        }
        for text in [
            "0.0.0.0:8742",
            "[::]:80",
            "192.168.1.4:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            let failure = address(text).unwrap_err();
            assert_eq!(failure.code(), crate::exit::USAGE);
            assert!(
                failure.to_string().contains("only loopback addresses"),
                "{failure}"
            );
        }
        assert!(
            address("8742")
                .unwrap_err()
                .to_string()
                .contains("--listen 8742")
        );
    }
}
