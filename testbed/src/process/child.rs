//! What a started program does between fork and exec: a session of its own, death with its parent, and
//! its confinement.
#![allow(unsafe_code)]

use super::Confinement;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{getpid, getppid, setsid};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

/// The program gets SIGKILL when the thread that spawns it ends, and leads its own session and group.
pub(super) fn tie_to_parent(command: &mut Command, confinement: Option<Arc<Confinement>>) {
    let parent = getpid();
    let hook = move || -> io::Result<()> {
        setsid()?;
        // Whatever the harness blocks is no business of the program.
        SigSet::empty().thread_set_mask()?;
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have ended before the line above; then nothing would ever kill this process.
        if getppid() != parent {
            return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
        }
        match &confinement {
            Some(confinement) => confinement.enter(),
            None => Ok(()),
        }
    };
    // SAFETY: between fork and exec in a threaded program only async-signal-safe work is allowed. The
    // hook makes system calls (setsid, sigprocmask, prctl, getppid and those of `Confinement::enter`) on values made
    // before the fork; it neither allocates nor takes a lock, and an `io::Error` of a raw code is a
    // plain integer.
    unsafe {
        command.pre_exec(hook);
    }
}
