//! `shakedown convert`: a history of any format in our own.

use super::history_file::{self, Sink, at};
use crate::cli::{Input, Output};
use crate::exit::{Failure, Result, UNKNOWN, VALID};
use checker::History;
use checker::history::Header;
use checker::history::jsonl::{VERSION, Writer};
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Convert {
    /// History file of any format; `-` for standard input
    pub from: PathBuf,
    /// File to write, one JSON event a line, compressed if its name ends in .zst; `-` for standard output
    pub to: PathBuf,
    /// Model for the header; default: what the header of the input names
    #[arg(long)]
    pub model: Option<String>,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Convert) -> Result<u8> {
    if let Some(model) = &args.model {
        checker::checkers_for(model).map_err(Failure::usage)?;
    }
    let reading = history_file::read(&args.from, &args.input, None)?;
    let history = reading.history;
    let header = match (&args.model, &history.header) {
        (None, header) => header.clone(),
        (Some(model), Some(header)) => Some(Header {
            model: model.clone(),
            ..header.clone()
        }),
        (Some(model), None) => Some(Header {
            version: VERSION,
            workload: reading.format.name().to_owned(),
            model: model.clone(),
        }),
    };
    let sink = Sink::create(&args.to)?;
    write(&history, header.as_ref(), sink).map_err(|error| at(&args.to, &error))?;
    let events = history.events.len();
    if args.output.json && args.to.as_os_str() != "-" {
        println!(
            "{}",
            serde_json::json!({
                "format": reading.format.name(), "events": events,
                "truncated": history.truncated, "notes": reading.notes,
            })
        );
    } else if !args.output.quiet {
        eprintln!(
            "{}: {events} events of {}",
            args.to.display(),
            reading.format
        );
        for note in reading.notes {
            eprintln!("note: {note}");
        }
    }
    if history.truncated {
        eprintln!(
            "{}: ends in the middle of an event; converted up to there",
            args.from.display()
        );
        return Ok(UNKNOWN);
    }
    Ok(VALID)
}

/// Events of clients and of the nemesis in the order of their indices.
fn write(history: &History, header: Option<&Header>, sink: Sink) -> io::Result<()> {
    let mut writer = match header {
        Some(header) => Writer::new(sink, header)?,
        None => Writer::without_header(sink),
    };
    let mut nemesis = history.nemesis.iter().peekable();
    for event in &history.events {
        while let Some(fault) = nemesis.next_if(|fault| fault.index < event.index) {
            writer.append_nemesis(fault)?;
        }
        writer.append(event)?;
    }
    for fault in nemesis {
        writer.append_nemesis(fault)?;
    }
    writer.into_inner()?.flush()
}
