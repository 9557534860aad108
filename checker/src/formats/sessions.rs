//! Transactions of sessions, in the texts of Plume and of AWDIT's tests.
//!
//! They tell which transaction of a session came after which, but nothing of time. Here the first
//! transactions of all sessions are concurrent, then the second ones, and so on: as little real time as a
//! history can have.

use super::edn::{self, Place};
use super::log::{Next, next_line};
use crate::history::jsonl::ReadError;
use crate::{Event, History, Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen, Value};
use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::sync::Arc;

/// Between events; these files tell no time.
const STEP: u64 = 1_000_000;

#[derive(Clone, Copy)]
enum Step {
    Read(i64, i64),
    Write(i64, i64),
}

#[derive(Default)]
struct Transaction {
    steps: Vec<Step>,
}

/// Lines as `w(key,value,session,transaction)`. A transaction called -1 was aborted: its writes are known
/// not to have happened. A read of 0, where nobody wrote 0, saw nothing.
pub fn plume(input: impl BufRead, file: &str) -> Result<History, ReadError> {
    let mut sessions: Vec<Vec<Transaction>> = Vec::new();
    let mut session_of: HashMap<i64, usize> = HashMap::new();
    let mut transaction_of: HashMap<(i64, i64), usize> = HashMap::new();
    let mut aborted: Vec<Transaction> = Vec::new();
    let truncated = lines(input, file, |text| {
        let inside = text
            .get(1..)
            .and_then(|rest| rest.strip_prefix('('))
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or(EXPECTED_PLUME)?;
        let mut numbers = inside.split(',').map(|number| number.trim().parse());
        let mut number = || numbers.next().and_then(Result::ok).ok_or(EXPECTED_PLUME);
        let (key, value, session, transaction) = (number()?, number()?, number()?, number()?);
        if numbers.next().is_some() {
            return Err(EXPECTED_PLUME);
        }
        let step = step(&text[..1], key, value).ok_or(EXPECTED_PLUME)?;
        if transaction == -1 {
            if matches!(step, Step::Write(..)) {
                aborted.push(Transaction { steps: vec![step] });
            }
            return Ok(());
        }
        let session_at = *session_of.entry(session).or_insert_with(|| {
            sessions.push(Vec::new());
            sessions.len() - 1
        });
        let transactions = &mut sessions[session_at];
        let at = *transaction_of
            .entry((session, transaction))
            .or_insert_with(|| {
                transactions.push(Transaction::default());
                transactions.len() - 1
            });
        transactions[at].steps.push(step);
        Ok(())
    })?;
    Ok(history(sessions, aborted, true, truncated))
}

