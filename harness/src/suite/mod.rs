//! Many tests in a night: which, with which seeds, in which order, and what came of them.
//!
//! [`spec`] reads the suite, [`matrix`] makes several tests of one. [`choice`] decides what runs next, and is pure.
//! [`runner`] runs it, keeps a line of each run as it ends, and goes on where a night was cut short.
//! [`github`] tells a build on GitHub what was found.

pub mod choice;
pub mod github;
pub mod matrix;
pub mod runner;
pub mod spec;

pub use spec::{Suite, Test};

use crate::compare::words;
use crate::exit::Result;
use results::suite::Summary;
use results::suite::store::Night;
use results::suite::trend::Trend;

/// Writes the documents of a night.
pub fn show(night: &Night, summary: &Summary, trends: &[Trend]) -> Result<()> {
    let folder = night.path().display().to_string();
    night.write("junit.xml", &results::suite::junit::render(summary))?;
    night.write(
        "summary.md",
        &results::suite::markdown::render(summary, &folder),
    )?;
    night.write(
        "report.html",
        &results::suite::page::render(summary, trends),
    )?;
    // Last: whoever finds it finished finds the others too.
    Ok(night.write_results(summary)?)
}

/// The command that was given, as one that goes on.
pub fn resume_command(argv: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = argv.skip(1).map(|word| words::quoted(&word)).collect();
    words.insert(0, "shakedown".to_owned());
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".to_owned());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_is_the_one_that_was_given() {
        let argv = ["/opt/x/shakedown", "suite", "my suite.yaml", "--set", "a=b"];
        let command = resume_command(argv.into_iter().map(String::from));
        assert_eq!(
            command,
            "shakedown suite 'my suite.yaml' --set a=b --resume"
        );
        let again = words::split(&command).unwrap();
        assert_eq!(again[2], "my suite.yaml");
        assert_eq!(resume_command(again.into_iter()), command);
    }
}
