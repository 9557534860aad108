//! Histories in EDN: Jepsen's `history.edn`, and Porcupine's logs of key-value stores.
//!
//! An event is a map with `:process`, `:type`, `:f` and `:value`; `:time`, `:index`, `:key` and `:error`
//! where there are any. Events stand one after the other or in one vector. Records such as
//! `#jepsen.history.Op{...}` are maps.

mod datum;
mod scan;

pub use datum::Datum;
pub use scan::{Item, Place, Scanner, Stop};

use super::NilReads;
use super::assemble::{Assembler, Line, Who};
use super::fields::Misfit;
use crate::History;
use crate::history::jsonl::ReadError;
use std::io::BufRead;

/// What an empty text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    IsText,
    /// Nothing: where texts are only put and appended, and what was never put reads as the empty text.
    IsNil,
}

const START: Place = Place { line: 1, column: 1 };

pub fn read(
    input: impl BufRead,
    file: &str,
    nil_reads: NilReads,
    empty: Empty,
) -> Result<History, ReadError> {
    let mut scanner = Scanner::new(input, START);
    let mut assembler = Assembler::new(nil_reads);
    loop {
        let item = match scanner.next() {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(assembler.finish(false)),
            Err(Stop::Cut) => return Ok(assembler.finish(true)),
            Err(Stop::Io(source)) => {
                return Err(ReadError::Io {
                    file: file.to_owned(),
                    source,
                });
            }
            Err(Stop::Wrong(place, problem)) => return Err(error(file, place, problem)),
        };
        let Item {
            place,
            mut datum,
            parts,
        } = item;
        if empty == Empty::IsNil {
            empty_is_nil(&mut datum);
        }
        let taken = line(&mut datum).and_then(|line| assembler.take(line));
        taken.map_err(|misfit| {
            let at = datum.position(misfit.field);
            let part = at.and_then(|at| parts.get(2 * at));
            error(file, *part.unwrap_or(&place), misfit.problem)
        })?;
    }
}

pub fn error(file: &str, place: Place, problem: String) -> ReadError {
    ReadError::Line {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        problem,
    }
}

/// Takes the values out of an event; the names stay.
fn line(event: &mut Datum) -> Result<Line, Misfit> {
    let Datum::Map(pairs) = event else {
        return Err(Misfit::new("", format!("an event is a map, not {event}")));
    };
    let mut line = Line::default();
    let (mut process, mut kind) = (None, None);
    for (name, value) in pairs {
        let Datum::Keyword(name) = name else { continue };
        match (name.as_str(), std::mem::replace(value, Datum::Nil)) {
            ("process", Datum::Int(number)) => {
                let number = u64::try_from(number)
                    .map_err(|_| Misfit::new("process", format!("process {number}")))?;
                process = Some(Who::Process(number));
            }
            ("process", Datum::Nil) => {}
            ("process", _) => process = Some(Who::Nemesis),
            ("type", Datum::Keyword(word)) => kind = Some(word),
            ("f", value) => {
                line.f = match value {
                    Datum::Nil => String::new(),
                    other => match other.word() {
                        Some(word) => word.to_owned(),
                        None => other.to_string(),
                    },
                };
            }
            ("key", Datum::Nil) => {}
            ("key", value) => line.key = Some(value),
            ("value", value) => line.value = value,
            ("error", Datum::Nil) => {}
            ("error", value) => line.error = Some(value),
            ("time", Datum::Int(time)) => line.time = Some(u64::try_from(time).unwrap_or(0)),
            ("index", Datum::Int(index)) => line.index = u64::try_from(index).ok(),
            _ => {}
        }
    }
    line.who = process.ok_or_else(|| Misfit::new("", "an event without :process"))?;
    line.kind = kind.ok_or_else(|| Misfit::new("", "an event without :type"))?;
    Ok(line)
}

fn empty_is_nil(event: &mut Datum) {
    let Datum::Map(pairs) = event else { return };
    for (name, value) in pairs {
        let empty = matches!(value, Datum::Text(text) if text.is_empty());
        if empty && matches!(name, Datum::Keyword(name) if name == "value") {
            *value = Datum::Nil;
        }
    }
}
