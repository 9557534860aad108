//! From addresses to pages: what is asked for is read from the store and given to [`results::web`].

use super::rows::{self, Rows};
use super::store::{Found, Id, Name, Store, changed};
use super::tail::Tails;
use super::{files, guard, writer};
use crate::compare::subject;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use results::compare;
use results::web::collections::{self, Collection, Kind};
use results::web::live::Circumstances;
use results::web::row::{Row, State as RunState};
use results::web::{self, comparison, list, live, run, trend};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Runs of one comparison.
const COMPARED_MAX: usize = 200;
/// With longer histories than this together, a comparison goes without the charts that are made of them.
const HISTORIES_MAX: u64 = 256 << 20;
/// Without a line for so long, a run whose load is over is being judged.
const JUDGING: Duration = Duration::from_secs(2);

type Fields = Query<Vec<(String, String)>>;
type Site = State<Arc<Shared>>;

pub struct Shared {
    store: Store,
    rows: Rows,
    tails: Tails,
    /// Comparisons read much: one at a time.
    comparing: Semaphore,
}

pub fn router(store: Store) -> Router {
    let shared = Shared {
        store,
        rows: Rows::default(),
        tails: Tails::default(),
        comparing: Semaphore::new(1),
    };
    Router::new()
        .route("/", get(runs))
        .route("/run/{*id}", get(one))
        .route("/live/{*id}", get(growing))
        .route("/compare", get(compared))
        .route("/trend", get(over_time))
        .route("/collections", get(all_collections))
        .route("/collection/{*id}", get(one_collection))
        .route("/files/{*path}", get(file))
        .route("/assets/{name}", get(asset))
        .fallback(|| async { missing("There is no such page.") })
        .layer(axum::middleware::from_fn(guard::guard))
        .with_state(Arc::new(shared))
}

/// Why an answer is no page of what was asked for.
struct Refusal {
    status: StatusCode,
    why: String,
}

type Answer = Result<Response, Refusal>;

pub fn refused(status: StatusCode, why: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Refused");
    (status, Html(web::refused(title, why))).into_response()
}

fn refusal(status: StatusCode, why: impl Into<String>) -> Refusal {
    let why = why.into();
    Refusal { status, why }
}

fn missing(why: &str) -> Refusal {
    refusal(StatusCode::NOT_FOUND, why)
}

fn unreadable(what: &str, error: std::io::Error) -> Refusal {
    let why = format!("{what} can't be read: {error}");
    refusal(StatusCode::INTERNAL_SERVER_ERROR, why)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refused(self.status, &self.why)
    }
}

fn shown(page: String) -> Answer {
    Ok(Html(page).into_response())
}

/// Reads and draws on a thread that may wait for the disk.
async fn made(make: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(make).await.map_err(|error| {
        let why = format!("The page could not be made: {error}");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, why)
    })?
}

impl Shared {
    fn all(&self) -> Result<Vec<Row>, Refusal> {
        let all = self.rows.all(&self.store);
        all.map_err(|error| unreadable("The runs", error))
    }

    fn found_all(&self) -> Result<Found, Refusal> {
        let found = self.store.find();
        found.map_err(|error| unreadable("The runs", error))
    }

    fn found(&self, id: &str) -> Result<Id, Refusal> {
        let none = || missing("There is no such run. It may have been removed.");
        let id = Id::parse(id).ok_or_else(none)?;
        self.store.run(&id).map(|_| id).ok_or_else(none)
    }
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let found = fields.iter().find(|(field, _)| field == name);
    found.map_or("", |(_, value)| value)
}

async fn runs(State(site): Site, Query(fields): Fields) -> Answer {
    made(move || {
        let store = site.store.root().display().to_string();
        let filter = list::Filter::of(&fields);
        shown(list::render(&site.all()?, &filter, &store))
    })
    .await
}

async fn one(State(site): Site, Path(id): Path<String>) -> Answer {
    made(move || {
        let id = site.found(&id)?;
        let row = site.rows.one(&site.store, &id);
        if row.state == RunState::Live {
            return Ok(Redirect::to(&format!("/live/{id}")).into_response());
        }
        let results = match row.state {
            RunState::Judged(_) => rows::results(&site.store, &id).ok(),
            _ => None,
        };
        let files = site.store.files(&id);
        shown(run::render(&row, results.as_ref(), &files))
    })
    .await
}

async fn growing(State(site): Site, Path(id): Path<String>) -> Answer {
    made(move || {
        let id = site.found(&id)?;
        let row = site.rows.one(&site.store, &id);
        let tail = site.tails.of(&id);
        let mut tail = tail.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tail.look(&site.store, &id)
            .map_err(|error| unreadable("The run", error))?;
        let planned =
            rows::stored(&site.store, &id).map_or(0.0, |stored| stored.spec.time.0.as_secs_f64());
        let circumstances = Circumstances {
            planned_seconds: planned,
            phase: phase(&site.store, &id, tail.follow.newest, planned),
            bytes: tail.history_bytes,
            bytes_read: tail.history_read(),
        };
        shown(live::render(&row, &tail.follow, &circumstances))
    })
    .await
}

