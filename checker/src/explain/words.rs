//! Operations in words: whole for sentences, short for the labels of pictures.

use crate::history::Operation;
use crate::{Event, Mop, Op, Ret, Seen, Value};

/// Elements of a list that are told; of a longer one, the last ones.
const ITEMS_MAX: usize = 8;

/// An operation as part of a sentence: who, what, when, and where in the file.
pub fn told(operation: &Operation<'_>) -> String {
    let invocation = operation.invocation;
    let (outcome, event) = match operation.completion {
        Some(event) if operation.is_ok() => ("", event),
        Some(event) if operation.failure().is_some() => ("failed", event),
        _ => ("unknown outcome", invocation),
    };
    let untimed = invocation.time == 0 && operation.completion.is_none_or(|event| event.time == 0);
    let begin = format!("{:.1} ms", ms(invocation));
    let when = match outcome {
        _ if untimed => outcome.to_owned(),
        "unknown outcome" => format!("{begin} to {outcome}"),
        "" => format!("{begin} to {:.1} ms", ms(event)),
        failed => format!("{begin} to {:.1} ms, {failed}", ms(event)),
    };
    let comma = if when.is_empty() { "" } else { ", " };
    format!(
        "process {} {} ({when}{comma}index {})",
        invocation.process,
        did(operation),
        event.index
    )
}

/// What was done, or asked for: `read 3`, `changed 1 to 2 by cas`.
pub fn did(operation: &Operation<'_>) -> String {
    match (operation.op(), operation.ret()) {
        (Op::Read { .. }, Some(Ret::Value(value))) => format!("read {value}"),
        (Op::Write { value, .. }, _) => format!("wrote {value}"),
        (Op::Cas { from, to, .. }, _) => format!("changed {from} to {to} by cas"),
        (Op::Append { value, .. }, _) => format!("appended {value}"),
        (Op::List { .. }, Some(Ret::List(items))) => format!("read {}", list(items)),
        (Op::Delete { .. }, _) => "deleted the value".to_owned(),
        (Op::Concat { suffix, .. }, _) => format!("appended {suffix:?}"),
        (Op::Add { value, .. }, _) => format!("added {value}"),
        (Op::Remove { value, .. }, _) => format!("removed {value}"),
        (Op::Enqueue { value, .. }, _) => format!("enqueued {value}"),
        (Op::Dequeue { .. }, Some(Ret::Value(Value::Nil))) => "found the queue empty".to_owned(),
        (Op::Dequeue { .. }, Some(Ret::Value(value))) => format!("dequeued {value}"),
        (Op::Push { value, .. }, _) => format!("pushed {value}"),
        (Op::Pop { .. }, Some(Ret::Value(Value::Nil))) => "found the stack empty".to_owned(),
        (Op::Pop { .. }, Some(Ret::Value(value))) => format!("popped {value}"),
        (Op::Acquire { owner, .. }, ret) => {
            let token = match ret {
                Some(Ret::Value(token)) => format!(" with token {token}"),
                _ => String::new(),
            };
            format!("acquired it{}{token}", for_owner(owner))
        }
        (Op::Release { owner, .. }, _) => format!("released it{}", for_owner(owner)),
        (Op::Generate { .. }, Some(Ret::Value(id))) => format!("got id {id}"),
        (Op::Transfer { from, to, amount }, _) => format!("moved {amount} from {from} to {to}"),
        (Op::ReadAll { .. }, Some(Ret::Map(entries))) => format!("read {}", balances(entries)),
        (Op::Txn { ops }, ret) => format!("ran {}", steps(ops, ret)),
        (op, _) => op.name().to_owned(),
    }
}

/// The same, short, in the imperative: `read 3`, `cas 1→2`.
pub fn label(operation: &Operation<'_>) -> String {
    let seen = match operation.ret() {
        Some(Ret::Value(Value::Nil)) => "nil".to_owned(),
        Some(Ret::Value(value)) => value.to_string(),
        Some(Ret::List(items)) => list(items),
        Some(Ret::Map(entries)) => balances(entries),
        Some(Ret::Done | Ret::Txn(_)) | None => String::new(),
    };
    let asks = |name: &str| match operation.is_ok() {
        true => format!("{name} {seen}"),
        false => format!("{name} ?"),
    };
    match operation.op() {
        Op::Write { value, .. } => format!("write {value}"),
        Op::Cas { from, to, .. } => format!("cas {from}→{to}"),
        Op::Append { value, .. } => format!("append {value}"),
        Op::Concat { suffix, .. } => format!("append {suffix:?}"),
        Op::Add { value, .. } => format!("add {value}"),
        Op::Remove { value, .. } => format!("remove {value}"),
        Op::Enqueue { value, .. } => format!("enqueue {value}"),
        Op::Push { value, .. } => format!("push {value}"),
        Op::Delete { .. } => "delete".to_owned(),
        Op::Acquire { owner, .. } if seen.is_empty() => format!("acquire{}", for_owner(owner)),
        Op::Acquire { owner, .. } => format!("acquire{} #{seen}", for_owner(owner)),
        Op::Release { owner, .. } => format!("release{}", for_owner(owner)),
        Op::Transfer { from, to, amount } => format!("move {amount}: {from}→{to}"),
        Op::Txn { ops } => steps(ops, operation.ret()),
        Op::List { .. } | Op::ReadAll { .. } => asks("read"),
        op => asks(op.name()),
    }
}

