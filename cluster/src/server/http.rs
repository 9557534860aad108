//! The HTTP interface of [`crate::api`].

use super::admin;
use super::core::Job;
use super::shared::Shared;
use crate::api::limits::{self, MAX_BODY, MAX_WAITING};
use crate::api::{ApiError, OpName, Request, RequestError, Status};
use crate::replica::Input;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The replica answers every request by its deadline; this is for a replica that can't.
const LAST_RESORT: Duration = Duration::from_secs(8);

#[derive(Clone)]
pub(super) struct Door {
    pub shared: Arc<Shared>,
    pub jobs: Sender<Job>,
    waiting: Arc<AtomicU64>,
}

pub async fn serve(listener: TcpListener, shared: Arc<Shared>, jobs: Sender<Job>) {
    let door = Door {
        shared,
        jobs,
        waiting: Arc::default(),
    };
    let router = Router::new()
        .route("/v1/kv", post(kv))
        .route("/v1/txn", post(txn))
        .route("/v1/scan", post(scan))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/admin/checkpoint", post(checkpoint))
        .route("/admin/members", post(admin::members))
        .route("/admin/transfer", post(admin::transfer))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(door);
    let listener = listener.tap_io(|stream| {
        // Without it, answers wait for acknowledgements; with an error, they merely do.
        let _ = stream.set_nodelay(true);
    });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the client port is closed");
    }
}

type Body = Result<Bytes, BytesRejection>;

async fn kv(State(door): State<Door>, body: Body) -> Response {
    answer(&door, body, Request::read).await
}

async fn txn(State(door): State<Door>, body: Body) -> Response {
    answer(&door, body, |body| Request::read_as(OpName::Txn, body)).await
}

async fn scan(State(door): State<Door>, body: Body) -> Response {
    answer(&door, body, |body| Request::read_as(OpName::Scan, body)).await
}

async fn answer(
    door: &Door,
    body: Body,
    read: impl FnOnce(&[u8]) -> Result<Request, RequestError>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body has more than {MAX_BODY} bytes");
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &message);
        }
        Err(error) => {
            let message = format!("the body did not arrive: {error}");
            return refuse(StatusCode::BAD_REQUEST, "bad-request", &message);
        }
    };
    let request = match read(&body) {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "bad-request", &error.to_string()),
    };
    if let Err(error) = limits::check(&request.op) {
        let message = error.to_string();
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &message);
    }
    if !door.shared.is_ready() {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "the server is still loading its state",
        );
    }
    if door.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
        door.waiting.fetch_sub(1, Ordering::Relaxed);
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "too many requests are waiting",
        );
    }
    let (reply, answer) = oneshot::channel();
    let sent = door.jobs.send(Job::Request { request, reply }).is_ok();
    let answer = if sent {
        tokio::time::timeout(LAST_RESORT, answer).await.ok()
    } else {
        None
    };
    door.waiting.fetch_sub(1, Ordering::Relaxed);
    match answer {
        Some(Ok(Ok(answer))) => Json(answer).into_response(),
        Some(Ok(Err(error))) => {
            let status = match error.code.as_str() {
                "cas-mismatch" | "condition-failed" | "not-a-number" | "overflow"
                | "superseded" => StatusCode::CONFLICT,
                "too-large" => StatusCode::PAYLOAD_TOO_LARGE,
                _ if error.definite => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::GATEWAY_TIMEOUT,
            };
            (status, Json(error)).into_response()
        }
        _ => {
            let message = "the server is stopping or stuck; the operation may take effect";
            let error = ApiError {
                code: "no-answer".into(),
                definite: false,
                message: message.into(),
                leader: None,
            };
            (StatusCode::GATEWAY_TIMEOUT, Json(error)).into_response()
        }
    }
}

/// A refusal before anything happened.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let error = ApiError {
        code: code.into(),
        definite: true,
        message: message.into(),
        leader: None,
    };
    (status, Json(error)).into_response()
}

async fn status(State(door): State<Door>) -> Json<Status> {
    Json(door.shared.status())
}

