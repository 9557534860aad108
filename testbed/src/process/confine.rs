//! What a program on a node of `netns` is confined to: the node's network, its own mounts, its hostname.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::sethostname;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

pub(crate) struct Confinement {
    /// The node's network namespace.
    pub network: OwnedFd,
    pub hostname: String,
    /// A file that the node sees as `/etc/hosts`.
    pub hosts: Option<CString>,
}

impl Confinement {
    /// Moves the calling process into the confinement. Runs between fork and exec: system calls only.
    pub(super) fn enter(&self) -> io::Result<()> {
        setns(&self.network, CloneFlags::CLONE_NEWNET)?;
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
        sethostname(&self.hostname)?;
        if let Some(hosts) = &self.hosts {
            mount(
                Some(hosts.as_c_str()),
                c"/etc/hosts",
                None::<&std::ffi::CStr>,
                MsFlags::MS_BIND,
                None::<&std::ffi::CStr>,
            )?;
        }
        Ok(())
    }
}
