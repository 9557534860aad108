//! `shakedown test`.

use crate::cli::Test;
use crate::exit::{Failure, Result, code_of};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{self, judge::Judged, prepare};
use checker::Validity;
use results::Folder;
use testbed::doctor::{self, Choice};
use testbed::netns::{self, Entered};

pub fn run(args: &Test) -> Result<u8> {
    let spec = args.resolve()?;
    let checked = prepare::check(spec.clone(), args.binary.clone())?;
    let wanted = prepare::wanted(&spec)?;
    if args.plan {
        return print_plan(args, &checked);
    }
    let choice = match checked.system.runs_processes() {
        true => doctor::choose(wanted).map_err(Failure::usage)?,
        false => Choice {
            name: "none".into(),
            why: "the system has no servers".into(),
        },
    };
    // Must come before any thread: the program goes on inside new namespaces, or has already.
    if choice.name == "netns"
        && let Entered::Done(code) = netns::enter()?
    {
        return Ok(code);
    }
    let first_seed = spec.seed.unwrap_or_else(prepare::fresh_seed);
    let runtime = super::runtime()?;
    let worst = runtime.block_on(async {
        let interrupt = Interrupt::listen()?;
        let progress = Progress::new(args.output.quiet);
        if choice.name == "loopback" {
            progress.note(&format!("environment loopback: {}", choice.why));
        }
        let mut worst = Validity::Valid;
        for number in 0..args.count {
            let seed = first_seed.wrapping_add(number.into());
            let judged = one(args, &choice, seed, &progress, &interrupt).await?;
            progress.finish();
            super::print(&judged, args.output.json)?;
            worst = worst.max(judged.results.valid);
            if interrupt.happened() {
                break;
            }
        }
        Ok::<_, Failure>(worst)
    })?;
    Ok(code_of(worst))
}

async fn one(
    args: &Test,
    choice: &Choice,
    seed: u64,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Judged> {
    let spec = args.resolve()?;
    let folder = Folder::create(&args.store.runs, &spec.name, seed)?;
    let log = folder.log();
    crate::log::to(&log)
        .map_err(|error| Failure::harness(format!("{}: {error}", log.display())))?;
    tracing::info!(
        seed,
        environment = choice.name,
        why = choice.why,
        "run begins"
    );
    progress.note(&format!("seed {seed}, run {}", folder.path().display()));
    let nodes = folder.path().join("nodes");
    let prepared = prepare::check(spec, args.binary.clone())?
        .prepare(seed, choice.clone(), &nodes)
        .await?;
    run::test(prepared, folder, progress, interrupt).await
}

fn print_plan(args: &Test, checked: &prepare::Checked) -> Result<u8> {
    let first_seed = checked.spec.seed.unwrap_or_else(prepare::fresh_seed);
    for number in 0..args.count {
        let seed = first_seed.wrapping_add(number.into());
        let plan = prepare::plan(&checked.spec, &checked.kinds, seed)?;
        match args.output.json {
            true => println!("{}", serde_json::to_string(&plan)?),
            false => print!("{plan}"),
        }
    }
    Ok(crate::exit::VALID)
}
