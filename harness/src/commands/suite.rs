//! `shakedown suite`.

use crate::cli::{Output, Store};
use crate::exit::{self, Failure, Result};
use crate::run::prepare;
use crate::run::session::{self, Session, Settled};
use crate::spec::Span;
use crate::suite::runner::{self, Done, Runner, rough};
use crate::suite::spec::Overrides;
use crate::suite::{self, Suite, github};
use clap::Args;
use results::suite::store::{Corpus, History, Night, Place};
use results::suite::{Failing, Outcome, Plan, Summary, trend};
use results::{Program, folder};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct SuiteArgs {
    /// YAML file with the tests
    pub spec: PathBuf,
    /// Print what would run, with how long it takes, and end
    #[arg(long)]
    pub plan: bool,
    /// Go on with the newest night of the suite if it did not finish
    #[arg(long)]
    pub resume: bool,
    /// Run what has been run least until this time is used up, for example 6h
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<Span>,
    /// Run a seed with a violation so often again, to state how often it fails; default: what the suite says
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub reruns: Option<u32>,
    /// What the seeds of tests without seeds of their own come from
    #[arg(long)]
    pub seed: Option<u64>,
    /// Only the test of this name; may be repeated
    #[arg(long, value_name = "TEST")]
    pub only: Vec<String>,
    /// Where to run: auto, netns or loopback
    #[arg(long)]
    pub env: Option<String>,
    /// A setting of the system for every test; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    /// Also write the JUnit file here
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Also write the summary as Markdown here
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &SuiteArgs) -> Result<u8> {
    let origin = args.spec.display().to_string();
    let overrides = Overrides {
        env: args.env.clone(),
        settings: args.settings.clone(),
        only: args.only.clone(),
        reruns: args.reruns,
    };
    let suite = Suite::read(&args.spec, &overrides)?;
    let checked = suite.check(args.binary.as_ref(), &origin)?;
    if args.plan {
        return print_plan(args, &suite);
    }
    let choice = match session::settle(&checked)? {
        Settled::Here(choice) => choice,
        Settled::Done(code) => return Ok(code),
    };
    let place = Place::open(&args.store.runs, &suite.name)?.ok_or_else(|| {
        let path = Place::path_of(&args.store.runs, &suite.name);
        Failure::usage(format!(
            "{}: another shakedown works on this suite",
            path.display()
        ))
    })?;
    let history = place.history().map_err(unread)?;
    let corpus = place.corpus(&history).map_err(unread)?;
    let program = checked.program()?;
    let (night, plan) = night(args, &suite, &place, &history, &corpus, program)?;
    let remarks = dropped(&corpus.failing, &suite, args);
    let night_folder = night.path().display().to_string();
    let Done {
        mut summary,
        history,
    } = super::runtime()?.block_on(async {
        let session = Session::begin(choice, args.output.quiet)?;
        session.progress().note(&format!(
            "suite {}, seed {}, night {night_folder}; if this is interrupted: {}",
            suite.name, plan.seed, plan.resume
        ));
        let runner = Runner {
            suite: &suite,
            plan: &plan,
            night: &night,
            history,
            corpus,
            budget: args.time.map(|time| time.0),
            binary: args.binary.clone(),
            remarks,
        };
        let done = runner.run(&session).await;
        session.progress().finish();
        done
    })?;
    let trends = trend::trends(&summary, &history);
    summary.shifts = trend::shifts(&trends);
    suite::show(&night, &summary, &trends)?;
    export(args, &night, &summary)?;
    print(args, &night, &summary)?;
    Ok(code_of(summary.outcome))
}

/// The night to go on with, or a new one.
fn night(
    args: &SuiteArgs,
    suite: &Suite,
    place: &Place,
    history: &History,
    corpus: &Corpus,
    program: Option<Program>,
) -> Result<(Night, Plan)> {
    if args.resume
        && let Some((night, plan)) = place.unfinished().map_err(unread)?
    {
        let other = plan.program.as_ref().zip(program.as_ref());
        if let Some((then, now)) = other.filter(|(then, now)| !then.is_same(now)) {
            return Err(differs(&night, &format!("{now}, where {then} was,")));
        }
        same(suite, args, &plan, &night)?;
        return Ok((night, plan));
    }
    let seed = args.seed.or(suite.seed);
    let seed = seed.unwrap_or_else(prepare::fresh_seed);
    let plan = runner::plan(suite, seed, &corpus.failing, &history.runs)?;
    begin(args, place, Plan { program, ..plan })
}

/// Seeds that failed in tests that the suite has no longer must not be forgotten in silence.
fn dropped(failing: &[Failing], suite: &Suite, args: &SuiteArgs) -> Vec<String> {
    let known = |failing: &&Failing| suite.tests.iter().any(|test| test.name() == failing.test);
    let names: BTreeSet<&str> = failing
        .iter()
        .filter(|failing| !known(failing))
        .map(|failing| failing.test.as_str())
        .collect();
    // With --only, others are left out on purpose.
    match names.is_empty() || !args.only.is_empty() {
        true => Vec::new(),
        false => vec![format!(
            "Seeds that failed belong to tests that the suite has no longer: {}.",
            Vec::from_iter(names).join(", ")
        )],
    }
}

