//! What an operation read from registers and wrote to them, whether alone or in a transaction.

use crate::history::{Operation, Seen};
use crate::{Key, Mop, Op, Ret, Value};

/// Registers that a successful operation saw, with what they held before it wrote itself. A cas that
/// succeeded saw what it replaced.
pub(crate) fn observed<'a>(operation: &Operation<'a>) -> Vec<(&'a Key, &'a Value)> {
    match (operation.op(), operation.ret()) {
        (Op::Read { key }, Some(Ret::Value(value))) => vec![(key, value)],
        (Op::Cas { key, from, .. }, Some(_)) => vec![(key, from)],
        (Op::ReadAll { .. }, Some(Ret::Map(entries))) => {
            entries.iter().map(|(key, value)| (key, value)).collect()
        }
        (Op::Txn { ops }, Some(Ret::Txn(seen))) => {
            let mut observed: Vec<(&Key, &Value)> = Vec::new();
            for (at, (op, seen)) in ops.iter().zip(&**seen).enumerate() {
                let (Mop::Read { key }, Seen::Value(value)) = (op, seen) else {
                    continue;
                };
                let own =
                    |earlier: &Mop| !matches!(earlier, Mop::Read { .. }) && earlier.key() == key;
                let again = observed.iter().any(|(other, _)| *other == key);
                if !again && !ops[..at].iter().any(own) {
                    observed.push((key, value));
                }
            }
            observed
        }
        _ => Vec::new(),
    }
}

/// Registers that an operation sets if it happens, in the order of its steps; deleting is setting to
/// nil.
pub(crate) fn written(op: &Op) -> Vec<(&Key, &Value)> {
    match op {
        Op::Write { key, value } | Op::Cas { key, to: value, .. } => vec![(key, value)],
        Op::Delete { key } => vec![(key, &Value::Nil)],
        Op::Txn { ops } => ops
            .iter()
            .filter_map(|op| match op {
                Mop::Write { key, value } => Some((key, value)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
