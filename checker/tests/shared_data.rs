//! Histories recorded and judged by others: our verdicts must be theirs.
//!
//! They are looked for in `$SHAKEDOWN_SHARED_DATA`, then in `../shared/data` beside the workspace; they
//! are not part of it. `VERDICTS.tsv` there names format, model and verdict of each file.

use checker::linearizability::Linearizable;
use checker::model::{Model, Register};
use checker::{
    Budget, Checker, Event, History, Key, Op, Phase, ProcessId, Reason, Ret, Validity, Value,
    Verdict,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("SHAKEDOWN_SHARED_DATA").map_or(beside, PathBuf::from);
    if folder.join("VERDICTS.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no shared data");
    None
}

/// What a value in these files is.
#[derive(Clone, Debug, PartialEq)]
enum Datum {
    Nil,
    Int(i64),
    Word(String),
    Vector(Vec<Datum>),
    Map(Vec<(Datum, Datum)>),
}

/// Reads the little of EDN that these files use.
fn edn(text: &str) -> Vec<Datum> {
    let mut stack: Vec<(char, Vec<Datum>)> = vec![(' ', Vec::new())];
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            ';' => while rest.next_if(|c| *c != '\n').is_some() {},
            '[' | '(' | '{' => stack.push((next, Vec::new())),
            ']' | ')' | '}' => {
                let (kind, items) = stack.pop().unwrap();
                let datum = if kind != '{' {
                    Datum::Vector(items)
                } else {
                    Datum::Map(
                        items
                            .chunks(2)
                            .map(|pair| (pair[0].clone(), pair[1].clone()))
                            .collect(),
                    )
                };
                stack.last_mut().unwrap().1.push(datum);
            }
            '"' => {
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| *c != '"') {
                    word.extend(if c == '\\' { rest.next() } else { Some(c) });
                }
                rest.next();
                stack.last_mut().unwrap().1.push(Datum::Word(word));
            }
            c if c.is_whitespace() || c == ',' => {}
            c => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| !c.is_whitespace() && !",])}[({".contains(*c))
                {
                    word.push(c);
                }
                stack.last_mut().unwrap().1.push(match word.parse() {
                    Ok(number) => Datum::Int(number),
                    Err(_) if word == "nil" => Datum::Nil,
                    Err(_) => Datum::Word(word),
                });
            }
        }
    }
    stack.pop().unwrap().1
}

/// An event of any of the formats.
struct Line {
    process: i64,
    kind: String,
    f: String,
    key: Key,
    value: Datum,
}

fn edn_lines(text: &str) -> Vec<Line> {
    // One list of events, or events one after the other.
    let events = edn(text).into_iter().flat_map(|datum| match datum {
        Datum::Vector(events) => events,
        event => vec![event],
    });
    let line = |event: Datum| {
        let Datum::Map(pairs) = event else {
            panic!("an event is a map, not {event:?}")
        };
        let get = |name: &str| {
            let found = pairs
                .iter()
                .find(|(key, _)| *key == Datum::Word(format!(":{name}")));
            found.map_or(Datum::Nil, |(_, value)| value.clone())
        };
        let word = |name: &str| match get(name) {
            Datum::Word(word) => word.trim_start_matches(':').to_owned(),
            other => panic!("{name} is {other:?}"),
        };
        let Datum::Int(process) = get("process") else {
            return None;
        };
        let key = match get("key") {
            Datum::Word(key) => Key::Text(key.into()),
            _ => Key::Int(0),
        };
        Some(Line {
            process,
            kind: word("type"),
            f: word("f"),
            key,
            value: get("value"),
        })
    };
    events.filter_map(line).collect()
}

fn log_lines(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let (_, event) = line.split_once(" - ")?;
        let words: Vec<&str> = event.split_whitespace().collect();
        let value = edn(&words[3..].join(" "))
            .into_iter()
            .next()
            .unwrap_or(Datum::Nil);
        Some(Line {
            process: words[0].parse().ok()?,
            kind: words[1].trim_start_matches(':').to_owned(),
            f: words[2].trim_start_matches(':').to_owned(),
            key: Key::Int(0),
            value,
        })
    };
    text.lines().filter_map(line).collect()
}

fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Int(number) => Value::Int(*number),
        Datum::Word(word) => Value::Text(word.as_str().into()),
        _ => Value::Nil,
    }
}

/// `x 3 14 y` as a number.
fn token(datum: &Datum) -> i64 {
    let Datum::Word(word) = datum else {
        panic!("an append has a text")
    };
    let numbers: Vec<i64> = word
        .split(' ')
        .filter_map(|part| part.parse().ok())
        .collect();
    numbers[0] * 1_000_000 + numbers[1]
}

