use super::*;
use checker::store::{LISTS, SEMAPHORES, SETS, Store};
use cluster::api::{Request, limits};
use cluster::machine::{Applied, Command, Machine};

/// A server that decides alone.
#[derive(Default)]
struct Server {
    machine: Machine,
    asked: Vec<String>,
}

impl Server {
    fn ask(&mut self, op: KvOp) -> Result<Answer, Failure> {
        limits::check(&op).unwrap();
        self.asked.push(serde_json::to_string(&op).unwrap());
        // What is sent is what is read.
        let sent = serde_json::json!(&op).to_string();
        let op = serde_json::from_str::<Request>(&sent).unwrap().op;
        match &op {
            KvOp::Get { key } => {
                let value = self.machine.get(key).map(|value| value.into_owned());
                return Ok(Answer {
                    value,
                    ..Answer::default()
                });
            }
            KvOp::Scan(scan) => {
                let (entries, next) = self.machine.scan(scan, limits::MAX_ANSWER);
                return Ok(Answer {
                    entries: Some(entries),
                    next,
                    ..Answer::default()
                });
            }
            _ => {}
        }
        let index = self.machine.applied() + 1;
        let command = Command {
            origin: None,
            session: None,
            op,
        };
        let refused = |code: &str| Err(Failure::Definite(Reason::new(code)));
        match self.machine.apply(index, &command) {
            Applied::Done { .. } => Ok(Answer::default()),
            Applied::Sum { sum, .. } => Ok(Answer {
                value: Some(sum.to_string()),
                ..Answer::default()
            }),
            Applied::Steps { given, .. } => Ok(Answer {
                steps: Some(given),
                ..Answer::default()
            }),
            Applied::Mismatch { .. } => refused("cas-mismatch"),
            Applied::Unmet { .. } => refused("condition-failed"),
            Applied::Refused { .. } => refused("refused"),
            Applied::Duplicate => unreachable!("there are no sessions"),
        }
    }

    fn perform(&mut self, op: &Op) -> Outcome {
        let (mut exchange, mut request) = Exchange::begin(op).unwrap();
        loop {
            let answer = self.ask(request);
            match exchange.answered(answer) {
                Turn::Ask(next) => request = next,
                Turn::End(outcome) => return outcome,
            }
        }
    }
}

fn key(number: i64) -> Key {
    Key::Int(number)
}

