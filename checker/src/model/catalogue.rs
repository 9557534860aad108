//! The models by name.

use super::{
    Counter, FencedLock, FifoQueue, KeyValue, Log, Model, MultiRegister, Mutex, Register,
    Semaphore, Set, Stack,
};
use crate::{Op, Value};

/// Does something with a model of whatever type.
pub trait Visitor {
    type Output;

    /// `initial` is the state of every object at first, `owns` picks its operations.
    fn visit<M: Model + 'static>(self, initial: M, owns: fn(&Op) -> bool) -> Self::Output;
}

/// Hands the model of this name to the visitor. `argument` is what follows `=` in `semaphore=3` or
/// `cas-register=0`. `None`: there is no such model, or not with this argument.
pub fn with<V: Visitor>(name: &str, argument: Option<&str>, visitor: V) -> Option<V::Output> {
    if name == "semaphore" {
        let permits = argument.unwrap_or("1").parse().ok();
        let permits = permits.filter(|permits| *permits > 0)?;
        return Some(visitor.visit(Semaphore::with_permits(permits), of_locks));
    }
    // What the objects hold at first; a plain register is one on which nobody uses cas.
    if let ("register" | "cas-register", Some(held)) = (name, argument) {
        let held = match held.parse() {
            Ok(number) => Value::Int(number),
            Err(_) if held == "nil" => Value::Nil,
            Err(_) => Value::from(held),
        };
        return Some(visitor.visit(Register::holding(held), of_registers));
    }
    if argument.is_some() {
        return None;
    }
    Some(match name {
        "register" | "cas-register" => visitor.visit(Register::default(), of_registers),
        "key-value" => visitor.visit(KeyValue::default(), of_key_value),
        "multi-register" => visitor.visit(MultiRegister::default(), of_multi_registers),
        "mutex" => visitor.visit(Mutex::default(), of_locks),
        "fenced-lock" => visitor.visit(FencedLock::default(), of_locks),
        "counter" => visitor.visit(Counter::default(), of_counters),
        "set" => visitor.visit(Set::default(), of_sets),
        "fifo-queue" => visitor.visit(FifoQueue::default(), of_queues),
        "stack" => visitor.visit(Stack::default(), of_stacks),
        "log" => visitor.visit(Log::default(), of_logs),
        _ => return None,
    })
}

fn of_registers(op: &Op) -> bool {
    matches!(op, Op::Read { .. } | Op::Write { .. } | Op::Cas { .. })
}

fn of_key_value(op: &Op) -> bool {
    of_registers(op) || matches!(op, Op::Delete { .. } | Op::Concat { .. })
}

fn of_multi_registers(op: &Op) -> bool {
    of_registers(op) || matches!(op, Op::Delete { .. } | Op::ReadAll { .. } | Op::Txn { .. })
}

fn of_locks(op: &Op) -> bool {
    matches!(op, Op::Acquire { .. } | Op::Release { .. })
}

fn of_counters(op: &Op) -> bool {
    matches!(op, Op::Add { .. } | Op::Read { .. })
}

fn of_sets(op: &Op) -> bool {
    matches!(op, Op::Add { .. } | Op::Remove { .. } | Op::List { .. })
}

fn of_queues(op: &Op) -> bool {
    matches!(op, Op::Enqueue { .. } | Op::Dequeue { .. })
}

fn of_stacks(op: &Op) -> bool {
    matches!(op, Op::Push { .. } | Op::Pop { .. })
}

fn of_logs(op: &Op) -> bool {
    matches!(op, Op::Append { .. } | Op::List { .. })
}
