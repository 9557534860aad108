//! Reads history files, ours and those of other tools, line by line; see the [format](super).

use super::super::structure::{Structure, on_key};
use super::super::{Event, Header, History, NemesisEvent, Op, Phase, ProcessId, Reason};
use super::VERSION;
use super::fields::{Problem, key, operation, result};
use super::quick::Line;
use crate::history::compressed::Text;
use serde::Deserialize;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

/// A longer line is an error: no event needs it, and a file without line ends would fill the memory.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// Why a history could not be read, and where.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{file}: {source}")]
    Io { file: String, source: io::Error },
    /// Lines and columns count from 1.
    #[error("{file}:{line}:{column}: {problem}")]
    Line {
        file: String,
        line: u64,
        column: usize,
        problem: String,
    },
}

/// What a line holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Header(Header),
    Event(Event),
    Nemesis(NemesisEvent),
}

/// Reads a history file record by record, checking that the events make a history.
pub struct Reader<R> {
    input: R,
    file: String,
    line: u64,
    buffer: Vec<u8>,
    structure: Structure,
    events: usize,
    next_index: u64,
    time: u64,
    truncated: bool,
    ended: bool,
}

/// A line as it stands, before its parts are understood. Borrowed where possible.
#[derive(Deserialize)]
struct Raw<'a> {
    version: Option<u32>,
    #[serde(default)]
    workload: String,
    #[serde(default)]
    model: String,
    index: Option<u64>,
    time: Option<u64>,
    process: Option<Json>,
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    f: Option<Cow<'a, str>>,
    #[serde(default)]
    key: Json,
    #[serde(default)]
    value: Json,
    #[serde(default)]
    error: Json,
}

impl History {
    /// Reads a history file.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let file = path.as_ref().display().to_string();
        let input = File::open(path).map_err(|source| ReadError::Io {
            file: file.clone(),
            source,
        })?;
        Self::from_reader(BufReader::with_capacity(1 << 16, input), file)
    }

    /// Reads a history from anywhere, compressed by zstd or not; `file` names it in errors.
    pub fn from_reader(input: impl BufRead, file: impl Into<String>) -> Result<Self, ReadError> {
        let file = file.into();
        let input = Text::new(input).map_err(|source| ReadError::Io {
            file: file.clone(),
            source,
        })?;
        let mut reader = Reader::new(input, file);
        let mut history = History::default();
        while let Some(record) = reader.read()? {
            match record {
                Record::Header(header) => history.header = Some(header),
                Record::Event(event) => history.events.push(event),
                Record::Nemesis(event) => history.nemesis.push(event),
            }
        }
        history.truncated = reader.truncated();
        Ok(history)
    }
}

impl<R: BufRead> Reader<R> {
    pub fn new(input: R, file: impl Into<String>) -> Self {
        Self {
            input,
            file: file.into(),
            line: 0,
            buffer: Vec::new(),
            structure: Structure::default(),
            events: 0,
            next_index: 0,
            time: 0,
            truncated: false,
            ended: false,
        }
    }

