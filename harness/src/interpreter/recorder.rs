//! Writes the history while it happens.
//!
//! The scheduler encodes events into blocks; a thread of its own writes the blocks to `history.jsonl`, so that a
//! slow disk delays no operation. A block leaves when it is full or [`FLUSH_EVERY`] old: what a killed
//! harness loses is at most that. The history in memory is for the judging that follows.

use super::NemesisNote;
use crate::exit::{Failure, Result};
use crate::run::online::Events;
use checker::history::jsonl;
use checker::history::{Header, NemesisEvent};
use checker::{Event, History, Op, Phase, ProcessId};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const BLOCK: usize = 64 << 10;
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// Blocks that may wait for the disk before the scheduler has to.
const BLOCKS_WAITING: usize = 256;

pub struct Recorder {
    history: History,
    writer: jsonl::Writer<Blocks>,
    thread: Option<JoinHandle<io::Result<()>>>,
    path: PathBuf,
    last_time: u64,
    next_index: u64,
    /// Who judges the events as they come.
    judged_by: Option<Events>,
}

impl Recorder {
    /// Creates the file; its header is on disk when this returns.
    pub fn create(path: &Path, header: Header) -> Result<Self> {
        let file = File::create(path).map_err(|error| at(path, error))?;
        let (blocks, queue) = sync_channel(BLOCKS_WAITING);
        let thread = std::thread::Builder::new()
            .name("history".into())
            .spawn(move || write_blocks(file, &queue))
            .map_err(|error| Failure::harness(format!("no thread for the history: {error}")))?;
        let blocks = Blocks {
            block: Vec::with_capacity(BLOCK),
            sent: Instant::now(),
            blocks,
        };
        let history = History {
            header: Some(header.clone()),
            ..History::default()
        };
        let writer = jsonl::Writer::new(blocks, &header).map_err(|error| at(path, error))?;
        let mut recorder = Self {
            history,
            writer,
            thread: Some(thread),
            path: path.to_owned(),
            last_time: 0,
            next_index: 0,
            judged_by: None,
        };
        recorder.flush()?;
        Ok(recorder)
    }

    /// Hands every event on, from now on.
    pub fn judged_by(&mut self, events: Events) {
        self.judged_by = Some(events);
    }

    /// Appends a client's event. Times never run backwards: an event that was timed by a worker before
    /// another was recorded gets the other's time.
    pub fn event(&mut self, time: u64, process: ProcessId, phase: Phase, op: Op) -> Result<Event> {
        let (index, time) = self.stamp(time);
        let event = Event {
            index,
            time,
            process,
            phase,
            op,
        };
        let written = self.writer.append(&event);
        written.or_else(|error| self.failed(error))?;
        // Who does not listen any more has judged, or given up.
        self.judged_by.take_if(|events| !events.send(&event));
        self.history.events.push(event.clone());
        Ok(event)
    }

    pub fn nemesis(&mut self, note: NemesisNote) -> Result<()> {
        let (index, time) = self.stamp(note.time);
        let event = NemesisEvent {
            index,
            time,
            f: note.f,
            value: note.value,
        };
        let written = self.writer.append_nemesis(&event);
        written.or_else(|error| self.failed(error))?;
        self.history.nemesis.push(event);
        Ok(())
    }

    /// Hands what was recorded to the writing thread.
    pub fn flush(&mut self) -> Result<()> {
        let flushed = self.writer.flush();
        flushed.or_else(|error| self.failed(error))
    }

    /// Ends the file: everything is on disk and synced when this returns.
    pub fn finish(mut self) -> Result<History> {
        self.flush()?;
        let thread = self.thread.take();
        drop(self.writer);
        join(thread).map_err(|error| at(&self.path, error))?;
        Ok(self.history)
    }

    fn stamp(&mut self, time: u64) -> (u64, u64) {
        self.last_time = self.last_time.max(time);
        let index = self.next_index;
        self.next_index += 1;
        (index, self.last_time)
    }

    /// The writing thread is gone: say why it went.
    fn failed(&mut self, error: io::Error) -> Result<()> {
        let cause = join(self.thread.take()).err().unwrap_or(error);
        Err(at(&self.path, cause))
    }
}

fn at(path: &Path, error: io::Error) -> Failure {
    Failure::harness(format!(
        "{}: {error}; what was recorded before it is kept",
        path.display()
    ))
}

fn join(thread: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match thread.map(JoinHandle::join) {
        Some(Ok(written)) => written,
        Some(Err(_)) => Err(io::Error::other("the writing thread panicked")),
        None => Ok(()),
    }
}

fn write_blocks(mut file: File, queue: &Receiver<Vec<u8>>) -> io::Result<()> {
    for block in queue {
        file.write_all(&block)?;
    }
    file.sync_all()
}

/// Collects bytes and sends them on in blocks.
struct Blocks {
    block: Vec<u8>,
    sent: Instant,
    blocks: SyncSender<Vec<u8>>,
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK || self.sent.elapsed() >= FLUSH_EVERY {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.blocks
            .send(block)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
