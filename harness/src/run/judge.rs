//! From what was recorded to what is known: verdicts, measures, and the files that show them.
//!
//! Works on a run folder alone, so `analyze` and `report` do the same as the end of a run.

use super::evidence;
use super::stored::Stored;
use crate::exit::{Failure, Result};
use crate::progress::Progress;
use crate::spec::Spec;
use checker::{Budget, Checker, History, Validity, Verdict, explain};
use results::{Folder, Recorded, Results};
use std::collections::BTreeMap;
use std::path::Path;

/// A judged run.
pub struct Judged {
    pub folder: Folder,
    pub recorded: Recorded,
    pub results: Results,
}

/// Judges and measures a recorded run, and writes `results.json`, `report.html`, the plots and `junit.xml`.
/// Everything is read from the folder: what was not on disk is not judged.
pub fn judge(folder: Folder, spec: &Spec, progress: &Progress) -> Result<Judged> {
    let stored = Stored::parse(&folder.read_spec()?, &folder.spec().display().to_string())?;
    let history = read_history(&folder.history())?;
    progress.phase("judge", &format!("{} events", history.events.len()));
    let checkers = super::workload::checkers(&stored.spec.workloads)?;
    let budget = Budget {
        time: spec.check_time.0,
        memory: spec.check_memory.0 as usize,
    };
    let mut verdicts = verdicts(&history, &checkers, budget);
    if verdicts
        .values()
        .any(|verdict| verdict.valid == Validity::Invalid)
    {
        progress.phase("explain", "the smallest part that is wrong by itself");
        explain::explain_all(&history, &checkers, &mut verdicts, explain::TIME);
    }
    if history.truncated {
        let cut =
            Verdict::unknown("the history ends in the middle of a line: the run was cut short");
        verdicts.insert("history".into(), cut);
    }
    let faults = folder.read_faults()?.items;
    let probes = folder.read_probes()?.items;
    verdicts.extend(evidence::judge(
        &folder,
        &stored.run,
        &history,
        &faults,
        &probes,
    ));
    let ledgers = super::workload::ledgers(&stored.spec.workloads, &history);
    let recorded = Recorded {
        run: stored.run,
        history,
        faults,
        probes,
        samples: folder.read_status()?.items,
        marks: stored.marks,
        verdicts,
        ledgers,
        method: stored.method,
    };
    progress.phase("measure", "outages, recovery times, latency");
    let results = results::measure(&recorded);
    folder.write_results(&results)?;
    show(&folder, &recorded, &results)?;
    Ok(Judged {
        folder,
        recorded,
        results,
    })
}

/// Writes what people and build servers read.
pub fn show(folder: &Folder, recorded: &Recorded, results: &Results) -> Result<()> {
    let plots = results::plots::draw(recorded, results);
    folder.write_plots(&plots)?;
    let spec = folder.read_spec()?;
    folder.write_report(&results::report::render(results, &plots, &spec))?;
    folder.write_junit(&results::junit::render(results))?;
    Ok(())
}

/// Runs each checker; one that panics is unknown.
pub fn verdicts(
    history: &History,
    checkers: &[Box<dyn Checker>],
    budget: Budget,
) -> BTreeMap<String, Verdict> {
    checker::check_all(history, checkers, budget)
}

/// Reads a history; an error names the file, line and column and is the user's to mend.
pub fn read_history(path: &Path) -> Result<History> {
    History::from_path(path).map_err(Failure::usage)
}
