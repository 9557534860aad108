//! Random choices that are the same on every machine.
//!
//! Every part of a run draws from a stream of its own, derived from the run's seed and the part's name,
//! so that adding a fault does not change what another one hits. The drawing is written out here, because
//! a library may change how it turns random bits into a number below n, and with it every stored plan.

use rand::Rng;
use rand_pcg::Pcg64;

pub struct Stream(Pcg64);

impl Stream {
    pub fn derive(seed: u64, name: &str) -> Self {
        let mut state = fnv1a(name) ^ seed;
        let mut word = || u128::from(splitmix64(&mut state));
        let (a, b, c, d) = (word(), word(), word(), word());
        Self(Pcg64::new(a << 64 | b, c << 64 | d))
    }

    /// Uniform over `0..n`; `n` must not be 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "nothing is below 0");
        // Multiply and shift, rejecting the few draws that would favour small numbers (Lemire 2019).
        let unfair = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// Uniform over `least..=most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// One of these; nothing of none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        match items.len() {
            0 => None,
            n => Some(&items[self.below(n as u64) as usize]),
        }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, name: &str) -> Vec<u64> {
        let mut stream = Stream::derive(seed, name);
        (0..6).map(|_| stream.below(100)).collect()
    }

    #[test]
    fn a_stream_is_fixed_by_seed_and_name_for_all_time() {
        assert_eq!(first(42, "nemesis"), first(42, "nemesis"));
        assert_ne!(first(42, "nemesis"), first(43, "nemesis"));
        assert_ne!(first(42, "nemesis"), first(42, "workload"));
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_reaches_every_place() {
        let mut stream = Stream::derive(1, "shuffle");
        let mut firsts = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut items = [0, 1, 2, 3, 4];
            stream.shuffle(&mut items);
            firsts.insert(items[0]);
            items.sort();
            assert_eq!(items, [0, 1, 2, 3, 4]);
        }
        assert_eq!(firsts.len(), 5);
    }
}
