//! What must hold of the processes around an environment: nothing outlives the controller, signals and
//! exit codes pass through, files belong to the user.

use crate::cases::Outcome;
use crate::suite::Suite;
use crate::{User, programs};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

const LIMIT: Duration = Duration::from_secs(10);
/// What the controller that waits for SIGTERM leaves with.
const TERMINATED: i32 = 7;

pub fn every_case(suite: &mut Suite, environment: &str, user: &User) {
    suite.run("a_killed_controller_leaves_nothing_at_any_moment", || {
        killed_at_any_moment(environment, user)
    });
    suite.run(
        "a_signal_reaches_the_controller_once_and_its_exit_code_comes_back",
        || signalled(environment, user),
    );
    suite.run(
        "a_controller_that_dies_takes_everything_along_and_is_reported",
        || aborted(environment, user),
    );
    suite.run("files_belong_to_the_user_who_started_the_run", || {
        files(environment, user)
    });
}

/// The part of a controller: a program on every node, then what `behaviour` says.
pub fn controller(environment: &str, folder: &Path, behaviour: &str) -> Outcome {
    crate::runtime().block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let env = testbed::open(environment, crate::NODES, folder).await?;
        for node in env.nodes() {
            node.spawn(&programs::echo(&**node, 7100)).await?;
        }
        println!("ready");
        if behaviour == "abort" {
            std::process::abort();
        }
        terminate.recv().await;
        println!("terminated");
        // A second delivery of the same signal would come about now.
        match tokio::time::timeout(Duration::from_millis(300), terminate.recv()).await {
            Ok(_) => Err("the signal came twice".into()),
            Err(_) => std::process::exit(TERMINATED),
        }
    })
}

/// A controller in a process of its own.
struct Run {
    child: Child,
    folder: tempfile::TempDir,
}

impl Run {
    fn start(environment: &str, user: &User, behaviour: &str) -> std::io::Result<Self> {
        let folder = user.folder();
        let child = user
            .part(&["controller", environment])
            .arg(folder.path())
            .arg(behaviour)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { child, folder })
    }

    fn await_ready(&mut self) -> Outcome {
        let mut output = BufReader::new(self.child.stdout.as_mut().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        if line.trim() != "ready" {
            let mut errors = String::new();
            self.child
                .stderr
                .take()
                .ok_or("no output")?
                .read_to_string(&mut errors)?;
            return Err(format!("the controller said {line:?}; {errors}").into());
        }
        Ok(())
    }

    /// The network namespaces that processes of this run are in, other than ours.
    fn namespaces(&self) -> BTreeSet<PathBuf> {
        let own = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
        programs::processes_of(self.folder.path())
            .into_iter()
            .filter_map(|pid| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok())
            .filter(|namespace| *namespace != own)
            .collect()
    }

    fn kill(&mut self) -> Outcome {
        self.child.kill()?;
        self.exit()?;
        self.await_end()
    }

    /// How the outermost process ended, once it has.
    fn exit(&mut self) -> Result<ExitStatus, Box<dyn std::error::Error + Send + Sync>> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None if Instant::now() > deadline => return Err("the controller stays".into()),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Waits until no process of the run is left.
    fn await_end(&self) -> Outcome {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = programs::processes_of(self.folder.path());
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("processes {left:?} are left").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn killed_at_any_moment(environment: &str, user: &User) -> Outcome {
    let before = mounts_and_interfaces()?;
    for moment_ms in [0, 1, 3, 10, 20, 40, 80] {
        let mut run = Run::start(environment, user, "wait")?;
        std::thread::sleep(Duration::from_millis(moment_ms));
        run.kill()
            .map_err(|error| format!("killed after {moment_ms} ms: {error}"))?;
    }
    let mut run = Run::start(environment, user, "wait")?;
    run.await_ready()?;
    let namespaces = run.namespaces();
    if environment == "netns" && namespaces.len() < 4 {
        return Err(format!("three nodes and a controller in {namespaces:?}").into());
    }
    run.kill()?;
    let left: Vec<_> = namespaces_in_use()
        .intersection(&namespaces)
        .cloned()
        .collect();
    let after = mounts_and_interfaces()?;
    let added: Vec<_> = after.difference(&before).collect();
    match (left.is_empty(), added.is_empty()) {
        (true, true) => Ok(()),
        _ => Err(format!("left: namespaces {left:?}, mounts and interfaces {added:?}").into()),
    }
}

fn signalled(environment: &str, user: &User) -> Outcome {
    let mut run = Run::start(environment, user, "wait")?;
    run.await_ready()?;
    let outer = nix::unistd::Pid::from_raw(run.child.id() as i32);
    nix::sys::signal::kill(outer, nix::sys::signal::SIGTERM)?;
    let status = run.exit()?;
    run.await_end()?;
    match status.code() {
        Some(TERMINATED) => Ok(()),
        _ => Err(format!("ended with {status}").into()),
    }
}

fn aborted(environment: &str, user: &User) -> Outcome {
    let mut run = Run::start(environment, user, "abort")?;
    run.await_ready()?;
    let status = run.exit()?;
    run.await_end()?;
    let mut errors = String::new();
    run.child
        .stderr
        .take()
        .ok_or("no output")?
        .read_to_string(&mut errors)?;
    if status.success() || (environment == "netns" && !errors.contains("SIGABRT")) {
        return Err(format!("ended with {status}, saying {errors:?}").into());
    }
    Ok(())
}

fn files(environment: &str, user: &User) -> Outcome {
    let mut run = Run::start(environment, user, "wait")?;
    run.await_ready()?;
    run.kill()?;
    for file in ["n1", "n1/echo.log", "n3"] {
        let owner = std::fs::metadata(run.folder.path().join(file))?.uid();
        if owner != user.id() {
            return Err(format!("{file} belongs to user {owner}, not {}", user.id()).into());
        }
    }
    Ok(())
}

fn namespaces_in_use() -> BTreeSet<PathBuf> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path().join("ns/net")).ok())
        .collect()
}

fn mounts_and_interfaces() -> std::io::Result<BTreeSet<String>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let interfaces = std::fs::read_to_string("/proc/self/net/dev")?;
    let names = interfaces.lines().filter_map(|line| line.split_once(':'));
    Ok(mounts
        .lines()
        .map(String::from)
        .chain(names.map(|(name, _)| name.trim().to_owned()))
        .collect())
}
