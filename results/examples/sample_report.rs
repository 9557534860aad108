//! Writes the run folder of a made-up run, to look at: `cargo run -p results --example sample_report -- runs`.
//! A second argument, `invalid` or `unknown`, makes the run end that way.

#[path = "../tests/specimen/mod.rs"]
mod specimen;

use checker::Verdict;
use results::{Folder, junit, measure, plots, report, table};
use std::path::PathBuf;

fn main() -> Result<(), results::Error> {
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| "runs".into()));
    let mut recorded = specimen::recorded();
    match args.next().as_deref() {
        Some("invalid") => {
            let verdict = Verdict::invalid(
                "key 4 is not linearizable: process 31 read 812 at 29.61 s, after process 12 had read 815 that replaced it",
            )
            .with("key", 4)
            .with("operations", serde_json::json!([
                {"process": 12, "f": "read", "value": 815, "from_ms": 29_588.2, "to_ms": 29_590.1},
                {"process": 31, "f": "read", "value": 812, "from_ms": 29_601.7, "to_ms": 29_610.4},
            ]));
            recorded.verdicts.insert("linearizable".into(), verdict);
            recorded.ledgers[0].lost = 41;
            recorded.ledgers[0].lost_seconds = 0.412;
        }
        Some("unknown") => {
            recorded.samples.clear();
            recorded.verdicts.remove("ledger");
        }
        _ => {}
    }
    let results = measure(&recorded);
    let plots = plots::draw(&recorded, &results);
    let spec = "name: smoke\nseed: 7\nsystem: strata\nsettings:\n  checkpoint.every: 1000\n  sync: always\n";
    let folder = Folder::create(&root, &recorded.run.name, recorded.run.seed)?;
    folder.write_spec(spec)?;
    folder.write_results(&results)?;
    folder.write_plots(&plots)?;
    folder.write_report(&report::render(&results, &plots, spec))?;
    folder.write_junit(&junit::render(&results))?;
    print!("{}", table::summary(&results, false));
    println!();
    print!("{}", table::faults(&results));
    println!("\nreport: {}", folder.report().display());
    Ok(())
}
