//! What one run of the simulation is like. Much of it is drawn from the seed, so that many seeds try many settings
//! together.

use crate::replica::{CaptureBy, Retention};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

#[derive(Clone, Debug)]
pub struct Options {
    /// Voters at the start.
    pub servers: u64,
    /// Servers that wait to be added.
    pub spares: u64,
    /// Simulated milliseconds with faults, before healing.
    pub faulty_ms: u64,
    /// Bound for recovery and progress after healing.
    pub heal_ms: u64,
    pub clients: u64,
    pub checkpoint_entries: u64,
    pub retention: Retention,
    pub capture: CaptureBy,
    /// Whether reads are answered by lease.
    pub lease: bool,
    pub segment_bytes: u64,
    pub chunk_bytes: usize,
    /// Bytes per tick that images may take; `None`: no limit.
    pub transfer_rate: Option<u64>,
    /// Whether the membership changes.
    pub changes: bool,
}

impl Options {
    /// The settings of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0x5eed_0f0f_0717_1045);
        let mut draw = |below: u64| rng.next_u64() % below;
        Self {
            servers: if draw(3) == 0 { 5 } else { 3 },
            spares: 1,
            faulty_ms: 12_000,
            heal_ms: 30_000,
            clients: 4,
            checkpoint_entries: [10, 25, 60, 150][draw(4) as usize],
            retention: match draw(3) {
                0 => Retention::Discard,
                1 => Retention::Trailing(draw(30)),
                _ => Retention::KeepForFollowers(500 + draw(4_000)),
            },
            capture: if draw(4) == 0 {
                CaptureBy::DirtyFlush
            } else {
                CaptureBy::Cow
            },
            lease: draw(3) == 0,
            segment_bytes: 1_024 << draw(3),
            chunk_bytes: 2_048 << draw(3),
            transfer_rate: (draw(3) == 0).then(|| 100 + draw(2_000)),
            changes: draw(2) == 0,
        }
    }
}
