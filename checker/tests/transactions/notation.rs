//! Histories of transactions in a short notation, one transaction a line:
//!
//! ```text
//! 0 1..4 ok append(x, 1) r(y, [1 2])     process, invocation and completion, outcome, steps
//! 1 2..  info w(x, 1) r(y)               never completed; a read of nothing known
//! ```

use checker::transactions::Kind;
use checker::{Event, History, Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen, Value};

pub fn history(kind: Kind, script: &str) -> History {
    let mut events: Vec<(u64, Event)> = Vec::new();
    for line in script.lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(4, ' ').filter(|word| !word.is_empty());
        let process = ProcessId(words.next().unwrap().parse().expect("a process"));
        let (start, end) = words.next().unwrap().split_once("..").expect("times");
        let rest = line.split_once("..").unwrap().1;
        let rest = rest
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start();
        let (outcome, steps) = rest.split_once(' ').expect("steps");
        let (ops, seen): (Vec<Mop>, Vec<Seen>) = steps
            .split_inclusive(')')
            .map(|step| self::step(kind, step.trim()))
            .unzip();
        let op = Op::Txn { ops: ops.into() };
        let event = |phase| Event {
            index: 0,
            time: 0,
            process,
            phase,
            op: op.clone(),
        };
        events.push((start.parse().expect("a time"), event(Phase::Invoke)));
        if let Ok(end) = end.parse() {
            let phase = match outcome {
                "ok" => Phase::Ok(Ret::Txn(seen.into())),
                "fail" => Phase::Fail(Reason::new("conflict")),
                _ => Phase::Info(Reason::new("timeout")),
            };
            events.push((end, event(phase)));
        }
    }
    events.sort_by_key(|(time, _)| *time);
    let number = |(index, (time, event)): (usize, (u64, Event))| Event {
        index: index as u64,
        time: time * 1_000_000,
        ..event
    };
    History {
        events: events.into_iter().enumerate().map(number).collect(),
        ..History::default()
    }
}

fn step(kind: Kind, text: &str) -> (Mop, Seen) {
    let (f, rest) = text.split_once('(').expect("a step has arguments");
    let rest = rest.trim_end_matches(')');
    let (key, argument) = rest.split_once(", ").unwrap_or((rest, "nil"));
    let key = Key::from(key);
    let number = |text: &str| text.parse::<i64>().expect("a number");
    let value = |text: &str| match text {
        "nil" => Value::Nil,
        text => Value::Int(number(text)),
    };
    match f {
        "append" => (
            Mop::Append {
                key,
                value: number(argument),
            },
            Seen::Done,
        ),
        "w" => (
            Mop::Write {
                key,
                value: value(argument),
            },
            Seen::Done,
        ),
        _ if kind == Kind::ListAppend && argument != "nil" => {
            let list = argument.trim_matches(['[', ']']).split_whitespace();
            (Mop::Read { key }, Seen::List(list.map(number).collect()))
        }
        _ => (Mop::Read { key }, Seen::Value(value(argument))),
    }
}
