//! What must hold whatever bytes come.

use checker::formats::{self, Format, Options};
use checker::history::Operation;
use checker::history::jsonl::Writer;
use checker::linearizability::Linearizable;
use checker::{
    Budget, Checker, Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Validity, Value,
};

/// More operations than this take brute force too long.
const OPERATIONS_MAX: usize = 7;

/// A reader says what is wrong, or gives a history that survives being written and read.
pub fn parse(format: Format, bytes: &[u8]) {
    let Ok(history) = read(format, bytes) else {
        if format == Format::Jsonl {
            assert!(read(format, &unusual(bytes)).is_err());
        }
        return;
    };
    history
        .operations()
        .expect("what is read is made of operations");
    let again = read(Format::Jsonl, &written(&history)).expect("what is written can be read");
    assert_eq!(again.events, history.events);
    assert_eq!(again.nemesis.len(), history.nemesis.len());
    if format == Format::Jsonl {
        let full = read(format, &unusual(bytes)).expect("both readers agree");
        assert_eq!(full.events, history.events);
        assert_eq!(full.truncated, history.truncated);
    }
}

/// The search finds what trying all orders finds.
pub fn judge(bytes: &[u8]) {
    let history = history(bytes);
    let operations = history.operations().expect("it was made of operations");
    let verdict = Linearizable::cas_register().check(&history, Budget::default());
    let expected = match brute_force(&operations) {
        true => Validity::Valid,
        false => Validity::Invalid,
    };
    // A history in which nothing succeeded shows nothing.
    if operations.iter().any(Operation::is_ok) {
        assert_eq!(verdict.valid, expected, "{}: {history:#?}", verdict.reason);
    }
}

fn read(format: Format, bytes: &[u8]) -> Result<History, formats::ReadError> {
    let options = Options {
        format: Some(format),
        ..Options::default()
    };
    formats::read(bytes, "bytes", options).map(|reading| reading.history)
}

fn written(history: &History) -> Vec<u8> {
    let mut writer = Writer::without_header(Vec::new());
    let mut nemesis = history.nemesis.iter().peekable();
    for event in &history.events {
        while let Some(fault) = nemesis.next_if(|fault| fault.index < event.index) {
            writer.append_nemesis(fault).expect("a Vec takes all bytes");
        }
        writer.append(event).expect("a Vec takes all bytes");
    }
    for fault in nemesis {
        writer.append_nemesis(fault).expect("a Vec takes all bytes");
    }
    writer.into_inner().expect("a Vec takes all bytes")
}

/// The same lines with a field that nobody knows, so that the shortcut for usual lines leaves them alone.
fn unusual(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"{") {
            Some(rest) => {
                lines.extend_from_slice(b"{\"unusual\":{},");
                lines.extend_from_slice(rest);
            }
            None => lines.extend_from_slice(line),
        }
    }
    lines
}

/// A history of one register and three workers, made of choices.
fn history(bytes: &[u8]) -> History {
    let mut history = History::default();
    let mut open: [Option<Op>; 3] = [const { None }; 3];
    let mut names = [ProcessId(0), ProcessId(1), ProcessId(2)];
    let mut invoked = 0;
    for pair in bytes.chunks_exact(2) {
        let worker = usize::from(pair[0] % 3);
        let value = |shift: u8| match (pair[1] >> shift) & 3 {
            0 => Value::Nil,
            n => Value::Int(i64::from(n)),
        };
        let (phase, op) = match open[worker].take() {
            None if invoked == OPERATIONS_MAX => continue,
            None => {
                let key = Key::Int(0);
                let op = match pair[0] / 3 % 3 {
                    0 => Op::Read { key },
                    1 => Op::Write {
                        key,
                        value: value(0),
                    },
                    _ => Op::Cas {
                        key,
                        from: value(0),
                        to: value(2),
                    },
                };
                invoked += 1;
                open[worker] = Some(op.clone());
                (Phase::Invoke, op)
            }
            Some(op) => {
                let phase = match (pair[0] / 3 % 5, &op) {
                    (0, _) => Phase::Info(Reason::new("timeout")),
                    (1, _) => Phase::Fail(Reason::new("refused")),
                    (_, Op::Read { .. }) => Phase::Ok(Ret::Value(value(0))),
                    _ => Phase::Ok(Ret::Done),
                };
                (phase, op)
            }
        };
        let at = history.events.len() as u64;
        let crashed = matches!(phase, Phase::Info(_));
        history.events.push(Event {
            index: at,
            time: at,
            process: names[worker],
            phase,
            op,
        });
        if crashed {
            names[worker].0 += 3;
        }
    }
    history
}

/// Tries all orders that real time allows, with and without the operations whose outcome is unknown.
fn brute_force(operations: &[Operation<'_>]) -> bool {
    let happened: Vec<&Operation<'_>> = operations
        .iter()
        .filter(|operation| operation.failure().is_none())
        .collect();
    let mut orders = vec![(0u32, Value::Nil)];
    while let Some((done, held)) = orders.pop() {
        let is_left = |at: usize| done & (1 << at) == 0;
        if (0..happened.len()).all(|at| !is_left(at) || happened[at].is_unknown()) {
            return true;
        }
        let ended = |operation: &Operation<'_>| match operation.is_ok() {
            true => operation.completed_at.unwrap_or(usize::MAX),
            false => usize::MAX,
        };
        let first_end = (0..happened.len())
            .filter(|at| is_left(*at))
            .map(|at| ended(happened[at]))
            .min()
            .unwrap_or(usize::MAX);
        for (at, operation) in happened.iter().enumerate() {
            if !is_left(at) || operation.invoked_at > first_end {
                continue;
            }
            let after = match (operation.op(), operation.ret()) {
                (Op::Read { .. }, Some(Ret::Value(read))) if *read != held => continue,
                (Op::Cas { from, .. }, _) if *from != held => continue,
                (Op::Write { value, .. } | Op::Cas { to: value, .. }, _) => value.clone(),
                _ => held.clone(),
            };
            orders.push((done | 1 << at, after));
        }
    }
    false
}
