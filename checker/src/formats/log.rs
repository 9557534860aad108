//! The log of a Jepsen run, as Porcupine and others take it: of all its lines, those in which `jepsen.util`
//! tells of an operation.
//!
//! ```text
//! INFO  jepsen.util - 2 :invoke :write 4
//! INFO  jepsen.util - 2 :ok :write 4
//! INFO  jepsen.util - 3 :info :cas :timed-out
//! ```

use super::NilReads;
use super::assemble::{Assembler, Line, Who};
use super::edn::{self, Place, Stop};
use crate::History;
use crate::history::jsonl::{LINE_BYTES_MAX, ReadError};
use std::io::{self, BufRead, Read as _};

/// What stands before an operation.
const MARK: &str = "jepsen.util - ";

pub fn read(
    mut input: impl BufRead,
    file: &str,
    nil_reads: NilReads,
) -> Result<History, ReadError> {
    let mut assembler = Assembler::new(nil_reads);
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        let at = |column: usize| Place {
            line: number,
            column,
        };
        match next_line(&mut input, &mut bytes) {
            Ok(Next::End) => return Ok(assembler.finish(false)),
            Ok(Next::Cut) => return Ok(assembler.finish(true)),
            Ok(Next::Whole | Next::Last) => {}
            Err(source) => {
                return Err(ReadError::Io {
                    file: file.to_owned(),
                    source,
                });
            }
        }
        let whole = bytes.ends_with(b"\n");
        let Ok(text) = str::from_utf8(&bytes) else {
            if !whole {
                return Ok(assembler.finish(true));
            }
            return Err(edn::error(file, at(1), "a line that is not UTF-8".into()));
        };
        let Some(start) = text.find(MARK).map(|mark| mark + MARK.len()) else {
            continue;
        };
        match line(&text[start..], at(start + 1)) {
            Ok(Some(line)) => {
                if let Err(misfit) = assembler.take(line) {
                    if !whole {
                        return Ok(assembler.finish(true));
                    }
                    return Err(edn::error(file, at(start + 1), misfit.problem));
                }
            }
            Ok(None) => {}
            Err(_) if !whole => return Ok(assembler.finish(true)),
            Err((place, problem)) => return Err(edn::error(file, place, problem)),
        }
    }
}

/// How a line was read.
pub(super) enum Next {
    Whole,
    /// Without a line end.
    Last,
    End,
    /// The compressed file ends in the middle of a frame.
    Cut,
}

/// The next line with its end, of bounded length.
pub(super) fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    let read = input
        .take(LINE_BYTES_MAX as u64 + 1)
        .read_until(b'\n', line);
    match read {
        Ok(0) => Ok(Next::End),
        Ok(length) if length > LINE_BYTES_MAX => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "a line of more than {} MiB is no event",
                LINE_BYTES_MAX >> 20
            ),
        )),
        Ok(_) if line.ends_with(b"\n") => Ok(Next::Whole),
        Ok(_) => Ok(Next::Last),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Next::Cut),
        Err(error) => Err(error),
    }
}

/// `2 :invoke :write 4`; `None`: it tells of something else.
fn line(text: &str, here: Place) -> Result<Option<Line>, (Place, String)> {
    let (process, rest) = word(text);
    let (kind, rest) = word(rest);
    let Some(kind) = kind.strip_prefix(':') else {
        return Ok(None);
    };
    let (f, rest) = word(rest);
    let place = |part: &str| Place {
        column: here.column + (part.as_ptr() as usize - text.as_ptr() as usize),
        ..here
    };
    let who = match process.parse() {
        Ok(number) => Who::Process(number),
        Err(_) if process.starts_with(':') => Who::Nemesis,
        Err(_) => return Ok(None),
    };
    let Some(f) = f.strip_prefix(':') else {
        return Err((place(f), "an event without an operation".to_owned()));
    };
    // A completion may end in what went wrong, after the value.
    let (value, error) = match values(rest) {
        Ok(values) => values,
        Err(problem) => return Err((place(rest), problem)),
    };
    Ok(Some(Line {
        who,
        kind: kind.to_owned(),
        f: f.to_owned(),
        value,
        error,
        ..Line::default()
    }))
}

fn values(text: &str) -> Result<(edn::Datum, Option<edn::Datum>), String> {
    let start = Place { line: 1, column: 1 };
    let wrapped = format!("#v [{text}]");
    let mut scanner = edn::Scanner::new(wrapped.as_bytes(), start);
    match scanner.next() {
        Ok(Some(item)) => match item.datum {
            edn::Datum::Vector(mut items) if (1..=2).contains(&items.len()) => {
                let second = (items.len() == 2).then(|| items.remove(1));
                Ok((items.remove(0), second))
            }
            _ => Err(format!("{:?} is no value", text.trim())),
        },
        Err(Stop::Wrong(_, problem)) => Err(problem),
        _ => Err(format!("{:?} is no value", text.trim())),
    }
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}