async fn checkpoint(State(door): State<Door>) -> StatusCode {
    match door.jobs.send(Job::Input(Input::Checkpoint)) {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn metrics(State(door): State<Door>) -> String {
    let status = door.shared.status();
    let gauges = [
        ("strata_term", "current term", status.term as f64),
        (
            "strata_is_leader",
            "1 if this server leads",
            f64::from(u8::from(status.role == "leader")),
        ),
        (
            "strata_commit_index",
            "last committed log index",
            status.commit as f64,
        ),
        (
            "strata_applied_index",
            "last applied log index",
            status.applied as f64,
        ),
        (
            "strata_first_index",
            "first log index that is kept",
            status.first_index as f64,
        ),
        (
            "strata_last_index",
            "last log index",
            status.last_index as f64,
        ),
        ("strata_keys", "keys held", status.keys as f64),
        (
            "strata_checkpoint_index",
            "log index of the newest checkpoint",
            status.checkpoint.index as f64,
        ),
        (
            "strata_checkpoint_bytes",
            "size of the newest checkpoint",
            status.checkpoint.bytes as f64,
        ),
        (
            "strata_checkpoint_last_ms",
            "duration of the last checkpoint",
            status.checkpoint.last_duration_ms,
        ),
        (
            "strata_checkpoint_chain_files",
            "files to restart from",
            status.checkpoint.chain.len() as f64,
        ),
        (
            "strata_checkpoint_chain_bytes",
            "their bytes",
            status.checkpoint.chain_bytes as f64,
        ),
        (
            "strata_checkpoint_longest_pause_us",
            "longest stop of the machine by a capture, in microseconds",
            status.checkpoint.longest_pause_us,
        ),
        (
            "strata_bytes",
            "bytes of keys and values",
            status.bytes as f64,
        ),
        (
            "strata_voters",
            "members that vote",
            status.members.voters.len() as f64,
        ),
        (
            "strata_learners",
            "members that do not vote",
            status.members.learners.len() as f64,
        ),
        (
            "strata_requests_waiting",
            "requests under way",
            door.waiting.load(Ordering::Relaxed) as f64,
        ),
        (
            "strata_uptime_ms",
            "time since the start",
            status.uptime_ms as f64,
        ),
    ];
    let counters = [
        (
            "strata_checkpoints_total",
            "checkpoints written",
            status.checkpoint.written as f64,
        ),
        (
            "strata_snapshots_installed_total",
            "images installed from leaders",
            status.install.installed as f64,
        ),
        (
            "strata_checkpoint_written_bytes_total",
            "bytes of checkpoints written",
            status.checkpoint.bytes_written as f64,
        ),
        (
            "strata_checkpoint_changed_bytes_total",
            "bytes of pages that had changed between checkpoints",
            status.checkpoint.bytes_changed as f64,
        ),
        (
            "strata_checkpoints_deferred_total",
            "checkpoints put off because too little had changed",
            status.checkpoint.deferred as f64,
        ),
        (
            "strata_snapshots_installed_delta_total",
            "images installed that brought only what had changed",
            status.install.installed_delta as f64,
        ),
        (
            "strata_snapshot_sent_bytes_total",
            "image bytes sent",
            status.install.bytes_sent as f64,
        ),
        (
            "strata_snapshot_resent_bytes_total",
            "image bytes sent again after a break",
            status.install.bytes_resent as f64,
        ),
        (
            "strata_snapshots_sent_total",
            "images begun to be sent",
            status.install.sent as f64,
        ),
        (
            "strata_snapshot_received_bytes_total",
            "image bytes received",
            status.install.bytes_received as f64,
        ),
    ];
    let mut text = String::new();
    for (kind, metrics) in [("gauge", &gauges[..]), ("counter", &counters[..])] {
        for (name, help, value) in metrics {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
            );
        }
    }
    for (phase, ms) in &status.recovery.phases_ms {
        let _ = writeln!(text, "strata_recovery_ms{{phase=\"{phase}\"}} {ms}");
    }
    text
}
