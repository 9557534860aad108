//! The command line. Its texts are the reference: docs repeat none of them.

use crate::exit::{self, Failure, Result};
use crate::spec::{Size, Span, Spec};
use checker::formats::{Format, NilReads};
use checker::generate::{Kind, Planted};
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
    Test(Box<Test>),
    /// Judge and measure a recorded run again
    #[command(after_long_help = exit::HELP)]
    Analyze(Analyze),
    /// Compare runs, sweeps or suites: what changed, by how much, how surely
    Compare(crate::commands::compare::Compare),
    /// Judge a history file
    #[command(after_long_help = exit::HELP)]
    Check(Check),
    /// Write a history file in our own format
    Convert(Convert),
    /// Make up a history file: of any length, of many models, with a violation if wanted
    GenHistory(GenHistory),
    /// Write the report of a recorded run again and say where it is
    Report(Report),
    /// List systems with their settings, workloads, faults, models and environments
    List(List),
    /// Say what this machine can do, and how to get the rest
    Doctor(Doctor),
    /// Keep a cluster running on this machine
    Cluster(Cluster),
    /// Undo what a killed harness may have left behind
    Heal(Heal),
    /// Remove runs that nobody needs; failures stay, and nothing is touched without --delete
    Gc(crate::commands::gc::Gc),
    /// Measure what the harness itself costs
    Bench(Bench),
    /// Make an invalid run smaller: fewer faults, less time and load, and it still fails
    #[command(after_long_help = exit::HELP)]
    Shrink(crate::commands::shrink::Shrink),
    /// Run one test over a grid of settings and faults: what a setting costs, and what it buys
    #[command(after_long_help = exit::HELP)]
    Sweep(crate::commands::sweep::SweepArgs),
    /// Run many tests: thresholds, seeds that failed before first, JUnit, a page, the trend over nights
    Suite(crate::commands::suite::SuiteArgs),
    /// Show the runs as web pages, on this machine only: list, reports, live runs, comparisons, trends
    Serve(crate::commands::serve::Serve),
    /// Play strata's replicas on simulated disks, network and clocks, seed after seed
    #[command(after_long_help = exit::HELP)]
    Sim(Sim),
}

