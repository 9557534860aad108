//! `shakedown gen-history`: a history that nobody recorded.

use super::history_file::{Sink, at};
use crate::cli::Output;
use crate::exit::{Failure, Result, VALID};
use checker::generate::History;
use checker::generate::{Kind, Planted};
use checker::history::jsonl::Writer;
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct GenHistory {
    /// File to write, compressed if its name ends in .zst; `-` for standard output
    pub to: PathBuf,
    /// What the history is of, for example register, list-append or semaphore=3
    #[arg(long, default_value = "cas-register")]
    pub model: Kind,
    /// Number of operations
    #[arg(long, default_value_t = 1_000)]
    pub operations: usize,
    /// Number of clients that work at the same time
    #[arg(long, default_value_t = 10)]
    pub processes: usize,
    /// Number of objects in use at a time
    #[arg(long, default_value_t = 1)]
    pub keys: usize,
    /// Number of different values that are written; 0: every written value is new
    #[arg(long, default_value_t = 5)]
    pub values: usize,
    /// Share of the operations whose outcome stays unknown, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub crashed: f64,
    /// Violation to plant in the middle, for example stale-read; which ones there are depends on the model
    #[arg(long, value_name = "VIOLATION")]
    pub plant: Option<Planted>,
    /// The same seed makes the same history
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &GenHistory) -> Result<u8> {
    let wanted = History {
        model: args.model,
        operations: args.operations,
        processes: args.processes,
        keys: args.keys,
        values: args.values,
        crashed: args.crashed,
        planted: args.plant,
        seed: args.seed,
    };
    let sink = Sink::create(&args.to)?;
    let mut writer = Writer::new(sink, &wanted.header()).map_err(|error| at(&args.to, &error))?;
    let mut written: io::Result<u64> = Ok(0);
    let taken = |event| {
        if let Ok(events) = &mut written {
            match writer.append(&event) {
                Ok(()) => *events += 1,
                Err(error) => written = Err(error),
            }
        }
    };
    wanted.stream(taken).map_err(Failure::usage)?;
    let events = written
        .and_then(|events| writer.into_inner()?.flush().map(|()| events))
        .map_err(|error| at(&args.to, &error))?;
    let (model, seed) = (args.model, args.seed);
    if args.output.json && args.to.as_os_str() != "-" {
        let document = serde_json::json!({
            "model": model.to_string(), "events": events, "seed": seed,
            "planted": args.plant.map(|planted| planted.to_string()),
        });
        println!("{document}");
    } else if !args.output.quiet {
        eprintln!(
            "{}: {events} events of {model}, seed {seed}",
            args.to.display()
        );
    }
    Ok(VALID)
}
