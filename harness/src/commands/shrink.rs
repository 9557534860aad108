//! `shakedown shrink`.

use crate::cli::{Output, Store};
use crate::exit::{Failure, INVALID, Result, UNKNOWN};
use crate::run::prepare::{self, Checked};
use crate::run::session::{self, Session, Settled};
use crate::run::stored::Stored;
use crate::shrink::attempts::Rule;
use crate::shrink::search::{in_words, invalid_checks};
use crate::shrink::{Attempts, Limits, Search, Shrunk, Why};
use crate::spec::{Span, Spec};
use clap::Args;
use results::Folder;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Shrink {
    /// Folder of an invalid run; shrinking it again goes on where it ended
    pub run: PathBuf,
    /// A candidate is run so often at the most
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
    /// A candidate must fail in so many of its repeats
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub least: u32,
    /// Begin no run that would not end within this time
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    pub time: Span,
    /// Also write the smaller spec to this file
    #[arg(long, value_name = "YAML")]
    pub out: Option<PathBuf>,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

/// Below the folder of the run that is shrunk.
const FOLDER: &str = "shrink";

pub fn run(args: &Shrink) -> Result<u8> {
    if args.least > args.repeats {
        return Err(Failure::usage(format!(
            "--least {}: more than --repeats {}",
            args.least, args.repeats
        )));
    }
    let folder = Folder::open(&args.run).map_err(Failure::usage)?;
    let results = folder.read_results().map_err(Failure::usage)?;
    let checks = invalid_checks(&results);
    if checks.is_empty() {
        return Err(Failure::usage(format!(
            "{}: no check proved a violation, so there is nothing to shrink ({})",
            folder.path().display(),
            results.reason
        )));
    }
    let (base, checked) = base(&folder, args.binary.clone())?;
    let choice = match session::settle(&checked)? {
        Settled::Here(choice) => choice,
        Settled::Done(code) => return Ok(code),
    };
    let kept = folder.path().join(FOLDER);
    std::fs::create_dir_all(&kept)
        .map_err(|error| Failure::harness(format!("{}: {error}", kept.display())))?;
    let mut attempts = Attempts::open(&kept.join("attempts.jsonl"))?;
    let search = Search {
        base,
        checks,
        limits: Limits {
            rule: Rule {
                repeats: args.repeats,
                least: args.least,
            },
            time: args.time.0,
        },
        binary: args.binary.clone(),
        runs: args.store.runs.clone(),
    };
    let shrunk = super::runtime()?.block_on(async {
        let session = Session::begin(choice, args.output.quiet)?;
        let shrunk = search.run(&session, &mut attempts).await;
        session.progress().finish();
        shrunk
    })?;
    let smallest = kept.join("smallest.yaml");
    if shrunk.reproduced.failed > 0 {
        for path in args.out.iter().chain([&smallest]) {
            write(path, &shrunk.smallest)?;
        }
    }
    print(args, &search.base, &shrunk, &smallest)?;
    Ok(match shrunk.reproduced.failed {
        0 => UNKNOWN,
        _ => INVALID,
    })
}

/// The spec of the run with its faults as they were planned, under a name of its own.
fn base(folder: &Folder, binary: Option<PathBuf>) -> Result<(Spec, Checked)> {
    let origin = folder.spec().display().to_string();
    let Stored { mut spec, run, .. } = Stored::parse(&folder.read_spec()?, &origin)?;
    spec.seed = Some(run.seed);
    let checked = prepare::check(spec.clone(), binary.clone())?;
    spec.schedule = prepare::plan(&spec, &checked.kinds, run.seed)?.faults;
    if !spec.name.ends_with("-shrink") {
        spec.name.push_str("-shrink");
    }
    spec.validate()?;
    let checked = prepare::check(spec.clone(), binary)?;
    Ok((spec, checked))
}

/// Beside, and renamed: whoever reads finds the one before or this one.
fn write(path: &Path, spec: &Spec) -> Result<()> {
    let failed = |error| Failure::harness(format!("{}: {error}", path.display()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    std::fs::write(&beside, serde_yaml::to_string(spec)?).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

fn print(args: &Shrink, base: &Spec, shrunk: &Shrunk, smallest: &Path) -> Result<()> {
    if args.output.json {
        let mut document = serde_json::to_value(shrunk)?;
        document["from"] = serde_json::to_value(base)?;
        if shrunk.reproduced.failed > 0 {
            document["spec_file"] = smallest.display().to_string().into();
        }
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    println!(
        "{}",
        match shrunk.ended {
            Why::Smallest => "nothing smaller fails",
            Why::TimeIsUp => "the time is up; the same command goes on from here",
            Why::Interrupted => "interrupted; the same command goes on from here",
            Why::NotReproduced =>
                "the run did not fail again, so it can't be shrunk; more --repeats may help",
        }
    );
    println!("from      {}", in_words(base));
    println!("to        {}", in_words(&shrunk.smallest));
    println!(
        "fails in  {} of {} runs ({} runs made in all)",
        shrunk.reproduced.failed, shrunk.reproduced.runs, shrunk.runs
    );
    if shrunk.reproduced.failed == 0 {
        return Ok(());
    }
    println!();
    print!("{}", serde_yaml::to_string(&shrunk.smallest)?);
    println!();
    println!("repeat: shakedown test {}", smallest.display());
    Ok(())
}
