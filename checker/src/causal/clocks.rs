//! Vector clocks: how many operations of each process are among the causes of an operation.

use super::links::{Links, Source};
use crate::findings::{Exhausted, Limits};

/// The clocks of all operations, one beside the other. An operation is not among its own causes.
pub(super) struct Clocks<'l> {
    sessions: usize,
    counts: Vec<u32>,
    session_of: &'l [Option<(usize, u32)>],
}

pub(super) enum Order<'l> {
    Clocks(Clocks<'l>),
    /// Each causes the next, and the last the first.
    Cycle(Vec<usize>),
}

impl<'l> Clocks<'l> {
    /// Takes the operations in an order in which causes come first (Kahn 1962).
    pub fn compute(
        operations: usize,
        links: &'l Links<'_>,
        limits: &mut Limits,
    ) -> Result<Order<'l>, Exhausted> {
        let sessions = links.sessions;
        limits.hold(
            "the causes of each operation",
            operations * sessions * size_of::<u32>(),
        )?;
        // Of each operation those that it causes directly, and how many cause it.
        let mut effects: Vec<Vec<usize>> = vec![Vec::new(); operations];
        let mut awaited: Vec<u32> = vec![0; operations];
        let mut link = |cause: usize, effect: usize| {
            effects[cause].push(effect);
            awaited[effect] += 1;
        };
        for order in &links.orders {
            order.windows(2).for_each(|pair| link(pair[0], pair[1]));
        }
        for read in &links.reads {
            if let Source::Write(wrote) = read.source {
                link(wrote, read.by);
            }
        }
        let mut counts = vec![0u32; operations * sessions];
        let takes_part = |at: &usize| links.session_of[*at].is_some();
        let mut ready: Vec<usize> = (0..operations)
            .filter(takes_part)
            .filter(|at| awaited[*at] == 0)
            .collect();
        while let Some(cause) = ready.pop() {
            for &effect in &effects[cause] {
                limits.spend(sessions)?;
                join(&mut counts, sessions, cause, effect);
                if let Some((session, number)) = links.session_of[cause] {
                    let count = &mut counts[effect * sessions + session];
                    *count = (*count).max(number);
                }
                awaited[effect] -= 1;
                if awaited[effect] == 0 {
                    ready.push(effect);
                }
            }
        }
        Ok(match (0..operations).find(|at| awaited[*at] > 0) {
            Some(stuck) => Order::Cycle(cycle(stuck, &effects, &awaited)),
            None => Order::Clocks(Self {
                sessions,
                counts,
                session_of: &links.session_of,
            }),
        })
    }

    /// How many operations of a process are among the causes of an operation.
    pub fn known(&self, at: usize, session: usize) -> u32 {
        self.counts[at * self.sessions + session]
    }

    pub fn causes(&self, cause: usize, effect: usize) -> bool {
        self.session_of[cause]
            .is_some_and(|(session, number)| self.known(effect, session) >= number)
    }
}

fn join(counts: &mut [u32], sessions: usize, cause: usize, effect: usize) {
    let (low, high) = (cause.min(effect) * sessions, cause.max(effect) * sessions);
    let (before, after) = counts.split_at_mut(high);
    let (low, high) = (&mut before[low..low + sessions], &mut after[..sessions]);
    let (from, to) = match cause < effect {
        true => (low, high),
        false => (high, low),
    };
    for (to, from) in to.iter_mut().zip(from) {
        *to = (*to).max(*from);
    }
}

/// Each of those that still wait has a cause that waits too: going from cause to cause ends in a circle.
fn cycle(stuck: usize, effects: &[Vec<usize>], awaited: &[u32]) -> Vec<usize> {
    let mut cause_of = vec![usize::MAX; effects.len()];
    for (cause, effects) in effects.iter().enumerate() {
        if awaited[cause] > 0 {
            for effect in effects {
                cause_of[*effect] = cause;
            }
        }
    }
    let mut passed = vec![false; effects.len()];
    let mut at = stuck;
    while !passed[at] {
        passed[at] = true;
        at = cause_of[at];
    }
    let mut cycle = vec![at];
    let mut cause = cause_of[at];
    while cause != at {
        cycle.push(cause);
        cause = cause_of[cause];
    }
    cycle.reverse();
    cycle
}
