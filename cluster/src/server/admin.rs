//! What operators ask over HTTP: `POST /admin/members` and `POST /admin/transfer` of [`crate::api`].

use super::core::Job;
use super::http::Door;
use crate::api::{ApiError, MemberChange, MembersRequest, TransferRequest};
use crate::raft::Change;
use crate::replica::{Admin, MAX_ADMIN_TIMEOUT_MS};
use crate::types::ServerId;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::oneshot;

/// A request that names no limit ends by then. Catching up may take most of it.
const TIMEOUT_MS: u64 = 40_000;
const TRANSFER_TIMEOUT_MS: u64 = 10_000;
/// The replica answers by the deadline; this is for one that can't.
const LAST_RESORT: Duration = Duration::from_secs(3);

pub async fn members(State(door): State<Door>, body: axum::body::Bytes) -> Response {
    let request: MembersRequest = match read(&body) {
        Ok(request) => request,
        Err(error) => return respond(error),
    };
    match change(request.change) {
        Ok(change) => {
            let timeout_ms = request.timeout_ms.unwrap_or(TIMEOUT_MS);
            ask(&door, Admin::Change(change), timeout_ms).await
        }
        Err(message) => respond(bad_request(message)),
    }
}

pub async fn transfer(State(door): State<Door>, body: axum::body::Bytes) -> Response {
    let body = if body.is_empty() { b"{}" } else { &body[..] };
    match read::<TransferRequest>(body) {
        Ok(TransferRequest { to }) => {
            let request = Admin::Transfer(to.map(ServerId));
            ask(&door, request, TRANSFER_TIMEOUT_MS).await
        }
        Err(error) => respond(error),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))
}

fn change(change: MemberChange) -> Result<Change, String> {
    let server = |id: u64| match id {
        0 => Err("0 is no server id".to_owned()),
        id => Ok(ServerId(id)),
    };
    let address = |addr: Option<String>| match addr {
        Some(addr) if !super::config::is_address(&addr) => {
            Err(format!("{addr:?}: expected HOST:PORT"))
        }
        addr => Ok(addr),
    };
    Ok(match change {
        MemberChange::Add { id, addr } => Change::Add {
            id: server(id)?,
            address: address(addr)?,
        },
        MemberChange::Learner { id, addr } => Change::AddLearner {
            id: server(id)?,
            address: address(addr)?,
        },
        MemberChange::Promote { id } => Change::Promote { id: server(id)? },
        MemberChange::Remove { id } => Change::Remove { id: server(id)? },
        MemberChange::Replace { remove, add, addr } => Change::Replace {
            remove: server(remove)?,
            add: server(add)?,
            address: address(addr)?,
        },
    })
}

async fn ask(door: &Door, request: Admin, timeout_ms: u64) -> Response {
    let timeout_ms = timeout_ms.min(MAX_ADMIN_TIMEOUT_MS);
    if !door.shared.is_ready() {
        return respond(ApiError {
            code: "not-ready".into(),
            definite: true,
            message: "the server is still loading its state".into(),
            leader: None,
        });
    }
    let (reply, answer) = oneshot::channel();
    let job = Job::Admin {
        request,
        timeout_ms,
        reply,
    };
    let patience = Duration::from_millis(timeout_ms) + LAST_RESORT;
    let answer = match door.jobs.send(job) {
        Ok(()) => tokio::time::timeout(patience, answer).await.ok(),
        Err(_) => None,
    };
    match answer {
        Some(Ok(Ok(answer))) => Json(answer).into_response(),
        Some(Ok(Err(error))) => respond(error),
        _ => respond(ApiError {
            code: "no-answer".into(),
            definite: false,
            message: "the server is stopping or stuck; the request may take effect".into(),
            leader: None,
        }),
    }
}

fn bad_request(message: String) -> ApiError {
    ApiError {
        code: "bad-request".into(),
        definite: true,
        message,
        leader: None,
    }
}

fn respond(error: ApiError) -> Response {
    (status(&error), Json(error)).into_response()
}

fn status(error: &ApiError) -> StatusCode {
    match error.code.as_str() {
        "bad-request" => StatusCode::BAD_REQUEST,
        "change-under-way" | "not-caught-up" | "not-learner" | "not-voter" | "last-voter"
        | "other-address" | "given-up" => StatusCode::CONFLICT,
        _ if error.definite => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::GATEWAY_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_documented_and_nonsense_is_refused() {
        let parse = |text: &str| {
            let request: MembersRequest = serde_json::from_str(text).map_err(|e| e.to_string())?;
            change(request.change)
        };
        let id = ServerId(4);
        let address = Some("h:1".to_owned());
        assert_eq!(
            parse(r#"{"add":{"id":4,"addr":"h:1"}}"#),
            Ok(Change::Add {
                id,
                address: address.clone()
            })
        );
        assert_eq!(
            parse(r#"{"remove":{"id":4},"timeout_ms":5}"#),
            Ok(Change::Remove { id })
        );
        assert_eq!(
            parse(r#"{"replace":{"remove":2,"add":4,"addr":"h:1"}}"#),
            Ok(Change::Replace {
                remove: ServerId(2),
                add: id,
                address
            })
        );
        assert!(parse(r#"{"add":{"id":0,"addr":"h:1"}}"#).is_err());
        assert!(parse(r#"{"add":{"id":4,"addr":"h"}}"#).is_err());
        assert!(parse(r#"{"expel":{"id":4}}"#).is_err());
        assert!(parse("{}").is_err());
    }

    #[test]
    fn what_can_be_asked_again_elsewhere_or_later_is_told_apart_by_the_status() {
        let of = |code: &str, definite| {
            status(&ApiError {
                code: code.into(),
                definite,
                message: String::new(),
                leader: None,
            })
        };
        assert_eq!(of("change-under-way", true), StatusCode::CONFLICT);
        assert_eq!(of("not-leader", true), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(of("lost-leadership", false), StatusCode::GATEWAY_TIMEOUT);
    }
}
