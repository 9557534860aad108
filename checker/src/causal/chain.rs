//! How one operation came to cause another.

use super::links::{Links, Source};
use std::collections::{HashMap, VecDeque};

/// The shortest chain of steps from `cause` to `effect`, with both ends; a step goes to the next operation of
/// the process, or to one that read what was written. Only the ends where there is no chain.
pub(super) fn between(
    operations: usize,
    links: &Links<'_>,
    cause: usize,
    effect: usize,
) -> Vec<usize> {
    let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
    for read in &links.reads {
        if let Source::Write(wrote) = read.source {
            readers.entry(wrote).or_default().push(read.by);
        }
    }
    let mut come_from: Vec<Option<usize>> = vec![None; operations];
    let mut ahead = VecDeque::from([cause]);
    while let Some(at) = ahead.pop_front() {
        if at == effect {
            break;
        }
        let next = links.session_of[at].and_then(|(session, number)| {
            // Numbers count from 1, places from 0.
            links.orders[session].get(number as usize)
        });
        let readers = readers.get(&at).into_iter().flatten();
        for step in next.into_iter().chain(readers) {
            if come_from[*step].is_none() {
                come_from[*step] = Some(at);
                ahead.push_back(*step);
            }
        }
    }
    let mut chain = vec![effect];
    let mut at = effect;
    while at != cause {
        at = come_from[at].unwrap_or(cause);
        chain.push(at);
    }
    chain.reverse();
    chain
}
