//! Runs of two variants in turns, so that what the machine does meanwhile hits both alike.
//!
//! Each round runs both variants with one seed, in an order that the seed tosses. Runs lie in
//! `<store>/<name>/a` and `<store>/<name>/b`, so an interrupted comparison is not lost: what is there can be
//! compared by its paths.

use super::words;
use crate::cli::{Cli, Command};
use crate::commands::test::Test;
use crate::exit::{Failure, Result};
use crate::run::prepare::{self, Checked};
use crate::run::session::Session;
use crate::spec::Spec;
use clap::Parser as _;
use std::path::{Path, PathBuf};

/// One of the two: flags of `shakedown test` and what they came to.
pub struct Variant {
    pub flags: String,
    spec: Spec,
    binary: Option<PathBuf>,
}

/// Both, checked as far as possible without starting anything.
pub struct Pair {
    pub a: Variant,
    pub b: Variant,
}

impl Variant {
    /// `letter` names it in errors and below the folder of the comparison.
    fn parse(flags: &str, letter: &str) -> Result<Self> {
        let named = |error: String| Failure::usage(format!("--ab, {letter}: {error}"));
        let words = words::split(flags).ok_or_else(|| named("a quote is not closed".into()))?;
        let line = ["shakedown", "test"]
            .map(String::from)
            .into_iter()
            .chain(words);
        let cli = Cli::try_parse_from(line).map_err(|error| named(error.render().to_string()))?;
        let Command::Test(test) = cli.command else {
            return Err(named("expected flags of shakedown test".into()));
        };
        refuse(&test).map_err(|flag| {
            named(format!(
                "{flag} belongs to the comparison, not to a variant"
            ))
        })?;
        let mut spec = test.resolve()?;
        spec.name = letter.to_owned();
        Ok(Self {
            flags: flags.to_owned(),
            spec,
            binary: test.binary,
        })
    }

    fn check(&self) -> Result<Checked> {
        prepare::check(self.spec.clone(), self.binary.clone())
    }
}

/// Names a flag that has no meaning for a variant.
fn refuse(test: &Test) -> std::result::Result<(), &'static str> {
    let refused = [
        (test.seed.is_some(), "--seed"),
        (test.count != 1, "--count"),
        (test.plan, "--plan"),
        (test.name.is_some(), "--name"),
    ];
    match refused.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(flag),
        None => Ok(()),
    }
}

impl Pair {
    pub fn parse(a: &str, b: &str) -> Result<Self> {
        let pair = Self {
            a: Variant::parse(a, "a")?,
            b: Variant::parse(b, "b")?,
        };
        if pair.a.spec.env != pair.b.spec.env {
            return Err(Failure::usage(format!(
                "--ab: env {} and {}: both must run in the same",
                pair.a.spec.env, pair.b.spec.env
            )));
        }
        Ok(pair)
    }

    /// What decides on the environment: the variant that has servers, if only one has.
    pub fn decisive(&self) -> Result<Checked> {
        let (a, b) = (self.a.check()?, self.b.check()?);
        prepare::wanted(&a.spec)?;
        Ok(match a.system.runs_processes() {
            true => a,
            false => b,
        })
    }

    /// Makes the runs; ends early, with what there is, when the user interrupts.
    pub async fn run(
        &self,
        session: &Session,
        repeats: u32,
        first_seed: u64,
        folder: &Path,
    ) -> Result<()> {
        for round in 0..repeats {
            let seed = first_seed.wrapping_add(round.into());
            let mut order = [&self.a, &self.b];
            if workloads::seed::derive(seed, "order of a and b") % 2 == 1 {
                order.reverse();
            }
            for variant in order {
                session.progress().note(&format!(
                    "round {} of {repeats}, {}: {}",
                    round + 1,
                    variant.spec.name,
                    variant.flags
                ));
                let judged = session
                    .run(variant.spec.clone(), seed, variant.binary.clone(), folder)
                    .await?;
                session.progress().note(&format!(
                    "{}: {}",
                    judged.results.valid, judged.results.reason
                ));
                if session.interrupt().happened() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(a: &str, b: &str) -> String {
        let failure = Pair::parse(a, b).err().expect("it is refused");
        assert_eq!(failure.code(), crate::exit::USAGE);
        failure.to_string()
    }

    #[test]
    fn flags_of_the_comparison_are_refused_in_a_variant() {
        assert!(refusal("--seed 1", "").starts_with("--ab, a: --seed"));
        assert!(refusal("", "--count 2").starts_with("--ab, b: --count"));
    }

    #[test]
    fn an_unknown_flag_names_its_variant() {
        let text = refusal("--time 5s", "--tiem 5s");
        assert!(
            text.starts_with("--ab, b:") && text.contains("--tiem"),
            "{text}"
        );
    }

    #[test]
    fn both_run_in_one_environment() {
        let text = refusal("--env loopback", "--env netns");
        assert!(text.contains("loopback and netns"), "{text}");
    }
}
