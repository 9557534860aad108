use super::*;
use crate::{Event, Key, Mop, Op, Phase, Ret, Seen, Value};

fn read_as(format: Format, text: &str) -> Result<History, String> {
    let options = Options {
        format: Some(format),
        ..Options::default()
    };
    match read(text.as_bytes(), "h", options) {
        Ok(reading) => {
            // Whatever is read is a history.
            reading
                .history
                .operations()
                .map_err(|error| error.to_string())?;
            Ok(reading.history)
        }
        Err(error) => Err(error.to_string()),
    }
}

fn edn(text: &str) -> History {
    read_as(Format::JepsenEdn, text).unwrap()
}

/// One line an event, short enough to be compared.
fn shown(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| {
        let phase = match &event.phase {
            Phase::Invoke => "invoke".to_owned(),
            Phase::Ok(ret) => format!("ok {ret:?}"),
            Phase::Fail(reason) => format!("fail {reason}"),
            Phase::Info(reason) => format!("info {reason}"),
        };
        let key = event.op.key().map(Key::to_string).unwrap_or_default();
        format!("{} {} {key} {phase}", event.process, event.op.name())
    };
    events.iter().map(line).collect()
}

#[test]
fn jepsen_events_are_read_one_by_one_or_from_a_vector_or_as_records() {
    let events = [
        "{:process 0, :type :invoke, :f :write, :value 3, :time 5, :index 0}",
        "{:process 0, :type :ok, :f :write, :value 3, :time 9, :index 1}",
        "{:process :nemesis, :type :info, :f :start, :value nil, :time 9, :index 2}",
        "{:process 1, :type :invoke, :f :read, :value nil, :time 10, :index 3}",
        "{:process 1, :type :ok, :f :read, :value 3, :time 12, :index 4}",
    ];
    let plain = edn(&events.join("\n"));
    assert_eq!(
        shown(&plain.events),
        [
            "0 write 0 invoke",
            "0 write 0 ok Done",
            "1 read 0 invoke",
            "1 read 0 ok Value(Int(3))"
        ]
    );
    assert_eq!((plain.events[3].index, plain.events[3].time), (4, 12));
    assert_eq!((plain.nemesis.len(), plain.nemesis[0].index), (1, 2));
    assert_eq!(edn(&format!("; made up\n[{}]", events.join(",\n "))), plain);
    let records: String = events
        .iter()
        .map(|event| format!("#jepsen.history.Op{event} #_ignored\n"))
        .collect();
    assert_eq!(edn(&records), plain);
}

#[test]
fn what_was_read_tells_the_kind_of_read() {
    let read = |value: &str| {
        let history = edn(&format!(
            "{{:process 0 :type :invoke :f :read :value nil}} {{:process 0 :type :ok :f :read :value {value}}}"
        ));
        (
            history.events[0].op.clone(),
            history.events[1].phase.clone(),
        )
    };
    let key = Key::Int(0);
    let list = Op::List { key: key.clone() };
    assert_eq!(
        read("[3 1]"),
        (list.clone(), Phase::Ok(Ret::List(vec![3, 1])))
    );
    assert_eq!(read("#{2}"), (list, Phase::Ok(Ret::List(vec![2]))));
    assert_eq!(
        read("\"a\\u0041\""),
        (
            Op::Read { key },
            Phase::Ok(Ret::Value(Value::Text("aA".into())))
        )
    );
    let (op, phase) = read("{0 100, 1 nil}");
    let keys = [Key::Int(0), Key::Int(1)].into();
    assert_eq!(op, Op::ReadAll { keys });
    let held = [(Key::Int(0), Value::Int(100)), (Key::Int(1), Value::Nil)];
    assert_eq!(phase, Phase::Ok(Ret::Map(held.into())));
}

