//! A client of one strata server, over HTTP.
//!
//! What is asked for an operation, and what its answers mean, is in [`operations`](super::operations). What becomes of
//! a request is decided here and nowhere else:
//!
//! | what happened | write | read |
//! |---|---|---|
//! | the connection was not made | fail | fail |
//! | an error that the server calls definite | fail | fail |
//! | an error that it does not, a timeout, a broken connection, an answer that can't be read | info | fail |
//!
//! A read that failed changed nothing, so nothing about it is unknown. A dequeue or pop reads before it writes, and
//! begins anew when another client was first: what was refused for certain may be asked again in another form. No
//! request of unknown fate is ever repeated. The HTTP library is told to repeat
//! nothing, to follow no redirect and to use no proxy. One thing it does by itself: when it finds the kept
//! connection closed *before the first byte of a request was written*, it opens another; the server
//! never sees such a request twice.

use super::operations::{Exchange, Failure, Turn};
use crate::{Client, Error, Result};
use async_trait::async_trait;
use checker::{Op, Outcome, Reason};
use cluster::api::{Answer, ApiError, KvOp, Request};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// A server that runs accepts at once; one that does not within this time will not.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// Of a request without a deadline of its own; every request here has one.
const TOTAL_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct StrataClient {
    url: String,
    http: reqwest::Client,
}

impl StrataClient {
    pub(super) fn new(server: SocketAddr) -> Result<Self> {
        Ok(Self {
            url: format!("http://{server}/v1/kv"),
            http: http(1)?,
        })
    }
}

/// An HTTP client that keeps at most so many idle connections, and hides nothing.
pub(super) fn http(kept: usize) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(kept)
        // An idle connection is dropped by `disconnect`, by the server or by an error, not by age.
        .pool_idle_timeout(None)
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_LIMIT)
        .timeout(TOTAL_LIMIT)
        .build()
        .map_err(|error| Error::Failed(format!("strata: HTTP client: {}", root(&error))))
}

#[async_trait]
impl Client for StrataClient {
    async fn invoke(&mut self, op: &Op, deadline: Duration) -> Outcome {
        let Some((mut exchange, mut kv)) = Exchange::begin(op) else {
            return Outcome::Fail(Reason::new(format!(
                "unsupported: strata has no {} like this",
                op.name()
            )));
        };
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer = match left.as_millis() {
                0 => Err(Failure::Definite(Reason::new(
                    "timeout: not asked any more",
                ))),
                _ => self.ask(kv, left).await,
            };
            match exchange.answered(answer) {
                Turn::Ask(next) => kv = next,
                Turn::End(outcome) => return outcome,
            }
        }
    }

    fn disconnect(&mut self) {
        // The pool lives in the HTTP client: a new one has no connection. Building it can't fail where
        // the first one was built; should it, the old connection is kept, which is what it was.
        if let Ok(fresh) = http(1) {
            self.http = fresh;
        }
    }
}

impl StrataClient {
    async fn ask(&self, op: KvOp, deadline: Duration) -> std::result::Result<Answer, Failure> {
        let request = Request {
            op,
            session: None,
            stale: false,
            timeout_ms: Some(deadline.as_millis().try_into().unwrap_or(u64::MAX)),
        };
        let sent = self
            .http
            .post(&self.url)
            .timeout(deadline)
            .json(&request)
            .send()
            .await;
        let response = sent.map_err(classify)?;
        let status = response.status();
        let body = response.bytes().await.map_err(classify)?;
        if status == reqwest::StatusCode::OK {
            return serde_json::from_slice(&body)
                .map_err(|error| Failure::Indefinite(Reason::new(format!("bad-answer: {error}"))));
        }
        Err(match serde_json::from_slice::<ApiError>(&body) {
            Ok(error) => {
                let reason = Reason::new(format!("{}: {}", error.code, error.message));
                if error.definite {
                    Failure::Definite(reason)
                } else {
                    Failure::Indefinite(reason)
                }
            }
            Err(_) => Failure::Indefinite(Reason::new(format!(
                "bad-answer: status {} without a reason",
                status.as_u16()
            ))),
        })
    }
}

/// Only a connection that was not made proves that nothing was sent.
fn classify(error: reqwest::Error) -> Failure {
    if error.is_connect() {
        let what = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            root(&error)
        };
        return Failure::Definite(Reason::new(format!("connect: {what}")));
    }
    Failure::Indefinite(if error.is_timeout() {
        Reason::new("timeout")
    } else {
        Reason::new(format!("broken: {}", root(&error)))
    })
}

/// The innermost cause, which is the one that says something.
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
