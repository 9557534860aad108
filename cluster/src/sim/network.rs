//! The simulated network: what is cut, lost, doubled and late.

use crate::types::ServerId;
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;

/// More messages than this in a second of simulated time, between all servers, are a storm.
pub const STORM: u64 = 20_000;

#[derive(Default)]
pub struct Network {
    cut: BTreeSet<(ServerId, ServerId)>,
    /// Everything works from now on.
    pub healed: bool,
    second: u64,
    sent: u64,
}

/// When the copies of a message arrive, in milliseconds from now; none: it is lost.
pub struct Delivery {
    pub delays: Vec<u64>,
    pub storm: bool,
}

impl Network {
    pub fn is_cut(&self, from: ServerId, to: ServerId) -> bool {
        self.cut.contains(&(from, to))
    }

    pub fn mend(&mut self) {
        self.cut.clear();
    }

    /// Cuts one server off: what it sends, what it hears, or both.
    pub fn isolate(&mut self, id: ServerId, others: &[ServerId], outgoing: bool, incoming: bool) {
        for &other in others.iter().filter(|&&other| other != id) {
            if outgoing {
                self.cut.insert((id, other));
            }
            if incoming {
                self.cut.insert((other, id));
            }
        }
    }

    /// Cuts the servers into two sides.
    pub fn divide(&mut self, servers: &[ServerId], rng: &mut Pcg64Mcg) {
        let side: BTreeSet<ServerId> = servers
            .iter()
            .copied()
            .filter(|_| rng.next_u64().is_multiple_of(2))
            .collect();
        for &from in servers {
            for &to in servers {
                if side.contains(&from) != side.contains(&to) {
                    self.cut.insert((from, to));
                }
            }
        }
    }

    pub fn send(&mut self, now_ms: u64, rng: &mut Pcg64Mcg) -> Delivery {
        if now_ms / 1_000 != self.second {
            (self.second, self.sent) = (now_ms / 1_000, 0);
        }
        self.sent += 1;
        let mut draw = |below: u64| rng.next_u64() % below;
        let copies = match (self.healed, draw(100)) {
            (false, 0..4) => 0,
            (false, 4..7) => 2,
            _ => 1,
        };
        let delays = (0..copies)
            .map(|_| {
                let slow = !self.healed && draw(100) < 5;
                1 + draw(if slow { 400 } else { 8 })
            })
            .collect();
        Delivery {
            delays,
            storm: self.sent > STORM,
        }
    }
}
