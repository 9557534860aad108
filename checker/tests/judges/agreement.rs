//! A checker and its oracle, compared over many random histories.

use crate::scene::{Object, play};
use checker::{Budget, Checker, History, Phase, Validity, Verdict};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::BTreeSet;

/// Random histories per checker.
const HISTORIES: u64 = 2_000;

/// Whether the operations that a verdict names show the violation by themselves.
#[derive(Clone, Copy, PartialEq)]
pub enum Witness {
    Alone,
    /// Sums and chains need others, too.
    InContext,
}

pub fn check(checker: &dyn Checker, history: &History) -> Verdict {
    checker.check(history, Budget::default())
}

/// Plays random histories with fresh objects and compares the verdicts with the oracle's.
pub fn agree<O: Object>(
    checker: &dyn Checker,
    object: impl Fn(&mut Pcg64) -> O,
    oracle: impl Fn(&History) -> Validity,
    witness: Witness,
) {
    let mut counts = [0u64; 3];
    for seed in 0..HISTORIES {
        let mut rng = Pcg64::seed_from_u64(seed);
        let operations = rng.random_range(1..18);
        let mut object = object(&mut rng);
        let history = play(&mut rng, operations, &mut object);
        let expected = oracle(&history);
        let verdict = check(checker, &history);
        assert_eq!(
            verdict.valid,
            expected,
            "seed {seed}: {}\n{}",
            verdict.reason,
            told(&history)
        );
        counts[expected as usize] += 1;
        if expected == Validity::Invalid {
            evidence(checker, &history, &verdict, witness);
        }
    }
    let [valid, _, invalid] = counts;
    assert!(
        valid > HISTORIES / 20 && invalid > HISTORIES / 20,
        "the histories are one-sided: {counts:?}"
    );
}

/// An invalid verdict names operations in words, lists the same, and, where it can, they alone show it.
pub fn evidence(checker: &dyn Checker, history: &History, verdict: &Verdict, witness: Witness) {
    let named = named(&verdict.reason);
    let listed: BTreeSet<u64> = verdict.details["operations"]
        .as_array()
        .expect("a list of operations")
        .iter()
        .map(|index| index.as_u64().expect("an index"))
        .collect();
    assert!(
        !named.is_empty(),
        "no operation is named: {}",
        verdict.reason
    );
    assert!(named.is_subset(&listed), "{listed:?}: {}", verdict.reason);
    assert!(!verdict.reason.contains('\n') && !verdict.reason.ends_with('.'));
    for index in &listed {
        assert_eq!(history.events[*index as usize].phase, Phase::Invoke);
    }
    if witness == Witness::Alone {
        let part = only(history, &listed);
        let again = check(checker, &part);
        assert_eq!(
            again.valid,
            Validity::Invalid,
            "{}\n{}\nalone:\n{}",
            verdict.reason,
            told(history),
            told(&part)
        );
    }
}

/// The indices in a sentence.
fn named(reason: &str) -> BTreeSet<u64> {
    let parts = reason.split("(index ").skip(1);
    let numbers = parts.filter_map(|part| part.split(')').next()?.parse().ok());
    numbers.collect()
}

/// The history without all other operations.
fn only(history: &History, invocations: &BTreeSet<u64>) -> History {
    let operations = crate::scene::operations(history);
    let kept: BTreeSet<u64> = operations
        .iter()
        .filter(|operation| invocations.contains(&operation.invocation.index))
        .flat_map(|operation| [Some(operation.invocation), operation.completion])
        .flatten()
        .map(|event| event.index)
        .collect();
    let mut part = history.clone();
    part.events.retain(|event| kept.contains(&event.index));
    part
}

fn told(history: &History) -> String {
    let lines = history.events.iter().map(|event| {
        format!(
            "{} {} {:?} {:?}\n",
            event.index, event.process, event.op, event.phase
        )
    });
    lines.collect()
}
