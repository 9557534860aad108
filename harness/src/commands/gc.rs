//! `shakedown gc`.

use crate::cli::{Output, Store};
use crate::exit::{self, Failure, Result};
use crate::gc::removal;
use crate::gc::survey::Claim;
use crate::gc::{Decision, Found, Rules, decide, survey};
use crate::spec::Size;
use clap::{Args, ValueEnum};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Gc {
    /// Keep so many of the newest runs of each name
    #[arg(long, value_name = "N")]
    pub keep_last: Option<usize>,
    /// Keep runs that are younger
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub keep_days: Option<u32>,
    /// Of what is not kept, remove only the oldest, until all runs together take no more than this, for example
    /// 20GiB
    #[arg(long, value_name = "SIZE")]
    pub max_bytes: Option<Size>,
    /// Also remove what is kept otherwise: failures, or what belongs to suites or sweeps; may be repeated
    #[arg(long, value_name = "WHAT")]
    pub also: Vec<Also>,
    /// Remove; without this nothing is touched
    #[arg(long)]
    pub delete: bool,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Also {
    /// Runs that are invalid or missed a threshold, and those that a corpus names
    Failures,
    Suites,
    Sweeps,
}

impl Also {
    fn claims(self) -> &'static [Claim] {
        match self {
            Also::Failures => &[Claim::Failed, Claim::Corpus],
            Also::Suites => &[Claim::Suite],
            Also::Sweeps => &[Claim::Sweep],
        }
    }
}

pub fn run(args: &Gc) -> Result<u8> {
    let rules = rules(args)?;
    let found = survey(&args.store.runs)?;
    let mut decisions = decide(&found, &rules);
    let mut failures = Vec::new();
    if args.delete {
        for (run, decision) in found.iter().zip(&mut decisions) {
            if !decision.goes {
                continue;
            }
            match removal::remove(run) {
                Ok(true) => {}
                Ok(false) => {
                    decision.goes = false;
                    decision.because = Claim::GoingOn.to_string();
                }
                Err(failure) => {
                    decision.goes = false;
                    decision.because = format!("it could not be removed: {failure}");
                    failures.push(failure);
                }
            }
        }
    }
    match args.output.json {
        true => print_json(args, &found, &decisions)?,
        false => print(args, &found, &decisions),
    }
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(exit::VALID),
    }
}

fn rules(args: &Gc) -> Result<Rules> {
    if args.keep_last.is_none() && args.keep_days.is_none() && args.max_bytes.is_none() {
        return Err(Failure::usage(
            "say what stays: --keep-last, --keep-days or --max-bytes",
        ));
    }
    let waived: BTreeSet<Claim> = args
        .also
        .iter()
        .flat_map(|also| also.claims())
        .copied()
        .collect();
    Ok(Rules {
        last: args.keep_last,
        younger: args
            .keep_days
            .map(|days| Duration::from_secs(u64::from(days) * 86_400)),
        bytes: args.max_bytes.map(|size| size.0),
        waived,
    })
}

fn print(args: &Gc, found: &[Found], decisions: &[Decision]) {
    let (mut gone, mut kept) = ((0, 0), (0, 0));
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (run, decision) in found.iter().zip(decisions) {
        let sum = match decision.goes {
            true => &mut gone,
            false => &mut kept,
        };
        *sum = (sum.0 + 1, sum.1 + run.bytes);
        match decision.goes {
            true => println!("{:>10}  {}", bytes(run.bytes), run.path.display()),
            false => *reasons.entry(&decision.because).or_default() += 1,
        }
    }
    let verb = if args.delete {
        "removed"
    } else {
        "would remove"
    };
    println!("{verb} {}, {}", runs(gone.0), bytes(gone.1));
    println!("keeps {}, {}", runs(kept.0), bytes(kept.1));
    for (reason, count) in reasons {
        println!("{count:>10}  {reason}");
    }
    if let Some(most) = args.max_bytes.filter(|most| kept.1 > most.0) {
        println!("what is kept takes more than {most}; --also says what else may go");
    }
    if !args.delete && gone.0 > 0 {
        println!("nothing was touched; --delete does it");
    }
}

fn print_json(args: &Gc, found: &[Found], decisions: &[Decision]) -> Result<()> {
    let runs: Vec<_> = found
        .iter()
        .zip(decisions)
        .map(|(run, decision)| {
            serde_json::json!({
                "run": run.path,
                "name": run.group,
                "bytes": run.bytes,
                "age_s": run.age.as_secs(),
                "goes": decision.goes,
                "because": decision.because,
            })
        })
        .collect();
    let document = serde_json::json!({"deleted": args.delete, "runs": runs});
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}

fn bytes(bytes: u64) -> String {
    results::table::size(bytes)
}

fn runs(count: usize) -> String {
    format!("{count} run{}", if count == 1 { "" } else { "s" })
}
