//! What is known of every run of the store. A run is read when its files changed, and kept otherwise, so that a list
//! of thousands takes no longer than to look at the folders.

use super::store::{Id, Store, changed};
use super::writer;
use crate::run::stored::Stored;
use results::Results;
use results::web::row::{Row, State};
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::sync::Mutex;
use std::time::SystemTime;

/// Longer documents are not read: no run writes them.
const DOCUMENT_MAX: u64 = 64 << 20;

#[derive(Default)]
pub struct Rows(Mutex<HashMap<Id, (Stamp, Row)>>);

/// How the files were that a row was made of.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Rows {
    pub fn all(&self, store: &Store) -> io::Result<Vec<Row>> {
        let ids = store.find()?.runs;
        let mut kept = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut before = std::mem::take(&mut *kept);
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let (stamp, row) = fresh(store, &id, before.remove(&id));
            rows.push(row.clone());
            kept.insert(id, (stamp, row));
        }
        Ok(rows)
    }

    pub fn one(&self, store: &Store, id: &Id) -> Row {
        let before = {
            let kept = self
                .0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            kept.get(id).cloned()
        };
        fresh(store, id, before).1
    }
}

fn fresh(store: &Store, id: &Id, before: Option<(Stamp, Row)>) -> (Stamp, Row) {
    let stamp = ["results.json", "spec.yaml"].map(|name| {
        let metadata = store.metadata(id, name)?;
        Some((changed(&metadata), metadata.len()))
    });
    match before {
        Some((known, mut row)) if known == stamp => {
            // Neither of these files changes when a writer is killed, or is slow to begin.
            if matches!(row.state, State::Live | State::Interrupted) {
                row.state = unfinished(store, id);
            }
            (stamp, row)
        }
        _ => (stamp, read(store, id, stamp[0].is_some())),
    }
}

fn read(store: &Store, id: &Id, has_results: bool) -> Row {
    let state = match has_results.then(|| results(store, id)) {
        Some(Ok(results)) => return Row::judged(&id.to_string(), &results),
        Some(Err(why)) => State::Damaged(why),
        None => unfinished(store, id),
    };
    let run = stored(store, id)
        .map(|stored| stored.run)
        .unwrap_or_default();
    Row::unjudged(&id.to_string(), state, &run)
}

fn unfinished(store: &Store, id: &Id) -> State {
    match writer::lives(store, id) {
        true => State::Live,
        false => State::Interrupted,
    }
}

/// The results of a run, or why they can't be had.
pub fn results(store: &Store, id: &Id) -> Result<Results, String> {
    let text = text(store, id, "results.json")?;
    serde_json::from_str(&text).map_err(|error| format!("results.json: {error}"))
}

pub fn stored(store: &Store, id: &Id) -> Result<Stored, String> {
    let text = text(store, id, "spec.yaml")?;
    Stored::parse(&text, "spec.yaml").map_err(|failure| failure.to_string())
}

fn text(store: &Store, id: &Id, name: &str) -> Result<String, String> {
    let parsed = super::store::Name::parse(name).expect("a file of a run");
    let failed = |error: io::Error| format!("{name}: {error}");
    let (file, metadata) = store.open(id, &parsed).map_err(failed)?;
    if metadata.len() > DOCUMENT_MAX {
        return Err(format!("{name}: {} bytes are too many", metadata.len()));
    }
    let mut text = String::new();
    file.take(DOCUMENT_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}