/// A record that can't be understood was changed by hand; what can't be read is the machine's matter.
fn unread(error: folder::Error) -> Failure {
    match error {
        folder::Error::Line { .. } | folder::Error::Document { .. } => Failure::usage(error),
        other => other.into(),
    }
}

/// Makes the night's folder and puts its plan there before anything runs.
fn begin(args: &SuiteArgs, place: &Place, mut plan: Plan) -> Result<(Night, Plan)> {
    let now = jiff::Timestamp::now();
    let night = place.begin(&now.strftime("%Y%m%dT%H%M%SZ").to_string())?;
    plan.night = night.name();
    plan.started = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    plan.budget_s = args.time.map(|time| time.0.as_secs());
    plan.resume = suite::resume_command(std::env::args());
    night.write_plan(&plan)?;
    Ok((night, plan))
}

fn differs(night: &Night, what: &str) -> Failure {
    Failure::usage(format!(
        "--resume: {what} is not what {} began with; leave --resume out to begin a new night",
        night.path().display()
    ))
}

/// A night goes on only with the tests that it began with.
fn same(suite: &Suite, args: &SuiteArgs, begun: &Plan, night: &Night) -> Result<()> {
    let differs = |what: &str| differs(night, what);
    if args
        .seed
        .or(suite.seed)
        .is_some_and(|seed| seed != begun.seed)
    {
        return Err(differs("the seed"));
    }
    if args.time.is_some() != begun.budget_s.is_some() {
        return Err(differs("a budget by --for"));
    }
    let now = runner::plan(suite, begun.seed, &[], &[])?;
    let tests = |plan: &Plan| {
        let tests = plan.tests.iter();
        Vec::from_iter(tests.map(|test| {
            (
                test.name.clone(),
                test.seeds.clone(),
                test.expect.clone(),
                test.spec.clone(),
            )
        }))
    };
    match tests(&now) == tests(begun) {
        true => Ok(()),
        false => Err(differs("the suite")),
    }
}

fn print_plan(args: &SuiteArgs, suite: &Suite) -> Result<u8> {
    let seed = args.seed.or(suite.seed);
    let place = Place::path_of(&args.store.runs, &suite.name);
    let (failing, history) = results::suite::store::peek(&place).map_err(unread)?;
    let drawn = seed.unwrap_or_else(prepare::fresh_seed);
    let mut plan = runner::plan(suite, drawn, &failing, &history)?;
    plan.budget_s = args.time.map(|time| time.0.as_secs());
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&plan)?);
        return Ok(exit::VALID);
    }
    print!("{}", results::suite::table::plan(&plan));
    let runs = |test: &results::suite::Test| test.seeds.len() + test.corpus.len();
    let all: f64 = plan
        .tests
        .iter()
        .map(|test| runs(test) as f64 * test.takes_s)
        .sum();
    match args.time {
        Some(time) => println!("chosen by what was run least, for {time}"),
        None => println!(
            "{} runs, about {}; a violation adds {} reruns of its seed",
            plan.tests.iter().map(runs).sum::<usize>(),
            rough(Duration::from_secs_f64(all)),
            plan.reruns
        ),
    }
    if seed.is_none() {
        println!("seeds are others every night; --seed {drawn} gives these");
    }
    Ok(exit::VALID)
}

/// Files that were asked for, and what a build on GitHub is told.
fn export(args: &SuiteArgs, night: &Night, summary: &Summary) -> Result<()> {
    if let Some(path) = &args.junit {
        write(path, &results::suite::junit::render(summary))?;
    }
    if let Some(path) = &args.markdown {
        write(
            path,
            &results::suite::markdown::render(summary, &night.path().display().to_string()),
        )?;
    }
    github::tell(summary, night)
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn print(args: &SuiteArgs, night: &Night, summary: &Summary) -> Result<()> {
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(summary)?);
        return Ok(());
    }
    print!(
        "{}",
        results::suite::table::summary(summary, super::colour())
    );
    println!();
    println!("page: {}", night.page().display());
    if !summary.finished {
        println!("go on with: {}", summary.resume);
    }
    Ok(())
}

/// By the contract, the worst of several wins: 255, 1, 3, 2, 0.
fn code_of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Valid => exit::VALID,
        Outcome::Unknown => exit::UNKNOWN,
        Outcome::Missed => exit::THRESHOLD,
        Outcome::Invalid => exit::INVALID,
        Outcome::Broken => exit::HARNESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_the_code_of_the_contract() {
        let codes = [
            Outcome::Broken,
            Outcome::Invalid,
            Outcome::Missed,
            Outcome::Unknown,
            Outcome::Valid,
        ]
        .map(code_of);
        assert_eq!(codes, [255, 1, 3, 2, 0]);
    }
}
