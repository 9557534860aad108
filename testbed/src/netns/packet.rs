//! A raw packet socket on one interface, with a virtio header before every frame: the kernel then hands
//! over and takes large packets whose segmentation and checksum are still to be done.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The length of the header before every frame (`struct virtio_net_hdr`).
pub(super) const HEADER: usize = 10;

/// Opens a socket in the calling thread's network namespace; non-blocking, and deaf to what is sent out
/// through the interface.
pub(crate) fn open(interface: u32, buffer_bytes: usize) -> io::Result<OwnedFd> {
    let everything = (libc::ETH_P_ALL as u16).to_be();
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes no pointers. Protocol 0 receives nothing until bind names one.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: `fd` was just opened and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
    set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
    let bytes = libc::c_int::try_from(buffer_bytes).unwrap_or(libc::c_int::MAX);
    for (forced, limited) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        // Going beyond the limit of the machine needs its root; otherwise take what is allowed.
        set(&socket, libc::SOL_SOCKET, forced, bytes)
            .or_else(|_| set(&socket, libc::SOL_SOCKET, limited, bytes))?;
    }
    // SAFETY: all bytes zero is a valid `sockaddr_ll`, a struct of integers.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = everything;
    address.sll_ifindex = libc::c_int::try_from(interface).map_err(io::Error::other)?;
    // SAFETY: the pointer is to a live `sockaddr_ll` and the length is its own; bind only reads it.
    Errno::result(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    })?;
    Ok(socket)
}

/// How many packets the kernel dropped for want of room since this was last asked.
pub(super) fn dropped(socket: &OwnedFd) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the pointers are to a live `tpacket_stats`, a struct of integers, and to its length; the
    // kernel writes no more than that length.
    Errno::result(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    })?;
    Ok(statistics.tp_drops)
}

fn set(socket: &OwnedFd, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer is to a live `c_int` and the length is its own; setsockopt only reads it.
    Errno::result(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    Ok(())
}
