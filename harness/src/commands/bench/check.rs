//! `shakedown bench check`: how the time of the checkers grows with the history.

use crate::cli::Output;
use crate::exit::{Failure, Result, VALID};
use crate::progress::Progress;
use checker::generate::{History, Kind, Planted};
use checker::{Budget, Checker, Validity};
use clap::Args;
use results::plots::{Curve, growth, n_log_n};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};

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

/// Histories of one kind, of growing length.
struct Family {
    name: &'static str,
    model: &'static str,
    history: History,
    validity: Validity,
}

/// One size of a family.
struct Measured {
    operations: u64,
    /// The least of all repeats.
    seconds: f64,
}

fn families() -> Vec<Family> {
    let one = History {
        processes: 10,
        keys: 1,
        values: 5,
        seed: 1,
        ..History::default()
    };
    vec![
        Family {
            name: "cas-register",
            model: "cas-register",
            history: one.clone(),
            validity: Validity::Valid,
        },
        Family {
            name: "stale read",
            model: "cas-register",
            history: History {
                planted: Some(Planted::StaleRead),
                ..one.clone()
            },
            validity: Validity::Invalid,
        },
        Family {
            name: "unique values",
            model: "register",
            history: History {
                model: Kind::Register,
                processes: 50,
                values: 0,
                ..one.clone()
            },
            validity: Validity::Valid,
        },
        Family {
            name: "key-value",
            model: "key-value",
            history: History {
                model: Kind::KeyValue,
                processes: 100,
                keys: 100,
                crashed: 0.01,
                ..one.clone()
            },
            validity: Validity::Valid,
        },
        Family {
            name: "list-append",
            model: "list-append",
            history: History {
                model: Kind::ListAppend,
                processes: 20,
                keys: 10,
                values: 0,
                ..one
            },
            validity: Validity::Valid,
        },
    ]
}

pub fn run(args: &BenchCheck) -> Result<u8> {
    if args.sizes.iter().any(|size| *size < 2) || args.repeats == 0 {
        return Err(Failure::usage(
            "--sizes must be at least 2, and --repeats at least 1",
        ));
    }
    let mut sizes = args.sizes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let progress = super::super::progress(args.output.quiet);
    let mut measured: Vec<(Family, Vec<Measured>)> = Vec::new();
    for family in families() {
        progress.phase("bench", family.name);
        let times = sizes
            .iter()
            .map(|size| measure(&family, *size, args.repeats, &progress))
            .collect::<Result<Vec<_>>>()?;
        measured.push((family, times));
    }
    progress.finish();
    if let Some(path) = &args.plot {
        let curves: Vec<Curve> = measured
            .iter()
            .map(|(family, times)| curve(family, times))
            .collect();
        let title = "Time to judge a history, by operations; thin: n log n from the first point";
        let picture = growth("check-growth", title, &curves)
            .ok_or_else(|| Failure::usage("--sizes: nothing to draw"))?;
        std::fs::write(path, picture.document())
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    }
    match args.output.json {
        true => println!(
            "{}",
            serde_json::to_string_pretty(&document(&measured, args.repeats))?
        ),
        false => println!(
            "{}\nn {} each, the least counts; {} cores",
            table(&measured),
            args.repeats,
            super::cores()
        ),
    }
    Ok(VALID)
}

fn measure(
    family: &Family,
    operations: u64,
    repeats: u32,
    progress: &Progress,
) -> Result<Measured> {
    progress.phase(
        "bench",
        &format!("{}, {operations} operations", family.name),
    );
    let wanted = History {
        operations: operations as usize,
        ..family.history.clone()
    };
    let history = wanted
        .generate()
        .map_err(|error| Failure::harness(format!("{}: {error}", family.name)))?;
    let checkers = checker::checkers_for(family.model).map_err(Failure::harness)?;
    let checkers: Vec<Box<dyn Checker>> = checkers
        .into_iter()
        .filter(|checker| checker.name() != "stats")
        .collect();
    let budget = Budget {
        time: Duration::from_secs(300),
        memory: 4 << 30,
    };
    let mut least = f64::INFINITY;
    for _ in 0..repeats {
        let began = Instant::now();
        for checker in &checkers {
            let validity = checker.decide(&history, budget);
            if validity != family.validity {
                return Err(Failure::harness(format!(
                    "{} of {operations} operations is {validity}, not {}",
                    family.name, family.validity
                )));
            }
        }
        least = least.min(began.elapsed().as_secs_f64());
    }
    Ok(Measured {
        operations,
        seconds: least,
    })
}

fn curve(family: &Family, times: &[Measured]) -> Curve {
    let points = times.iter().map(|time| (time.operations, time.seconds));
    Curve {
        name: family.name.to_owned(),
        points: points.collect(),
    }
}

fn table(measured: &[(Family, Vec<Measured>)]) -> String {
    let mut rows = Builder::default();
    rows.push_record(["history", "operations", "time", "ns / (n log2 n)"]);
    for (family, times) in measured {
        for time in times {
            rows.push_record([
                family.name.to_owned(),
                results::table::count(time.operations),
                results::table::duration(time.seconds * 1e3),
                format!("{:.1}", time.seconds * 1e9 / n_log_n(time.operations)),
            ]);
        }
    }
    let mut table = rows.build();
    table.with(Style::blank());
    table.modify(Columns::new(1..), Alignment::right());
    table.to_string()
}

fn document(measured: &[(Family, Vec<Measured>)], repeats: u32) -> serde_json::Value {
    let rows = measured.iter().flat_map(|(family, times)| {
        times.iter().map(|time| {
            serde_json::json!({
                "history": family.name, "model": family.model, "operations": time.operations,
                "seconds": time.seconds, "ns_per_n_log2_n": time.seconds * 1e9 / n_log_n(time.operations),
            })
        })
    });
    serde_json::json!({
        "rows": rows.collect::<Vec<_>>(), "repeats": repeats, "cores": super::cores(),
    })
}
