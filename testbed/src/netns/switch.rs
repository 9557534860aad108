//! The switch: one thread that moves packets between the interfaces of all ends, each by the quality of
//! the directed link it is on.
//!
//! Frames are forwarded by their IPv4 destination; anything else is dropped, as nothing else is needed.
//! A packet without delay is passed on from the buffer it was received into: no allocation, two system
//! calls.

use super::address;
use super::fate::{Dice, Fate, Link};
use super::packet::{self, HEADER};
use crate::ends::{End, Ends, Pairs};
use crate::{Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{MsgFlags, recv, send};
use nix::sys::time::TimeSpec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The largest packet that offload hands over (64 KiB of IP), with its headers.
const FRAME_MAX: usize = HEADER + 14 + 4 + 65_536;
/// Packets taken from one interface before the others get their turn.
const BATCH: usize = 64;
const SOCKET_BUFFER_BYTES: usize = 16 << 20;
/// The most that delayed packets may hold; what goes beyond is lost, as in any queue.
const DELAYED_BYTES_MAX: usize = 64 << 20;

/// Where fields of a frame are, counted after the header of the socket.
const ETHERTYPE: usize = 12;
const IPV4_DESTINATION: usize = 14 + 16;

pub(super) struct Switch {
    running: Mutex<Option<(PipeWriter, JoinHandle<()>)>>,
}

impl Switch {
    /// Opens a socket per interface, in the calling thread's network namespace, and starts forwarding.
    /// `interfaces` are in the order of `ends`.
    pub fn start(ends: &Ends, interfaces: &[u32], links: Arc<Pairs<Link>>) -> Result<Self> {
        let mut ports = Vec::new();
        for (end, interface) in ends.all().zip(interfaces) {
            let socket = packet::open(*interface, SOCKET_BUFFER_BYTES).map_err(Error::io(
                format!("open the switch's port to {}", ends.name(end)),
            ))?;
            ports.push(Port { end, socket });
        }
        let names = ends.clone();
        let (stopped, stop) = std::io::pipe().map_err(Error::io("make a pipe to the switch"))?;
        let thread = thread::Builder::new()
            .name("switch".into())
            .spawn(move || {
                run(&ports, &links, &stopped);
                report_dropped(&ports, &names);
            })
            .map_err(Error::io("start the switch"))?;
        Ok(Self {
            running: Mutex::new(Some((stop, thread))),
        })
    }

    /// Ends the switch; no packet passes afterwards. Idempotent.
    pub fn stop(&self) {
        if let Some((stop, thread)) = crate::process::lock(&self.running).take() {
            drop(stop);
            // A panic in the switch has been printed; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Port {
    end: End,
    socket: OwnedFd,
}

struct Forwarding<'a> {
    ports: &'a [Port],
    /// The number of the port for each host part of an address.
    by_host: [Option<u8>; 256],
    links: &'a Pairs<Link>,
    dice: Dice,
    delayed: Delayed,
}

/// Packets that wait for their time.
#[derive(Default)]
struct Delayed {
    queue: BinaryHeap<Reverse<Waiting>>,
    bytes: usize,
    order: u64,
}

/// Ordered by the time it is due, then by arrival.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Instant,
    order: u64,
    from: usize,
    to: usize,
    frame: Vec<u8>,
}

/// Forwards until the other end of `stopped` is closed.
fn run(ports: &[Port], links: &Pairs<Link>, stopped: &PipeReader) {
    let mut forwarding = Forwarding {
        ports,
        by_host: by_host(ports),
        links,
        dice: Dice::new((u64::from(std::process::id()) << 32) | 0x9E37_79B9),
        delayed: Delayed::default(),
    };
    let mut buffer = vec![0; FRAME_MAX];
    let mut watched: Vec<PollFd> = ports
        .iter()
        .map(|port| port.socket.as_fd())
        .chain([stopped.as_fd()])
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    loop {
        let timeout = forwarding.delayed.next().map(TimeSpec::from_duration);
        match ppoll(&mut watched, timeout, None) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => {
                tracing::error!(%errno, "the switch can't wait for packets");
                return;
            }
        }
        let ready = |fd: &PollFd| fd.any().unwrap_or(true);
        let (stopped, sockets) = watched.split_last().expect("it holds `stopped` at least");
        if ready(stopped) {
            return;
        }
        forwarding.release();
        for (from, socket) in sockets.iter().enumerate() {
            if ready(socket) {
                forwarding.drain(from, &mut buffer);
            }
        }
    }
}

/// Says which ends sent more than the switch could take: a busy machine, not a fault of the run.
fn report_dropped(ports: &[Port], names: &Ends) {
    for port in ports {
        match packet::dropped(&port.socket) {
            Ok(0) => {}
            Ok(packets) => {
                tracing::warn!(from = %names.name(port.end), packets, "the switch had no room for packets");
            }
            Err(error) => tracing::warn!(%error, "count the packets the switch had no room for"),
        }
    }
}

