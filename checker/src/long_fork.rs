//! Long fork: two reads saw two writes in opposite orders.
//!
//! One read saw a write to x but none to y, another saw the write to y but none to x. Each alone is fine,
//! but no order of the two writes explains both, so this is not snapshot isolation (only parallel
//! snapshot isolation allows it, where sites order what they write each for itself).
//!
//! Judged are registers that are written once and nil at first, and operations that read several of them
//! at once. Reads of the same registers are compared as sets of what they saw: without a fork each
//! contains the smaller ones, so their order by size shows any. Reads of different registers are
//! compared through the pairs of registers that both have read.

use crate::findings::registers::{observed, written};
use crate::findings::{Case, Exhausted, Findings, Limits, examine, who};
use crate::history::Operation;
use crate::verdict::{Budget, Checker, Verdict};
use crate::{History, Key, Value};
use std::collections::{BTreeMap, HashMap};

/// Judges reads of several registers, in O(n log n) for n registers read, plus the number of pairs of
/// registers in each distinct group that shares two with another.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongFork;

/// A read, with the registers that held something, by their places in the group.
struct Sight<'a> {
    read: &'a Operation<'a>,
    seen: Vec<usize>,
}

/// Reads of the same registers, which are sorted.
type Groups<'a> = BTreeMap<Vec<&'a Key>, Vec<Sight<'a>>>;

/// For two registers the first read that saw only the first, and the first that saw only the second.
#[derive(Default)]
struct Pair<'a> {
    only_first: Option<&'a Operation<'a>>,
    only_second: Option<&'a Operation<'a>>,
}

impl Checker for LongFork {
    fn name(&self) -> &'static str {
        "long-fork"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        examine(history, budget, |operations, limits| {
            judge(operations, limits)
        })
    }
}

fn judge<'a>(operations: &'a [Operation<'a>], limits: &mut Limits) -> Result<Verdict, Exhausted> {
    let mut writers: HashMap<&Key, &Operation<'_>> = HashMap::new();
    for operation in operations.iter().filter(|o| o.failure().is_none()) {
        for (key, _) in written(operation.op()) {
            let first = *writers.entry(key).or_insert(operation);
            if !std::ptr::eq(first, operation) {
                return Ok(Verdict::unknown(format!(
                    "key {key} is written more than once, by {} and by {}: who saw which write is not clear",
                    who(first),
                    who(operation)
                )));
            }
        }
    }
    let mut groups = groups(operations, limits)?;
    let mut findings = Findings::of(&[("forks", "pairs of reads disagree")]);
    let mut reads = 0usize;
    for (keys, sights) in &mut groups {
        reads += sights.len();
        sights.sort_by_key(|sight| sight.seen.len());
        for pair in sights.windows(2) {
            limits.spend(pair[1].seen.len())?;
            if let Some((x, y)) = fork(&pair[0].seen, &pair[1].seen) {
                findings.add("forks", || {
                    told([keys[x], keys[y]], [pair[0].read, pair[1].read], &writers)
                });
            }
        }
    }
    if findings.is_empty() {
        across(&groups, &writers, &mut findings, limits)?;
    }
    let verdict = findings.verdict(|| match reads {
        0 => Verdict::unknown("no operation read several registers at once"),
        _ => Verdict::valid(),
    });
    Ok(verdict.with("reads", reads).with("groups", groups.len()))
}

fn groups<'a>(
    operations: &'a [Operation<'a>],
    limits: &mut Limits,
) -> Result<Groups<'a>, Exhausted> {
    let mut groups = Groups::new();
    for read in operations {
        let mut observed = observed(read);
        limits.spend(1 + observed.len())?;
        observed.sort_unstable_by_key(|(key, _)| *key);
        observed.dedup_by_key(|(key, _)| *key);
        if observed.len() < 2 {
            continue;
        }
        let held = observed.iter().enumerate();
        let seen = held
            .filter(|(_, (_, value))| **value != Value::Nil)
            .map(|(place, _)| place)
            .collect();
        let keys = observed.iter().map(|(key, _)| *key).collect();
        groups.entry(keys).or_default().push(Sight { read, seen });
    }
    Ok(groups)
}

/// What only the first saw and what only the second saw, if there is both. Each is sorted, and the first is
/// no longer than the second.
fn fork(first: &[usize], second: &[usize]) -> Option<(usize, usize)> {
    let lacks = |of: &[usize], other: &[usize]| {
        let missing = of.iter().find(|place| other.binary_search(place).is_err());
        missing.copied()
    };
    Some((lacks(first, second)?, lacks(second, first)?))
}

/// Compares reads of different groups, each of which agrees within itself: so of two of its registers one
/// was always seen first.
fn across<'a>(
    groups: &Groups<'a>,
    writers: &HashMap<&'a Key, &'a Operation<'a>>,
    findings: &mut Findings,
    limits: &mut Limits,
) -> Result<(), Exhausted> {
    let mut sharing: HashMap<&Key, usize> = HashMap::new();
    for key in groups.keys().flatten() {
        *sharing.entry(key).or_default() += 1;
    }
    let mut pairs: HashMap<(&Key, &Key), Pair<'_>> = HashMap::new();
    for (keys, sights) in groups {
        // The first read, in the order of what was seen, that saw a register, and those before it.
        let mut first_seen: Vec<usize> = vec![sights.len(); keys.len()];
        for (number, sight) in sights.iter().enumerate().rev() {
            limits.spend(sight.seen.len())?;
            for place in &sight.seen {
                first_seen[*place] = number;
            }
        }
        let shared: Vec<usize> = (0..keys.len())
            .filter(|place| sharing[keys[*place]] > 1)
            .collect();
        for (i, x) in shared.iter().copied().enumerate() {
            limits.spend(1 + shared.len() - i)?;
            limits.hold(
                "comparing pairs of registers",
                pairs.len() * size_of::<((&Key, &Key), Pair<'_>)>() * 2,
            )?;
            for y in shared[i + 1..].iter().copied() {
                let (at_x, at_y) = (first_seen[x], first_seen[y]);
                let pair = pairs.entry((keys[x], keys[y])).or_default();
                if at_x < at_y {
                    pair.only_first.get_or_insert(sights[at_x].read);
                } else if at_y < at_x {
                    pair.only_second.get_or_insert(sights[at_y].read);
                }
                if let Pair {
                    only_first: Some(one),
                    only_second: Some(other),
                } = *pair
                {
                    findings.add("forks", || told([keys[x], keys[y]], [one, other], writers));
                }
            }
        }
    }
    Ok(())
}

fn told<'a>(
    keys: [&Key; 2],
    reads: [&'a Operation<'a>; 2],
    writers: &HashMap<&'a Key, &'a Operation<'a>>,
) -> Case {
    let [x, y] = keys;
    let writer = |key| match writers.get(key) {
        Some(writer) => format!("written by {}", who(writer)),
        None => "written by nobody".to_owned(),
    };
    let text = format!(
        "{} saw key {x} ({}) but not yet key {y}, and {} saw key {y} ({}) but not yet key {x}",
        who(reads[0]),
        writer(x),
        who(reads[1]),
        writer(y)
    );
    let writers = keys.iter().filter_map(|key| writers.get(key).copied());
    Case::new(text, writers.chain(reads))
}
