//! Writes the run folder of a made-up run, to look at: `cargo run -p results --example sample_report -- runs`.
//! A second argument, `invalid` or `unknown`, makes the run end that way; `long` makes ten minutes of it, with more
//! than a million operations, and says what measuring, drawing and writing them took.

#[path = "../tests/long/mod.rs"]
mod long;
#[path = "../tests/specimen/mod.rs"]
mod specimen;
#[path = "../tests/violations/mod.rs"]
mod violations;

use results::{Folder, junit, measure, plots, report, table};
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), results::Error> {
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| "runs".into()));
    let mut recorded = specimen::recorded();
    match args.next().as_deref() {
        Some("invalid") => {
            let mut all = violations::all().into_iter();
            let case = all.next().expect("there are violations");
            println!(
                "{} as {}: {} events\n",
                case.name,
                case.model,
                case.history.events.len()
            );
            let verdict = case.verdicts["linearizable"].clone();
            recorded.verdicts.insert("linearizable".into(), verdict);
            recorded.ledgers[0].lost = 41;
            recorded.ledgers[0].lost_seconds = 0.412;
        }
        Some("unknown") => {
            recorded.samples.clear();
            recorded.verdicts.remove("ledger");
        }
        Some("long") => recorded = long::repeated(&recorded, 10),
        _ => {}
    }
    let begun = Instant::now();
    let results = measure(&recorded);
    let measured = begun.elapsed();
    let plots = plots::draw(&recorded, &results);
    let drawn = begun.elapsed() - measured;
    let spec = "name: smoke\nseed: 7\nsystem: strata\nsettings:\n  checkpoint.every: 1000\n  sync: always\n";
    let folder = Folder::create(&root, &recorded.run.name, recorded.run.seed)?;
    folder.write_spec(spec)?;
    folder.write_results(&results)?;
    folder.write_plots(&plots)?;
    let page = report::render(&results, &plots, spec);
    folder.write_report(&page)?;
    folder.write_junit(&junit::render(&results))?;
    print!("{}", table::summary(&results, false));
    println!();
    print!("{}", table::faults(&results));
    println!(
        "\nreport: {} ({} events measured in {measured:.1?}, drawn in {drawn:.1?}, a page of {} kB)",
        folder.report().display(),
        recorded.history.events.len(),
        page.len() / 1_000
    );
    Ok(())
}