    /// Whether the file ended in the middle of a line; known once [`read`](Self::read) has returned `None`.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The next record, or `None` at the end.
    pub fn read(&mut self) -> Result<Option<Record>, ReadError> {
        while !self.ended {
            let mut line = std::mem::take(&mut self.buffer);
            line.clear();
            let read = (&mut self.input)
                .take(LINE_BYTES_MAX as u64 + 1)
                .read_until(b'\n', &mut line);
            let record = match read {
                Ok(0) => {
                    self.ended = true;
                    Ok(None)
                }
                Ok(_) => {
                    self.line += 1;
                    match line.len() > LINE_BYTES_MAX {
                        true => Err(self.error(1, too_long())),
                        false => self.understand(&line),
                    }
                }
                // A compressed file that was cut ends in the middle of a frame.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.truncated = true;
                    self.ended = true;
                    Ok(None)
                }
                Err(source) => Err(ReadError::Io {
                    file: self.file.clone(),
                    source,
                }),
            };
            self.buffer = line;
            match record {
                Ok(None) => {}
                found => {
                    self.ended |= found.is_err();
                    return found;
                }
            }
        }
        Ok(None)
    }

    fn understand(&mut self, line: &[u8]) -> Result<Option<Record>, ReadError> {
        let complete = line.ends_with(b"\n");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        if let Some(record) = self.quickly(line) {
            return Ok(Some(record));
        }
        let raw: Raw<'_> = match serde_json::from_slice(line) {
            Ok(raw) => raw,
            Err(error) if !complete && error.is_eof() => {
                self.truncated = true;
                self.ended = true;
                return Ok(None);
            }
            Err(error) => {
                let text = error.to_string();
                // The place is told by our own error.
                let text = text.split(" at line ").next().unwrap_or(&text);
                return Err(self.error(error.column().max(1), format!("not an event: {text}")));
            }
        };
        let record = self.record(raw);
        record.map(Some).map_err(|problem| {
            let column = column_of(line, problem.field);
            self.error(column, problem.text)
        })
    }

    /// The record of a line of the usual shape; `None`, with nothing changed, leaves it to the full reader.
    fn quickly(&mut self, line: &[u8]) -> Option<Record> {
        let line = Line::of(line)?;
        let index = line.index.unwrap_or(self.next_index);
        if index < self.next_index {
            return None;
        }
        let time = line.time.unwrap_or(self.time);
        let process = line.process;
        let (op, phase) = line.understand(|| self.structure.open(process))?;
        let event = Event {
            index,
            time,
            process,
            phase,
            op,
        };
        self.structure.accept(self.events, &event).ok()?;
        self.events += 1;
        self.next_index = index + 1;
        self.time = time;
        Some(Record::Event(event))
    }

    fn error(&self, column: usize, problem: String) -> ReadError {
        ReadError::Line {
            file: self.file.clone(),
            line: self.line,
            column,
            problem,
        }
    }

    fn record(&mut self, raw: Raw<'_>) -> Result<Record, Problem> {
        if let (Some(version), None) = (raw.version, &raw.kind) {
            return self
                .header(version, raw.workload, raw.model)
                .map(Record::Header);
        }
        let index = raw.index.unwrap_or(self.next_index);
        if index < self.next_index {
            return Err(Problem::new(
                "index",
                format!(
                    "index {index} after index {}: lines are doubled or out of order",
                    self.next_index - 1
                ),
            ));
        }
        let next_index = index
            .checked_add(1)
            .ok_or_else(|| Problem::new("index", "there is no room for a next index"))?;
        let time = raw.time.unwrap_or(self.time);
        let record = match &raw.process {
            Some(Json::String(name)) if name == "nemesis" => Record::Nemesis(NemesisEvent {
                index,
                time,
                f: raw.f.ok_or_else(|| Problem::missing("f"))?.into_owned(),
                value: raw.value,
            }),
            _ => {
                let event = self.event(index, time, raw)?;
                self.structure
                    .accept(self.events, &event)
                    .map_err(|error| Problem::new("process", error.to_string()))?;
                self.events += 1;
                Record::Event(event)
            }
        };
        self.next_index = next_index;
        self.time = time;
        Ok(record)
    }

    fn header(&self, version: u32, workload: String, model: String) -> Result<Header, Problem> {
        if version > VERSION {
            return Err(Problem::new(
                "version",
                format!("format version {version}; this program reads up to version {VERSION}"),
            ));
        }
        if self.events > 0 || self.next_index > 0 {
            return Err(Problem::new(
                "version",
                "a second header in the middle of the file",
            ));
        }
        Ok(Header {
            version,
            workload,
            model,
        })
    }

    fn event(&self, index: u64, time: u64, raw: Raw<'_>) -> Result<Event, Problem> {
        let process = match &raw.process {
            None => return Err(Problem::missing("process")),
            Some(json) => json
                .as_u64()
                .ok_or_else(|| Problem::expected("process", "a number or \"nemesis\"", json))?,
        };
        let process = ProcessId(process);
        let kind = raw.kind.ok_or_else(|| Problem::missing("type"))?;
        let f = raw.f.ok_or_else(|| Problem::missing("f"))?;
        let error = || {
            Reason::new(match &raw.error {
                Json::Null => "unstated".to_owned(),
                Json::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let (op, phase) = match &*kind {
            "invoke" => (operation(&f, key(&raw.key)?, &raw.value)?, Phase::Invoke),
            "ok" => {
                let op = self.completed(process, &f, &raw.key, &raw.value, true)?;
                let ret = result(&op, &raw.value)?;
                (op, Phase::Ok(ret))
            }
            "fail" => (
                self.completed(process, &f, &raw.key, &raw.value, false)?,
                Phase::Fail(error()),
            ),
            "info" => (
                self.completed(process, &f, &raw.key, &raw.value, false)?,
                Phase::Info(error()),
            ),
            other => {
                return Err(Problem::new(
                    "type",
                    format!("unknown type {other:?}; expected invoke, ok, fail or info"),
                ));
            }
        };
        Ok(Event {
            index,
            time,
            process,
            phase,
            op,
        })
    }

    /// The operation that a completion answers: the one its process has open, if the line agrees.
    /// Only an `ok` must agree in its value: others may hold something else there, such as the error.
    fn completed(
        &self,
        process: ProcessId,
        f: &str,
        key_json: &Json,
        value: &Json,
        ok: bool,
    ) -> Result<Op, Problem> {
        let key = key(key_json)?;
        let Some(open) = self.structure.open(process) else {
            return Err(Problem::new(
                "process",
                format!(
                    "process {process} completes {f} without having invoked it",
                    process = process.0
                ),
            ));
        };
        if open.name() != f || open.key().is_some_and(|open| *open != key) {
            return Err(Problem::new(
                if open.name() == f { "key" } else { "f" },
                format!(
                    "process {} invoked {}{} but completes {f} on key {key}",
                    process.0,
                    open.name(),
                    on_key(open.key()),
                ),
            ));
        }
        if ok && open.gives_nothing() && !value.is_null() && operation(f, key, value)? != *open {
            return Err(Problem::new(
                "value",
                format!(
                    "process {} completes its {f} with another value than it invoked",
                    process.0
                ),
            ));
        }
        Ok(open.clone())
    }
}

fn too_long() -> String {
    format!(
        "a line of more than {} MiB is no event",
        LINE_BYTES_MAX >> 20
    )
}

/// Where a field stands in its line, counted from 1; the line's beginning if it is not there.
fn column_of(line: &[u8], field: &str) -> usize {
    let name = format!("\"{field}\"");
    line.windows(name.len())
        .enumerate()
        .find(|(at, window)| {
            *window == name.as_bytes()
                && line[at + name.len()..]
                    .iter()
                    .find(|byte| !byte.is_ascii_whitespace())
                    .is_some_and(|byte| *byte == b':')
        })
        .map_or(1, |(at, _)| at + 1)
}
