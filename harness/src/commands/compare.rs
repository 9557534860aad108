//! `shakedown compare`.

use crate::cli::{Output, Store};
use crate::compare::interleaved::Pair;
use crate::compare::subject::{self, Read};
use crate::exit::{self, Failure, Result};
use crate::run::prepare;
use crate::run::session::{self, Session, Settled};
use clap::Args;
use results::compare::{self, Comparison};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Compare {
    /// Base and new: two run folders or folders with runs. With --with: the runs of the base
    #[arg(
        value_name = "RUN",
        required_unless_present = "ab",
        conflicts_with = "ab"
    )]
    pub paths: Vec<PathBuf>,
    /// The new runs
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with = "ab")]
    pub with: Vec<PathBuf>,
    /// Run two variants in turns, each given as flags of `shakedown test` in one text
    #[arg(long, num_args = 2, value_names = ["BASE", "NEW"], allow_hyphen_values = true)]
    pub ab: Option<Vec<String>>,
    /// Runs of each variant
    #[arg(long, default_value_t = 6, requires = "ab", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repeats: u32,
    /// Seed of the first round
    #[arg(long, requires = "ab")]
    pub seed: Option<u64>,
    /// Loads and faults that differ are what is compared, no reason to refuse
    #[arg(long, conflicts_with = "ab")]
    pub anyway: bool,
    /// Write the page with charts
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// End with exit code 3 if a measure regressed
    #[arg(long)]
    pub fail_on_regression: bool,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Compare) -> Result<u8> {
    match &args.ab {
        Some(flags) => in_turns(args, &flags[0], &flags[1]),
        None => {
            let (base, new) = sides(args)?;
            let (base, new) = (labelled(base), labelled(new));
            finish(args, &base, &new, args.anyway, None)
        }
    }
}

/// Which paths are the base and which are new.
fn sides(args: &Compare) -> Result<(&[PathBuf], &[PathBuf])> {
    match (args.paths.as_slice(), args.with.as_slice()) {
        ([base, new], []) => Ok((std::slice::from_ref(base), std::slice::from_ref(new))),
        (runs, []) => Err(Failure::usage(format!(
            "give two runs, or put the new ones after --with; {} given",
            runs.len()
        ))),
        (base, new) => Ok((base, new)),
    }
}

struct Labelled<'a> {
    label: String,
    paths: &'a [PathBuf],
}

fn labelled(paths: &[PathBuf]) -> Labelled<'_> {
    let label = match paths {
        [first, .., last] => format!(
            "{} to {} ({} paths)",
            first.display(),
            last.display(),
            paths.len()
        ),
        [one] => one.display().to_string(),
        [] => String::new(),
    };
    Labelled { label, paths }
}

fn in_turns(args: &Compare, a: &str, b: &str) -> Result<u8> {
    let pair = Pair::parse(a, b)?;
    let choice = match session::settle(&pair.decisive()?)? {
        Settled::Here(choice) => choice,
        Settled::Done(code) => return Ok(code),
    };
    let seed = args.seed.unwrap_or_else(prepare::fresh_seed);
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let folder = args.store.runs.join(format!("compare-{time}-{seed}"));
    super::runtime()?.block_on(async {
        let session = Session::begin(choice, args.output.quiet)?;
        session.progress().note(&format!(
            "runs of both in {}; if this is interrupted: shakedown compare {} {} --anyway",
            folder.display(),
            folder.join("a").display(),
            folder.join("b").display()
        ));
        let done = pair.run(&session, args.repeats, seed, &folder).await;
        session.progress().finish();
        done
    })?;
    let paths = [folder.join("a"), folder.join("b")];
    let side = |flags: &str, path| Labelled {
        label: match flags.trim() {
            "" => "the defaults".to_owned(),
            flags => flags.to_owned(),
        },
        paths: std::slice::from_ref(path),
    };
    finish(
        args,
        &side(a, &paths[0]),
        &side(b, &paths[1]),
        true,
        Some(&folder),
    )
}

/// Compares, shows and writes. `folder`: where the runs of an A/B comparison are, and its documents belong.
fn finish(
    args: &Compare,
    base: &Labelled<'_>,
    new: &Labelled<'_>,
    intended: bool,
    folder: Option<&Path>,
) -> Result<u8> {
    let in_folder = |name: &str| folder.map(|folder| folder.join(name));
    let html = args.html.clone().or_else(|| in_folder("compare.html"));
    let markdown = args.markdown.clone().or_else(|| in_folder("compare.md"));
    // Histories are long; only the page and the JSON show what comes from them.
    let recoveries = html.is_some() || args.output.json;
    let read = |side: &Labelled<'_>| subject::side(&side.label, side.paths, recoveries);
    let (base, new) = (read(base)?, read(new)?);
    let comparison = compared(base, new, intended);

    let json = serde_json::to_string_pretty(&comparison)?;
    if let Some(path) = in_folder("compare.json") {
        write(&path, &json)?;
    }
    if let Some(path) = &html {
        write(path, &compare::page::render(&comparison))?;
    }
    if let Some(path) = &markdown {
        write(path, &compare::text::markdown(&comparison))?;
    }
    match args.output.json {
        true => println!("{json}"),
        false => {
            print!("{}", compare::text::table(&comparison));
            if let Some(path) = &html {
                println!("\npage: {}", path.display());
            }
        }
    }
    match args.fail_on_regression && comparison.tally().regressed > 0 {
        true => Ok(exit::THRESHOLD),
        false => Ok(exit::VALID),
    }
}

fn compared(base: Read, new: Read, intended: bool) -> Comparison {
    let mut comparison = compare::compare(&base.side, &new.side, intended);
    comparison.left_out.extend(base.left_out);
    comparison.left_out.extend(new.left_out);
    comparison
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}