#[derive(Debug, Args)]
pub struct Test {
    /// YAML file with settings; flags override it
    pub spec: Option<PathBuf>,
    /// Folder name below the run store
    #[arg(long)]
    pub name: Option<String>,
    /// System to test
    #[arg(long)]
    pub system: Option<String>,
    /// A setting of the system, for example checkpoint.every=1000; may be repeated (see `shakedown list`)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where to run: auto, netns or loopback
    #[arg(long)]
    pub env: Option<String>,
    /// Number of nodes
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Workloads, separated by commas, with options: bank:accounts=4 (see `shakedown list`)
    #[arg(long, value_delimiter = ',')]
    pub workload: Option<Vec<String>>,
    /// Bytes written before the run under keys that no workload uses, for example 64MiB; 0B: none
    #[arg(long)]
    pub prefill: Option<Size>,
    /// Kinds of fault, separated by commas; `none` breaks nothing
    #[arg(long, value_delimiter = ',')]
    pub nemesis: Option<Vec<String>>,
    /// Length of the main phase, for example 60s
    #[arg(long)]
    pub time: Option<Span>,
    /// Operations per second to aim at
    #[arg(long)]
    pub rate: Option<u64>,
    /// Number of history clients
    #[arg(long)]
    pub clients: Option<usize>,
    /// Limit of one operation
    #[arg(long)]
    pub deadline: Option<Span>,
    /// Time without faults before the final reads
    #[arg(long)]
    pub quiet_period: Option<Span>,
    /// Fixes operations, keys and the plan of faults; printed and stored in any case
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run so many times, with seeds counting up
    #[arg(long, default_value_t = 1)]
    pub count: u32,
    /// End the load at the first violation: some are found while it goes on
    #[arg(long)]
    pub fail_fast: bool,
    /// Print the plan of faults and end
    #[arg(long)]
    pub plan: bool,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
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

#[derive(Debug, Args)]
pub struct Check {
    /// History file, compressed by zstd or not; `-` for standard input
    pub history: PathBuf,
    /// Model to judge by, or several joined by `+`; default: what the file's header names
    #[arg(long)]
    pub model: Option<String>,
    /// Write a page that shows why the history is invalid: the few operations that are wrong by
    /// themselves, as a picture and in words
    #[arg(long, value_name = "HTML")]
    pub explain: Option<PathBuf>,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub output: Output,
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

#[derive(Debug, Args)]
pub struct Report {
    /// Run folder; default: the newest run
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Heal {
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Cluster {
    #[command(subcommand)]
    pub action: ClusterAction,
}

#[derive(Debug, Subcommand)]
pub enum ClusterAction {
    /// Start a cluster in the background and wait until it serves
    Up(ClusterUp),
    /// Ask every server of the cluster for its status
    Status(ClusterRef),
    /// End the cluster; its data stay unless --wipe
    Down(ClusterDown),
}

#[derive(Debug, Args)]
pub struct ClusterUp {
    #[arg(long, default_value_t = 3)]
    pub nodes: usize,
    /// A setting of the system; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub place: ClusterRef,
}

#[derive(Debug, Args)]
pub struct ClusterDown {
    /// Remove the cluster's folder
    #[arg(long)]
    pub wipe: bool,
    #[command(flatten)]
    pub place: ClusterRef,
}

#[derive(Debug, Args)]
pub struct ClusterRef {
    /// Folder of the cluster
    #[arg(long, value_name = "DIR", default_value = "runs/cluster")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    pub part: Option<BenchPart>,
    #[command(flatten)]
    pub interpreter: BenchInterpreter,
}

#[derive(Debug, Subcommand)]
pub enum BenchPart {
    /// How the time of the checkers grows with the length of a history, as a table and a plot
    Check(BenchCheck),
}

#[derive(Debug, Args)]
pub struct BenchInterpreter {
    /// Operations to perform
    #[arg(long, default_value_t = 500_000)]
    pub ops: u64,
    /// Number of clients
    #[arg(long, default_value_t = 32)]
    pub clients: usize,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct BenchCheck {
    /// Operations of the histories
    #[arg(long, value_delimiter = ',', default_values_t = [10_000u64, 20_000, 40_000, 80_000, 160_000, 320_000])]
    pub sizes: Vec<u64>,
    /// Times that each is judged
    #[arg(long, default_value_t = 3)]
    pub repeats: u32,
    /// Draw the times into this SVG file
    #[arg(long, value_name = "SVG")]
    pub plot: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Sim {
    /// Number of seeds
    #[arg(long, default_value_t = 1_000)]
    pub seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    pub from: u64,
    /// Clients of this workload instead of the simulation's own; join several with +
    #[arg(long, value_name = "NAME", conflicts_with_all = ["bug", "bugs"])]
    pub workload: Option<String>,
    /// Play this seed only and tell all of it
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    pub seed: Option<u64>,
    /// Stop after this time, for example 5m
    #[arg(long)]
    pub time: Option<Span>,
    /// Stop at the first violation
    #[arg(long)]
    pub stop: bool,
    /// Threads; one per core unless given
    #[arg(long)]
    pub threads: Option<usize>,
    /// Plant this bug and count the seeds until it is found (needs a build with `--features bugs`)
    #[arg(long, value_name = "NAME", conflicts_with = "seed")]
    pub bug: Option<String>,
    /// Plant every bug of the catalogue in turn and print the table
    #[arg(long, conflicts_with_all = ["seed", "bug"])]
    pub bugs: bool,
    /// Rows of seeds per bug, each from another place on
    #[arg(long, default_value_t = 3)]
    pub trials: u64,
    /// Seeds per row within which a bug must be found
    #[arg(long, default_value_t = 2_000)]
    pub limit: u64,
    /// List the planted bugs with their sources
    #[arg(long)]
    pub list_bugs: bool,
    #[command(flatten)]
    pub output: Output,
}

impl Test {
    /// The spec file, or the default, with the flags applied.
    pub fn resolve(&self) -> Result<Spec> {
        let mut spec = match &self.spec {
            Some(path) => Spec::read(path)?,
            None => Spec::default(),
        };
        let Test {
            name,
            system,
            env,
            nodes,
            time,
            rate,
            prefill,
            clients,
            deadline,
            quiet_period,
            ..
        } = self;
        override_with(&mut spec.name, name);
        override_with(&mut spec.system, system);
        override_with(&mut spec.env, env);
        override_with(&mut spec.nodes, nodes);
        override_with(&mut spec.time, time);
        override_with(&mut spec.rate, rate);
        override_with(&mut spec.prefill, prefill);
        override_with(&mut spec.clients, clients);
        override_with(&mut spec.deadline, deadline);
        override_with(&mut spec.quiet, quiet_period);
        override_with(&mut spec.workloads, &self.workload);
        override_with(&mut spec.check_time, &self.limits.check_time);
        override_with(&mut spec.check_memory, &self.limits.check_memory);
        if let Some(kinds) = &self.nemesis {
            spec.nemesis = kinds
                .iter()
                .filter(|kind| *kind != "none")
                .cloned()
                .collect();
        }
        for assignment in &self.settings {
            spec.set(assignment)?;
        }
        if self.seed.is_some() {
            spec.seed = self.seed;
        }
        spec.fail_fast |= self.fail_fast;
        if self.count == 0 {
            return Err(Failure::usage("--count 0: at least one run is needed"));
        }
        spec.validate()?;
        Ok(spec)
    }
}

fn nil_reads(text: &str) -> std::result::Result<NilReads, String> {
    match text {
        "seen" => Ok(NilReads::Seen),
        "unknown" => Ok(NilReads::Unknown),
        _ => Err("expected seen or unknown".to_owned()),
    }
}

fn override_with<T: Clone>(field: &mut T, flag: &Option<T>) {
    if let Some(value) = flag {
        *field = value.clone();
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

    #[test]
    fn flags_override_the_spec() {
        let cli = Cli::try_parse_from([
            "shakedown",
            "test",
            "--nemesis",
            "none",
            "--time",
            "5s",
            "--seed",
            "7",
        ]);
        let Ok(Cli {
            command: Command::Test(test),
        }) = cli
        else {
            panic!("{cli:?}")
        };
        let spec = test.resolve().unwrap();
        assert!(spec.nemesis.is_empty());
        assert_eq!((spec.time.to_string().as_str(), spec.seed), ("5s", Some(7)));
    }
}