/// Lines as `w key value`, `-----` between transactions, `=====` between sessions.
pub fn awdit(input: impl BufRead, file: &str) -> Result<History, ReadError> {
    let mut sessions: Vec<Vec<Transaction>> = vec![vec![Transaction::default()]];
    let truncated = lines(input, file, |text| {
        let only = |mark: u8| text.bytes().all(|byte| byte == mark);
        if only(b'=') {
            sessions.push(vec![Transaction::default()]);
            return Ok(());
        }
        let session = sessions.last_mut().expect("there is always a last session");
        if only(b'-') {
            session.push(Transaction::default());
            return Ok(());
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let [f, key, value] = words[..] else {
            return Err(EXPECTED_AWDIT);
        };
        let (Ok(key), Ok(value)) = (key.parse(), value.parse()) else {
            return Err(EXPECTED_AWDIT);
        };
        let transaction = session
            .last_mut()
            .expect("a session always has a last transaction");
        let step = step(f, key, value).ok_or(EXPECTED_AWDIT)?;
        transaction.steps.push(step);
        Ok(())
    })?;
    for session in &mut sessions {
        session.retain(|transaction| !transaction.steps.is_empty());
    }
    Ok(history(sessions, Vec::new(), false, truncated))
}

const EXPECTED_PLUME: &str = "expected r(key,value,session,transaction) or w(...) of whole numbers";
const EXPECTED_AWDIT: &str =
    "expected `r key value` or `w key value` of whole numbers, ----- or =====";

fn step(f: &str, key: i64, value: i64) -> Option<Step> {
    match f {
        "r" => Some(Step::Read(key, value)),
        "w" => Some(Step::Write(key, value)),
        _ => None,
    }
}

/// Hands over the lines that are not blank; tells whether the last one was cut.
fn lines(
    mut input: impl BufRead,
    file: &str,
    mut take: impl FnMut(&str) -> Result<(), &'static str>,
) -> Result<bool, ReadError> {
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        let whole = match next_line(&mut input, &mut bytes) {
            Ok(Next::End) => return Ok(false),
            Ok(Next::Cut) => return Ok(true),
            Ok(Next::Whole) => true,
            Ok(Next::Last) => false,
            Err(source) => {
                return Err(ReadError::Io {
                    file: file.to_owned(),
                    source,
                });
            }
        };
        let text = str::from_utf8(&bytes).map_err(|_| "a line that is not UTF-8");
        let taken = text.and_then(|text| match text.trim() {
            "" => Ok(()),
            text => take(text),
        });
        match taken {
            Ok(()) => {}
            Err(_) if !whole => return Ok(true),
            Err(problem) => {
                let indent = bytes.iter().take_while(|byte| **byte == b' ').count();
                let place = Place {
                    line: number,
                    column: indent + 1,
                };
                return Err(edn::error(file, place, problem.to_owned()));
            }
        }
    }
}

/// All sessions side by side, transaction by transaction.
fn history(
    sessions: Vec<Vec<Transaction>>,
    aborted: Vec<Transaction>,
    zero_is_nil: bool,
    truncated: bool,
) -> History {
    let written: HashSet<i64> = sessions
        .iter()
        .flatten()
        .chain(&aborted)
        .flat_map(|transaction| &transaction.steps)
        .filter_map(|step| match step {
            Step::Write(key, 0) => Some(*key),
            _ => None,
        })
        .collect();
    let seen = |step: &Step| match *step {
        Step::Write(..) => Seen::Done,
        Step::Read(key, 0) if zero_is_nil && !written.contains(&key) => Seen::Value(Value::Nil),
        Step::Read(_, value) => Seen::Value(Value::Int(value)),
    };
    let mut events: Vec<Event> = Vec::new();
    let mut push = |process: usize, phase: Phase, op: Op| {
        let index = events.len() as u64;
        events.push(Event {
            index,
            time: index * STEP,
            process: ProcessId(process as u64),
            phase,
            op,
        });
    };
    let first_aborted = sessions.len();
    for (at, transaction) in aborted.iter().enumerate() {
        push(first_aborted + at, Phase::Invoke, transaction.op());
    }
    let longest = sessions.iter().map(Vec::len).max().unwrap_or(0);
    // Sessions that still have transactions; those that ended are not looked at again.
    let mut going: Vec<usize> = (0..sessions.len()).collect();
    for round in 0..longest {
        going.retain(|session| sessions[*session].len() > round);
        for &session in &going {
            push(session, Phase::Invoke, sessions[session][round].op());
        }
        for &session in &going {
            let transaction = &sessions[session][round];
            let ret = Ret::Txn(transaction.steps.iter().map(&seen).collect());
            push(session, Phase::Ok(ret), transaction.op());
        }
    }
    for (at, transaction) in aborted.iter().enumerate() {
        let phase = Phase::Fail(Reason::new("aborted"));
        push(first_aborted + at, phase, transaction.op());
    }
    History {
        events,
        truncated,
        ..History::default()
    }
}

impl Transaction {
    fn op(&self) -> Op {
        let ops: Arc<[Mop]> = self
            .steps
            .iter()
            .map(|step| match *step {
                Step::Read(key, _) => Mop::Read { key: Key::Int(key) },
                Step::Write(key, value) => Mop::Write {
                    key: Key::Int(key),
                    value: Value::Int(value),
                },
            })
            .collect();
        Op::Txn { ops }
    }
}
