//! Which state a new checkpoint is based on: the levels.
//!
//! Because the pages know what changed since *any* index, files are never merged by reading them: a checkpoint that is
//! based on an earlier point of the chain takes the place of all files after that point. [`FAN_IN`] files of a
//! level are followed by one of the next; when the increments together outweigh the full file, or every level is
//! full, a new full one begins the chain anew.
//!
//! Bounds, by construction: a chain has at most 1 + [`LEVELS`] x ([`FAN_IN`] - 1) = 16 files. A changed page is
//! written once on each level at the most, and once more by the full file that its weight has paid for, if a
//! checkpoint is not smaller than one [`LEAST_SHARE`]th of the state; smaller ones are put off ([`worth_it`]), and
//! the log grows instead. That keeps the write amplification below [`LEVELS`] + 1 + 1 = 5.

use super::FileRef;
use crate::types::Index;

/// Levels of increments: L0, L1, L2.
pub const LEVELS: u8 = 3;
/// The level of a full file.
pub const FULL: u8 = LEVELS;
/// One file of the next level takes the place of so many.
pub const FAN_IN: usize = 6;
/// Most files of a chain.
pub const MAX_CHAIN: usize = 1 + LEVELS as usize * (FAN_IN - 1);
/// So many increments of the least size weigh as much as the state.
pub const LEAST_SHARE: u64 = 216;

/// What checkpoints are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every one is full.
    Full,
    /// Each is based on the one before it, until the chain is at its bound.
    Incremental,
    Levels,
}

/// The level and the base of the next checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub level: u8,
    /// 0: none.
    pub base: Index,
}

const FULL_PLAN: Plan = Plan {
    level: FULL,
    base: 0,
};

/// Plans the checkpoint after `chain` (oldest first), of a state whose pages have `state_bytes`, of which
/// `changed_bytes` changed since the end of the chain.
pub fn plan(mode: Mode, chain: &[FileRef], state_bytes: u64, changed_bytes: u64) -> Plan {
    let Some(tip) = chain.last() else {
        return FULL_PLAN;
    };
    let increments: u64 = chain[1..].iter().map(|file| file.bytes).sum();
    if mode == Mode::Full || increments + changed_bytes >= state_bytes.min(chain[0].bytes) {
        return FULL_PLAN;
    }
    if mode == Mode::Incremental {
        return match chain.len() {
            MAX_CHAIN.. => FULL_PLAN,
            _ => Plan {
                level: 0,
                base: tip.meta.index,
            },
        };
    }
    let mut length = chain.len();
    for level in 0..LEVELS {
        let of_level = chain[..length]
            .iter()
            .rev()
            .take_while(|file| file.level == level)
            .count();
        if of_level + 1 < FAN_IN {
            return Plan {
                level,
                base: chain[length - 1].meta.index,
            };
        }
        length -= of_level;
    }
    FULL_PLAN
}

/// Whether a checkpoint of so few changes is worth its place in the chain.
pub fn worth_it(state_bytes: u64, changed_bytes: u64) -> bool {
    changed_bytes.saturating_mul(LEAST_SHARE) >= state_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(level: u8, base: Index, index: Index, bytes: u64) -> FileRef {
        FileRef::for_tests(level, base, index, bytes)
    }

    /// Plays checkpoints of `changed` bytes each on a state of `state` bytes; returns the longest chain and the write
    /// amplification, where nothing is ever changed twice (the worst case).
    fn play(mode: Mode, state: u64, changed: u64) -> (usize, f64) {
        let (mut chain, mut longest, mut written): (Vec<FileRef>, _, _) = (Vec::new(), 0, 0u64);
        let rounds = 3_000;
        for round in 1..=rounds {
            let Plan { level, base } = plan(mode, &chain, state, changed);
            chain.retain(|file| file.meta.index <= base);
            let since = round - base;
            let bytes = if base == 0 { state } else { since * changed };
            chain.push(file(level, base, round, bytes));
            longest = longest.max(chain.len());
            written += if round == 1 { 0 } else { bytes };
        }
        (longest, written as f64 / (changed * rounds) as f64)
    }

    #[test]
    fn chain_and_write_amplification_stay_within_their_bounds() {
        for share in [1, 2, 3, 7, 20, 50, 100, 150, LEAST_SHARE] {
            let (longest, amplification) = play(Mode::Levels, share * 1_000, 1_000);
            assert!(longest <= MAX_CHAIN, "{share}: {longest} files");
            assert!(amplification <= 5.0, "{share}: {amplification}");
            assert!(play(Mode::Incremental, share * 1_000, 1_000).0 <= MAX_CHAIN);
        }
        assert!(!worth_it(LEAST_SHARE * 1_000, 999) && worth_it(LEAST_SHARE * 1_000, 1_000));
    }

    #[test]
    fn the_sixth_of_a_level_is_one_of_the_next_and_covers_the_five_before_it() {
        let mut chain = vec![file(FULL, 0, 10, 1_000_000)];
        for index in 11..16 {
            let next = plan(Mode::Levels, &chain, 1_000_000, 10);
            assert_eq!(
                next,
                Plan {
                    level: 0,
                    base: index - 1
                }
            );
            chain.push(file(0, index - 1, index, 10));
        }
        assert_eq!(
            plan(Mode::Levels, &chain, 1_000_000, 10),
            Plan { level: 1, base: 10 }
        );
    }

    #[test]
    fn increments_that_outweigh_the_full_file_end_its_chain() {
        let chain = [file(FULL, 0, 10, 1_000), file(0, 10, 20, 900)];
        assert_eq!(plan(Mode::Levels, &chain, 1_000, 100), FULL_PLAN);
        assert_eq!(plan(Mode::Levels, &chain, 1_000, 50).base, 20);
        assert_eq!(plan(Mode::Full, &chain, 1_000, 50), FULL_PLAN);
    }
}
