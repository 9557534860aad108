//! Which operations are drawn, and what a picture needs to know of each.

use super::explanation::{Fate, Place, Shown, Taken};
use super::frontier::Frontier;
use super::sequential::Sequential;
use super::shrink::Hints;
use super::words;
use crate::history::Operation;
use crate::{Event, Key, Op, Phase, Ret};
use std::collections::BTreeSet;

/// More operations are not drawn.
pub const OPERATIONS_MAX: usize = 40;
/// Of an object with more operations than this, the beginning of the legal order is told by its state,
/// except so many operations before the stuck one.
const LONG: usize = 16;
const LAST: usize = 6;
/// With more operations than this, those that the sentence does not name are not drawn.
const PREMISES_MAX: usize = 8;
/// Elements that are told to be missing.
const MISSED_MAX: usize = 3;

/// The positions of the operations to draw.
pub(super) fn choose(
    operations: &[Operation<'_>],
    located: Option<&Located>,
    stuck: Option<usize>,
    hints: &Hints,
    remarks: &mut Vec<String>,
) -> Vec<usize> {
    let Some(located) = located else {
        return without_premises(operations, stuck, hints, remarks);
    };
    let hidden = located.hidden(operations, hints);
    if hidden == 0 || operations.len() - hidden > OPERATIONS_MAX {
        return window(operations, stuck, hints, remarks);
    }
    remarks.push(format!(
        "{hidden} of these operations are not drawn: the picture begins with the state that they left"
    ));
    let gone = &located.frontier.order[..hidden];
    let is_gone = |at: &usize| gone.iter().any(|own| located.positions[*own] == *at);
    (0..operations.len()).filter(|at| !is_gone(at)).collect()
}

/// Where no order is to be shown: of many operations, only those that the sentence names, if the rest is
/// there just because these saw it.
fn without_premises(
    operations: &[Operation<'_>],
    stuck: Option<usize>,
    hints: &Hints,
    remarks: &mut Vec<String>,
) -> Vec<usize> {
    let is_named = |at: &usize| hints.operations.contains(&operations[*at].invocation.index);
    let mut named: BTreeSet<usize> = (0..operations.len()).filter(is_named).collect();
    if operations.len() <= PREMISES_MAX || named.is_empty() || named.len() >= OPERATIONS_MAX {
        return window(operations, stuck, hints, remarks);
    }
    named.extend(stuck);
    let others = operations.len() - named.len();
    if others > 0 {
        remarks.push(format!(
            "{others} of these operations are not drawn: the others saw what they had left"
        ));
    }
    named.into_iter().collect()
}

/// All, or those that matter most.
fn window(
    operations: &[Operation<'_>],
    stuck: Option<usize>,
    hints: &Hints,
    remarks: &mut Vec<String>,
) -> Vec<usize> {
    if operations.len() <= OPERATIONS_MAX {
        return (0..operations.len()).collect();
    }
    let end = stuck.map_or(usize::MAX, |stuck| {
        operations[stuck].completed_at.unwrap_or(usize::MAX)
    });
    let mut chosen: BTreeSet<usize> = stuck.into_iter().collect();
    let named = |at: &usize| hints.operations.contains(&operations[*at].invocation.index);
    chosen.extend((0..operations.len()).filter(named).take(OPERATIONS_MAX / 2));
    // The others that came last before it.
    for at in (0..operations.len()).rev() {
        if chosen.len() >= OPERATIONS_MAX {
            break;
        }
        if operations[at].invoked_at < end {
            chosen.insert(at);
        }
    }
    remarks.push(format!(
        "{} of these {} operations are not drawn",
        operations.len() - chosen.len(),
        operations.len()
    ));
    chosen.into_iter().collect()
}

/// The operations of the window, and index and time of each of their events in order.
pub(super) fn draw(
    operations: &[Operation<'_>],
    window: &[usize],
    stuck: Option<usize>,
) -> (Vec<Shown>, Vec<(u64, u64)>) {
    let events = |operation: &Operation<'_>| {
        let end =
            known_end(operation).map(|event| (operation.completed_at, event.index, event.time));
        let begin = operation.invocation;
        [
            Some((Some(operation.invoked_at), begin.index, begin.time)),
            end,
        ]
    };
    let mut moments: Vec<_> = window
        .iter()
        .flat_map(|at| events(&operations[*at]))
        .flatten()
        .collect();
    moments.sort_unstable();
    let place = |at: Option<usize>| moments.partition_point(|(other, ..)| *other < at);
    let keys: BTreeSet<Option<&Key>> = window.iter().map(|at| operations[*at].op().key()).collect();
    let shown = window
        .iter()
        .map(|at| {
            let operation = &operations[*at];
            let label = match missed(operation, operations, window) {
                missed if missed.is_empty() => words::label(operation),
                missed => format!("without {}: {}", missed.join(", "), words::label(operation)),
            };
            Shown {
                index: operation.invocation.index,
                process: operation.invocation.process.0,
                label: match operation.op().key() {
                    Some(key) if keys.len() > 1 => format!("{key}: {label}"),
                    _ => label,
                },
                told: words::told(operation),
                from: operation.invocation.time,
                to: known_end(operation).map(|event| event.time),
                invoked_at: place(Some(operation.invoked_at)),
                completed_at: known_end(operation).map(|_| place(operation.completed_at)),
                fate: match operation.failure() {
                    Some(_) => Fate::Failed,
                    None if operation.is_ok() => Fate::Happened,
                    None => Fate::Unknown,
                },
                stuck: Some(*at) == stuck,
                beside: false,
            }
        })
        .collect();
    let moments = moments
        .into_iter()
        .map(|(_, index, time)| (index, time))
        .collect();
    (shown, moments)
}

/// Elements that the drawn operations had added before a read began, and that it does not show.
fn missed(read: &Operation<'_>, operations: &[Operation<'_>], window: &[usize]) -> Vec<String> {
    let (Op::List { key }, Some(Ret::List(items))) = (read.op(), read.ret()) else {
        return Vec::new();
    };
    let before = window.iter().map(|at| &operations[*at]).filter(|other| {
        other.is_ok() && other.completed_at.is_some_and(|end| end < read.invoked_at)
    });
    before
        .filter_map(|other| match other.op() {
            Op::Add { key: to, value } | Op::Append { key: to, value } => {
                (to == key && !items.contains(value)).then(|| value.to_string())
            }
            _ => None,
        })
        .take(MISSED_MAX)
        .collect()
}

/// The completion of an operation, if it says how it ended.
fn known_end<'a>(operation: &Operation<'a>) -> Option<&'a Event> {
    operation
        .completion
        .filter(|event| !matches!(event.phase, Phase::Info(_)))
}

