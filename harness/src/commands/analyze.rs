//! `shakedown analyze`: the judging of a run, done again from its folder.

use crate::cli::{Limits, Output, Store};
use crate::exit::{Result, code_of};
use crate::progress::Progress;
use crate::run::judge;
use crate::run::stored::Stored;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Analyze {
    /// Run folder; default: the newest run
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Analyze) -> Result<u8> {
    let folder = super::folder(&args.run, &args.store.runs)?;
    let stored = Stored::parse(&folder.read_spec()?, &folder.spec().display().to_string())?;
    let mut spec = stored.spec;
    spec.check_time = args.limits.check_time.unwrap_or(spec.check_time);
    spec.check_memory = args.limits.check_memory.unwrap_or(spec.check_memory);
    let progress = Progress::new(args.output.quiet);
    let judged = judge::judge(folder, &spec, &progress)?;
    progress.finish();
    super::print(&judged, args.output.json)?;
    Ok(code_of(judged.results.valid))
}
