//! Entering the namespaces: the program starts itself again inside, twice.
//!
//! ```text
//! outer       the process the user started: keeps the terminal, hands signals in, returns the exit code
//! └─ init     process 1 of a new pid namespace: mounts /proc, reaps orphans
//!    └─ controller   the program proper, in new network, mount, uts (and user) namespaces
//! ```
//!
//! Nothing of ours exists outside. When the outer process ends, however it does, the kernel kills init
//! (a parent-death signal); when init ends, the kernel kills everything in the pid namespace; and with
//! the last process go the namespaces, their links and their mounts. An ordinary user becomes root of a
//! new user namespace in which that root is himself, so files made inside are his.
//!
//! [`enter`] must come first in `main`: a program with threads can't change its user namespace.

use super::tether;
use crate::process::stat;
use crate::{Error, Result, STAGE_VARIABLE};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getegid, geteuid, getpid, getppid, pipe2, sethostname};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The signals that the outer process hands to the controller.
const HANDED_IN: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

const STAGE_INIT: &str = "init";
const STAGE_INSIDE: &str = "inside";

/// Where the caller of [`enter`] finds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// In the namespaces: go on.
    Inside,
    /// Outside, and the program has run inside: leave with this exit code.
    Done(u8),
}

/// Starts the program again, with the same arguments, inside new namespaces. Returns `Inside` there, and
/// `Done` in the processes around it once it has ended.
pub fn enter() -> Result<Entered> {
    match std::env::var(STAGE_VARIABLE).as_deref() {
        Ok(STAGE_INIT) if getpid().as_raw() == 1 => init(),
        Ok(STAGE_INSIDE) if is_inside() => {
            // Signals that came since init started this process are still pending: none is missed.
            SigSet::empty()
                .thread_set_mask()
                .map_err(system("unblock signals"))?;
            Ok(Entered::Inside)
        }
        Ok(stage) => Err(Error::Failed(format!(
            "{STAGE_VARIABLE}={stage} is set, but this is not the process it is meant for: unset it"
        ))),
        Err(_) => outer(),
    }
}

/// Whether this process is the controller in the namespaces.
pub fn is_inside() -> bool {
    std::env::var(STAGE_VARIABLE).as_deref() == Ok(STAGE_INSIDE) && getppid().as_raw() == 1
}

fn outer() -> Result<Entered> {
    let threads = stat::read(getpid().as_raw())
        .map_err(Error::io("read /proc/self/stat"))?
        .threads;
    if threads != 1 {
        return Err(Error::Failed(format!(
            "namespaces can't be entered once threads run ({threads} do)"
        )));
    }
    unshare_all()?;
    let signals = block_signals()?;
    let (lifeline, held) =
        pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(system("make a pipe to the process inside"))?;
    let mut command = again(STAGE_INIT)?;
    // A group of its own: the terminal signals this process alone, which hands each signal in once.
    command.process_group(0);
    tether::bind(&mut command, lifeline, &held);
    let init = command
        .spawn()
        .map_err(Error::io("start the process inside the namespaces"))?;
    let init = Pid::from_raw(init.id() as i32);
    match attend(&signals, init)? {
        WaitStatus::Exited(_, code) => Ok(Entered::Done(exit_code(code))),
        other => Err(ended_badly(other)),
    }
}

/// Leaves the namespaces that this process was started in. Process 1 of the new pid namespace will be
/// the next child.
fn unshare_all() -> Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    let namespaces = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS;
    if unshare(namespaces).is_ok() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER | namespaces).map_err(|errno| {
        Error::Unsupported(format!(
            "network namespaces: {}; `shakedown doctor` says what is missing",
            errno.desc()
        ))
    })?;
    for (file, text) in [
        // Without this an ordinary user may not map groups.
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        std::fs::write(&path, text).map_err(Error::io(path))?;
    }
    Ok(())
}

/// Process 1: prepares the namespaces, runs the controller, and is parent to every orphan.
fn init() -> Result<Entered> {
    prepare_mounts()?;
    sethostname("controller").map_err(system("set the hostname"))?;
    let signals = block_signals()?;
    let controller = again(STAGE_INSIDE)?
        .spawn()
        .map_err(Error::io("start the controller"))?;
    match attend(&signals, Pid::from_raw(controller.id() as i32))? {
        WaitStatus::Exited(_, code) => Ok(Entered::Done(exit_code(code))),
        other => Err(ended_badly(other)),
    }
}

fn prepare_mounts() -> Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(system("make the mounts private"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).map_err(system("mount /proc"))
}

/// This program with the same arguments, in another part.
fn again(stage: &str) -> Result<Command> {
    let own = std::env::current_exe().map_err(Error::io("find the path of this program"))?;
    let mut args = std::env::args_os();
    let mut command = Command::new(own);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).env(STAGE_VARIABLE, stage);
    Ok(command)
}

/// Blocks the signals that are taken from the returned descriptor. A started program inherits that; the
/// controller unblocks them when it arrives in [`enter`].
fn block_signals() -> Result<SignalFd> {
    tether::hear_of_children().map_err(system("watch for children"))?;
    let mut set: SigSet = HANDED_IN.into_iter().collect();
    set.add(Signal::SIGCHLD);
    set.thread_block().map_err(system("block signals"))?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).map_err(system("open a signalfd"))
}

/// Hands signals to `child` and reaps every child that ends, until `child` has ended.
fn attend(signals: &SignalFd, child: Pid) -> Result<WaitStatus> {
    loop {
        let signal = match signals.read_signal() {
            Ok(Some(signal)) => signal.ssi_signo as i32,
            Ok(None) | Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(system("wait for a signal")(errno)),
        };
        match Signal::try_from(signal) {
            Ok(Signal::SIGCHLD) => {
                if let Some(status) = reap(child) {
                    return Ok(status);
                }
            }
            Ok(other) => {
                // It may just have ended; then SIGCHLD is next.
                let _ = kill(child, other);
            }
            Err(_) => {}
        }
    }
}

/// Reaps all that has ended; the status of `child` if it was among them.
fn reap(child: Pid) -> Option<WaitStatus> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return None,
            Ok(status) if status.pid() == Some(child) => return Some(status),
            Ok(_) => {}
        }
    }
}

fn exit_code(code: i32) -> u8 {
    u8::try_from(code & 0xff).expect("a byte after masking")
}

fn ended_badly(status: WaitStatus) -> Error {
    match status {
        WaitStatus::Signaled(_, signal, _) => Error::Failed(format!(
            "the process inside the namespaces was killed by {signal}"
        )),
        other => Error::Failed(format!(
            "the process inside the namespaces ended unexpectedly: {other:?}"
        )),
    }
}

fn system(what: &'static str) -> impl FnOnce(nix::errno::Errno) -> Error {
    move |errno| Error::Io {
        what: what.to_owned(),
        source: errno.into(),
    }
}
