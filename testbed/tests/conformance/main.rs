//! One body of tests that every environment must pass ([`cases`]), and what must hold of the processes
//! around it ([`life`]). The program has a `main` of its own, because an environment of namespaces is
//! entered by starting the program again; it also plays the parts of controllers and node programs.

mod cases;
mod figures;
mod life;
mod programs;
mod suite;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use suite::Suite;
use testbed::doctor::{self, Wanted};
use testbed::netns::{self, Entered};

/// How many nodes every environment gets.
const NODES: usize = 3;

/// The user and group that own nothing.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["part", ..] => programs::play(&args[1..]).map_err(Into::into),
        ["able"] => doctor::choose(Wanted::Netns).map(drop).map_err(Into::into),
        ["suite", "netns", ..] | ["controller", "netns", ..] => match netns::enter() {
            Ok(Entered::Inside) => inner(&words),
            Ok(Entered::Done(code)) => return ExitCode::from(code),
            Err(error) => Err(error.into()),
        },
        ["suite" | "controller", ..] => inner(&words),
        _ => return all(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The parts that run in an environment.
fn inner(words: &[&str]) -> cases::Outcome {
    match words {
        ["suite", name, folder, filters @ ..] => suite::cases(name, Path::new(folder), filters),
        ["controller", name, folder, behaviour] => {
            life::controller(name, Path::new(folder), behaviour)
        }
        other => Err(format!("unknown part {other:?}").into()),
    }
}

/// What `cargo test` starts: every environment, as every user we can be.
fn all(args: &[String]) -> ExitCode {
    let filters: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let me = User::invoking();
    let mut good = in_environment("loopback", &me, &filters);
    let mut users = vec![me];
    if nix::unistd::geteuid().is_root() {
        users.push(User::ordinary());
    } else {
        println!("skipped: netns as root: this is an ordinary user");
    }
    for user in users {
        match able(&user) {
            Ok(()) => good &= in_environment("netns", &user, &filters),
            Err(reason) => println!("skipped: netns as {}: {reason}", user.name),
        }
    }
    ExitCode::from(u8::from(!good))
}

fn in_environment(name: &'static str, user: &User, filters: &[&str]) -> bool {
    println!("\n{name} as {}", user.name);
    let folder = user.folder();
    let cases = user
        .part(&["suite", name])
        .arg(folder.path())
        .args(filters)
        .status()
        .is_ok_and(|status| status.success());
    let mut suite = Suite::new(name, filters);
    life::every_case(&mut suite, name, user);
    cases & suite.end().is_ok()
}

/// Whether a user can run the netns environment here, by the doctor's word.
fn able(user: &User) -> Result<(), String> {
    match user.part(&["able"]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Who runs a part of the tests.
pub struct User {
    name: &'static str,
    id: Option<u32>,
}

impl User {
    fn invoking() -> Self {
        Self {
            name: "the invoking user",
            id: None,
        }
    }

    fn ordinary() -> Self {
        Self {
            name: "an ordinary user",
            id: Some(NOBODY),
        }
    }

    fn id(&self) -> u32 {
        self.id.unwrap_or_else(|| nix::unistd::geteuid().as_raw())
    }

    /// This program, started by this user in another part.
    fn part(&self, words: &[&str]) -> Command {
        let own = std::env::current_exe().expect("a running program has a path");
        let mut command = Command::new(own);
        if let Some(id) = self.id {
            command.uid(id).gid(id);
        }
        command.args(words);
        command
    }

    /// A folder of the user's own that is removed afterwards.
    fn folder(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder for the tests");
        std::os::unix::fs::chown(folder.path(), self.id, self.id).expect("give the folder away");
        folder
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the tests")
}
