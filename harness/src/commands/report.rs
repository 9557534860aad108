//! `shakedown report`: the pages of a judged run, written again.

use crate::cli::{Output, Store};
use crate::exit::{Result, VALID};
use crate::run::judge;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Report {
    /// Run folder; default: the newest run
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Report) -> Result<u8> {
    let folder = super::folder(&args.run, &args.store.runs)?;
    let results = folder.read_results()?;
    let recorded = folder.recorded(&results, judge::read_history(&folder.history())?)?;
    judge::show(&folder, &recorded, &results)?;
    match args.output.json {
        true => println!("{}", serde_json::json!({ "report": folder.report() })),
        false => println!("{}", folder.report().display()),
    }
    Ok(VALID)
}
