//! Programs on nodes: started, signalled, watched and reaped.
//!
//! A `Spawner` owns one long-lived thread that starts every program. The kernel ties "die with your
//! parent" to the parent *thread*, so a program started by a worker thread of a runtime would die when
//! that worker does; this thread lives exactly as long as the environment. A process is known by its id
//! and its start time; a signal goes to the process's whole group, and only while the kernel still holds
//! the id for us because we have not reaped it.
//!
//! Look next at [`stat`] (what `/proc` says), `child` (what happens between fork and exec) and `foreign` (what
//! was started by another).

mod child;
mod confine;
mod foreign;
pub mod stat;

pub(crate) use confine::Confinement;
pub use foreign::end_foreign;

use crate::{Error, NodeId, Process, ProcessState, Program, Result, Signal};
use nix::errno::Errno;
use nix::sys::signal::killpg;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often a wait for a state looks at `/proc`.
const STATE_POLL: Duration = Duration::from_millis(2);

/// Variables of this environment that only concern the harness and are not handed to programs.
const PRIVATE_VARIABLES: [&str; 1] = [crate::STAGE_VARIABLE];

/// Starts programs and keeps account of those that live. Dropping it ends every one of them.
pub(crate) struct Spawner {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    children: Arc<Children>,
}

/// Where a program is started: the folder it runs in and, in namespaces, what it is confined to.
pub(crate) struct Place {
    pub node: NodeId,
    pub dir: PathBuf,
    pub confinement: Option<Arc<Confinement>>,
}

struct Job {
    node: NodeId,
    command: Command,
    reply: oneshot::Sender<Result<Process>>,
}

/// The started programs that are not yet reaped. While an id is in here, the kernel can't give it to
/// another process: the reaper takes it out and reaps it under the same lock.
#[derive(Default)]
struct Children {
    live: Mutex<BTreeMap<i32, Process>>,
    reaped: Condvar,
}

impl Spawner {
    pub fn new() -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let children = Arc::new(Children::default());
        let account = children.clone();
        thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for mut job in queue {
                    let started = start(&mut job.command, job.node, &account);
                    // The caller may have given up; the child is in the account either way.
                    let _ = job.reply.send(started);
                }
            })
            .map_err(Error::io("start the thread that starts programs"))?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            children,
        })
    }

    pub async fn spawn(&self, place: &Place, program: &Program) -> Result<Process> {
        let command = command(place, program)?;
        let (reply, started) = oneshot::channel();
        let job = Job {
            node: place.node.clone(),
            command,
            reply,
        };
        let ended = || Error::Failed(format!("{}: the environment has ended", place.node));
        let sender = lock(&self.jobs).clone().ok_or_else(ended)?;
        sender.send(job).map_err(|_| ended())?;
        started.await.map_err(|_| ended())?
    }

    /// Signals the process and all of its group; [`Error::Gone`] if it has ended.
    pub fn signal(&self, process: &Process, signal: Signal) -> Result<()> {
        let live = lock(&self.children.live);
        if live.get(&process.pid) != Some(process) || stat::state(process) == ProcessState::Gone {
            return Err(Error::Gone(process.clone()));
        }
        killpg(Pid::from_raw(process.pid), kernel_signal(signal)).map_err(|errno| Error::Io {
            what: format!("{}: signal process {}", process.node, process.pid),
            source: errno.into(),
        })
    }

    /// Ends every program and waits until all are reaped. No program can be started afterwards.
    /// Idempotent.
    pub async fn end(&self, limit: Duration) -> Result<()> {
        lock(&self.jobs).take();
        let deadline = Instant::now() + limit;
        loop {
            let left = self.children.kill();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::Failed(format!(
                    "processes still alive {limit:?} after SIGKILL: {left:?}"
                )));
            }
            tokio::time::sleep(STATE_POLL).await;
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        lock(&self.jobs).take();
        let deadline = Instant::now() + Duration::from_secs(2);
        self.children.kill();
        let mut live = lock(&self.children.live);
        while !live.is_empty() && Instant::now() < deadline {
            live = self
                .children
                .reaped
                .wait_timeout(live, Duration::from_millis(100))
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .0;
        }
    }
}

