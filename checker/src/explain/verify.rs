//! Checks witnesses again, by means that share nothing with the searches that found them.
//!
//! - That a history **is** linearizable is shown by an order of its operations: [`linearization`] holds
//!   it against real time and steps the model through it.
//! - That a few operations are **not** is shown by trying: [`refute`] tries every order of every choice
//!   of up to [`ORDERS_MAX`] operations as the definition says; of more, by the search of Wing and
//!   Gong (1993) in its plain form, remembering the operations done and the state in full.
//!
//! Nothing here looks ahead, drops an operation, or knows of footprints.

use crate::history::Operation;
use crate::model::Model;
use std::collections::HashSet;
use std::time::Instant;

/// So many operations are judged by all their orders: nine have fewer than a million.
pub const ORDERS_MAX: usize = 9;
/// More operations are not searched a second time.
const SEARCHED_MAX: usize = 4096;
/// How often the clock is read.
const CLOCK_EVERY: u64 = 256;

/// Why an order of operations is no linearization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("place {0} names no operation of the history")]
    Unknown(usize),
    #[error("the operation of index {0} stands there twice")]
    Twice(u64),
    #[error("the operation of index {0} failed, so it did not happen")]
    Failed(u64),
    #[error("the operation of index {0} succeeded and is missing")]
    Missing(u64),
    #[error(
        "the operation of index {first} stands before that of {second}, which had ended before it began"
    )]
    AgainstTime { first: u64, second: u64 },
    #[error("the operation of index {index} is impossible there, in state {state}")]
    Impossible { index: u64, state: String },
}

/// What trying all orders came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refutation {
    /// There is none that is legal; the text says how that is known.
    Proven(String),
    /// A legal order, as positions in the operations.
    Found(Vec<usize>),
    /// Undecided, with the reason.
    Open(String),
}

/// Bounds of a search.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub deadline: Instant,
    /// Configurations to remember.
    pub configurations: usize,
}

