use super::super::*;
use super::*;

fn event(index: u64, process: u64, phase: Phase, op: Op) -> Event {
    Event {
        index,
        time: index * 1_000,
        process: ProcessId(process),
        phase,
        op,
    }
}

fn read(text: &str) -> Result<History, String> {
    History::from_reader(text.as_bytes(), "h.jsonl").map_err(|error| error.to_string())
}

fn every_kind() -> History {
    let key = Key::Int(7);
    let name = Key::Text("a \"b\"\n".into());
    let read = Op::Read { key: key.clone() };
    let write = Op::Write {
        key: name.clone(),
        value: Value::Text("é".into()),
    };
    let cas = Op::Cas {
        key: key.clone(),
        from: Value::Nil,
        to: Value::Int(i64::MIN),
    };
    let append = Op::Append {
        key: key.clone(),
        value: -3,
    };
    let list = Op::List { key };
    let events = vec![
        event(0, 0, Phase::Invoke, read.clone()),
        event(1, 1, Phase::Invoke, write.clone()),
        event(2, 0, Phase::Ok(Ret::Value(Value::Nil)), read),
        event(3, 1, Phase::Info(Reason::new("timeout: \"slow\"")), write),
        event(5, 2, Phase::Invoke, cas.clone()),
        event(6, 2, Phase::Fail(Reason::new("mismatch")), cas),
        event(7, 0, Phase::Invoke, append.clone()),
        event(8, 0, Phase::Ok(Ret::Done), append),
        event(9, 0, Phase::Invoke, list.clone()),
        event(10, 0, Phase::Ok(Ret::List(vec![1, -3])), list),
    ];
    History {
        header: Some(Header {
            version: VERSION,
            workload: "register+ledger".into(),
            model: "cas-register".into(),
        }),
        events,
        nemesis: vec![NemesisEvent {
            index: 4,
            time: 4_000,
            f: "kill".into(),
            value: serde_json::json!(["n1", {"role": "leader"}]),
        }],
        truncated: false,
    }
}

fn write(history: &History) -> String {
    let header = history.header.as_ref().unwrap();
    let mut writer = Writer::new(Vec::new(), header).unwrap();
    let mut nemesis = history.nemesis.iter().peekable();
    for event in &history.events {
        while let Some(fault) = nemesis.next_if(|fault| fault.index < event.index) {
            writer.append_nemesis(fault).unwrap();
        }
        writer.append(event).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let history = every_kind();
    assert_eq!(read(&write(&history)).unwrap(), history);
}

#[test]
fn the_lines_are_those_of_the_documented_format() {
    let text = write(&every_kind());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"version":1,"workload":"register+ledger","model":"cas-register"}"#
    );
    assert_eq!(
        lines[1],
        r#"{"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":7,"value":null}"#
    );
    assert_eq!(
        lines[7],
        r#"{"index":6,"time":6000,"process":2,"type":"fail","f":"cas","key":7,"value":[null,-9223372036854775808],"error":"mismatch"}"#
    );
    assert_eq!(
        lines[5],
        r#"{"index":4,"time":4000,"process":"nemesis","type":"info","f":"kill","value":["n1",{"role":"leader"}]}"#
    );
}

#[test]
fn a_file_cut_anywhere_is_read_up_to_the_cut() {
    let history = every_kind();
    let text = write(&history);
    for cut in 0..text.len() {
        let part = &text.as_bytes()[..cut];
        let read =
            History::from_reader(part, "cut").unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        let whole_lines = part.iter().filter(|byte| **byte == b'\n').count();
        let lines = usize::from(read.header.is_some()) + read.events.len() + read.nemesis.len();
        // A last line that lacks only its line end is whole.
        let tail_whole = text.as_bytes().get(cut) == Some(&b'\n');
        assert_eq!(lines, whole_lines + usize::from(tail_whole), "cut at {cut}");
        let clean = cut == 0 || tail_whole || part.ends_with(b"\n");
        assert_eq!(read.truncated, !clean, "cut at {cut}");
    }
}