impl Children {
    /// Sends SIGKILL to the group of every child and returns the ids of those not yet reaped.
    fn kill(&self) -> Vec<i32> {
        let live = lock(&self.live);
        for pid in live.keys() {
            // A group that consists of a zombie alone can't be signalled; the reaper is on its way.
            let _ = killpg(Pid::from_raw(*pid), nix::sys::signal::SIGKILL);
        }
        live.keys().copied().collect()
    }

    /// Blocks until the child has ended, ends what it left in its group, and reaps it.
    fn reap(&self, pid: Pid) {
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while let Err(Errno::EINTR) = waitid(Id::Pid(pid), ended) {}
        let mut live = lock(&self.live);
        let _ = killpg(pid, nix::sys::signal::SIGKILL);
        while let Err(Errno::EINTR) = waitpid(pid, None) {}
        live.remove(&pid.as_raw());
        self.reaped.notify_all();
    }
}

/// Waits until the process is in `state`, as [`stat::state`] sees it; an error after `limit`.
pub async fn await_state(process: &Process, state: ProcessState, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let now = stat::state(process);
        if now == state {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::Failed(format!(
                "{}: process {} is {now:?}, not {state:?}, after {limit:?}",
                process.node, process.pid
            )));
        }
        tokio::time::sleep(STATE_POLL).await;
    }
}

fn command(place: &Place, program: &Program) -> Result<Command> {
    std::fs::create_dir_all(&place.dir).map_err(Error::io(place.dir.display().to_string()))?;
    // The program is started in another folder than this process is in.
    let path = std::path::absolute(&program.path)
        .map_err(Error::io(program.path.display().to_string()))?;
    let log = open_log(&program.log)?;
    let errors = log
        .try_clone()
        .map_err(Error::io(program.log.display().to_string()))?;
    let mut command = Command::new(path);
    command
        .args(&program.args)
        .current_dir(&place.dir)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    for name in PRIVATE_VARIABLES {
        command.env_remove(name);
    }
    command.envs(program.env.iter().map(|(name, value)| (name, value)));
    child::tie_to_parent(&mut command, place.confinement.clone());
    Ok(command)
}

fn open_log(path: &Path) -> Result<std::fs::File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::io(path.display().to_string()))
}

/// Runs on the spawner's thread.
fn start(command: &mut Command, node: NodeId, children: &Arc<Children>) -> Result<Process> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .spawn()
        .map_err(Error::io(format!("{node}: start {program}")))?;
    let pid = child.id() as i32;
    // The child is not reaped yet, so its entry exists even if it has already ended.
    let started = stat::read(pid)
        .map_err(Error::io(format!("{node}: read /proc/{pid}/stat")))?
        .started;
    let process = Process { node, pid, started };
    lock(&children.live).insert(pid, process.clone());
    let account = children.clone();
    thread::Builder::new()
        .name(format!("reap-{pid}"))
        .spawn(move || account.reap(Pid::from_raw(pid)))
        .map_err(Error::io("start the thread that reaps a process"))?;
    Ok(process)
}

fn kernel_signal(signal: Signal) -> nix::sys::signal::Signal {
    match signal {
        Signal::Kill => nix::sys::signal::SIGKILL,
        Signal::Stop => nix::sys::signal::SIGSTOP,
        Signal::Continue => nix::sys::signal::SIGCONT,
        Signal::Terminate => nix::sys::signal::SIGTERM,
    }
}

/// A panic while one of our locks was held leaves plain data behind: it stays usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_ends_takes_what_it_started_along() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            node: NodeId::new("n1"),
            dir: folder.path().to_owned(),
            confinement: None,
        };
        let program = Program {
            path: "/bin/sh".into(),
            args: ["-c", "sleep 60 & echo $!"].map(String::from).into(),
            env: Vec::new(),
            log: folder.path().join("sh.log"),
        };
        let spawner = Spawner::new().unwrap();
        let shell = spawner.spawn(&place, &program).await.unwrap();
        let limit = Duration::from_secs(5);
        await_state(&shell, ProcessState::Gone, limit)
            .await
            .unwrap();
        let sleeper: i32 = std::fs::read_to_string(&program.log)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let deadline = Instant::now() + limit;
        while stat::read(sleeper).is_ok_and(|stat| stat.state != 'Z') {
            assert!(Instant::now() < deadline, "{sleeper} lives on");
            tokio::time::sleep(STATE_POLL).await;
        }
        spawner.end(limit).await.unwrap();
        assert!(spawner.spawn(&place, &program).await.is_err());
    }
}