/// What a run that goes on does, as far as its files tell.
fn phase(store: &Store, id: &Id, newest: u64, planned: f64) -> String {
    let seconds = newest as f64 / 1e9;
    let quiet = writer::silence(store, id) > JUDGING;
    match () {
        () if newest == 0 => "the cluster is being set up",
        () if seconds < planned => "under load",
        () if quiet => "the load is over, what was recorded is being judged",
        () => "the load is over, what is left is read",
    }
    .to_owned()
}

async fn compared(State(site): Site, Query(fields): Fields) -> Answer {
    let ending = |_| refusal(StatusCode::SERVICE_UNAVAILABLE, "The server is ending.");
    let _turn = site.comparing.acquire().await.map_err(ending)?;
    let shared = site.clone();
    made(move || comparison_of(&shared, &fields)).await
}

fn comparison_of(site: &Shared, fields: &[(String, String)]) -> Answer {
    let wrong = |why: &str| refusal(StatusCode::BAD_REQUEST, why);
    let side = |name: &str| -> Result<Vec<Id>, Refusal> {
        let given = fields.iter().filter(|(field, _)| field == name);
        let ids: Vec<Id> = given
            .map(|(_, id)| site.found(id))
            .collect::<Result<_, _>>()?;
        match ids.len() {
            0 => Err(wrong(&format!(
                "No run is ticked as {name}. Go back and tick at least one of each."
            ))),
            n if n > COMPARED_MAX => Err(wrong(&format!(
                "{n} runs as {name}: at most {COMPARED_MAX}."
            ))),
            _ => Ok(ids),
        }
    };
    let (base, new) = (side("base")?, side("new")?);
    let lengths = base
        .iter()
        .chain(&new)
        .filter_map(|id| site.store.metadata(id, "history.jsonl"));
    let recoveries = lengths.map(|file| file.len()).sum::<u64>() <= HISTORIES_MAX;
    let read = |ids: &[Id]| {
        let label = match ids {
            [one] => one.to_string(),
            [first, .., last] => format!("{first} to {last} ({} runs)", ids.len()),
            [] => String::new(),
        };
        let paths: Vec<_> = ids.iter().filter_map(|id| site.store.folder(id)).collect();
        let mut read = subject::side(&label, &paths, recoveries)
            .map_err(|failure| wrong(&failure.to_string()))?;
        // As the list names them, not as this machine does.
        for (run, id) in read.side.runs.iter_mut().zip(ids) {
            run.path = id.to_string();
        }
        Ok(read)
    };
    let (base, new) = (read(&base)?, read(&new)?);
    let mut comparison = compare::compare(&base.side, &new.side, false);
    if !recoveries {
        comparison.left_out.push("charts of the recoveries: the histories are too long to be read for a page; `shakedown compare --html` draws them".into());
    }
    comparison
        .left_out
        .extend(base.left_out.into_iter().chain(new.left_out));
    shown(comparison::render(&comparison))
}

async fn over_time(State(site): Site, Query(fields): Fields) -> Answer {
    made(move || {
        let (name, metric) = (field(&fields, "name"), field(&fields, "metric"));
        shown(trend::render(&site.all()?, name, metric))
    })
    .await
}

async fn all_collections(State(site): Site) -> Answer {
    made(move || {
        let found = site.found_all()?;
        let ids = found.collections.iter();
        let all: Vec<Collection> = ids.map(|id| collection(&site.store, id, &found)).collect();
        shown(collections::render(&all))
    })
    .await
}

async fn one_collection(State(site): Site, Path(id): Path<String>) -> Answer {
    made(move || {
        let found = site.found_all()?;
        let id = Id::parse(&id)
            .filter(|id| found.collections.contains(id))
            .ok_or_else(|| missing("There is no such sweep or suite. It may have been removed."))?;
        shown(collections::one(&collection(&site.store, &id, &found)))
    })
    .await
}

fn collection(store: &Store, id: &Id, found: &Found) -> Collection {
    let has = |name: &str| store.metadata(id, name).is_some();
    let kind = match () {
        () if has("sweep.json") => Kind::Sweep,
        () if has("suite.json") => Kind::Suite,
        () => Kind::Comparison,
    };
    let report = ["report.html", "compare.html"]
        .into_iter()
        .find(|name| has(name));
    let files = [
        "sweep.json",
        "suite.json",
        "repeats.jsonl",
        "suite.jsonl",
        "report.html",
        "compare.html",
    ];
    let newest = files
        .iter()
        .filter_map(|name| store.metadata(id, name))
        .map(|file| changed(&file))
        .max();
    let time = newest.and_then(|time| jiff::Timestamp::try_from(time).ok());
    let below = format!("{id}/");
    Collection {
        id: id.to_string(),
        kind,
        report,
        runs: found
            .runs
            .iter()
            .filter(|run| run.to_string().starts_with(&below))
            .count(),
        changed: time.map_or("-".into(), |time| {
            time.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }),
    }
}

async fn file(State(site): Site, Path(path): Path<String>) -> Answer {
    made(move || {
        let opened = Name::split(&path).and_then(|(id, name)| {
            let (file, metadata) = site.store.open(&id, &name).ok()?;
            Some(files::answer(&name, file, metadata.len()))
        });
        opened.ok_or_else(|| missing("There is no such file, or it is none that is shown."))
    })
    .await
}

async fn asset(Path(name): Path<String>) -> Answer {
    let (kind, text) = web::asset(&name).ok_or_else(|| missing("There is no such file."))?;
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
