//! The commands, one file each. Each returns its exit code.

pub(crate) mod analyze;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod doctor;
pub(crate) mod gc;
pub(crate) mod gen_history;
pub(crate) mod heal;
mod history_file;
pub(crate) mod list;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod shrink;
pub(crate) mod sim;
pub(crate) mod suite;
pub(crate) mod sweep;
pub(crate) mod test;

use crate::cli::{Cli, Command};
use crate::exit::{Failure, Result};
use crate::progress::Progress;
use crate::run::judge::Judged;
use results::Folder;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

pub fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Test(args) => test::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::GenHistory(args) => gen_history::run(&args),
        Command::Report(args) => report::run(&args),
        Command::List(args) => list::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Cluster(args) => cluster::run(&args),
        Command::Heal(args) => heal::run(&args),
        Command::Gc(args) => gc::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Shrink(args) => shrink::run(&args),
        Command::Suite(args) => suite::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Sweep(args) => sweep::run(&args),
    }
}

/// Whether standard output takes colour.
fn colour() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Progress of commands that take long only now and then: shown on a terminal, and nowhere else.
fn progress(quiet: bool) -> Progress {
    Progress::new(quiet || !std::io::stderr().is_terminal())
}

/// The folder of a run that was named, or of the newest.
fn folder(named: &Option<PathBuf>, runs: &Path) -> Result<Folder> {
    let path = named.clone().unwrap_or_else(|| runs.join("latest"));
    Folder::open(&path).map_err(Failure::usage)
}

/// Prints the verdict of a run.
fn print(judged: &Judged, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(&judged.results)?);
        return Ok(());
    }
    print!("{}", results::table::summary(&judged.results, colour()));
    println!();
    println!("repeat: {}", judged.recorded.run.repeat);
    println!("report: {}", judged.folder.report().display());
    Ok(())
}

/// A runtime for commands that need one.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
