//! Ties the life of the process inside to that of the outer one, without a gap.
#![allow(unsafe_code)]

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

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