/// The steps of a transaction with what they saw: `r(x, [1]) append(y, 2)`.
pub fn steps(ops: &[Mop], ret: Option<&Ret>) -> String {
    let seen: &[Seen] = match ret {
        Some(Ret::Txn(seen)) => seen,
        _ => &[],
    };
    let step = |(at, op): (usize, &Mop)| match (op, seen.get(at)) {
        (Mop::Read { key }, Some(Seen::Value(value))) => format!("r({key}, {value})"),
        (Mop::Read { key }, Some(Seen::List(items))) => format!("r({key}, {})", list(items)),
        (Mop::Read { key }, _) => format!("r({key}, ?)"),
        (Mop::Write { key, value }, _) => format!("w({key}, {value})"),
        (Mop::Append { key, value }, _) => format!("append({key}, {value})"),
    };
    let steps: Vec<String> = ops.iter().enumerate().map(step).collect();
    steps.join(" ")
}

pub fn list(items: &[i64]) -> String {
    let shown = items.len().saturating_sub(ITEMS_MAX);
    let mut texts: Vec<String> = Vec::new();
    if shown > 0 {
        texts.push(format!("({shown} more)"));
    }
    texts.extend(items[shown..].iter().map(i64::to_string));
    format!("[{}]", texts.join(" "))
}

fn balances(entries: &[(crate::Key, Value)]) -> String {
    let texts: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let amounts: Option<i128> = entries
        .iter()
        .map(|(_, value)| match value {
            Value::Int(n) => Some(i128::from(*n)),
            _ => None,
        })
        .sum();
    match amounts {
        Some(sum) if entries.len() > 1 => format!("{}, together {sum}", texts.join(" ")),
        _ => texts.join(" "),
    }
}

fn for_owner(owner: &Value) -> String {
    match owner {
        Value::Nil => String::new(),
        owner => format!(" for {owner}"),
    }
}

pub fn ms(event: &Event) -> f64 {
    event.time as f64 / 1e6
}

/// A moment with the precision that its size calls for.
pub fn moment(nanoseconds: u64) -> String {
    let ms = nanoseconds as f64 / 1e6;
    match ms {
        ms if ms >= 10_000.0 => format!("{:.3} s", ms / 1e3),
        ms if ms >= 0.1 || nanoseconds == 0 => format!("{ms:.1} ms"),
        ms => format!("{:.1} µs", ms * 1e3),
    }
}

/// What a derived `Debug` says, without the names of types and of wrappers: `FifoQueue { values: [Int(1),
/// Int(2)] }` is `[1 2]`, `Mutex { holder: Some(Int(3)) }` is `holder 3`.
pub fn plain(debug: &str) -> String {
    let mut text = debug.to_owned();
    for wrapper in ["Int(", "Text(", "Some("] {
        text = unwrapped(&text, wrapper);
    }
    for (from, to) in [("Nil", "nil"), ("None", "none"), (", ", " ")] {
        text = text.replace(from, to);
    }
    let fields = text
        .split_once(" { ")
        .and_then(|(_, fields)| fields.strip_suffix(" }"))
        .filter(|fields| !fields.contains('{'));
    match fields.map(|fields| fields.split_once(": ")) {
        // A list needs no name.
        Some(Some((_, list))) if list.starts_with('[') && !list.contains(": ") => list.to_owned(),
        Some(_) => fields.unwrap_or(&text).replace(": ", " "),
        None => text,
    }
}

/// Without a wrapper and its closing parenthesis, wherever it stands at the beginning of a word.
fn unwrapped(text: &str, wrapper: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    // For each open parenthesis whether it stays.
    let mut open: Vec<bool> = Vec::new();
    let mut in_word = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_wrapper = !in_word && rest.starts_with(wrapper);
        let step = if is_wrapper {
            wrapper.len()
        } else {
            next.len_utf8()
        };
        let stays = match next {
            _ if is_wrapper => {
                open.push(false);
                false
            }
            '(' => {
                open.push(true);
                true
            }
            ')' => open.pop().unwrap_or(true),
            _ => true,
        };
        if stays {
            kept.push_str(&rest[..step]);
        }
        in_word = next.is_alphanumeric() && !is_wrapper;
        rest = &rest[step..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_without_the_names_of_types() {
        for (debug, told) in [
            ("FifoQueue { values: [Int(1), Int(2)] }", "[1 2]"),
            ("Mutex { holder: Some(Int(3)) }", "holder 3"),
            ("Mutex { holder: None }", "holder none"),
            (
                "FencedLock { holder: Some(Text(\"a\")), token: Some(4) }",
                "holder \"a\" token 4",
            ),
            ("Counter { sum: -5 }", "sum -5"),
            ("Set { elements: [] }", "[]"),
            (
                "MultiRegister { held: [(Int(1), Nil), (Text(\"x\"), Int(2))] }",
                "[(1 nil) (\"x\" 2)]",
            ),
            ("PrintInt(7)", "PrintInt(7)"),
        ] {
            assert_eq!(plain(debug), told);
        }
    }
}
