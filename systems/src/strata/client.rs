//! A client of one strata server, over HTTP.
//!
//! What becomes of an operation is decided here and nowhere else:
//!
//! | what happened | write | read |
//! |---|---|---|
//! | the connection was not made | fail | fail |
//! | an error that the server calls definite | fail | fail |
//! | an error that it does not, a timeout, a broken connection, an answer that can't be read | info | fail |
//!
//! A read that failed changed nothing, so nothing about it is unknown. The HTTP library is told to repeat
//! nothing, to follow no redirect and to use no proxy. One thing it does by itself: when it finds the kept
//! connection closed *before the first byte of a request was written*, it opens another; the server
//! never sees such a request twice.

use crate::{Client, Error, Result};
use async_trait::async_trait;
use checker::{Key, Op, Outcome, Reason, Ret, Value};
use cluster::api::{Answer, ApiError, KvOp, Request};
use std::net::SocketAddr;
use std::time::Duration;

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
        let Some(kv) = encode(op) else {
            return Outcome::Fail(Reason::new(format!(
                "unsupported: strata has no {} like this",
                op.name()
            )));
        };
        let request = Request {
            op: kv,
            session: None,
            stale: false,
            timeout_ms: Some(deadline.as_millis().try_into().unwrap_or(u64::MAX)),
        };
        match self.exchange(&request, deadline).await {
            Ok(answer) => decode(op, answer),
            Err(Failure::Definite(reason)) => Outcome::Fail(reason),
            Err(Failure::Indefinite(reason)) => unknown(op, reason),
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

/// Why there is no answer.
enum Failure {
    /// The request did not take effect and never will.
    Definite(Reason),
    /// It may have, or may yet.
    Indefinite(Reason),
}

impl StrataClient {
    async fn exchange(
        &self,
        request: &Request,
        deadline: Duration,
    ) -> std::result::Result<Answer, Failure> {
        let sent = self
            .http
            .post(&self.url)
            .timeout(deadline)
            .json(request)
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

fn unknown(op: &Op, reason: Reason) -> Outcome {
    if op.is_read_only() {
        Outcome::Fail(reason)
    } else {
        Outcome::Info(reason)
    }
}

/// The innermost cause, which is the one that says something.
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Registers and lists are different objects even under equal keys.
fn register(key: &Key) -> String {
    format!("register/{key}")
}

fn list(key: &Key) -> String {
    format!("list/{key}")
}

/// A register's text: JSON, so that the number 5 and the text "5" stay apart. Nil is an absent key.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Nil => None,
        Value::Int(n) => Some(n.to_string()),
        Value::Text(_) => serde_json::to_string(value).ok(),
    }
}

/// What the server is asked for; nothing where it has no such operation.
fn encode(op: &Op) -> Option<KvOp> {
    Some(match op {
        Op::Read { key } => KvOp::Get { key: register(key) },
        Op::Write { key, value } => match text(value) {
            Some(value) => KvOp::Put {
                key: register(key),
                value,
            },
            None => KvOp::Delete { key: register(key) },
        },
        Op::Cas { key, from, to } => KvOp::Cas {
            key: register(key),
            from: text(from),
            to: text(to)?,
        },
        Op::Append { key, value } => KvOp::Append {
            key: list(key),
            value: format!("{value} "),
        },
        Op::List { key } => KvOp::Get { key: list(key) },
        _ => return None,
    })
}

/// Whether [`encode`] knows the operation.
pub(super) fn supports(op: &Op) -> bool {
    encode(op).is_some()
}

fn decode(op: &Op, answer: Answer) -> Outcome {
    match op {
        Op::Read { .. } => Outcome::Ok(Ret::Value(match answer.value {
            None => Value::Nil,
            Some(text) => {
                serde_json::from_str(&text).unwrap_or_else(|_| Value::Text(text.as_str().into()))
            }
        })),
        Op::List { .. } => {
            let text = answer.value.unwrap_or_default();
            match text.split_whitespace().map(str::parse).collect() {
                Ok(numbers) => Outcome::Ok(Ret::List(numbers)),
                Err(_) => Outcome::Fail(Reason::new(format!("bad-answer: not a list: {text:?}"))),
            }
        }
        _ => Outcome::Ok(Ret::Done),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
