//! Ties the life of the process inside to that of the outer one, without a gap, and the other way round.
#![allow(unsafe_code)]

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the kernel report the end of children again, where whoever started us had switched that off:
/// ignoring SIGCHLD is inherited.
pub(super) fn hear_of_children() -> nix::Result<()> {
    // SAFETY: the default action is no handler, so no code of ours runs in a signal context.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map(drop)
}

/// The child gets SIGKILL when this thread ends. Across a pid namespace a child can't see whether its
/// parent still lived when it asked for that; so it also looks at a pipe whose writing end only the
/// parent holds: `lifeline` is the reading end, `held` the other.
pub(super) fn bind(command: &mut Command, lifeline: OwnedFd, held: &OwnedFd) {
    let held = held.as_raw_fd();
    let hook = move || -> io::Result<()> {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        nix::unistd::close(held)?;
        let mut watched = [PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::ZERO)? {
            0 => Ok(()),
            _ => Err(io::Error::from_raw_os_error(nix::libc::ESRCH)),
        }
    };
    // SAFETY: the hook runs between fork and exec and makes three system calls (prctl, close, poll) on
    // values made before the fork; it neither allocates nor takes a lock. It closes only the child's copy
    // of `held`, which nothing in the child owns or uses: exec would close it next.
    unsafe {
        command.pre_exec(hook);
    }
}
