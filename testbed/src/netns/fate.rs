//! What happens to packets on a directed link: its quality, its counters, and the decision on one packet.

use crate::{LinkCounters, LinkQuality};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Shared by the controller, which changes it, and the switch, which obeys it: plain numbers, so that
/// neither ever waits for the other.
#[derive(Debug, Default)]
pub(super) struct Link {
    cut: AtomicBool,
    loss: Chance,
    duplicate: Chance,
    delay_ns: AtomicU64,
    jitter_ns: AtomicU64,
    passed: AtomicU64,
    stopped: AtomicU64,
    lost: AtomicU64,
}

/// A probability as a share of 2^32.
#[derive(Debug, Default)]
struct Chance(AtomicU32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Drop,
    Pass { delay: Duration, copies: u8 },
}

/// Small and quick random numbers (xorshift64*, Vigna 2016) for decisions on packets. Which packets are
/// on a link is the kernel's timing, so a seed would not make a run repeatable.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Link {
    pub fn cut(&self) {
        self.cut.store(true, Relaxed);
    }

    pub fn mend(&self) {
        self.cut.store(false, Relaxed);
    }

    pub fn shape(&self, quality: &LinkQuality) {
        self.loss.set(quality.loss);
        self.duplicate.set(quality.duplicate);
        self.delay_ns.store(nanoseconds(quality.delay), Relaxed);
        self.jitter_ns.store(nanoseconds(quality.jitter), Relaxed);
    }

    pub fn counters(&self) -> LinkCounters {
        LinkCounters {
            passed: self.passed.load(Relaxed),
            cut: self.stopped.load(Relaxed),
            lost: self.lost.load(Relaxed),
        }
    }

    /// Decides on one packet, and counts it unless it may go on: that is counted when it does.
    pub fn decide(&self, dice: &mut Dice) -> Fate {
        if self.stops() {
            return Fate::Drop;
        }
        if self.loss.hit(dice) {
            self.lost.fetch_add(1, Relaxed);
            return Fate::Drop;
        }
        let mut delay_ns = self.delay_ns.load(Relaxed);
        let jitter_ns = self.jitter_ns.load(Relaxed);
        if jitter_ns > 0 {
            delay_ns = delay_ns.saturating_add(dice.roll() % jitter_ns);
        }
        Fate::Pass {
            delay: Duration::from_nanos(delay_ns),
            copies: 1 + u8::from(self.duplicate.hit(dice)),
        }
    }

    /// Whether the link is cut; counts the packet if so. Also asked when a delayed packet is due, for
    /// nothing leaves a cut link.
    pub fn stops(&self) -> bool {
        let cut = self.cut.load(Relaxed);
        if cut {
            self.stopped.fetch_add(1, Relaxed);
        }
        cut
    }

    pub fn count_passed(&self) {
        self.passed.fetch_add(1, Relaxed);
    }

    /// A packet that was counted as passed, and then the kernel had no room for it.
    pub fn count_refused(&self) {
        self.passed.fetch_sub(1, Relaxed);
        self.count_overrun();
    }

    /// A packet that there was no room for, though the link let it pass.
    pub fn count_overrun(&self) {
        self.lost.fetch_add(1, Relaxed);
    }
}

impl Chance {
    fn set(&self, probability: f64) {
        let share = probability.clamp(0.0, 1.0) * f64::from(u32::MAX);
        self.0.store(share as u32, Relaxed);
    }

    fn hit(&self, dice: &mut Dice) -> bool {
        match self.0.load(Relaxed) {
            0 => false,
            u32::MAX => true,
            share => (dice.roll() >> 32) < u64::from(share),
        }
    }
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(quality: LinkQuality, packets: usize) -> (Link, Vec<Fate>) {
        let (link, mut dice) = (Link::default(), Dice::new(7));
        link.shape(&quality);
        let fates = (0..packets).map(|_| link.decide(&mut dice)).collect();
        (link, fates)
    }

    #[test]
    fn a_perfect_link_passes_everything_at_once() {
        let (link, fates) = fates(LinkQuality::default(), 1000);
        let pass = Fate::Pass {
            delay: Duration::ZERO,
            copies: 1,
        };
        assert!(fates.iter().all(|fate| *fate == pass));
        assert_eq!(link.counters(), LinkCounters::default());
    }

    #[test]
    fn a_cut_link_passes_nothing_and_counts_it_until_mended() {
        let (link, mut dice) = (Link::default(), Dice::new(1));
        link.cut();
        assert_eq!(link.decide(&mut dice), Fate::Drop);
        link.mend();
        assert_ne!(link.decide(&mut dice), Fate::Drop);
        assert_eq!(link.counters().cut, 1);
    }

    #[test]
    fn a_tenth_of_loss_loses_about_a_tenth() {
        let quality = LinkQuality {
            loss: 0.1,
            ..LinkQuality::default()
        };
        let (link, _) = fates(quality, 100_000);
        let lost = link.counters().lost;
        assert!((9_000..11_000).contains(&lost), "{lost} of 100000 lost");
        let everything = LinkQuality {
            loss: 1.0,
            ..LinkQuality::default()
        };
        assert!(
            fates(everything, 100)
                .1
                .iter()
                .all(|fate| *fate == Fate::Drop)
        );
    }

    #[test]
    fn jitter_adds_to_delay_and_stays_below_its_bound() {
        let (delay, jitter) = (Duration::from_millis(10), Duration::from_millis(4));
        let quality = LinkQuality {
            delay,
            jitter,
            ..LinkQuality::default()
        };
        for fate in fates(quality, 1000).1 {
            let Fate::Pass { delay: drawn, .. } = fate else {
                panic!("dropped")
            };
            assert!((delay..delay + jitter).contains(&drawn), "{drawn:?}");
        }
    }

    #[test]
    fn duplication_sends_two_copies() {
        let quality = LinkQuality {
            duplicate: 1.0,
            ..LinkQuality::default()
        };
        let (_, fates) = fates(quality, 10);
        assert!(
            fates
                .iter()
                .all(|fate| matches!(fate, Fate::Pass { copies: 2, .. }))
        );
    }
}
