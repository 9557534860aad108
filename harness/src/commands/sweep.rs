//! `shakedown sweep`.

use crate::cli::{Output, Store as RunStore};
use crate::exit::{self, Failure, Result};
use crate::run::prepare;
use crate::run::session::{self, Session, Settled};
use crate::spec::Span;
use crate::sweep::grid::{self, Grid};
use crate::sweep::queue;
use crate::sweep::spec::SweepSpec;
use crate::sweep::{Ended, Engine};
use clap::Args;
use results::Program;
use results::hold::Hold;
use results::sweep::{self, Findings, Store, Sweep, Target};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub struct SweepArgs {
    /// YAML file that says what to vary, or the folder of a sweep to go on with
    #[arg(value_name = "SPEC|FOLDER")]
    pub sweep: PathBuf,
    /// Print the grid and how long it takes, and end
    #[arg(long)]
    pub plan: bool,
    /// Only make the report of what is there anew; needs the folder
    #[arg(long, conflicts_with_all = ["plan", "cell"])]
    pub report: bool,
    /// Make one run more of this cell, and no other; needs the folder
    #[arg(long, value_name = "NUMBER")]
    pub cell: Option<u32>,
    /// Recoveries wanted in each cell, instead of the spec's
    #[arg(long, value_name = "N")]
    pub recoveries: Option<u32>,
    /// Runs without faults for each combination of settings, instead of the spec's
    #[arg(long, value_name = "N")]
    pub controls: Option<u32>,
    /// Recommend the cheapest setting by which 95 % of recoveries end within this time
    #[arg(long, value_name = "TIME")]
    pub rto: Option<Span>,
    /// ... and by which a loss of power takes no more than this time of work; 0: not one acknowledged write
    #[arg(long, value_name = "TIME", value_parser = rpo)]
    pub rpo: Option<Span>,
    /// Begin no run that would not end within this time; the folder can be gone on with
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<Span>,
    /// Fixes the order of runs, their operations and the moments of their faults
    #[arg(long)]
    pub seed: Option<u64>,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub store: RunStore,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &SweepArgs) -> Result<u8> {
    let resumed = args.sweep.is_dir();
    let spec = read(args, resumed)?;
    if resumed && args.report {
        let store = open(&args.sweep)?;
        return report(args, &store, Ended::Complete);
    }
    let grid = grid::grid(&spec, &args.binary)?;
    let seed = spec.seed.unwrap_or_else(prepare::fresh_seed);
    if args.plan {
        return print_plan(args, &spec, &grid, seed);
    }
    if let Some(cell) = args.cell {
        known(&grid, cell)?;
    }
    prepare::wanted(&grid.base.spec)?;
    let choice = match session::settle(&grid.base)? {
        Settled::Here(choice) => choice,
        Settled::Done(code) => return Ok(code),
    };
    let store = match resumed {
        true => open(&args.sweep)?,
        false => begin(args, &spec, &grid, seed)?,
    };
    let Some(_held) = Hold::take(store.path())? else {
        return Err(Failure::usage(format!(
            "{}: another program goes on with this sweep",
            store.path().display()
        )));
    };
    let begun = Store::read(store.path())?;
    same_program(&begun, grid.base.program()?, &args.sweep)?;
    let resume = begun.resume;
    let engine = Engine {
        spec: &spec,
        grid: &grid,
        store: &store,
        seed: begun.seed,
        program: begun.program,
        binary: args.binary.clone(),
        until: args.time.map(|time| Instant::now() + time.0),
    };
    let ended = super::runtime()?.block_on(async {
        let session = Session::begin(choice, args.output.quiet)?;
        session
            .progress()
            .note(&format!("if this is interrupted: {resume}"));
        let ended = match args.cell {
            Some(cell) => engine.again(&session, cell).await.map(|_| Ended::Complete),
            None => engine.run(&session).await,
        };
        session.progress().finish();
        ended
    })?;
    report(args, &store, ended)
}

/// The spec from its file, or as the folder keeps it; with what the flags change.
fn read(args: &SweepArgs, resumed: bool) -> Result<SweepSpec> {
    if !resumed {
        if args.cell.is_some() || args.report {
            let flag = if args.report { "--report" } else { "--cell" };
            return Err(Failure::usage(format!(
                "{flag}: {} is no folder of a sweep",
                args.sweep.display()
            )));
        }
        let spec = SweepSpec::read(&args.sweep)?;
        return Ok(SweepSpec {
            recoveries: args.recoveries.unwrap_or(spec.recoveries),
            controls: args.controls.unwrap_or(spec.controls),
            seed: args.seed.or(spec.seed),
            ..spec
        });
    }
    let settled = [
        (args.recoveries.is_some(), "--recoveries"),
        (args.controls.is_some(), "--controls"),
        (args.seed.is_some(), "--seed"),
    ];
    if let Some((_, flag)) = settled.iter().find(|(given, _)| *given) {
        return Err(Failure::usage(format!(
            "{flag}: {} is a sweep that has begun; its spec is settled",
            args.sweep.display()
        )));
    }
    let path = Store::spec(&args.sweep);
    if !path.is_file() {
        return Err(Failure::usage(format!(
            "{} is no folder of a sweep: it has no sweep.yaml",
            args.sweep.display()
        )));
    }
    SweepSpec::read(&path)
}

fn binary_flag(args: &SweepArgs) -> String {
    let named = args.binary.as_ref();
    named.map_or_else(String::new, |path| format!(" --binary {}", path.display()))
}

