//! The command line: its commands, and the flags that several of them share; the others stand in the file of their
//! command. These texts are the reference: docs repeat none of them.

use crate::commands::{
    analyze, bench, check, cluster, compare, convert, doctor, gc, gen_history, heal, list, report,
    serve, shrink, sim, suite, sweep, test,
};
use crate::exit;
use crate::spec::{Size, Span};
use checker::formats::{Format, NilReads};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(
    name = "shakedown",
    version,
    about = "Breaks a replicated store, judges what its clients saw, measures how it came back",
    after_long_help = exit::HELP,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Deploy a cluster, load it, break it, judge it, measure its recovery
    #[command(after_long_help = exit::HELP)]
    Test(Box<test::Test>),
    /// Judge and measure a recorded run again
    #[command(after_long_help = exit::HELP)]
    Analyze(analyze::Analyze),
    /// Compare runs, sweeps or suites: what changed, by how much, how surely
    Compare(compare::Compare),
    /// Judge a history file
    #[command(after_long_help = exit::HELP)]
    Check(check::Check),
    /// Write a history file in our own format
    Convert(convert::Convert),
    /// Make up a history file: of any length, of many models, with a violation if wanted
    GenHistory(gen_history::GenHistory),
    /// Write the report of a recorded run again and say where it is
    Report(report::Report),
    /// List systems with their settings, workloads, faults, models and environments
    List(list::List),
    /// Say what this machine can do, and how to get the rest
    Doctor(doctor::Doctor),
    /// Keep a cluster running on this machine
    Cluster(cluster::Cluster),
    /// Undo what a killed harness may have left behind
    Heal(heal::Heal),
    /// Remove runs that nobody needs; failures stay, and nothing is touched without --delete
    Gc(gc::Gc),
    /// Measure what the harness itself costs
    Bench(bench::Bench),
    /// Make an invalid run smaller: fewer faults, less time and load, and it still fails
    #[command(after_long_help = exit::HELP)]
    Shrink(shrink::Shrink),
    /// Run one test over a grid of settings and faults: what a setting costs, and what it buys
    #[command(after_long_help = exit::HELP)]
    Sweep(sweep::SweepArgs),
    /// Run many tests: thresholds, seeds that failed before first, JUnit, a page, the trend over nights
    Suite(suite::SuiteArgs),
    /// Show the runs as web pages, on this machine only: list, reports, live runs, comparisons, trends
    Serve(serve::Serve),
    /// Play strata's replicas on simulated disks, network and clocks, seed after seed
    #[command(after_long_help = exit::HELP)]
    Sim(sim::Sim),
}

/// Limits of the checkers.
#[derive(Debug, Args)]
pub struct Limits {
    /// Time that each checker may take
    #[arg(long, visible_alias = "time-limit")]
    pub check_time: Option<Span>,
    /// Memory that each checker may take, for example 1GiB
    #[arg(long, visible_alias = "memory-limit")]
    pub check_memory: Option<Size>,
}

#[derive(Debug, Args)]
pub struct Store {
    /// Folder that keeps the runs
    #[arg(
        long,
        value_name = "DIR",
        default_value = "runs",
        env = "SHAKEDOWN_RUNS"
    )]
    pub runs: PathBuf,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// How a history file is understood.
#[derive(Debug, Args)]
pub struct Input {
    /// Its format: jsonl, jepsen-edn, porcupine-log, porcupine-kv, plume or awdit; default: what it looks
    /// like
    #[arg(long)]
    pub format: Option<Format>,
    /// What a read of nil in a register says: `seen`, it held nothing, or `unknown`, nothing, as Knossos has
    /// it; default: unknown in jepsen-edn, seen in the others
    #[arg(long, value_name = "HOW", value_parser = nil_reads)]
    pub nil_reads: Option<NilReads>,
}

fn nil_reads(text: &str) -> std::result::Result<NilReads, String> {
    match text {
        "seen" => Ok(NilReads::Seen),
        "unknown" => Ok(NilReads::Unknown),
        _ => Err("expected seen or unknown".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
