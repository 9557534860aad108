//! Depth first: follows one way to its end, then the next. Finds a linearization soonest where there
//! are many.
//!
//! The search of Wing and Gong (1993) with its memory (Lowe 2017). It keeps its own stack, so the
//! length of a history does not matter to the machine's.

use super::entries::NEVER;
use super::memo::Memo;
use super::moves::{Configuration, Moves, Step};
use super::search::{Answer, Found, Limit, Limits, Watch};
use super::slots::Slots;

/// A configuration on the path from the beginning, and what was tried from there.
struct Frame<S> {
    configuration: Configuration<S>,
    /// The step that led here.
    entry: u32,
    /// Of the open entries with a deadline.
    tried: u32,
    /// Where its optional steps begin among those of the whole path, once these are known.
    optional: Option<u32>,
}

/// `patience`: configurations for which it goes on without meeting another deadline.
pub fn search<S: Slots>(
    moves: &mut Moves<'_>,
    limits: Limits,
    patience: u64,
    held: usize,
) -> Found {
    let mut met_at = 0;
    let mut memo: Memo<S> = Memo::new(moves.counts_optional(), usize::MAX);
    let mut watch = Watch::new(limits, held);
    let mut path = vec![beginning(moves, &mut |_| {})];
    let mut optional: Vec<Step> = Vec::new();
    memo.admit(&path[0].configuration);
    let end = moves.schedule.len();
    let answer = loop {
        let Some(frame) = path.last_mut() else {
            break Answer::NotLinearizable;
        };
        if frame.configuration.rank > watch.reached {
            watch.reached = frame.configuration.rank;
            met_at = watch.configurations();
        }
        if frame.configuration.rank == end {
            let steps: Vec<u32> = path.iter().skip(1).map(|frame| frame.entry).collect();
            break Answer::Linearizable(replay::<S>(moves, &steps));
        }
        let Some(step) = next_step(moves, frame, &mut optional) else {
            path.pop();
            continue;
        };
        let mut to = frame.configuration.clone();
        moves.take(&mut to, step, &mut |_| {});
        if !memo.admit(&to) {
            continue;
        }
        let frame_bytes = size_of::<Frame<S>>() + to.done.heap() + to.used.heap();
        path.push(Frame {
            configuration: to,
            entry: step.entry,
            tried: 0,
            optional: None,
        });
        let memory = || {
            memo.memory()
                + path.capacity() * frame_bytes
                + optional.capacity() * size_of::<Step>()
                + moves.memory()
        };
        if let Some(limit) = watch.exceeded(memory) {
            break Answer::OutOf(limit);
        }
        if watch.configurations() - met_at > patience {
            break Answer::OutOf(Limit::Configurations);
        }
    };
    watch.found(answer)
}

fn next_step<S: Slots>(
    moves: &mut Moves<'_>,
    frame: &mut Frame<S>,
    optional: &mut Vec<Step>,
) -> Option<Step> {
    if frame.optional.is_none() {
        if let Some(step) = moves.next_required(&frame.configuration, &mut frame.tried) {
            return Some(step);
        }
        frame.optional = Some(optional.len() as u32);
        moves.optional(&frame.configuration, optional);
    }
    let start = frame.optional? as usize;
    (optional.len() > start).then(|| optional.pop()).flatten()
}

fn beginning<S: Slots>(moves: &mut Moves<'_>, log: &mut dyn FnMut(u32)) -> Frame<S> {
    let mut configuration = Configuration {
        rank: 0,
        state: moves.initial(),
        done: S::empty(),
        used: S::empty(),
    };
    moves.settle(&mut configuration, true, log);
    Frame {
        configuration,
        entry: NEVER,
        tried: 0,
        optional: None,
    }
}

/// The order in which the entries took effect along a path.
pub fn replay<S: Slots>(moves: &mut Moves<'_>, steps: &[u32]) -> Vec<u32> {
    let mut order = Vec::with_capacity(moves.schedule.items.len());
    let mut at = beginning::<S>(moves, &mut |entry| order.push(entry)).configuration;
    for entry in steps {
        let class = moves.schedule.item(*entry).class;
        let state = moves
            .transition(at.state, class)
            .expect("the path was found by these steps");
        let step = Step {
            entry: *entry,
            state,
        };
        moves.take(&mut at, step, &mut |entry| order.push(entry));
    }
    order
}

/// Searches as if optional entries could take effect any number of times. That there is no
/// linearization even so is certain; that there is one only if none was used twice.
pub fn search_relaxed<S: Slots>(moves: &mut Moves<'_>, limits: Limits, held: usize) -> Found {
    let mut found = search::<S>(moves, limits, u64::MAX, held);
    if let Answer::Linearizable(order) = &found.answer {
        let mut seen = vec![false; moves.schedule.items.len()];
        let twice = order
            .iter()
            .any(|entry| std::mem::replace(&mut seen[*entry as usize], true));
        if twice {
            found.answer = Answer::OutOf(Limit::Configurations);
        }
    }
    found
}
