//! Reads runs as they grow: each look goes on where the last one ended, and reads a bounded part.

use super::store::{Id, Name, Store};
use results::web::follow::Follow;
use std::collections::HashMap;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Read of one file at one look.
const BYTES_MAX: u64 = 32 << 20;
/// A line that is longer is no line of a run.
const LINE_MAX: usize = 1 << 20;
/// Runs that are followed at a time; the one that was not looked at for longest goes.
const RUNS_MAX: usize = 8;

/// The runs that are followed.
#[derive(Default)]
pub struct Tails(Mutex<HashMap<Id, Followed>>);

/// When a run was looked at last, and how far.
type Followed = (Instant, Arc<Mutex<Tail>>);

/// One of them.
#[derive(Default)]
pub struct Tail {
    pub follow: Follow,
    pub history_bytes: u64,
    history: Reader,
    faults: Reader,
}

#[derive(Default)]
struct Reader {
    offset: u64,
    /// The beginning of a line whose end was not written yet.
    rest: Vec<u8>,
}

impl Tails {
    pub fn of(&self, id: &Id) -> Arc<Mutex<Tail>> {
        let mut tails = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if !tails.contains_key(id) && tails.len() >= RUNS_MAX {
            let oldest = tails.iter().min_by_key(|(_, (looked_at, _))| *looked_at);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                tails.remove(&oldest);
            }
        }
        let (looked_at, tail) = tails
            .entry(id.clone())
            .or_insert_with(|| (Instant::now(), Arc::default()));
        *looked_at = Instant::now();
        tail.clone()
    }
}

impl Tail {
    /// Reads on.
    pub fn look(&mut self, store: &Store, id: &Id) -> io::Result<()> {
        let Self {
            follow,
            history,
            faults,
            history_bytes,
        } = self;
        *history_bytes = history.read(store, id, "history.jsonl", |line| follow.event(line))?;
        faults.read(store, id, "faults.jsonl", |line| follow.fault(line))?;
        Ok(())
    }

    pub fn history_read(&self) -> u64 {
        self.history.offset
    }
}

impl Reader {
    /// Passes on whole lines; returns the length of the file.
    fn read(
        &mut self,
        store: &Store,
        id: &Id,
        name: &str,
        mut line: impl FnMut(&[u8]),
    ) -> io::Result<u64> {
        let name = Name::parse(name).expect("files of a run have names that are shown");
        let (mut file, metadata) = match store.open(id, &name) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut part = std::mem::take(&mut self.rest);
        self.offset += file.take(BYTES_MAX).read_to_end(&mut part)? as u64;
        let whole = part
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        part[..whole]
            .split(|byte| *byte == b'\n')
            .filter(|text| !text.is_empty())
            .for_each(&mut line);
        if part.len() - whole <= LINE_MAX {
            self.rest = part.split_off(whole);
        }
        Ok(metadata.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_line_is_counted_once_its_end_was_written() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("test/r1");
        std::fs::create_dir_all(&run).unwrap();
        let store = Store::new(place.path().to_owned());
        let id = Id::parse("test/r1").unwrap();
        let mut tail = Tail::default();
        tail.look(&store, &id).unwrap();
        let mut file = std::fs::File::create(run.join("history.jsonl")).unwrap();
        let mut written = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            tail.look(&store, &id).unwrap();
            tail.follow.ok
        };
        assert_eq!(
            written("{\"process\":1,\"time\":5,\"type\":\"ok\",\"f\":\"re"),
            0
        );
        assert_eq!(written("ad\"}\n{\"process\":2,"), 1);
        assert_eq!(written("\"time\":6,\"type\":\"ok\"}\n"), 2);
        assert_eq!(written(""), 2);
    }

    #[test]
    fn only_a_few_runs_are_followed_at_a_time() {
        let tails = Tails::default();
        for n in 0..20 {
            tails.of(&Id::parse(&format!("test/r{n}")).unwrap());
        }
        assert_eq!(tails.0.lock().unwrap().len(), RUNS_MAX);
    }
}