#[test]
fn what_other_tools_leave_out_is_forgiven() {
    let history = read(
        r#"
        {"process":0,"type":"invoke","f":"write","value":1,"extra":{"x":[1]}}
        {"process":0,"type":"ok","f":"write"}
        {"process":0,"type":"invoke","f":"list","time":9}
        {"process":0,"type":"info","f":"list","value":"timed-out"}
        "#,
    )
    .unwrap();
    assert_eq!(history.header, None);
    let indices: Vec<u64> = history.events.iter().map(|event| event.index).collect();
    assert_eq!(indices, [0, 1, 2, 3]);
    assert_eq!(history.events[1].phase, Phase::Ok(Ret::Done));
    assert_eq!(history.events[0].op.key(), Some(&SINGLE_KEY));
    assert_eq!(history.events[3].time, 9);
    assert!(!history.truncated);
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    let invoke = r#"{"index":0,"process":3,"type":"invoke","f":"write","key":7,"value":1}"#;
    for (line, expected) in [
        (
            r#"{"process":3,"type":"o"#,
            "h.jsonl:2:22: not an event: EOF while parsing a string",
        ),
        (r#"garbage"#, "h.jsonl:2:1: not an event: expected value"),
        (
            r#"{"process":"x","type":"ok","f":"write"}"#,
            r#"h.jsonl:2:2: field "process" is "x"; expected a number or "nemesis""#,
        ),
        (
            r#"{"process":1,"type":"invoke","f":"drop"}"#,
            r#"h.jsonl:2:30: unknown operation "drop"; expected read, write, cas, append, list, delete, concat, add, remove, enqueue, dequeue, push, pop, acquire, release, generate, transfer, read-all or txn"#,
        ),
        (
            r#"{"process":1,"type":"invoke","f":"cas","key":1,"value":[1]}"#,
            r#"h.jsonl:2:48: field "value" is [1]; expected [from, to]"#,
        ),
        (
            r#"{"process":1,"type":"invoke","f":"append","key":1,"value":1.5}"#,
            r#"h.jsonl:2:51: field "value" is 1.5; expected a whole number"#,
        ),
        (
            r#"{"process":1,"type":"done","f":"read"}"#,
            r#"h.jsonl:2:14: unknown type "done"; expected invoke, ok, fail or info"#,
        ),
        (
            r#"{"process":1,"f":"read"}"#,
            r#"h.jsonl:2:1: field "type" is missing"#,
        ),
        (
            r#"{"process":1,"type":"ok","f":"write","key":7}"#,
            "h.jsonl:2:2: process 1 completes write without having invoked it",
        ),
        (
            r#"{"process":3,"type":"ok","f":"write","key":8,"value":1}"#,
            "h.jsonl:2:38: process 3 invoked write on key 7 but completes write on key 8",
        ),
        (
            r#"{"process":3,"type":"ok","f":"write","key":7,"value":2}"#,
            "h.jsonl:2:46: process 3 completes its write with another value than it invoked",
        ),
        (
            r#"{"process":3,"type":"invoke","f":"read","key":7}"#,
            "h.jsonl:2:2: process 3 invokes read while its write (index 0) is still open; after an unknown outcome a client goes on as a new process",
        ),
        (
            r#"{"index":0,"process":4,"type":"invoke","f":"read","key":7}"#,
            "h.jsonl:2:2: index 0 after index 0: lines are doubled or out of order",
        ),
        (
            r#"{"version":1}"#,
            "h.jsonl:2:2: a second header in the middle of the file",
        ),
    ] {
        assert_eq!(read(&format!("{invoke}\n{line}\n")).unwrap_err(), expected);
    }
    assert_eq!(
        read("{\"version\":2,\"workload\":\"x\"}\n").unwrap_err(),
        "h.jsonl:1:2: format version 2; this program reads up to version 1"
    );
}

#[test]
fn a_process_whose_operation_ended_unknown_never_invokes_again() {
    let text = r#"{"process":0,"type":"invoke","f":"read"}
{"process":0,"type":"info","f":"read","error":"timeout"}
{"process":0,"type":"invoke","f":"read"}
"#;
    assert!(
        read(text)
            .unwrap_err()
            .starts_with("h.jsonl:3:2: process 0 invokes read while")
    );
}

#[test]
fn a_failed_write_loses_and_doubles_nothing() {
    /// Takes ten bytes, then fails once.
    struct Full {
        taken: Vec<u8>,
        room: usize,
    }
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.room == 0 {
                self.room = usize::MAX;
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            let n = bytes.len().min(self.room);
            self.room -= n;
            self.taken.extend_from_slice(&bytes[..n]);
            Ok(n)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let history = every_kind();
    let header = history.header.as_ref().unwrap();
    let header_bytes = serde_json::to_vec(header).unwrap().len() + 1;
    let disk = Full {
        taken: Vec::new(),
        room: header_bytes + 10,
    };
    let mut writer = Writer::new(disk, header).unwrap();
    for event in &history.events {
        writer.append(event).unwrap();
    }
    assert!(writer.flush().is_err());
    let disk = writer.into_inner().unwrap();
    let read = History::from_reader(disk.taken.as_slice(), "full").unwrap();
    assert_eq!(read.events, history.events);
}

/// One of each operation with a result it can have.
fn each() -> Vec<(Op, Ret)> {
    let key = || Key::from("k");
    let one = Value::Int(1);
    let nobody = Value::Nil;
    vec![
        (Op::Delete { key: key() }, Ret::Done),
        (
            Op::Concat {
                key: key(),
                suffix: "x \"0\" 1".into(),
            },
            Ret::Done,
        ),
        (
            Op::Add {
                key: key(),
                value: -3,
            },
            Ret::Done,
        ),
        (
            Op::Remove {
                key: key(),
                value: 7,
            },
            Ret::Done,
        ),
        (
            Op::Enqueue {
                key: key(),
                value: one.clone(),
            },
            Ret::Done,
        ),
        (Op::Dequeue { key: key() }, Ret::Value(one.clone())),
        (Op::Dequeue { key: key() }, Ret::Value(Value::Nil)),
        (
            Op::Push {
                key: key(),
                value: "top".into(),
            },
            Ret::Done,
        ),
        (Op::Pop { key: key() }, Ret::Value("top".into())),
        (
            Op::Acquire {
                key: key(),
                owner: one.clone(),
            },
            Ret::Value(Value::Int(33)),
        ),
        (
            Op::Acquire {
                key: key(),
                owner: nobody,
            },
            Ret::Done,
        ),
        (
            Op::Release {
                key: key(),
                owner: one.clone(),
            },
            Ret::Done,
        ),
        (Op::Generate { key: key() }, Ret::Value("id-1".into())),
        (
            Op::Transfer {
                from: 1.into(),
                to: key(),
                amount: 5,
            },
            Ret::Done,
        ),
        (
            Op::ReadAll {
                keys: [Key::Int(1), key()].into(),
            },
            Ret::Map([(Key::Int(1), one.clone()), (key(), Value::Nil)].into()),
        ),
        (
            Op::Txn {
                ops: [
                    Mop::Read { key: 1.into() },
                    Mop::Append {
                        key: 1.into(),
                        value: 9,
                    },
                    Mop::Read { key: key() },
                    Mop::Write {
                        key: key(),
                        value: one,
                    },
                ]
                .into(),
            },
            Ret::Txn(
                [
                    Seen::List([4, 5].into()),
                    Seen::Done,
                    Seen::Value(Value::Nil),
                    Seen::Done,
                ]
                .into(),
            ),
        ),
    ]
}

#[test]
fn every_operation_comes_back_as_it_was_written() {
    for (op, ret) in each() {
        assert!(op.returns(&ret), "{op:?} {ret:?}");
        let header = Header {
            version: VERSION,
            workload: "each".into(),
            model: "each".into(),
        };
        let mut history = History {
            header: Some(header.clone()),
            ..History::default()
        };
        let phases = [
            Phase::Invoke,
            Phase::Ok(ret.clone()),
            Phase::Invoke,
            Phase::Fail(Reason::new("refused")),
            Phase::Invoke,
            Phase::Info(Reason::new("timeout: 5 s")),
        ];
        for (index, phase) in phases.into_iter().enumerate() {
            history.events.push(Event {
                index: index as u64,
                time: 10 * index as u64,
                process: ProcessId(2),
                phase,
                op: op.clone(),
            });
        }
        let mut writer = Writer::new(Vec::new(), &header).unwrap();
        for event in &history.events {
            writer.append(event).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let read = History::from_reader(&bytes[..], "each").unwrap();
        assert_eq!(read, history, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(read.operations().unwrap()[0].ret(), Some(&ret));
    }
}

fn compressed(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut frames = compressed::Frames::new(Vec::new());
    for line in text.split_inclusive('\n') {
        frames.write_all(line.as_bytes()).unwrap();
    }
    frames.into_inner().unwrap()
}

#[test]
fn a_compressed_history_is_read_like_any_other() {
    let history = every_kind();
    let file = compressed(&write(&history));
    assert_eq!(
        History::from_reader(&file[..], "h.jsonl.zst").unwrap(),
        history
    );
}

#[test]
fn a_compressed_history_that_was_cut_keeps_its_whole_frames() {
    let line = |index: usize| {
        format!(
            "{{\"index\":{index},\"process\":{index},\"type\":\"invoke\",\"f\":\"write\",\"key\":\"some key {index}\",\"value\":{index}}}\n"
        )
    };
    let text: String = (0..40_000).map(line).collect();
    let file = compressed(&text);
    let whole = History::from_reader(&file[..], "whole").unwrap();
    assert_eq!((whole.events.len(), whole.truncated), (40_000, false));
    let cut = History::from_reader(&file[..file.len() - 10], "cut").unwrap();
    assert!(cut.truncated);
    assert!(cut.events.len() >= 20_000 && cut.events.len() < 40_000);
    assert_eq!(cut.events[..], whole.events[..cut.events.len()]);
    let damaged: Vec<u8> = file
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ u8::from(at == 5_000))
        .collect();
    assert!(History::from_reader(&damaged[..], "damaged").is_err());
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    use std::io::{BufReader, Read};
    let endless = BufReader::new(std::io::repeat(b' ').take(2 * LINE_BYTES_MAX as u64));
    let error = History::from_reader(endless, "endless").unwrap_err();
    assert_eq!(
        error.to_string(),
        "endless:1:1: a line of more than 64 MiB is no event"
    );
}

#[test]
fn the_shortcut_understands_what_the_writer_writes() {
    let text = write(&every_kind())
        .replace("\\\"", "'")
        .replace("\\n", " ")
        .replace(&i64::MIN.to_string(), "-9");
    let strange: Vec<&str> = text
        .lines()
        .filter(|line| quick::Line::of(line.as_bytes()).is_none())
        .collect();
    assert_eq!(strange.len(), 2, "{strange:#?}");
    assert!(strange[0].contains("version") && strange[1].contains("nemesis"));
}
