//! Histories in the formats of other tools.
//!
//! [`read`] takes any of them and gives a [`History`]. The formats differ in what they write down; what they
//! have in common, the assembling of operations out of lines, is in `assemble`. Each reader has a file of its
//! own: `edn` (Jepsen, and Porcupine's logs of key-value stores), `log` (Porcupine's logs of etcd),
//! `sessions` (Plume's and AWDIT's transactions). Our own format is [`jsonl`](crate::history::jsonl).
//!
//! A line that makes no sense is an error with its line and column. A file that ends in the middle of an event
//! is read up to there, and [`History::truncated`] says so. No reader recurses by what it reads, and none
//! keeps more than one event besides the history.

mod assemble;
mod edn;
mod fields;
mod log;
mod sessions;

#[cfg(test)]
mod tests;

use crate::History;
use crate::history::compressed::Text;
pub use crate::history::jsonl::ReadError;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::str::FromStr;

/// A kind of history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Our own: one JSON object a line.
    Jsonl,
    /// Jepsen's `history.edn`: maps, one after the other or in one vector, also as tagged records.
    JepsenEdn,
    /// What Jepsen's log shows of an etcd run: `INFO  jepsen.util - 0 :invoke :read nil`.
    PorcupineLog,
    /// EDN maps with get, put and append of texts; what was never put reads as the empty text.
    PorcupineKv,
    /// `r(key,value,session,transaction)`, as Plume and PolySI take it.
    Plume,
    /// `r key value` with `-----` between transactions and `=====` between sessions, as AWDIT's tests have it.
    Awdit,
}

/// What a read of nil in a register says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NilReads {
    /// The register held nothing.
    Seen,
    /// Nothing: the read is left out. This is how Knossos takes it.
    Unknown,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Default: what the file's name and beginning look like.
    pub format: Option<Format>,
    /// Default: unknown in Jepsen's EDN, seen in all others.
    pub nil_reads: Option<NilReads>,
    /// Bytes of text, uncompressed, that are read at the most: a history takes about as much memory.
    pub text_max: Option<u64>,
}

/// A history and how it was understood.
#[derive(Clone, Debug)]
pub struct Reading {
    pub history: History,
    pub format: Format,
    /// There was more text than [`Options::text_max`] allows: the history is its beginning.
    pub cut: bool,
    /// What whoever judges it should know, a sentence each.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name:?}; known: {known}")]
pub struct UnknownFormat {
    pub name: String,
    pub known: String,
}

/// Bytes by which a format is recognized.
const HEAD_BYTES: u64 = 4096;

/// Reads a history file.
pub fn read_path(path: impl AsRef<Path>, options: Options) -> Result<Reading, ReadError> {
    let file = path.as_ref().display().to_string();
    let input = File::open(path).map_err(|source| ReadError::Io {
        file: file.clone(),
        source,
    })?;
    read(BufReader::with_capacity(1 << 16, input), &file, options)
}

/// Reads a history from anywhere, compressed by zstd or not; `file` names it in errors, and its end may tell
/// its format.
pub fn read(input: impl BufRead, file: &str, options: Options) -> Result<Reading, ReadError> {
    let at = |source: io::Error| ReadError::Io {
        file: file.to_owned(),
        source,
    };
    let mut text = Text::new(input).map_err(at)?;
    let mut head = Vec::new();
    match text.by_ref().take(HEAD_BYTES).read_to_end(&mut head) {
        // A compressed file that was cut: its reader will find that too.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(at(error)),
        _ => {}
    }
    let format = options
        .format
        .unwrap_or_else(|| Format::recognize(file, &head));
    let mut text = Cursor::new(head)
        .chain(text)
        .take(options.text_max.unwrap_or(u64::MAX));
    let nil_reads = options.nil_reads.unwrap_or(match format {
        Format::JepsenEdn => NilReads::Unknown,
        _ => NilReads::Seen,
    });
    let mut history = match format {
        Format::Jsonl => History::from_reader(&mut text, file)?,
        Format::JepsenEdn => edn::read(&mut text, file, nil_reads, edn::Empty::IsText)?,
        Format::PorcupineKv => edn::read(&mut text, file, nil_reads, edn::Empty::IsNil)?,
        Format::PorcupineLog => log::read(&mut text, file, nil_reads)?,
        Format::Plume => sessions::plume(&mut text, file)?,
        Format::Awdit => sessions::awdit(&mut text, file)?,
    };
    let is_full = text.limit() == 0;
    let cut = is_full && !text.into_inner().fill_buf().map_err(at)?.is_empty();
    history.truncated |= cut;
    Ok(Reading {
        history,
        format,
        cut,
        notes: notes(format, nil_reads),
    })
}

fn notes(format: Format, nil_reads: NilReads) -> Vec<String> {
    let mut notes = Vec::new();
    if matches!(format, Format::Plume | Format::Awdit) {
        notes.push(format!(
            "{format} tells the order within each session only: what rests on real time between sessions means nothing here"
        ));
    }
    if format == Format::JepsenEdn && nil_reads == NilReads::Unknown {
        notes.push("a read of nil counts as a read of nothing known, as in Knossos".to_owned());
    }
    notes
}

impl Format {
    pub const ALL: [Format; 6] = [
        Format::Jsonl,
        Format::JepsenEdn,
        Format::PorcupineLog,
        Format::PorcupineKv,
        Format::Plume,
        Format::Awdit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::JepsenEdn => "jepsen-edn",
            Format::PorcupineLog => "porcupine-log",
            Format::PorcupineKv => "porcupine-kv",
            Format::Plume => "plume",
            Format::Awdit => "awdit",
        }
    }

    /// The format that a file of this name and beginning most likely has.
    pub fn recognize(file: &str, head: &[u8]) -> Self {
        let name = file.strip_suffix(".zst").unwrap_or(file);
        let head = String::from_utf8_lossy(head);
        let start = head.trim_start();
        if name.ends_with(".jsonl") || start.starts_with("{\"") {
            return Format::Jsonl;
        }
        let of_texts = |line: &str| {
            line.contains(":key \"") && [":get", ":put", ":append"].iter().any(|f| line.contains(f))
        };
        let first = start.lines().next().unwrap_or_default();
        match first.as_bytes() {
            [b'{', ..] if of_texts(first) => Format::PorcupineKv,
            [b'r' | b'w', b'(', ..] => Format::Plume,
            [b'r' | b'w', b' ', ..] => Format::Awdit,
            [b'{' | b'[' | b'(' | b'#' | b';', ..] => Format::JepsenEdn,
            _ if name.ends_with(".edn") => Format::JepsenEdn,
            _ if head.contains("jepsen.util - ") => Format::PorcupineLog,
            _ => Format::Jsonl,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    /// The name, or one of the names by which others call it.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let name = match text {
            "json" => "jsonl",
            "edn" | "jepsen" => "jepsen-edn",
            "log" | "etcd" | "porcupine-jepsen-log" => "porcupine-log",
            "kv" => "porcupine-kv",
            other => other,
        };
        Format::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat {
                name: text.to_owned(),
                known: Format::ALL.map(Format::name).join(", "),
            })
    }
}
