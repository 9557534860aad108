//! Small sets of slots, and a hasher for the words that make up a configuration.

use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A set of small numbers.
pub trait Slots: Clone + Debug + Eq + Hash + Send {
    fn empty() -> Self;
    fn contains(&self, slot: u32) -> bool;
    fn insert(&mut self, slot: u32);
    fn remove(&mut self, slot: u32);
    fn is_subset(&self, other: &Self) -> bool;
    /// Bytes beyond the value itself.
    fn heap(&self) -> usize;
}

/// A set of numbers below `64 * W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mask<const W: usize>([u64; W]);

/// A set of any numbers, cheap while its members lie close together: what is concurrent mostly has
/// slots of one neighbourhood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The number of the first word.
    first: u32,
    /// Neither the first word nor the last is zero, so that equal sets are equal values.
    words: Vec<u64>,
}

impl<const W: usize> Slots for Mask<W> {
    fn empty() -> Self {
        Self([0; W])
    }

    #[inline]
    fn contains(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] & (1 << (slot % 64)) != 0
    }

    #[inline]
    fn insert(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    #[inline]
    fn remove(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    #[inline]
    fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    fn heap(&self) -> usize {
        0
    }
}

impl Span {
    fn word(&self, number: u32) -> u64 {
        let at = number.wrapping_sub(self.first) as usize;
        self.words.get(at).copied().unwrap_or(0)
    }
}

impl Slots for Span {
    fn empty() -> Self {
        Self {
            first: 0,
            words: Vec::new(),
        }
    }

    fn contains(&self, slot: u32) -> bool {
        self.word(slot / 64) & (1 << (slot % 64)) != 0
    }

    fn insert(&mut self, slot: u32) {
        let number = slot / 64;
        if self.words.is_empty() {
            self.first = number;
        } else if number < self.first {
            let missing = (self.first - number) as usize;
            self.words.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = number;
        }
        let at = (number - self.first) as usize;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        self.words[at] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: u32) {
        let at = (slot / 64).wrapping_sub(self.first) as usize;
        let Some(word) = self.words.get_mut(at) else {
            return;
        };
        *word &= !(1 << (slot % 64));
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        let zeros = self.words.iter().take_while(|word| **word == 0).count();
        self.words.drain(..zeros);
        self.first = match self.words.is_empty() {
            true => 0,
            false => self.first + zeros as u32,
        };
    }

    fn is_subset(&self, other: &Self) -> bool {
        (self.first..)
            .zip(&self.words)
            .all(|(number, word)| word & !other.word(number) == 0)
    }

    fn heap(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// Hashes whole words; the keys are our own, so nobody chooses them to collide. Collisions cost time
/// only: tables compare the exact keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordHasher(u64);

pub type BuildWordHasher = BuildHasherDefault<WordHasher>;

impl WordHasher {
    #[inline]
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

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        let hash = self.0 ^ (self.0 >> 32);
        hash.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (hash >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaves_as_a_set<S: Slots>(slots: [u32; 4]) {
        let mut a = S::empty();
        for slot in slots {
            assert!(!a.contains(slot));
            a.insert(slot);
            assert!(a.contains(slot));
        }
        for slot in slots {
            let mut b = a.clone();
            b.remove(slot);
            assert!(!b.contains(slot));
            assert!(b.is_subset(&a) && !a.is_subset(&b) && a.is_subset(&a));
            b.insert(slot);
            assert_eq!(a, b);
        }
        for slot in slots {
            a.remove(slot);
        }
        assert_eq!(a, S::empty());
        assert!(S::empty().is_subset(&a));
    }

    #[test]
    fn a_mask_is_a_set() {
        behaves_as_a_set::<Mask<2>>([0, 63, 64, 127]);
    }

    #[test]
    fn a_span_is_a_set_of_numbers_of_any_size() {
        behaves_as_a_set::<Span>([70_000, 63, 99_999, 64]);
        behaves_as_a_set::<Span>([0, 1, 640, 641]);
    }
}
