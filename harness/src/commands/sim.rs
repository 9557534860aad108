//! `shakedown sim`: strata's whole replica on simulated disks, network and clocks, seed after seed.

use crate::cli::Output;
use crate::exit::{Failure, INVALID, Result, UNKNOWN, VALID};
use crate::simulated::Simulated;
use crate::spec::Span;
use clap::Args;
use cluster::bugs::{self, CATALOGUE};
use cluster::sim::campaign::{self, Hunt, Summary};
use cluster::sim::{self, Options, Report};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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

/// How often progress is shown where there is no terminal.
const HEARTBEAT: Duration = Duration::from_secs(10);

pub fn run(args: &Sim) -> Result<u8> {
    if args.list_bugs {
        list(args);
        return Ok(VALID);
    }
    if args.bugs || args.bug.is_some() {
        return hunt(args);
    }
    if let Some(name) = &args.workload {
        workload(name)?;
    }
    match args.seed {
        Some(seed) => one(args, seed),
        None => many(args),
    }
}

fn workload(name: &str) -> Result<Box<dyn workloads::Workload>> {
    workloads::by_name(name).map_err(|error| Failure::usage(format!("workload: {error}")))
}

/// Plays one seed, with the clients of the workload if one is named.
fn play(args: &Sim, seed: u64) -> Report {
    let options = Options::of(seed);
    match args.workload.as_deref().map(workload) {
        Some(Ok(workload)) => {
            let load = Simulated::new(workload, seed, options.clients);
            sim::run_with(seed, &options, Box::new(load))
        }
        // A name that is not known was refused before.
        Some(Err(_)) | None => sim::run(seed, &options),
    }
}

fn threads(args: &Sim) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    args.threads.unwrap_or_else(cores).max(1)
}

/// Plays one seed and tells all of it.
fn one(args: &Sim, seed: u64) -> Result<u8> {
    let began = Instant::now();
    let options = Options::of(seed);
    let report = play(args, seed);
    if args.output.json {
        let document = serde_json::json!({
            "seed": seed, "violation": report.violation.as_ref().map(ToString::to_string),
            "trace": format!("{:016x}", report.trace), "events": report.events,
            "simulated_ms": report.simulated_ms, "acknowledged": report.acknowledged,
            "undecided": report.undecided,
        });
        println!("{document}");
    } else {
        println!("{options:#?}");
        println!(
            "seed {seed}: {} events, {:.1} s simulated in {:.2} s, {} requests acknowledged, trace {:016x}",
            report.events,
            report.simulated_ms as f64 / 1e3,
            began.elapsed().as_secs_f64(),
            report.acknowledged,
            report.trace
        );
        match &report.violation {
            None if report.undecided => println!("not decided by the checkers"),
            None => println!("holds"),
            Some(violation) => println!(
                "VIOLATION at {:.3} s: {violation}",
                report.simulated_ms as f64 / 1e3
            ),
        }
    }
    Ok(match (&report.violation, report.undecided) {
        (Some(_), _) => INVALID,
        (None, true) => UNKNOWN,
        (None, false) => VALID,
    })
}

fn many(args: &Sim) -> Result<u8> {
    if args.seeds == 0 {
        return Err(Failure::usage("--seeds must be at least 1"));
    }
    let over = AtomicBool::new(false);
    let shown = Mutex::new(Instant::now());
    let terminal = std::io::stderr().is_terminal();
    let began = Instant::now();
    let limit = args.time.as_ref().map(|span| span.0);
    let progress = |seeds: u64, violations: usize| {
        if limit.is_some_and(|limit| began.elapsed() >= limit) {
            over.store(true, Ordering::Relaxed);
        }
        let Ok(mut last) = shown.lock() else {
            return;
        };
        let every = if terminal {
            Duration::from_millis(200)
        } else {
            HEARTBEAT
        };
        if last.elapsed() >= every {
            *last = Instant::now();
            let rate = seeds as f64 / began.elapsed().as_secs_f64();
            let end = if terminal { "\r" } else { "\n" };
            eprint!(
                "{seeds} of {} seeds, {rate:.0}/s, {violations} violations{end}",
                args.seeds
            );
        }
    };
    let summary = campaign::play(
        args.from,
        args.seeds,
        threads(args),
        args.stop,
        &over,
        &progress,
        &|seed| play(args, seed),
    );
    if terminal {
        eprintln!();
    }
    tell(args, &summary);
    Ok(if !summary.violations.is_empty() {
        INVALID
    } else if summary.undecided > 0 {
        UNKNOWN
    } else {
        VALID
    })
}

