//! What a build on GitHub is told: annotations, and the summary of the step.

use crate::exit::{Failure, Result};
use results::suite::Summary;
use results::suite::store::Night;
use results::suite::{annotations, markdown};
use std::io::Write;
use std::path::Path;

/// Tells what was found, where the environment says that such a build is under way. Commands go to standard
/// error, which GitHub reads too: standard output is for results.
pub fn tell(summary: &Summary, night: &Night) -> Result<()> {
    if std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true") {
        eprint!("{}", annotations::render(summary));
    }
    match std::env::var_os("GITHUB_STEP_SUMMARY") {
        Some(path) if !path.is_empty() => append(
            Path::new(&path),
            &markdown::render(summary, &night.path().display().to_string()),
        ),
        _ => Ok(()),
    }
}

/// Steps share the file: each adds to it.
fn append(path: &Path, text: &str) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            Failure::harness(format!("GITHUB_STEP_SUMMARY, {}: {error}", path.display()))
        })
}
