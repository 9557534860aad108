//! The attempts: each does in miniature, in a child, what the netns environment does. System calls only.

use super::child::{attempt, in_grandchild};
use crate::netns::open_packet_socket;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, write};
use rtnetlink::LinkVeth;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage};
use rtnetlink::packet_route::RouteNetlinkMessage;
use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;

/// The texts that make the caller root of a new user namespace.
struct Maps {
    uid: String,
    gid: String,
}

impl Maps {
    fn of_caller() -> Self {
        Self {
            uid: format!("0 {} 1", geteuid()),
            gid: format!("0 {} 1", getegid()),
        }
    }

    /// Enters new namespaces, through a new user namespace where the caller lacks the right.
    fn enter(&self, namespaces: CloneFlags) -> nix::Result<()> {
        match unshare(namespaces) {
            Err(Errno::EPERM) => self.enter_as_user(namespaces),
            other => other,
        }
    }

    fn enter_as_user(&self, namespaces: CloneFlags) -> nix::Result<()> {
        unshare(CloneFlags::CLONE_NEWUSER | namespaces)?;
        put(c"/proc/self/setgroups", "deny")?;
        put(c"/proc/self/uid_map", &self.uid)?;
        put(c"/proc/self/gid_map", &self.gid)
    }
}

pub(super) fn user_namespace() -> io::Result<()> {
    let maps = Maps::of_caller();
    attempt(move || maps.enter_as_user(CloneFlags::empty()))
}

pub(super) fn namespaces() -> io::Result<()> {
    let maps = Maps::of_caller();
    let all = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS;
    attempt(move || {
        maps.enter(all)?;
        // Rights in the user namespace may be withheld although it was made: use one.
        nix::unistd::sethostname("probe")
    })
}

pub(super) fn packet_socket() -> io::Result<()> {
    let maps = Maps::of_caller();
    /// The interface number of `lo` in every network namespace.
    const LO: u32 = 1;
    attempt(move || {
        maps.enter(CloneFlags::CLONE_NEWNET)?;
        open_packet_socket(LO, 1 << 16).map(drop).map_err(errno)
    })
}

pub(super) fn veth() -> io::Result<()> {
    let maps = Maps::of_caller();
    let request = veth_request();
    attempt(move || {
        maps.enter(CloneFlags::CLONE_NEWNET)?;
        ask_netlink(&request)
    })
}

pub(super) fn proc_mount() -> io::Result<()> {
    let maps = Maps::of_caller();
    attempt(move || {
        maps.enter(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS)?;
        in_grandchild(|| {
            let none = None::<&CStr>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(none, c"/", none, private, none)?;
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, none)
        })
    })
}

/// The netlink message that makes a pair of linked interfaces.
fn veth_request() -> Vec<u8> {
    let link = LinkVeth::new("probe0", "probe1").build();
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(link));
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Sends one request that asks for an acknowledgement, and returns what that says.
fn ask_netlink(request: &[u8]) -> nix::Result<()> {
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(kernel.as_raw_fd(), request, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // After a header of 16 bytes: the error code, negative, or zero.
    match answer[..length] {
        [
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            a,
            b,
            c,
            d,
            ..,
        ] => match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            code => Err(Errno::from_raw(-code)),
        },
        _ => Err(Errno::EBADMSG),
    }
}

fn put(path: &CStr, text: &str) -> nix::Result<()> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(&file, text.as_bytes()).map(drop)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO))
}