/// One of everything, several times over, in an order that makes most of it meet something.
fn everything() -> Vec<Op> {
    let mut ops = Vec::new();
    let text = |text: &str| Value::Text(text.into());
    let values = [
        Value::Nil,
        7.into(),
        text("seven"),
        text("7"),
        text("'7"),
        text(""),
        text("+7"),
    ];
    for value in &values {
        ops.push(Op::Write {
            key: key(1),
            value: value.clone(),
        });
        ops.push(Op::Read { key: key(1) });
        for from in &values {
            ops.push(Op::Cas {
                key: key(1),
                from: from.clone(),
                to: value.clone(),
            });
        }
    }
    ops.push(Op::Delete { key: key(1) });
    for suffix in ["a7", " b", "c"] {
        ops.push(Op::Concat {
            key: key(1),
            suffix: suffix.into(),
        });
        ops.push(Op::Read { key: key(1) });
    }
    for value in [3, -1, 3, i64::MIN, i64::MAX, 0] {
        for (kind, at) in [("set", SETS.start), ("set", SETS.start + 1)] {
            ops.push(Op::Add {
                key: key(at),
                value,
            });
            if kind == "set" && value == 3 {
                ops.push(Op::Remove {
                    key: key(at),
                    value: -1,
                });
            }
            ops.push(Op::List { key: key(at) });
        }
        ops.push(Op::Append { key: key(2), value });
        ops.push(Op::List { key: key(2) });
    }
    for value in [5, -2, i64::MAX] {
        ops.push(Op::Read {
            key: key(store::COUNTERS.start),
        });
        ops.push(Op::Add {
            key: key(store::COUNTERS.start),
            value,
        });
        ops.push(Op::Generate { key: key(3) });
    }
    for value in [1.into(), text("two\nlines"), text("3")] {
        ops.push(Op::Enqueue {
            key: key(4),
            value: value.clone(),
        });
        ops.push(Op::Push { key: key(4), value });
    }
    for _ in 0..4 {
        ops.push(Op::Dequeue { key: key(4) });
        ops.push(Op::Pop { key: key(4) });
    }
    for lock in [key(5), key(SEMAPHORES.start), key(SEMAPHORES.start + 5)] {
        for owner in [Value::Nil, 1.into(), text("1"), 1.into()] {
            ops.push(Op::Acquire {
                key: lock.clone(),
                owner,
            });
        }
        for owner in [text("1"), 1.into(), Value::Nil, 1.into()] {
            ops.push(Op::Release {
                key: lock.clone(),
                owner,
            });
        }
    }
    ops.push(Op::Write {
        key: key(6),
        value: 10.into(),
    });
    for (from, to, amount) in [(6, 7, 4), (6, 7, 7), (7, 6, 4), (7, 6, 1)] {
        ops.push(Op::Transfer {
            from: key(from),
            to: key(to),
            amount,
        });
        ops.push(Op::ReadAll {
            keys: [key(6), key(7), key(8)].into(),
        });
    }
    let list = key(LISTS.start);
    let txn = [
        Mop::Read { key: list.clone() },
        Mop::Append {
            key: list.clone(),
            value: 4,
        },
        Mop::Read { key: list },
        Mop::Write {
            key: key(9),
            value: text("x"),
        },
        Mop::Read { key: key(9) },
        Mop::Write {
            key: key(9),
            value: Value::Nil,
        },
        Mop::Read { key: key(9) },
    ];
    for _ in 0..2 {
        ops.push(Op::Txn {
            ops: txn[..].into(),
        });
    }
    ops
}

