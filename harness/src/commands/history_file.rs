//! History files that commands read and write: any format in, our own out.

use crate::cli::Input;
use crate::exit::{Failure, Result};
use checker::formats::{self, Options, Reading};
use checker::history::compressed::Frames;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Reads a file, or standard input where it is called `-`; at most so many bytes of text.
pub fn read(path: &Path, input: &Input, text_max: Option<u64>) -> Result<Reading> {
    let options = Options {
        format: input.format,
        nil_reads: input.nil_reads,
        text_max,
    };
    match path.as_os_str() == "-" {
        true => formats::read(io::stdin().lock(), "standard input", options),
        false => formats::read_path(path, options),
    }
    .map_err(Failure::usage)
}

/// A file that is written, or standard output where it is called `-`.
pub enum Sink {
    Plain(Box<dyn Write>),
    Compressed(Frames<Box<dyn Write>>),
}

impl Sink {
    /// Compressed if the name ends in `.zst`.
    pub fn create(path: &Path) -> Result<Self> {
        let out: Box<dyn Write> = match path.as_os_str() == "-" {
            true => Box::new(BufWriter::new(io::stdout().lock())),
            false => Box::new(File::create(path).map_err(|error| at(path, &error))?),
        };
        Ok(match path.extension().is_some_and(|end| end == "zst") {
            true => Self::Compressed(Frames::new(out)),
            false => Self::Plain(out),
        })
    }
}

/// What went wrong, with the name of the file.
pub fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Compressed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Compressed(out) => out.flush(),
        }
    }
}
