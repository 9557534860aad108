//! Refutes a history by a short part of it.
//!
//! Where a search does not get past some deadline, the reason mostly lies close before it; but to be
//! sure, the search would have to try everything that is possible from the beginning up to there. A
//! *window* leaves the beginning out. It begins at some time, the *cut*, in any state. Take a
//! linearization of the whole, and of it the part that begins with the first entry called after the
//! cut. No entry with a deadline before the cut is in it. All that are called after the cut are in it,
//! and maybe some that were open at the cut. So from the state before, that part linearizes the window:
//! the entries called after the cut, and as optional ones those that were open at it; what completes
//! only after the window's end is optional too. If no state lets the window be linearized, there is no
//! linearization.
//!
//! All states that the window does not observe are alike to it, so for objects that hold one value it
//! is enough to begin in each value that is observed, and in one that is not.

use super::breadth::Breadth;
use super::entries::{Entry, NEVER, Values};
use super::moves::{Configuration, Moves};
use super::schedule::Schedule;
use super::search::{Limit, Limits, Watch};
use super::slots::{Mask, Slots, Span};
use super::states::Transitions;

/// Deadlines in the first window, and how many times as many there are in the next.
const FIRST: u32 = 32;
const MORE: u32 = 4;

/// Whether windows that end with the deadline of rank `stuck` show that there is no linearization.
/// Tries longer ones until a limit is met; the configurations are counted.
pub fn refutes(
    entries: &[Entry<'_>],
    schedule: &Schedule,
    states: &mut dyn Transitions,
    stuck: u32,
    limits: Limits,
    held: usize,
) -> (Result<bool, Limit>, u64) {
    let Some(values) = &schedule.values else {
        return (Ok(false), 0);
    };
    let mut length = FIRST;
    let mut spent = 0;
    // A window over everything is a search of its own, and done elsewhere.
    while length < stuck {
        let window = cut_out(entries, schedule, values, stuck - length, stuck);
        let search = match window.width.max(window.optional_width) {
            0..=64 => possible::<Mask<1>>,
            65..=256 => possible::<Mask<4>>,
            _ => possible::<Span>,
        };
        let limits = Limits {
            configurations: limits.configurations.saturating_sub(spent),
            ..limits
        };
        let mut watch = Watch::new(limits, held + window.memory());
        let found = search(&window, states, &mut watch);
        spent += watch.configurations();
        match found {
            Ok(true) => {}
            Ok(false) => return (Ok(true), spent),
            Err(limit) => return (Err(limit), spent),
        }
        length = length.saturating_mul(MORE);
    }
    (Ok(false), spent)
}

/// The window that begins after the deadlines of ranks before `first` and ends with that of `last`.
pub fn cut_out(
    entries: &[Entry<'_>],
    schedule: &Schedule,
    values: &Values,
    first: u32,
    last: u32,
) -> Schedule {
    let cut = match first {
        0 => 0,
        _ => schedule.deadline_of(first - 1),
    };
    let end = schedule.deadline_of(last);
    let window: Vec<Entry<'_>> = entries
        .iter()
        .filter_map(|entry| {
            let certain = entry.deadline <= end && (first == 0 || entry.call > cut);
            let gone = (first > 0 && entry.deadline <= cut) || entry.call >= end;
            let optional = !certain && !entry.operation.op().is_read_only();
            match (gone, certain, optional) {
                (true, ..) | (_, false, false) => None,
                (_, true, _) => Some(entry.clone()),
                (..) => Some(Entry {
                    deadline: NEVER,
                    ..entry.clone()
                }),
            }
        })
        .collect();
    let values = Values {
        count: values.count,
        initial: values.initial,
        effects: values.effects.clone(),
        leave: Vec::new(),
    };
    Schedule::arrange(&window, schedule.shared.len(), Some(values))
}

/// Whether there is a linearization of a window from some state.
pub fn possible<S: Slots>(
    window: &Schedule,
    states: &mut dyn Transitions,
    watch: &mut Watch,
) -> Result<bool, Limit> {
    let values = window.values.as_ref();
    let observes = |class: u32| values.and_then(|values| values.effects[class as usize].observes);
    let mut begins: Vec<u32> = window
        .items
        .iter()
        .filter_map(|item| observes(item.class))
        .collect();
    // None of the values.
    begins.push(values.map_or(0, |values| values.count));
    begins.sort_unstable();
    begins.dedup();
    let roots = begins.into_iter().map(|state| Configuration {
        rank: 0,
        state,
        done: S::empty(),
        used: S::empty(),
    });
    let mut moves = Moves::new(window, states, false);
    Breadth::<S>::new(&mut moves, roots, false, usize::MAX, watch).advance(window.len())
}
