//! Addresses in the network of a run: 10.88.0.0/24, the host part being the end's number.

use crate::ends::End;
use std::net::{IpAddr, Ipv4Addr};

const PREFIX: [u8; 3] = [10, 88, 0];
pub(super) const PREFIX_LENGTH: u8 = 24;

pub(super) fn ip(end: End) -> IpAddr {
    let [a, b, c] = PREFIX;
    IpAddr::V4(Ipv4Addr::new(a, b, c, end.octet()))
}

/// Locally administered, with the IP address in it.
pub(super) fn mac(end: End) -> [u8; 6] {
    let [a, b, c] = PREFIX;
    [0x02, 0x00, a, b, c, end.octet()]
}

/// The host part of an address of this network.
pub(super) fn host(ip: [u8; 4]) -> Option<u8> {
    let [a, b, c, host] = ip;
    ([a, b, c] == PREFIX).then_some(host)
}
