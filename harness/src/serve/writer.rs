//! Whether somebody still writes a run.
//!
//! A run says in `processes.jsonl` which process writes it: its id in its own namespace, when it started, and in
//! which boot of the machine. A run that does not say so is taken to go on while its files grow.

use super::store::{Id, Store, changed};
use serde::Deserialize;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

/// A run that writes nothing for so long and does not say who writes it has no writer.
const SILENCE: Duration = Duration::from_secs(15);
/// A run that does: judging takes long and writes nothing, but not this long. A program that makes many runs lives
/// on after one of them failed.
const SILENCE_OF_JUDGING: Duration = Duration::from_secs(20 * 60);
const LINE_MAX: u64 = 4_096;

#[derive(Deserialize)]
struct Header {
    boot: String,
    controller: u32,
    started: u64,
}

/// Whether the run, which has no results, has a writer.
pub fn lives(store: &Store, id: &Id) -> bool {
    let quiet = silence(store, id);
    // Looking for a process takes long: not for every old run.
    if quiet >= SILENCE_OF_JUDGING {
        return false;
    }
    match header(store, id) {
        Some(header) => header.lives(),
        None => quiet < SILENCE,
    }
}

/// Since the last change of what a run writes.
pub fn silence(store: &Store, id: &Id) -> Duration {
    let files = [
        "spec.yaml",
        "history.jsonl",
        "probes.jsonl",
        "status.jsonl",
        "faults.jsonl",
        "shakedown.log",
    ];
    let newest = files
        .iter()
        .filter_map(|name| store.metadata(id, name))
        .map(|file| changed(&file))
        .max();
    // A clock that was set back makes the newest file one of the future: that is not long ago.
    newest.map_or(Duration::MAX, |time| time.elapsed().unwrap_or_default())
}

fn header(store: &Store, id: &Id) -> Option<Header> {
    let name = super::store::Name::parse("processes.jsonl")?;
    let (file, _) = store.open(id, &name).ok()?;
    let mut line = String::new();
    BufReader::new(file.take(LINE_MAX))
        .read_line(&mut line)
        .ok()?;
    serde_json::from_str(&line).ok()
}

impl Header {
    fn lives(&self) -> bool {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        boot.trim() == self.boot
            && fs::read_dir("/proc")
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| {
                    let name = entry.file_name();
                    let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
                    is_process && self.is(&entry.path())
                })
    }

    /// Whether a folder of `/proc` is that of the process: its id is that of the innermost namespace.
    fn is(&self, process: &std::path::Path) -> bool {
        let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
        // The name of the program may hold anything, so counting starts behind its parenthesis.
        let stat = read("stat");
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let mut fields = after.split_whitespace();
        let alive = !matches!(fields.next(), None | Some("Z" | "X"));
        let started = fields.nth(18).and_then(|ticks| ticks.parse::<u64>().ok());
        let namespaced = || {
            let status = read("status");
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            line.and_then(|ids| ids.split_whitespace().last()?.parse::<u32>().ok())
        };
        alive && started == Some(self.started) && namespaced() == Some(self.controller)
    }
}