/// The place where the object of the stuck operation gets stuck.
pub(super) struct Located {
    /// The object's operations, as positions among all.
    positions: Vec<usize>,
    culprit: usize,
    frontier: Frontier,
}

impl Located {
    pub fn at(object: &dyn Sequential, operations: &[Operation<'_>], stuck: usize) -> Option<Self> {
        let of = |op: &Op| object.owns(op).then(|| object.partition(op));
        let wanted = of(operations[stuck].op())?;
        let positions: Vec<usize> = (0..operations.len())
            .filter(|at| of(operations[*at].op()).as_ref() == Some(&wanted))
            .collect();
        let own: Vec<Operation<'_>> = positions.iter().map(|at| operations[*at]).collect();
        let culprit = positions.iter().position(|at| *at == stuck)?;
        let frontier = object.frontier(&own, culprit)?;
        Some(Self {
            positions,
            culprit,
            frontier,
        })
    }

    /// How many operations at the beginning of a long legal order can be told by the state that they
    /// left: none that the verdict names.
    fn hidden(&self, operations: &[Operation<'_>], hints: &Hints) -> usize {
        if operations.len() <= LONG {
            return 0;
        }
        let order = self.frontier.order.iter();
        let unnamed = order.take_while(|own| {
            let index = operations[self.positions[**own]].invocation.index;
            !hints.operations.contains(&index)
        });
        unnamed
            .count()
            .min(self.frontier.before.saturating_sub(LAST))
    }

    /// For a picture of the operations in `window`; `None` if it lacks others than those at the
    /// beginning of the order.
    pub fn place(self, window: &[usize]) -> Option<Place> {
        let drawn = |own: usize| window.iter().position(|at| *at == self.positions[own]);
        let order = &self.frontier.order;
        let hidden = order
            .iter()
            .take_while(|own| drawn(**own).is_none())
            .count();
        let initial = self.frontier.after.get(hidden)?.clone();
        let shown = order.iter().zip(self.frontier.after.iter().skip(1));
        let order = shown
            .skip(hidden)
            .map(|(own, after)| {
                Some(Taken {
                    operation: drawn(*own)?,
                    after: after.clone(),
                })
            })
            .collect::<Option<Vec<Taken>>>()?;
        Some(Place {
            stuck: drawn(self.culprit)?,
            initial,
            hidden,
            order,
            before: self.frontier.before.checked_sub(hidden)?,
            states: self.frontier.states,
            fitting: self.frontier.fitting,
            complete: self.frontier.complete,
        })
    }
}
