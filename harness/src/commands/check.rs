//! `shakedown check`: judge a history file, whoever wrote it.

use super::history_file;
use crate::cli::{Input, Limits, Output};
use crate::exit::{Failure, Result, code_of};
use crate::run::judge;
use crate::spec::Size;
use checker::formats::Reading;
use checker::{Budget, Checker, History, Validity, Verdict, explain};
use clap::Args;
use results::explanation::Source;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Check {
    /// History file, compressed by zstd or not; `-` for standard input
    pub history: PathBuf,
    /// Model to judge by, or several joined by `+`; default: what the file's header names
    #[arg(long)]
    pub model: Option<String>,
    /// Write a page that shows why the history is invalid: the few operations that are wrong by
    /// themselves, as a picture and in words
    #[arg(long, value_name = "HTML")]
    pub explain: Option<PathBuf>,
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &Check) -> Result<u8> {
    let progress = super::progress(args.output.quiet);
    let default = Budget::default();
    let budget = Budget {
        time: args.limits.check_time.map_or(default.time, |span| span.0),
        memory: args
            .limits
            .check_memory
            .map_or(default.memory, |size| size.0 as usize),
    };
    progress.phase("read", &args.history.display().to_string());
    let Reading {
        history,
        format,
        cut,
        notes,
    } = history_file::read(&args.history, &args.input, Some(budget.memory as u64))?;
    let model = match (&args.model, &history.header) {
        (Some(model), _) => model.clone(),
        (None, Some(header)) => header.model.clone(),
        (None, None) => {
            return Err(Failure::usage(format!(
                "{}: no header names a model; give one with --model ({})",
                args.history.display(),
                checker::MODELS
                    .iter()
                    .map(|(name, _)| *name)
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
    };
    let checkers = checker::checkers_for(&model).map_err(Failure::usage)?;
    progress.phase(
        "judge",
        &format!("{} events, model {model}", history.events.len()),
    );
    let mut verdicts = judge::verdicts(&history, &checkers, budget);
    if history.events.is_empty() {
        verdicts.insert(
            "history".into(),
            Verdict::unknown("the history has no operations: nothing was tested"),
        );
    } else if cut {
        verdicts.insert(
            "history".into(),
            Verdict::unknown(format!(
                "only the first {} of text were read: as much as --check-memory allows; judged up to there",
                Size(budget.memory as u64)
            )),
        );
    } else if history.truncated {
        verdicts.insert(
            "history".into(),
            Verdict::unknown("the history ends in the middle of an event; judged up to there"),
        );
    }
    if let Some(path) = &args.explain {
        progress.phase("explain", "the smallest part that is wrong by itself");
        explain(path, args, &model, &history, &checkers, &mut verdicts)?;
    }
    let worst = verdicts
        .values()
        .map(|verdict| verdict.valid)
        .max()
        .unwrap_or(Validity::Unknown);
    progress.finish();
    if args.output.json {
        let document = serde_json::json!({
            "valid": worst, "model": model, "format": format.name(),
            "events": history.events.len(), "truncated": history.truncated,
            "notes": notes, "checks": verdicts,
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        print(&model, &history, &verdicts, worst);
        for note in notes {
            println!("  note: {note}");
        }
    }
    Ok(code_of(worst))
}

/// Writes the page that shows why, and that says so where nothing is wrong.
fn explain(
    path: &Path,
    args: &Check,
    model: &str,
    history: &History,
    checkers: &[Box<dyn Checker>],
    verdicts: &mut BTreeMap<String, Verdict>,
) -> Result<()> {
    explain::explain_all(history, checkers, verdicts, explain::TIME);
    let name = args.history.file_name().unwrap_or(args.history.as_os_str());
    let source = Source {
        file: &name.to_string_lossy(),
        model,
        events: history.events.len(),
    };
    std::fs::write(path, results::explanation::page(&source, verdicts))
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn print(model: &str, history: &History, verdicts: &BTreeMap<String, Verdict>, worst: Validity) {
    println!("{worst}: {} events, model {model}", history.events.len());
    for (name, verdict) in verdicts {
        match verdict.reason.as_str() {
            "" => println!("  {name}: {}", verdict.valid),
            reason => println!("  {name}: {}: {reason}", verdict.valid),
        }
    }
}
