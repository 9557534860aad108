//! `shakedown gen-history`: a history that nobody recorded.

use super::history_file::{Sink, at};
use crate::cli::GenHistory;
use crate::exit::{Failure, Result, VALID};
use checker::generate::History;
use checker::history::jsonl::Writer;
use std::io::{self, Write};

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