fn operation(line: &Line) -> Op {
    let key = line.key.clone();
    let (free, held) = (Value::Nil, Value::Int(1));
    match (line.f.as_str(), &line.value) {
        ("read" | "get", _) => Op::Read { key },
        ("write" | "put", datum) => Op::Write {
            key,
            value: value(datum),
        },
        ("cas", Datum::Vector(pair)) => Op::Cas {
            key,
            from: value(&pair[0]),
            to: value(&pair[1]),
        },
        ("append", datum) => Op::Append {
            key,
            value: token(datum),
        },
        ("acquire", _) => Op::Cas {
            key,
            from: free,
            to: held,
        },
        ("release", _) => Op::Cas {
            key,
            from: held,
            to: free,
        },
        other => panic!("no operation of ours: {other:?}"),
    }
}

/// The history; `nil_is_any`: a read of nil tells nothing.
fn history(lines: &[Line], nil_is_any: bool) -> History {
    let mut events: Vec<Event> = Vec::new();
    // Some of these files go on with a process after a crash: it becomes a new one.
    let mut names: HashMap<i64, u64> = HashMap::new();
    let mut open: HashMap<u64, Op> = HashMap::new();
    let mut next = 0;
    for line in lines {
        let index = events.len() as u64;
        let mut event = |process: u64, phase: Phase, op: Op| {
            events.push(Event {
                index,
                time: index * 1_000_000,
                process: ProcessId(process),
                phase,
                op,
            });
        };
        if line.kind == "invoke" {
            let fresh = names
                .get(&line.process)
                .is_none_or(|name| open.contains_key(name));
            if fresh {
                names.insert(line.process, next);
                next += 1;
            }
            let name = names[&line.process];
            open.insert(name, operation(line));
            event(name, Phase::Invoke, operation(line));
            continue;
        }
        let name = names[&line.process];
        let op = open[&name].clone();
        let wildcard = nil_is_any && line.value == Datum::Nil && op.is_read_only();
        let phase = match line.kind.as_str() {
            "info" => Phase::Info(Reason::new("unknown")),
            "fail" => Phase::Fail(Reason::new("failed")),
            _ if wildcard => Phase::Fail(Reason::new("nothing read")),
            _ if op.is_read_only() => Phase::Ok(Ret::Value(value(&line.value))),
            _ => Phase::Ok(Ret::Done),
        };
        if line.kind != "info" {
            open.remove(&name);
        }
        event(name, phase, op);
    }
    History {
        events,
        ..History::default()
    }
}

/// A text with put, append and get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Text(String);

impl Model for Text {
    fn step(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        match (op, ret) {
            (
                Op::Write {
                    value: Value::Text(text),
                    ..
                },
                _,
            ) => Some(Self(text.to_string())),
            (Op::Append { value, .. }, _) => {
                let (client, count) = (value / 1_000_000, value % 1_000_000);
                Some(Self(format!("{}x {client} {count} y", self.0)))
            }
            (Op::Read { .. }, Some(Ret::Value(Value::Text(text)))) => {
                (**text == self.0).then(|| self.clone())
            }
            _ => None,
        }
    }
}

fn check<M: Model + 'static>(initial: M, history: &History) -> Verdict {
    let budget = Budget {
        time: Duration::from_secs(20),
        memory: 1 << 30,
    };
    Linearizable::new(initial, |_| true).check(history, budget)
}

fn judge(format: &str, model: &str, text: &str) -> Option<Verdict> {
    let nil = Register::default();
    Some(match (format, model.split([' ', ',']).next()?) {
        ("porcupine-jepsen-log", "cas-register") => check(nil, &history(&log_lines(text), false)),
        ("jepsen-edn", "cas-register") => check(
            Register::holding(Value::Int(0)),
            &history(&edn_lines(text), true),
        ),
        ("jepsen-edn", "mutex") => check(nil, &history(&edn_lines(text), false)),
        ("porcupine-kv", "kv") => check(Text::default(), &history(&edn_lines(text), false)),
        _ => return None,
    })
}

#[test]
fn verdicts_of_others_are_ours() {
    let Some(folder) = folder() else { return };
    let verdicts = fs::read_to_string(folder.join("VERDICTS.tsv")).unwrap();
    let mut agreed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut skipped = HashSet::new();
    for line in verdicts.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, format, model, expected, ..] = fields[..] else {
            panic!("{line}")
        };
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let started = Instant::now();
        let Some(verdict) = judge(format, model, &text) else {
            skipped.insert(model);
            continue;
        };
        match verdict.valid {
            Validity::Unknown => unknown.push(format!("{file}: {}", verdict.reason)),
            found => {
                assert_eq!(found.to_string(), expected, "{file}: {}", verdict.reason);
                *agreed.entry(format).or_default() += 1;
            }
        }
        println!(
            "{file} {} {:?} {}",
            verdict.valid,
            started.elapsed(),
            verdict.reason
        );
    }
    println!("agreed: {agreed:?}; models not judged here: {skipped:?}");
    assert!(unknown.len() <= 2, "too many undecided: {unknown:#?}");
}
