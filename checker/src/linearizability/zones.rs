//! Contradictions between the times at which unique values must have been held.
//!
//! A value with one installer is held during one stretch of time. Take the earliest deadline *f* and
//! the latest call *s* of the entries that install or observe it. If f comes before s, the value was
//! held from f to s: its *forward zone*. Else its stretch touches the time from s to f, its *backward
//! zone*: it can neither end before s nor begin after f. (Gibbons and Korach 1997.) So there is no
//! linearization
//!
//! - if two forward zones overlap: two values at one time; or
//! - if a backward zone lies within a forward zone: no time is left for that value.
//!
//! For reads and writes alone these are the only contradictions there can be; a cas can bring others,
//! which the search finds. Sorting is all it takes, where the search would have to try every order of
//! what is concurrent with the contradiction.

use super::entries::{Entry, NEVER, Values};

/// Positions; the initial value is there since before the first.
#[derive(Clone, Copy, Debug)]
struct Zone {
    earliest_deadline: i64,
    latest_call: i64,
}

/// Whether there is a contradiction. `unique` tells of each value whether it has one installer only
/// (the initial value: none).
pub fn contradict(entries: &[Entry<'_>], values: &Values, unique: &[bool]) -> bool {
    let mut zones: Vec<Option<Zone>> = vec![None; unique.len()];
    if unique[values.initial as usize] {
        zones[values.initial as usize] = Some(Zone {
            earliest_deadline: -1,
            latest_call: -2,
        });
    }
    for entry in entries.iter().filter(|entry| entry.deadline != NEVER) {
        let effect = values.effects[entry.class as usize];
        let touched = [effect.observes, effect.installs];
        for value in touched
            .into_iter()
            .flatten()
            .filter(|value| unique[*value as usize])
        {
            let (deadline, call) = (i64::from(entry.deadline), i64::from(entry.call));
            let zone = zones[value as usize].get_or_insert(Zone {
                earliest_deadline: deadline,
                latest_call: call,
            });
            zone.earliest_deadline = zone.earliest_deadline.min(deadline);
            zone.latest_call = zone.latest_call.max(call);
        }
    }
    let (mut forward, backward): (Vec<Zone>, Vec<Zone>) = zones
        .into_iter()
        .flatten()
        .partition(|zone| zone.earliest_deadline < zone.latest_call);
    forward.sort_by_key(|zone| zone.earliest_deadline);
    let overlap = forward
        .windows(2)
        .any(|pair| pair[1].earliest_deadline < pair[0].latest_call);
    overlap
        || backward.iter().any(|zone| {
            // Forward zones do not overlap: only the last that begins before it can hold it.
            let before =
                forward.partition_point(|other| other.earliest_deadline < zone.latest_call);
            before > 0 && zone.earliest_deadline < forward[before - 1].latest_call
        })
}
