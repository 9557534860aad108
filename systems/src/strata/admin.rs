//! How the cluster is told to change: requests that only the leader takes.
//!
//! Whoever leads is looked up anew for every attempt, because the answer to "you don't lead" may be old by
//! the time it is read. A change of the members that took effect is answered alike when it is asked for
//! again, so it is repeated until it is answered; a hand-over is repeated only where it was refused.

use super::{Strata, client};
use crate::{Error, Result};
use cluster::api::ApiError;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::NodeId;
use tokio::time::Instant;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// One attempt: a leader that has lost its majority answers nobody, while another may lead already.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// What to ask for, and where.
pub(super) struct Request {
    path: &'static str,
    body: Value,
    /// Asked for twice is asked for once.
    repeatable: bool,
}

impl Request {
    pub(super) fn transfer(to: Option<usize>) -> Self {
        Self {
            path: "/admin/transfer",
            body: match to {
                Some(id) => json!({ "to": id }),
                None => json!({}),
            },
            repeatable: false,
        }
    }

    pub(super) fn remove(id: usize) -> Self {
        Self {
            path: "/admin/members",
            body: json!({ "remove": { "id": id } }),
            repeatable: true,
        }
    }

    /// Without an address: every server was started with its own way to each of the others, which are as
    /// many as there are links that can be cut.
    pub(super) fn add(id: usize) -> Self {
        Self {
            path: "/admin/members",
            body: json!({ "add": { "id": id } }),
            repeatable: true,
        }
    }
}

/// Why an attempt came to nothing.
enum Refusal {
    /// By its nature: asking again changes nothing.
    Final(String),
    /// It did not take effect.
    Definite(String),
    /// It may have, or may yet.
    Unknown(String),
}

impl Strata {
    /// Asks whoever leads, again and again until `limit`.
    pub(super) async fn administer(&self, request: &Request, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let refusal = match self.leader().await {
                Ok(leader) => match self.ask_leader(&leader, request, end).await {
                    Ok(()) => return Ok(()),
                    Err(refusal) => refusal.at(&leader),
                },
                Err(none) => Refusal::Definite(none.to_string()),
            };
            let (again, reason) = match refusal {
                Refusal::Final(reason) => (false, reason),
                Refusal::Definite(reason) => (true, reason),
                Refusal::Unknown(reason) => (request.repeatable, reason),
            };
            if !again || Instant::now() + PAUSE >= end {
                return Err(Error::Failed(format!(
                    "strata: {} {}: {reason}",
                    request.path, request.body
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The node whose server says that it leads, in the highest term of those that say so.
    async fn leader(&self) -> Result<NodeId> {
        let answers = self.survey(&self.env()?).await;
        let leading = answers.into_iter().filter_map(|(node, answer)| {
            let status = answer.ok()?;
            (status.role == "leader").then_some((status.term, node))
        });
        leading
            .max_by_key(|(term, _)| *term)
            .map(|(_, node)| node)
            .ok_or_else(|| Error::Failed("no server leads".into()))
    }

    async fn ask_leader(
        &self,
        leader: &NodeId,
        request: &Request,
        end: Instant,
    ) -> std::result::Result<(), Refusal> {
        let definite = |error: Error| Refusal::Definite(error.to_string());
        let env = self.env().map_err(definite)?;
        let addr = env.client_addr(leader, super::CLIENT_PORT);
        let patience = ATTEMPT_LIMIT.min(end.saturating_duration_since(Instant::now()));
        let sent = self
            .http
            .post(format!("http://{addr}{}", request.path))
            .timeout(patience)
            .json(&request.body)
            .send()
            .await;
        let response = sent.map_err(Refusal::of)?;
        if response.status().is_success() {
            return Ok(());
        }
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(Refusal::of)?;
        Err(match serde_json::from_slice::<ApiError>(&body) {
            Ok(error) => Refusal::said(error),
            Err(_) => Refusal::Final(format!("status {status} without a reason")),
        })
    }
}

impl Refusal {
    fn of(error: reqwest::Error) -> Self {
        let reason = match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => client::root(&error),
        };
        match error.is_connect() {
            true => Refusal::Definite(reason),
            false => Refusal::Unknown(reason),
        }
    }

    fn said(error: ApiError) -> Self {
        let reason = format!("{}: {}", error.code, error.message);
        match error.code.as_str() {
            "bad-request" | "last-voter" | "not-voter" | "not-learner" | "other-address" => {
                Refusal::Final(reason)
            }
            _ if error.definite => Refusal::Definite(reason),
            _ => Refusal::Unknown(reason),
        }
    }

    fn at(self, node: &NodeId) -> Self {
        match self {
            Refusal::Final(reason) => Refusal::Final(format!("{node}: {reason}")),
            Refusal::Definite(reason) => Refusal::Definite(format!("{node}: {reason}")),
            Refusal::Unknown(reason) => Refusal::Unknown(format!("{node}: {reason}")),
        }
    }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