#[test]
fn a_read_of_nil_is_left_out_unless_nil_is_wanted() {
    let text =
        "{:process 0 :type :invoke :f :read :value nil} {:process 0 :type :ok :f :read :value nil}";
    assert!(matches!(edn(text).events[1].phase, Phase::Fail(_)));
    let options = Options {
        format: Some(Format::JepsenEdn),
        nil_reads: Some(NilReads::Seen),
        ..Options::default()
    };
    let reading = read(text.as_bytes(), "h", options).unwrap();
    assert_eq!(
        reading.history.events[1].phase,
        Phase::Ok(Ret::Value(Value::Nil))
    );
}

#[test]
fn values_of_independent_keys_are_taken_apart() {
    let history = edn("
        {:process 0 :type :invoke :f :cas :value [7 [1 2]]}
        {:process 1 :type :invoke :f :read :value [\"x\" nil]}
        {:process 0 :type :fail :f :cas :value [7 [1 2]]}
        {:process 1 :type :ok :f :read :value [\"x\" 5]}");
    assert_eq!(
        shown(&history.events),
        [
            "0 cas 7 invoke",
            "1 read x invoke",
            "0 cas 7 fail unstated",
            "1 read x ok Value(Int(5))"
        ]
    );
}

#[test]
fn transactions_keep_what_each_step_saw() {
    let history = edn("
        {:process 0 :type :invoke :value [[:append 1 5] [:r 1 nil] [:w :x 2] [:r :x nil]]}
        {:process 0 :type :ok :value [[:append 1 5] [:r 1 [4 5]] [:w :x 2] [:r :x 2]]}");
    let Op::Txn { ops } = &history.events[1].op else {
        panic!("{history:?}")
    };
    assert_eq!(ops[3], Mop::Read { key: ":x".into() });
    let seen = [
        Seen::Done,
        Seen::List([4, 5].into()),
        Seen::Done,
        Seen::Value(Value::Int(2)),
    ];
    assert_eq!(history.events[1].phase, Phase::Ok(Ret::Txn(seen.into())));
}

#[test]
fn a_process_that_goes_on_after_a_crash_is_a_new_one() {
    let history = edn("
        {:process 3 :type :invoke :f :write :value 1}
        {:process 3 :type :info :f :write :value :timed-out}
        {:process 3 :type :invoke :f :write :value 2}
        {:process 3 :type :ok :f :write :value 2}");
    assert_eq!(
        shown(&history.events),
        [
            "3 write 0 invoke",
            "3 write 0 info timed-out",
            "1000000 write 0 invoke",
            "1000000 write 0 ok Done"
        ]
    );
}

#[test]
fn a_drain_is_as_many_dequeues_as_it_gave_values() {
    let history = edn("
        {:process 0 :type :invoke :f :drain :value nil}
        {:process 0 :type :ok :f :drain :value [8 9]}");
    let dequeued = ["0 dequeue 0 invoke", "0 dequeue 0 ok Value(Int(8))"];
    assert_eq!(shown(&history.events)[..2], dequeued);
    assert_eq!(history.events.len(), 4);
}

#[test]
fn what_edn_has_besides_is_passed_over_or_kept_as_text() {
    let history = edn(
        "{:process 0N :type :invoke :f :write :value 1/2 :clock #inst \"2026\" :chars [\\a \\newline \\[] :x #{} :y ##Inf #_ #_ 1 2}",
    );
    let value = Value::Text("1/2".into());
    assert_eq!(
        history.events[0].op,
        Op::Write {
            key: Key::Int(0),
            value
        }
    );
}

#[test]
fn errors_in_edn_name_their_place() {
    let invoke = "{:process 0 :type :invoke :f :write :value 1}\n";
    for (text, expected) in [
        ("]", "h:2:1: a ] that nothing opened"),
        ("{:process 0 :type [1 2)}", "h:2:23: a ); expected ]"),
        ("{:process}", "h:2:10: a map whose last name has no value"),
        (
            "{:process 7 :type :invoke :f :fly}",
            "h:2:27: unknown operation :fly",
        ),
        ("42", "h:2:1: an event is a map, not 42"),
        ("{:f :read :type :ok}", "h:2:1: an event without :process"),
        (
            "{:process 9 :type :ok :f :read}",
            "h:2:2: process 9 completes read without having invoked it",
        ),
        (
            "{:process 0 :type :invoke :f :read}",
            "h:2:2: process 0 invokes read while its write is still open",
        ),
        (
            "{:process 1, :type :invoke, :f :cas, :value [1]}",
            "h:2:38: [1]; expected [from to]",
        ),
        ("\"\\q\"", "h:2:2: a text with an unknown escape"),
        ("#", "h:2:1: a # without a tag"),
    ] {
        let error = read_as(Format::JepsenEdn, &format!("{invoke}{text}\n")).unwrap_err();
        assert_eq!(error, expected, "{text}");
    }
}

#[test]
fn nesting_without_end_is_an_error_and_no_overflow() {
    for open in ["[", "{", "#{", "#_", "#a ", "(", "[{", "#_[", "#t{"] {
        let text = format!("{{:process 0 :value {}", open.repeat(1_000_000));
        let error = read_as(Format::JepsenEdn, &text).unwrap_err();
        assert!(error.contains("nested deeper than 64"), "{open}: {error}");
    }
    assert!(read_as(Format::JepsenEdn, &"[".repeat(1_000_000)).is_err());
    let json = format!("{{\"process\":{}", "[".repeat(1_000_000));
    assert!(read_as(Format::Jsonl, &json).is_err());
}

#[test]
fn a_file_cut_anywhere_is_read_up_to_the_cut_whatever_its_format() {
    let kinds = [
        (
            Format::JepsenEdn,
            "[{:process 0 :type :invoke :f :write :value \"a b\"}\n #op{:process 0 :type :ok :f :write :value \"a b\"}]",
        ),
        (
            Format::PorcupineKv,
            "{:process 9, :type :invoke, :f :append, :key \"0\", :value \"x 9 0 y\"}\n{:process 9, :type :ok, :f :append, :key \"0\", :value \"x 9 0 y\"}\n",
        ),
        (
            Format::PorcupineLog,
            "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n",
        ),
        (Format::Plume, "w(1,2,0,0)\nr(1,2,1,1)\n"),
        (Format::Awdit, "w 1 2\n=====\nr 1 2\n-----\nw 3 4\n"),
    ];
    for (format, text) in kinds {
        let whole = read_as(format, text).unwrap();
        assert!(!whole.truncated && !whole.events.is_empty(), "{format}");
        for cut in 0..text.len() {
            let part = read_as(format, &text[..cut])
                .unwrap_or_else(|error| panic!("{format} cut at {cut}: {error}"));
            assert!(part.events.len() <= whole.events.len(), "{format} at {cut}");
        }
    }
}

#[test]
fn of_a_log_only_the_lines_of_operations_count() {
    let history = read_as(
        Format::PorcupineLog,
        "INFO  jepsen.core - Worker 0 starting
INFO  jepsen.util - 0\t:invoke\t:read\tnil
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - Relax
INFO  jepsen.util - 0\t:ok\t:read\tnil
INFO  jepsen.util - 0\t:invoke\t:cas\t[1 4]
INFO  jepsen.util - 0\t:info\t:cas\t:timed-out
INFO  jepsen.util - 5\t:invoke\t:write\t3
INFO  jepsen.util - 5\t:fail\t:write\t3\t:refused
",
    )
    .unwrap();
    assert_eq!(
        shown(&history.events),
        [
            "0 read 0 invoke",
            "0 read 0 ok Value(Nil)",
            "0 cas 0 invoke",
            "0 cas 0 info timed-out",
            "5 write 0 invoke",
            "5 write 0 fail refused"
        ]
    );
    assert_eq!(history.nemesis.len(), 1);
    for (line, expected) in [
        ("INFO  jepsen.util - 0\t:invoke\t:read\n", "h:1:"),
        (
            "INFO  jepsen.util - 0\t:ok\t:read\tnil\n",
            "h:1:21: process 0 completes read",
        ),
        (
            "INFO  jepsen.util - 0\t:invoke\tread\tnil\n",
            "h:1:31: an event without an operation",
        ),
    ] {
        let error = read_as(Format::PorcupineLog, line).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn in_logs_of_key_value_stores_the_empty_text_is_nil() {
    let history = read_as(
        Format::PorcupineKv,
        "{:process 0, :type :invoke, :f :get, :key \"5\", :value nil}
{:process 1, :type :invoke, :f :append, :key \"5\", :value \"x 1 0 y\"}
{:process 0, :type :ok, :f :get, :key \"5\", :value \"\"}
",
    )
    .unwrap();
    assert_eq!(
        shown(&history.events),
        [
            "0 read 5 invoke",
            "1 concat 5 invoke",
            "0 read 5 ok Value(Nil)"
        ]
    );
}

#[test]
fn sessions_become_processes_with_as_little_real_time_as_can_be() {
    let history = read_as(
        Format::Plume,
        "w(1,5,0,0)\nr(1,0,1,7)\nr(1,5,0,1)\nw(1,6,9,-1)\n",
    )
    .unwrap();
    assert_eq!(
        shown(&history.events),
        [
            "2 txn  invoke",
            "0 txn  invoke",
            "1 txn  invoke",
            "0 txn  ok Txn([Done])",
            "1 txn  ok Txn([Value(Nil)])",
            "0 txn  invoke",
            "0 txn  ok Txn([Value(Int(5))])",
            "2 txn  fail aborted"
        ]
    );
    let history = read_as(Format::Awdit, "w 0 0\n=====\nr 0 0\nw 0 1\n-----\nr 0 1").unwrap();
    assert_eq!(history.events.len(), 6);
    for (format, text, expected) in [
        (
            Format::Plume,
            "w(1,5,0,0)\nx(1,2,3,4)\n",
            "h:2:1: expected r(key",
        ),
        (Format::Plume, "w(1,5,0)\n", "h:1:1: expected r(key"),
        (Format::Awdit, "w 0 0\n  r 0\n", "h:2:3: expected `r key"),
    ] {
        let error = read_as(format, text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn formats_are_recognized_and_named() {
    for (file, head, format) in [
        ("h.jsonl", "", Format::Jsonl),
        ("h.jsonl.zst", "x", Format::Jsonl),
        ("-", "{\"version\":1}", Format::Jsonl),
        ("-", "{:process 0}", Format::JepsenEdn),
        ("h.edn", "", Format::JepsenEdn),
        ("-", "[{:type :invoke", Format::JepsenEdn),
        ("-", "#jepsen.history.Op{:index 0", Format::JepsenEdn),
        (
            "-",
            "{:process 9, :type :invoke, :f :append, :key \"0\", :value \"x\"}",
            Format::PorcupineKv,
        ),
        (
            "etcd.log",
            "INFO  jepsen.util - 0\t:invoke",
            Format::PorcupineLog,
        ),
        ("-", "r(1,2,3,4)", Format::Plume),
        ("-", "w 0 0\n=====", Format::Awdit),
    ] {
        assert_eq!(
            Format::recognize(file, head.as_bytes()),
            format,
            "{file} {head}"
        );
    }
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    assert_eq!("porcupine-jepsen-log".parse(), Ok(Format::PorcupineLog));
    assert!("xml".parse::<Format>().is_err());
}

#[test]
fn more_text_than_is_allowed_is_cut_off_and_that_is_said() {
    let event = |kind| format!("{{:process 0 :type :{kind} :f :write :value 5}}\n");
    let text = event("invoke") + &event("ok");
    let reading_of = |text_max| {
        let options = Options {
            text_max: Some(text_max),
            ..Options::default()
        };
        read(text.as_bytes(), "h.edn", options).unwrap()
    };
    let whole = reading_of(text.len() as u64);
    assert!(!whole.cut && !whole.history.truncated);
    assert_eq!(whole.history.events.len(), 2);
    for text_max in event("invoke").len()..text.len() - 1 {
        let part = reading_of(text_max as u64);
        assert!(part.cut && part.history.truncated, "{text_max}");
        assert_eq!(part.history.events.len(), 1, "{text_max}");
    }
}