fn tell(args: &Sim, summary: &Summary) {
    let seconds = summary.elapsed.as_secs_f64();
    let (rate, ratio) = (
        summary.seeds as f64 / seconds,
        summary.simulated.as_secs_f64() / seconds,
    );
    if args.output.json {
        let coverage: serde_json::Map<String, serde_json::Value> = summary
            .coverage
            .all()
            .map(|(path, times, _)| (path.to_owned(), times.into()))
            .collect();
        let violations: Vec<serde_json::Value> = summary
            .violations
            .iter()
            .map(|report| {
                serde_json::json!({
                    "seed": report.seed,
                    "violation": report.violation.as_ref().map(ToString::to_string),
                })
            })
            .collect();
        let document = serde_json::json!({
            "first": args.from, "seeds": summary.seeds, "seconds": seconds, "seeds_per_s": rate,
            "simulated_s": summary.simulated.as_secs_f64(), "simulated_per_real": ratio,
            "events": summary.events, "acknowledged": summary.acknowledged,
            "undecided": summary.undecided, "violations": violations, "coverage": coverage,
        });
        println!("{document}");
        return;
    }
    print!("{}", summary.coverage);
    println!(
        "\n{} seeds from {} in {seconds:.1} s: {rate:.1} seeds/s, {ratio:.0} s simulated per second ({} threads); \
         {} events, {} requests acknowledged",
        summary.seeds,
        args.from,
        threads(args),
        summary.events,
        summary.acknowledged
    );
    if summary.undecided > 0 {
        println!(
            "{} histories were not decided by the checkers",
            summary.undecided
        );
    }
    if summary.violations.is_empty() {
        println!("no violation");
    }
    for report in summary.violations.iter().take(10) {
        if let Some(violation) = &report.violation {
            println!("\nVIOLATION in seed {}: {violation}", report.seed);
            let workload = args.workload.as_ref();
            let workload = workload.map_or(String::new(), |name| format!(" --workload {name}"));
            println!("repeat: shakedown sim{workload} --seed {}", report.seed);
        }
    }
    if summary.violations.len() > 10 {
        println!("\n... and {} more", summary.violations.len() - 10);
    }
}

fn list(args: &Sim) {
    if args.output.json {
        let bugs: Vec<serde_json::Value> = CATALOGUE
            .iter()
            .map(|entry| {
                serde_json::json!({"name": entry.name, "what": entry.what, "source": entry.source})
            })
            .collect();
        println!("{}", serde_json::Value::from(bugs));
        return;
    }
    for entry in CATALOGUE {
        println!("{:<32} {} ({})", entry.name, entry.what, entry.source);
    }
}

fn hunt(args: &Sim) -> Result<u8> {
    let wanted: Vec<&bugs::Entry> = match &args.bug {
        None => CATALOGUE.iter().collect(),
        Some(name) => {
            let entry = bugs::by_name(name).ok_or_else(|| {
                Failure::usage(format!(
                    "no planted bug is named {name:?}; `shakedown sim --list-bugs` shows all"
                ))
            })?;
            vec![entry]
        }
    };
    let never = AtomicBool::new(false);
    let mut hunts: Vec<(&bugs::Entry, Hunt)> = Vec::new();
    for entry in wanted {
        let hunt = campaign::hunt(entry.bug, args.trials.max(1), args.limit, &never).ok_or_else(|| {
            Failure::usage(
                "this build has no planted bugs; `cargo run --release -p harness --features bugs -- sim --bugs` has",
            )
        })?;
        eprintln!(
            "{}: found in {} of {} trials",
            entry.name,
            hunt.found(),
            hunt.trials.len()
        );
        hunts.push((entry, hunt));
    }
    if args.output.json {
        let table: Vec<serde_json::Value> = hunts
            .iter()
            .map(|(entry, hunt)| {
                serde_json::json!({
                    "bug": entry.name, "trials": hunt.trials.len(), "found": hunt.found(),
                    "median_seeds": hunt.median().map(|median| median.0),
                    "median_seconds": hunt.median().map(|median| median.1),
                    "limit": args.limit, "seed": hunt.said.as_ref().map(|said| said.0),
                    "violation": hunt.said.as_ref().map(|said| &said.1),
                })
            })
            .collect();
        println!("{}", serde_json::Value::from(table));
    } else {
        println!("| bug | what is wrong | published as | found | median seeds | median seconds |");
        println!("|---|---|---|---|---|---|");
        for (entry, hunt) in &hunts {
            let (seeds, seconds) = hunt.median().map_or(
                (format!("> {}", args.limit), "-".to_owned()),
                |(seeds, seconds)| (seeds.to_string(), format!("{seconds:.2}")),
            );
            println!(
                "| `{}` | {} | {} | {} of {} | {seeds} | {seconds} |",
                entry.name,
                entry.what,
                entry.source,
                hunt.found(),
                hunt.trials.len()
            );
        }
        if let [(_, hunt)] = hunts.as_slice()
            && let Some((seed, said)) = &hunt.said
        {
            println!("\nseed {seed}: {said}");
        }
    }
    let all = hunts
        .iter()
        .all(|(_, hunt)| hunt.found() == hunt.trials.len());
    Ok(if all { VALID } else { UNKNOWN })
}
