//! Where runs are made, one after the other: what must be settled once, before the first of them.
//!
//! Everything that runs more than one test ([`test`](super::test()) itself, sweeps, suites, comparisons,
//! shrinking) goes through a session, so that all of them run in the same place, and end alike.

use super::judge::Judged;
use super::prepare::{self, Checked};
use crate::exit::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::spec::Spec;
use results::Folder;
use results::hold::Hold;
use std::path::{Path, PathBuf};
use testbed::doctor::{self, Choice};
use testbed::netns::{self, Entered};

/// A place to run in, and what is told of it.
pub struct Session {
    choice: Choice,
    progress: Progress,
    interrupt: Interrupt,
}

/// What [`settle`] came to.
pub enum Settled {
    /// Go on with this choice.
    Here(Choice),
    /// The program has run to its end inside new namespaces, with this exit code: nothing is left to do.
    Done(u8),
}

/// Chooses the environment for the system of `checked`, and enters it. Must come before any thread is
/// started: the program goes on inside new namespaces, or has already.
pub fn settle(checked: &Checked) -> Result<Settled> {
    let wanted = prepare::wanted(&checked.spec)?;
    let choice = match checked.system.runs_processes() {
        true => doctor::choose(wanted).map_err(Failure::usage)?,
        false => Choice {
            name: "none".into(),
            why: "the system has no servers".into(),
        },
    };
    if choice.name == "netns"
        && let Entered::Done(code) = netns::enter()?
    {
        return Ok(Settled::Done(code));
    }
    Ok(Settled::Here(choice))
}

impl Session {
    /// Inside a runtime.
    pub fn begin(choice: Choice, quiet: bool) -> Result<Self> {
        let interrupt = Interrupt::listen()?;
        let progress = Progress::new(quiet);
        if choice.name == "loopback" {
            progress.note(&format!("environment loopback: {}", choice.why));
        }
        Ok(Self {
            choice,
            progress,
            interrupt,
        })
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Runs one test in a new folder below `runs`, and judges it. `binary`: the system's program, if not the
    /// one beside this program.
    pub async fn run(
        &self,
        spec: Spec,
        seed: u64,
        binary: Option<PathBuf>,
        runs: &Path,
    ) -> Result<Judged> {
        let folder = Folder::create(runs, &spec.name, seed)?;
        // Until it is judged, nobody may remove it.
        let _hold = Hold::take(folder.path())?;
        let log = folder.log();
        crate::log::to(&log)
            .map_err(|error| Failure::harness(format!("{}: {error}", log.display())))?;
        tracing::info!(
            seed,
            environment = self.choice.name,
            why = self.choice.why,
            "run begins"
        );
        self.progress
            .note(&format!("seed {seed}, run {}", folder.path().display()));
        let nodes = folder.path().join("nodes");
        let prepared = prepare::check(spec, binary)?
            .prepare(seed, self.choice.clone(), &nodes)
            .await?;
        super::test(prepared, folder, &self.progress, &self.interrupt).await
    }
}
