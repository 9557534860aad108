//! Tries all orders of a few transactions.

use checker::history::Operation;
use checker::{History, Key, Mop, Op, Ret, Seen, Value};
use std::collections::HashMap;

/// Which orders count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Any,
    Processes,
    RealTime,
}

#[derive(Clone, Default)]
struct State {
    lists: HashMap<Key, Vec<i64>>,
    registers: HashMap<Key, Value>,
}

/// Whether some order of the committed transactions, and some of those of unknown outcome, explains all
/// that was read.
pub fn is_explained(history: &History, order: Order) -> bool {
    let operations = history.operations().unwrap();
    let candidates: Vec<Operation<'_>> = operations
        .into_iter()
        .filter(|operation| operation.failure().is_none())
        .collect();
    explain(&candidates, order, 0, &State::default())
}

fn explain(operations: &[Operation<'_>], order: Order, done: u32, state: &State) -> bool {
    let is_done = |at: usize| done >> at & 1 == 1;
    if (0..operations.len()).all(|at| is_done(at) || !operations[at].is_ok()) {
        return true;
    }
    (0..operations.len()).any(|at| {
        let next = &operations[at];
        let must_wait = operations.iter().enumerate().any(|(other, before)| {
            let is_before = before.is_ok()
                && before.completed_at.is_some_and(|end| end < next.invoked_at)
                && match order {
                    Order::Any => false,
                    Order::Processes => before.invocation.process == next.invocation.process,
                    Order::RealTime => true,
                };
            is_before && !is_done(other)
        });
        !is_done(at)
            && !must_wait
            && applied(next, state)
                .is_some_and(|state| explain(operations, order, done | 1 << at, &state))
    })
}

/// The state after a transaction, if its reads agree with the state before.
fn applied(operation: &Operation<'_>, state: &State) -> Option<State> {
    let Op::Txn { ops } = operation.op() else {
        panic!("only transactions");
    };
    let seen = match operation.ret() {
        Some(Ret::Txn(seen)) => Some(seen),
        _ => None,
    };
    let mut state = state.clone();
    for (at, op) in ops.iter().enumerate() {
        match op {
            Mop::Append { key, value } => {
                state.lists.entry(key.clone()).or_default().push(*value);
            }
            Mop::Write { key, value } => {
                state.registers.insert(key.clone(), value.clone());
            }
            Mop::Read { key } => {
                let agrees = match seen.map(|seen| &seen[at]) {
                    None => true,
                    Some(Seen::List(list)) => {
                        state.lists.get(key).map_or(&[][..], Vec::as_slice) == &**list
                    }
                    Some(Seen::Value(value)) => {
                        state.registers.get(key).unwrap_or(&Value::Nil) == value
                    }
                    Some(Seen::Done) => false,
                };
                if !agrees {
                    return None;
                }
            }
        }
    }
    Some(state)
}
