//! The answer without a search, where every value is installed once.
//!
//! Then each observer names its installer. A cas from v can only be the next to install something after
//! v was installed, as v does not come back. So a write and what observes its value, and if there is a
//! cas among these, that cas and what observes its value, and so on, form a *chain* that no other
//! installer can interrupt. Within a chain all is fixed but the order of the reads of one value: by
//! call serves, if any order does.
//!
//! What is left is the order of the chains. Of chains A and B, A must come first if some entry of A has
//! its deadline before the call of some entry of B: if the earliest deadline f of A comes before the
//! latest call s of B. So a chain takes part with its *zone* alone, the time between its f and its s
//! (Gibbons and Korach 1997 for writes and reads; see [`zones`](super::zones)). Where no two zones
//! contradict one another, the chains in the order of the beginnings of their zones, min(f, s), keep all
//! of these demands. Say A before B is demanded although B's zone begins first. B's zone is not
//! backward, or it would begin with s(B), after f(A) and so after the beginning of A's. So it is
//! forward, and f(A) lies within it: A's is a forward zone that overlaps it, or a backward one within
//! it, and these contradict it.
//!
//! So there is a linearization if and only if this order is one; and that is looked at, entry by entry:
//! an answer that there is one comes with its proof.

use super::entries::{Entry, Values};
use super::search::Answer;

/// The answer for entries that all have deadlines and values with one installer each (the initial
/// value: none).
pub fn order(entries: &[Entry<'_>], values: &Values) -> Answer {
    let uses = Uses::of(entries, values);
    let mut order: Vec<u32> = Vec::with_capacity(entries.len());
    let mut chains: Vec<Chain> = Vec::new();
    // The initial value heads a chain that begins before everything.
    let heads = (0..).zip(entries).filter_map(|(at, entry)| {
        let effect = values.effects[entry.class as usize];
        effect.is_blind().then_some((at, effect.installs?))
    });
    let heads: Vec<(Option<u32>, u32)> = std::iter::once((None, values.initial))
        .chain(heads.map(|(at, value)| (Some(at), value)))
        .collect();
    for (installer, value) in heads {
        let start = order.len();
        order.extend(installer);
        let mut held = value;
        loop {
            order.extend_from_slice(uses.reads_of(held));
            let Some(cas) = uses.cas_from[held as usize] else {
                break;
            };
            order.push(cas);
            match values.effects[entries[cas as usize].class as usize].installs {
                Some(to) => held = to,
                None => break,
            }
        }
        let members = || order[start..].iter().map(|at| &entries[*at as usize]);
        let begins = match installer {
            None => 0,
            Some(_) => {
                let earliest_deadline = members().map(|entry| entry.deadline).min();
                let latest_call = members().map(|entry| entry.call).max();
                // After the initial chain.
                1 + earliest_deadline.min(latest_call).unwrap_or_default()
            }
        };
        chains.push(Chain {
            begins,
            start,
            end: order.len(),
        });
    }
    // A cas that no chain leads to observes a value that was never there.
    if order.len() < entries.len() {
        return Answer::NotLinearizable;
    }
    chains.sort_by_key(|chain| chain.begins);
    let mut sorted: Vec<u32> = Vec::with_capacity(entries.len());
    for chain in chains {
        sorted.extend_from_slice(&order[chain.start..chain.end]);
    }
    match keeps_time(entries, &sorted) {
        true => Answer::Linearizable(sorted),
        false => Answer::NotLinearizable,
    }
}

/// A chain's place in the list of entries, and when its zone begins.
struct Chain {
    begins: u32,
    start: usize,
    end: usize,
}

/// Who reads each value, and who replaces it by cas.
struct Uses {
    /// Reads by value, then by call; those of value v are `reads[starts[v]..starts[v + 1]]`.
    reads: Vec<u32>,
    starts: Vec<u32>,
    cas_from: Vec<Option<u32>>,
}

impl Uses {
    fn of(entries: &[Entry<'_>], values: &Values) -> Self {
        let count = values.count as usize;
        let mut starts = vec![0u32; count + 1];
        let mut cas_from = vec![None; count];
        let observed = |entry: &Entry<'_>| {
            let effect = values.effects[entry.class as usize];
            effect
                .observes
                .map(|value| (value as usize, effect.installs.is_none()))
        };
        for (at, entry) in (0..).zip(entries) {
            match observed(entry) {
                Some((value, true)) => starts[value + 1] += 1,
                Some((value, false)) => cas_from[value] = Some(at),
                None => {}
            }
        }
        for value in 0..count {
            starts[value + 1] += starts[value];
        }
        let mut next = starts.clone();
        let mut reads = vec![0; starts[count] as usize];
        // Entries are in the order of their calls.
        for (at, entry) in (0..).zip(entries) {
            if let Some((value, true)) = observed(entry) {
                reads[next[value] as usize] = at;
                next[value] += 1;
            }
        }
        Self {
            reads,
            starts,
            cas_from,
        }
    }

    fn reads_of(&self, value: u32) -> &[u32] {
        let value = value as usize;
        &self.reads[self.starts[value] as usize..self.starts[value + 1] as usize]
    }
}

/// Whether no entry has its deadline before the call of one that is ahead of it.
fn keeps_time(entries: &[Entry<'_>], order: &[u32]) -> bool {
    let mut latest_call = 0;
    order.iter().all(|at| {
        let entry = &entries[*at as usize];
        latest_call = latest_call.max(entry.call);
        entry.deadline > latest_call
    })
}