#[test]
fn strata_gives_what_the_reference_store_gives() {
    let mut server = Server::default();
    let mut store = Store::default();
    for op in everything() {
        let expected = store.apply(&op);
        match (server.perform(&op), expected) {
            (Outcome::Ok(found), Ok(expected)) => assert_eq!(found, expected, "{op:?}"),
            (Outcome::Fail(_), Err(_)) => {}
            (found, expected) => panic!("{op:?}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn operations_become_requests_and_objects_of_different_kinds_stay_apart() {
    let mut server = Server::default();
    let key = || key(7);
    for op in [
        Op::Read { key: key() },
        Op::List { key: key() },
        Op::Write {
            key: key(),
            value: Value::Text("7".into()),
        },
        Op::Cas {
            key: key(),
            from: Value::Text("7".into()),
            to: Value::Nil,
        },
        Op::Append {
            key: key(),
            value: -3,
        },
        Op::Add {
            key: key(),
            value: 2,
        },
        Op::Add {
            key: Key::Int(SETS.start),
            value: -2,
        },
        Op::List {
            key: Key::Int(SETS.start),
        },
        Op::Enqueue {
            key: key(),
            value: 1.into(),
        },
        Op::Dequeue { key: key() },
        Op::Acquire {
            key: key(),
            owner: 3.into(),
        },
        Op::Transfer {
            from: key(),
            to: Key::Int(8),
            amount: 1,
        },
    ] {
        assert!(matches!(server.perform(&op), Outcome::Ok(_)), "{op:?}");
    }
    assert_eq!(
        server.asked.join("\n"),
        r#"{"op":"get","key":"register/7"}
{"op":"get","key":"list/7"}
{"op":"put","key":"register/7","value":"'7"}
{"op":"txn","if":[{"key":"register/7","is":"'7"}],"steps":[{"op":"delete","key":"register/7"}]}
{"op":"append","key":"list/7","value":"-3 "}
{"op":"add","key":"register/7","amount":2}
{"op":"put","key":"set/17592186044416/7ffffffffffffffe","value":""}
{"op":"scan","from":"set/17592186044416/","to":"set/175921860444160","limit":1000}
{"op":"append","key":"queue/7","value":"1\n"}
{"op":"get","key":"queue/7"}
{"op":"cas","key":"queue/7","from":"1\n","to":""}
{"op":"txn","if":[{"key":"lock/7","is":null}],"steps":[{"op":"add","key":"fence/7","amount":1},{"op":"put","key":"lock/7","value":"3"}]}
{"op":"txn","if":[{"key":"register/7","at_least":1}],"steps":[{"op":"add","key":"register/7","amount":-1},{"op":"add","key":"register/8","amount":1}]}"#
    );
}

#[test]
fn only_the_request_that_may_change_something_leaves_an_operation_unknown() {
    let lost = || Err(Failure::Indefinite(Reason::new("timeout")));
    let after = |op: &Op, answers: Vec<Result<Answer, Failure>>| {
        let (mut exchange, _) = Exchange::begin(op).unwrap();
        let turns = answers.into_iter().map(|answer| exchange.answered(answer));
        turns.last().unwrap()
    };
    let dequeue = Op::Dequeue { key: key(1) };
    let held = || {
        Ok(Answer {
            value: Some("4\n5\n".into()),
            ..Answer::default()
        })
    };
    let fail = |code: &str| Turn::End(Outcome::Fail(Reason::new(code)));
    let info = Turn::End(Outcome::Info(Reason::new("timeout")));
    assert_eq!(after(&dequeue, vec![lost()]), fail("timeout"));
    assert_eq!(after(&dequeue, vec![held(), lost()]), info);
    let refused = |code: &str| Err(Failure::Definite(Reason::new(code)));
    assert_eq!(
        after(&dequeue, vec![held(), refused("no-leader")]),
        fail("no-leader")
    );
    // Somebody else was first: what is there now is looked at, and then nothing is unknown.
    assert_eq!(
        after(&dequeue, vec![held(), refused("cas-mismatch"), lost()]),
        fail("timeout")
    );
    let read = Op::ReadAll {
        keys: [key(1)].into(),
    };
    assert_eq!(after(&read, vec![lost()]), fail("timeout"));
    let generate = Op::Generate { key: key(1) };
    assert_eq!(after(&generate, vec![lost()]), info);
}

#[test]
fn answers_that_make_no_sense_are_no_answers() {
    let answered = |op: Op, value: &str| {
        let (mut exchange, _) = Exchange::begin(&op).unwrap();
        let answer = Answer {
            value: Some(value.into()),
            ..Answer::default()
        };
        match exchange.answered(Ok(answer)) {
            Turn::End(Outcome::Ok(ret)) => format!("ok {ret:?}"),
            Turn::End(Outcome::Fail(reason)) => format!("fail {reason}"),
            Turn::End(Outcome::Info(reason)) => format!("info {reason}"),
            Turn::Ask(op) => format!("ask {op:?}"),
        }
    };
    let list = Op::List { key: key(1) };
    assert_eq!(answered(list.clone(), "1 2 -3 "), "ok List([1, 2, -3])");
    assert_eq!(
        answered(list, "1 x "),
        "fail bad-answer: not a list: \"1 x \""
    );
    assert_eq!(
        answered(Op::Generate { key: key(1) }, "x"),
        "info bad-answer: no id: \"\\\"x\\\"\""
    );
    assert_eq!(
        answered(Op::Dequeue { key: key(1) }, "4"),
        "fail bad-answer: no values: \"4\""
    );
    let reads = Op::ReadAll {
        keys: [key(1), key(2)].into(),
    };
    assert_eq!(
        answered(reads, ""),
        "fail bad-answer: not all steps: \"0 of 2\""
    );
}

#[test]
fn what_strata_can_not_serve_is_not_begun() {
    let concat = |suffix: &str| Op::Concat {
        key: key(1),
        suffix: suffix.into(),
    };
    // Appended to nothing, these would be taken for numbers, or vanish.
    for suffix in ["1", "-", "+", "'", ""] {
        assert!(!supports(&concat(suffix)));
    }
    assert!(supports(&concat("a1")));
    let nothing = Op::Enqueue {
        key: key(1),
        value: Value::Nil,
    };
    assert!(!supports(&nothing));
    assert!(!supports(&Op::Txn { ops: [].into() }));
}
