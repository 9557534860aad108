//! Tries something in a child process that vanishes afterwards, so that the caller stays as it is.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the child reports when the attempt worked; no system call that is tried here fails with it.
const WORKED: Errno = Errno::ECANCELED;

/// Runs `attempt` in a forked child; its error is what the attempt failed with.
///
/// The child never becomes another program: a start that fails before exec reports its error code to the
/// parent, and an attempt that worked reports one of its own.
pub(super) fn attempt(
    attempt: impl Fn() -> nix::Result<()> + Send + Sync + 'static,
) -> io::Result<()> {
    let mut command = Command::new("/");
    let hook = move || match attempt() {
        Ok(()) => Err(WORKED.into()),
        Err(errno) => Err(errno.into()),
    };
    // SAFETY: after the fork only async-signal-safe work is allowed. The attempts in this folder make
    // system calls on values made before, without allocating or taking locks; an `io::Error` of a raw
    // code is a plain integer.
    unsafe {
        command.pre_exec(hook);
    }
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(WORKED as i32) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("a folder was executed")),
    }
}

/// Within an attempt: runs `attempt` in a child of the child, which is where a new pid namespace begins.
pub(super) fn in_grandchild(attempt: impl Fn() -> nix::Result<()>) -> nix::Result<()> {
    // SAFETY: the caller is the only thread of a forked child. The grandchild makes system calls only
    // and ends with `_exit`, which runs no destructors and no exit handlers of the program.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = attempt().err().map_or(0, |errno| errno as i32);
            // SAFETY: `_exit` ends the process at once and is async-signal-safe.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            WaitStatus::Exited(_, code) => Err(Errno::from_raw(code)),
            _ => Err(Errno::EINTR),
        },
    }
}
