//! Small sets of slots, and a hasher for the words that make up a configuration.

use std::hash::{BuildHasherDefault, Hasher};

/// A set of numbers below `64 * W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mask<const W: usize>([u64; W]);

impl<const W: usize> Mask<W> {
    pub const EMPTY: Self = Self([0; W]);

    pub fn contains(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] & (1 << (slot % 64)) != 0
    }

    pub fn insert(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    pub fn remove(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }
}

/// Hashes whole words; the keys are our own, so nobody chooses them to collide. Collisions cost time
/// only: tables compare the exact keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordHasher(u64);

pub type BuildWordHasher = BuildHasherDefault<WordHasher>;

impl WordHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn finish(&self) -> u64 {
        let hash = self.0 ^ (self.0 >> 32);
        hash.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (hash >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_a_set() {
        let mut a = Mask::<2>::EMPTY;
        for slot in [0, 63, 64, 127] {
            assert!(!a.contains(slot));
            a.insert(slot);
            assert!(a.contains(slot));
        }
        let mut b = a;
        b.remove(64);
        assert!(b.is_subset(&a) && !a.is_subset(&b) && a.is_subset(&a));
    }
}
