//! Where a few operations get stuck: the longest legal beginning, and the states in which the operation
//! that can't follow may have found the object.
//!
//! All configurations are walked, breadth first. The operation that can't follow is put at each place
//! that real time allows it, and there changes nothing: the states at these places, in all orders that
//! can be completed, are the possible ones. If nothing can be completed unless it takes effect, it may
//! do so at another place, as if its outcome were unknown.

use crate::history::Operation;
use crate::model::Model;
use std::collections::HashMap;

/// Configurations hold a bit for each operation.
const OPERATIONS_MAX: usize = 64;
const CONFIGURATIONS_MAX: usize = 200_000;

/// What is known of a place where no order can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    /// A longest legal order without the operation that can't follow, as positions in the operations.
    pub order: Vec<usize>,
    /// The state at first, and after each of `order`.
    pub after: Vec<String>,
    /// How many of `order` stand before the operation that can't follow.
    pub before: usize,
    /// The states that it may have found, in which it can't do what it did.
    pub states: Vec<String>,
    /// The states that it may have found, in which it can; but then the others can't follow.
    pub fitting: Vec<String>,
    /// Whether these are all.
    pub complete: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration<M> {
    done: u64,
    state: M,
    /// The state in which the stuck operation found the object, once it has been put.
    found: Option<M>,
}

/// The place where `culprit` is stuck, given that everything up to its completion, without it, has an
/// order; `None` if there is none, or the operations are too many to walk.
pub fn frontier<M: Model>(
    initial: &M,
    operations: &[Operation<'_>],
    culprit: usize,
) -> Option<Frontier> {
    if operations.len() > OPERATIONS_MAX {
        return None;
    }
    walk(initial, operations, culprit, false).or_else(|| walk(initial, operations, culprit, true))
}

fn walk<M: Model>(
    initial: &M,
    operations: &[Operation<'_>],
    culprit: usize,
    takes_effect: bool,
) -> Option<Frontier> {
    let stuck = operations[culprit];
    let end = stuck.completed_at?;
    // As known when the culprit completed.
    let ret = |at: usize| {
        operations[at]
            .ret()
            .filter(|_| at != culprit && operations[at].completed_at < Some(end))
    };
    let mut due: Vec<(usize, usize)> = (0..operations.len())
        .filter(|at| ret(*at).is_some())
        .filter_map(|at| Some((operations[at].completed_at?, at)))
        .collect();
    due.sort_unstable();
    let required: u64 = due.iter().fold(0, |set, (_, at)| set | 1 << at);
    let root = Configuration {
        done: 0,
        state: initial.clone(),
        found: None,
    };
    let mut known: HashMap<Configuration<M>, usize> = HashMap::from([(root.clone(), 0)]);
    // Each with the one it came from and the operation between.
    let mut reached: Vec<(Configuration<M>, usize, Option<usize>)> = vec![(root, 0, None)];
    let mut complete = true;
    let mut at = 0;
    while at < reached.len() {
        let (from, ..) = reached[at].clone();
        // Who began after this must wait.
        let first_end = due
            .iter()
            .find(|(_, at)| from.done & 1 << at == 0)
            .map_or(end, |(end, _)| *end);
        let mut next: Vec<(Configuration<M>, Option<usize>)> = Vec::new();
        if from.found.is_none() && stuck.invoked_at < first_end {
            let found = Some(from.state.clone());
            next.push((
                Configuration {
                    found,
                    ..from.clone()
                },
                None,
            ));
        }
        for (which, operation) in operations.iter().enumerate() {
            let may = from.done & 1 << which == 0
                && operation.failure().is_none()
                && operation.invoked_at < first_end
                && (which != culprit || takes_effect);
            let useless = ret(which).is_none() && operation.op().is_read_only();
            if !may || useless {
                continue;
            }
            if let Some(state) = from.state.step(operation.op(), ret(which)) {
                let done = from.done | 1 << which;
                let found = from.found.clone();
                next.push((Configuration { done, state, found }, Some(which)));
            }
        }
        for (configuration, by) in next {
            if reached.len() >= CONFIGURATIONS_MAX {
                complete = false;
                break;
            }
            if !known.contains_key(&configuration) {
                known.insert(configuration.clone(), reached.len());
                reached.push((configuration, at, by));
            }
        }
        at += 1;
    }
    let goals = || {
        reached
            .iter()
            .enumerate()
            .filter(|(_, (configuration, ..))| {
                configuration.done & required == required && configuration.found.is_some()
            })
    };
    let (mut states, mut fitting): (Vec<String>, Vec<String>) = Default::default();
    for (_, (configuration, ..)) in goals() {
        let found = configuration.found.as_ref()?;
        let told = match found.step(stuck.op(), stuck.ret()) {
            Some(_) => &mut fitting,
            None => &mut states,
        };
        let text = found.describe();
        if !told.contains(&text) {
            told.push(text);
        }
    }
    // The order in which most stands before the stuck operation; of these, the shortest.
    let path = goals()
        .map(|(goal, _)| path(&reached, goal))
        .max_by_key(|path| {
            let before = path.iter().take_while(|by| by.is_some()).count();
            (before, usize::MAX - path.len())
        })?;
    let before = path.iter().take_while(|by| by.is_some()).count();
    let order: Vec<usize> = path.into_iter().flatten().collect();
    let mut after = vec![initial.describe()];
    let mut state = initial.clone();
    for which in &order {
        state = state.step(operations[*which].op(), ret(*which))?;
        after.push(state.describe());
    }
    Some(Frontier {
        order,
        after,
        before,
        states,
        fitting,
        complete,
    })
}

/// The operations on the way to a configuration; `None` stands for the stuck one.
fn path<M>(reached: &[(M, usize, Option<usize>)], mut at: usize) -> Vec<Option<usize>> {
    let mut path = Vec::new();
    while at != 0 {
        let (_, from, by) = &reached[at];
        path.push(*by);
        at = *from;
    }
    path.reverse();
    path
}