/// Whether the operations of one object, in this order, are a linearization: each that succeeded is
/// there, none that failed, none before one that had ended when it began, and the object can do them
/// one after the other. The state after the last.
pub fn linearization<M: Model>(
    initial: &M,
    operations: &[Operation<'_>],
    order: &[usize],
) -> Result<M, Flaw> {
    let order = order.iter().copied();
    let held = linearization_while(initial, operations, order, || true)?;
    Ok(held.expect("nothing ends it early"))
}

/// As [`linearization`], as long as `goes_on`, which is asked now and then. `None`: it did not.
pub fn linearization_while<M: Model>(
    initial: &M,
    operations: &[Operation<'_>],
    order: impl Iterator<Item = usize>,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Option<M>, Flaw> {
    let mut there = vec![false; operations.len()];
    let mut state = initial.clone();
    // Of those that came so far, the one that began last.
    let mut latest: Option<&Operation<'_>> = None;
    for (place, at) in order.enumerate() {
        if (place + 1).is_multiple_of(CLOCK_EVERY as usize) && !goes_on() {
            return Ok(None);
        }
        let operation = operations.get(at).ok_or(Flaw::Unknown(place))?;
        let index = operation.invocation.index;
        if std::mem::replace(&mut there[at], true) {
            return Err(Flaw::Twice(index));
        }
        if operation.failure().is_some() {
            return Err(Flaw::Failed(index));
        }
        if let Some(latest) = latest.filter(|latest| precedes(operation, latest)) {
            return Err(Flaw::AgainstTime {
                first: latest.invocation.index,
                second: index,
            });
        }
        if latest.is_none_or(|latest| latest.invoked_at < operation.invoked_at) {
            latest = Some(operation);
        }
        state = state
            .step(operation.op(), operation.ret())
            .ok_or_else(|| Flaw::Impossible {
                index,
                state: state.describe(),
            })?;
    }
    let missing = operations
        .iter()
        .zip(there)
        .find(|(operation, there)| operation.is_ok() && !there);
    match missing {
        Some((operation, _)) => Err(Flaw::Missing(operation.invocation.index)),
        None => Ok(Some(state)),
    }
}

/// Shows that the operations of one object have no linearization, or finds one.
pub fn refute<M: Model>(initial: &M, operations: &[Operation<'_>], limits: Limits) -> Refutation {
    if operations.len() <= ORDERS_MAX {
        let mut orders = AllOrders {
            initial,
            operations,
            order: Vec::new(),
            there: [false; ORDERS_MAX],
        };
        return match orders.any_is_legal(initial) {
            true => Refutation::Found(orders.order),
            false => Refutation::Proven(format!(
                "every order of the {} operations was tried, with and without those of unknown outcome: none is legal",
                operations.len()
            )),
        };
    }
    search(initial, operations, limits)
}

/// Whether `first` had ended, known to its client, when `second` began.
fn precedes(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    first.is_ok()
        && first
            .completed_at
            .is_some_and(|end| end < second.invoked_at)
}

/// The definition, tried out. Orders that begin alike share their beginning.
struct AllOrders<'o, 'a, M> {
    initial: &'o M,
    operations: &'o [Operation<'a>],
    order: Vec<usize>,
    there: [bool; ORDERS_MAX],
}

impl<M: Model> AllOrders<'_, '_, M> {
    /// Calls itself at most [`ORDERS_MAX`] deep.
    fn any_is_legal(&mut self, state: &M) -> bool {
        if linearization(self.initial, self.operations, &self.order).is_ok() {
            return true;
        }
        for (at, operation) in self.operations.iter().enumerate() {
            if self.there[at] || operation.failure().is_some() {
                continue;
            }
            let Some(next) = state.step(operation.op(), operation.ret()) else {
                continue;
            };
            self.there[at] = true;
            self.order.push(at);
            if self.any_is_legal(&next) {
                return true;
            }
            self.order.pop();
            self.there[at] = false;
        }
        false
    }
}

/// Which operations have taken effect.
type Done = Box<[u64]>;

struct Frame<M> {
    done: Done,
    state: M,
    /// The operation that led here; none at the root.
    by: Option<usize>,
    next: usize,
}

/// The plain search: any operation that nothing undone precedes may be next.
fn search<M: Model>(initial: &M, operations: &[Operation<'_>], limits: Limits) -> Refutation {
    if operations.len() > SEARCHED_MAX {
        return Refutation::Open(format!(
            "{} operations are too many for a second search",
            operations.len()
        ));
    }
    let has = |done: &Done, at: usize| done[at / 64] & (1 << (at % 64)) != 0;
    let root: Done = vec![0; operations.len().div_ceil(64)].into();
    let mut tried: HashSet<(Done, M)> = HashSet::from([(root.clone(), initial.clone())]);
    let mut path = vec![Frame {
        done: root,
        state: initial.clone(),
        by: None,
        next: 0,
    }];
    let mut steps = 0u64;
    while let Some(frame) = path.last_mut() {
        let undone = |at: &usize| operations[*at].is_ok() && !has(&frame.done, *at);
        // The first completion that is still to come: who began later must wait.
        let first_end = (0..operations.len())
            .filter(undone)
            .filter_map(|at| operations[at].completed_at)
            .min();
        let Some(first_end) = first_end else {
            return Refutation::Found(path.iter().filter_map(|frame| frame.by).collect());
        };
        let next = (frame.next..operations.len()).find(|at| {
            let operation = &operations[*at];
            !has(&frame.done, *at)
                && operation.failure().is_none()
                && operation.invoked_at < first_end
        });
        let Some(at) = next else {
            path.pop();
            continue;
        };
        frame.next = at + 1;
        steps += 1;
        if steps.is_multiple_of(CLOCK_EVERY) && Instant::now() > limits.deadline {
            return Refutation::Open("time for a second search ran out".to_owned());
        }
        let Some(state) = frame.state.step(operations[at].op(), operations[at].ret()) else {
            continue;
        };
        let mut done = frame.done.clone();
        done[at / 64] |= 1 << (at % 64);
        if !tried.insert((done.clone(), state.clone())) {
            continue;
        }
        if tried.len() > limits.configurations {
            return Refutation::Open(format!(
                "a second search was given up after {} configurations",
                tried.len()
            ));
        }
        path.push(Frame {
            done,
            state,
            by: Some(at),
            next: 0,
        });
    }
    Refutation::Proven(format!(
        "a second search, without looking ahead, went through all {} configurations of the {} operations: none leads to the end",
        tried.len(),
        operations.len()
    ))
}