/// A sweep's runs are of one program, or its curves would say nothing.
fn same_program(begun: &Sweep, now: Option<Program>, sweep: &Path) -> Result<()> {
    match begun.program.as_ref().zip(now.as_ref()) {
        Some((then, now)) if !then.is_same(now) => Err(Failure::usage(format!(
            "{}: its runs so far were of another program ({then}) than {now}: give that one by --binary, or begin a \
             new sweep",
            sweep.display()
        ))),
        _ => Ok(()),
    }
}

fn known(grid: &Grid, cell: u32) -> Result<()> {
    let cells = grid.points.len() as u32;
    match (1..=cells).contains(&cell) {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "--cell {cell}: there are the cells 1 to {cells}"
        ))),
    }
}

fn open(path: &Path) -> Result<Store> {
    Store::open(path).map_err(Failure::usage)
}

fn begin(args: &SweepArgs, spec: &SweepSpec, grid: &Grid, seed: u64) -> Result<Store> {
    let now = jiff::Timestamp::now();
    let name = format!("{}-{seed}", now.strftime("%Y%m%dT%H%M%SZ"));
    let path = args.store.runs.join("sweep").join(&spec.name).join(name);
    let stored = SweepSpec {
        seed: Some(seed),
        ..spec.clone()
    };
    let sweep = Sweep {
        name: spec.name.clone(),
        seed,
        system: grid.base.spec.system.clone(),
        started: now.to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
        resume: format!("shakedown sweep {}{}", path.display(), binary_flag(args)),
        program: grid.base.program()?,
        machine: crate::run::machine::facts(),
        varied: grid.varied.clone(),
        recoveries_wanted: spec.recoveries,
        controls_wanted: spec.controls,
        probe_ms: grid.base.spec.probe_every.0.as_secs_f64() * 1e3,
        sample_ms: grid.base.spec.status_every.0.as_secs_f64() * 1e3,
        cells: grid.points.iter().map(|point| point.cell.clone()).collect(),
        left_out: grid.left_out.clone(),
        ..Sweep::default()
    };
    Ok(Store::create(
        &path,
        &serde_yaml::to_string(&stored)?,
        &sweep,
    )?)
}

fn print_plan(args: &SweepArgs, spec: &SweepSpec, grid: &Grid, seed: u64) -> Result<u8> {
    let tasks = queue::planned(&grid.points, &[], seed);
    let estimate = crate::sweep::estimate(spec, grid, seed);
    if args.output.json {
        let cells: Vec<_> = grid.points.iter().map(|point| &point.cell).collect();
        let document = serde_json::json!({
            "cells": cells,
            "left_out": grid.left_out,
            "runs": tasks.len(),
            "estimate_s": estimate.as_secs(),
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(exit::VALID);
    }
    for point in &grid.points {
        let cell = &point.cell;
        println!(
            "{:>4}  {:<50} {} runs",
            cell.number,
            grid::title(cell.scenario, &cell.settings),
            point.runs()
        );
    }
    for line in &grid.left_out {
        println!("left out: {line}");
    }
    println!(
        "{} cells, {} runs and {} for calibration, about {}",
        grid.points.len(),
        tasks.len(),
        grid.cases.len() as u32 * spec.calibrations,
        humantime::format_duration(estimate)
    );
    Ok(exit::VALID)
}

/// A duration, or 0 without a unit.
fn rpo(text: &str) -> std::result::Result<Span, String> {
    match text {
        "0" => Ok(Span(Duration::ZERO)),
        text => text.parse(),
    }
}

/// Writes what the sweep says by now, and prints it.
fn report(args: &SweepArgs, store: &Store, ended: Ended) -> Result<u8> {
    let sweep = Store::read(store.path()).map_err(Failure::usage)?;
    let target = Target {
        rto_ms: args.rto.map(|span| span.0.as_secs_f64() * 1e3),
        rpo_s: args.rpo.map(|span| span.0.as_secs_f64()),
    };
    let findings = sweep::analyse(&sweep, target);
    let document = serde_json::json!({ "sweep": sweep, "findings": findings });
    let document = serde_json::to_string_pretty(&document)?;
    store.write_results(&document)?;
    store.write_report(&sweep::page(&sweep, &findings))?;
    store.write_markdown(&sweep::markdown(&sweep, &findings))?;
    match args.output.json {
        true => println!("{document}"),
        false => {
            println!("{}", sweep::text(&sweep, &findings));
            println!("report: {}", store.report().display());
            if ended == Ended::Early {
                println!("goes on with: {}", sweep.resume);
            }
        }
    }
    Ok(code(&sweep, &findings, ended))
}

/// A proved violation first, whatever else; of a sweep that is not over nothing more is known; then a target that
/// nothing meets; then cells that lack what they should have.
fn code(sweep: &Sweep, findings: &Findings, ended: Ended) -> u8 {
    let recommendation = &findings.recommendation;
    if !findings.violations.is_empty() {
        exit::INVALID
    } else if ended == Ended::Early {
        exit::UNKNOWN
    } else if recommendation.target.is_given() && recommendation.chosen.is_none() {
        exit::THRESHOLD
    } else if lacks(sweep) {
        exit::UNKNOWN
    } else {
        exit::VALID
    }
}

/// Whether a cell has fewer recoveries, or runs of a control, than the sweep wanted of each.
fn lacks(sweep: &Sweep) -> bool {
    sweep.cells.iter().any(|cell| {
        let found: u32 = sweep
            .repeats_of(cell.number)
            .map(|repeat| queue::brought(cell.scenario, repeat))
            .sum();
        found < cell.wanted
    })
}