impl<'a> Forwarding<'a> {
    /// Takes packets from one port.
    fn drain(&mut self, from: usize, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            let socket = self.ports[from].socket.as_raw_fd();
            match recv(socket, buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => self.forward(from, &buffer[..length]),
                Err(Errno::EINTR) => {}
                // Nothing left, or the interface is going down with its namespace.
                Err(_) => return,
            }
        }
    }

    fn forward(&mut self, from: usize, frame: &[u8]) {
        let Some(to) = self.destination(frame).filter(|to| *to != from) else {
            return;
        };
        let link = self.link(from, to);
        match link.decide(&mut self.dice) {
            Fate::Drop => {}
            Fate::Pass { delay, copies } => {
                for _ in 0..copies {
                    if delay.is_zero() {
                        self.send(from, to, frame);
                    } else if !self.delayed.add(from, to, delay, frame) {
                        self.link(from, to).count_overrun();
                    }
                }
            }
        }
    }

    /// Sends the packets whose time has come, unless their link was cut meanwhile.
    fn release(&mut self) {
        while let Some(waiting) = self.delayed.take_due(Instant::now()) {
            if !self.link(waiting.from, waiting.to).stops() {
                self.send(waiting.from, waiting.to, &waiting.frame);
            }
        }
    }

    fn send(&self, from: usize, to: usize, frame: &[u8]) {
        let socket = self.ports[to].socket.as_raw_fd();
        let link = self.link(from, to);
        // Counted first, so that whoever saw the packet arrive also sees it counted.
        link.count_passed();
        if send(socket, frame, MsgFlags::MSG_DONTWAIT).is_err() {
            link.count_refused();
        }
    }

    fn link(&self, from: usize, to: usize) -> &'a Link {
        self.links.get(self.ports[from].end, self.ports[to].end)
    }

    fn destination(&self, frame: &[u8]) -> Option<usize> {
        let host = address::host(ipv4_destination(frame.get(HEADER..)?)?)?;
        self.by_host[usize::from(host)].map(usize::from)
    }
}

impl Delayed {
    /// False when there is no room.
    fn add(&mut self, from: usize, to: usize, delay: Duration, frame: &[u8]) -> bool {
        if self.bytes + frame.len() > DELAYED_BYTES_MAX {
            return false;
        }
        self.bytes += frame.len();
        self.order += 1;
        self.queue.push(Reverse(Waiting {
            due: Instant::now() + delay,
            order: self.order,
            from,
            to,
            frame: frame.to_vec(),
        }));
        true
    }

    /// How long until the next packet is due.
    fn next(&self) -> Option<Duration> {
        let Reverse(first) = self.queue.peek()?;
        Some(first.due.saturating_duration_since(Instant::now()))
    }

    fn take_due(&mut self, now: Instant) -> Option<Waiting> {
        let Reverse(first) = self.queue.peek()?;
        if first.due > now {
            return None;
        }
        let Reverse(waiting) = self.queue.pop()?;
        self.bytes -= waiting.frame.len();
        Some(waiting)
    }
}

fn by_host(ports: &[Port]) -> [Option<u8>; 256] {
    let mut table = [None; 256];
    for (number, port) in (0u8..).zip(ports) {
        table[usize::from(port.end.octet())] = Some(number);
    }
    table
}

fn ipv4_destination(frame: &[u8]) -> Option<[u8; 4]> {
    let ethertype = frame.get(ETHERTYPE..ETHERTYPE + 2)?;
    if ethertype != [0x08, 0x00] {
        return None;
    }
    let destination = frame.get(IPV4_DESTINATION..IPV4_DESTINATION + 4)?;
    destination.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ipv4_frames_have_a_destination() {
        let mut frame = vec![0; 60];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[30..34].copy_from_slice(&[10, 88, 0, 3]);
        assert_eq!(ipv4_destination(&frame), Some([10, 88, 0, 3]));
        assert_eq!(ipv4_destination(&frame[..33]), None);
        frame[13] = 0x06;
        assert_eq!(ipv4_destination(&frame), None);
    }

    #[test]
    fn delayed_packets_leave_by_due_time_then_by_arrival() {
        let mut delayed = Delayed::default();
        assert!(delayed.add(0, 1, Duration::from_secs(2), b"late"));
        assert!(delayed.add(0, 1, Duration::from_secs(1), b"soon"));
        assert!(delayed.next().is_some());
        assert!(delayed.take_due(Instant::now()).is_none());
        let later = Instant::now() + Duration::from_secs(3);
        let order: Vec<_> = std::iter::from_fn(|| delayed.take_due(later))
            .map(|waiting| waiting.frame)
            .collect();
        assert_eq!(order, [b"soon", b"late"]);
        assert_eq!(delayed.bytes, 0);
    }

    #[test]
    fn a_full_delay_queue_refuses_more() {
        let mut delayed = Delayed::default();
        let frame = vec![0; DELAYED_BYTES_MAX];
        assert!(delayed.add(0, 1, Duration::from_secs(1), &frame));
        assert!(!delayed.add(0, 1, Duration::from_secs(1), b"x"));
    }
}
