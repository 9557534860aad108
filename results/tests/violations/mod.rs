//! Made-up violations of every kind that pages show, to look at and to hold pictures against.

use checker::explain::{Anomaly, cycles, explain_all};
use checker::history::NemesisEvent;
use checker::{
    Budget, Checker, Event, History, Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen, Value,
    Verdict, check_all, checkers_for,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Duration;

const MS: u64 = 1_000_000;

/// A judged and explained history.
pub struct Case {
    pub name: &'static str,
    pub model: &'static str,
    pub history: History,
    pub verdicts: BTreeMap<String, Verdict>,
}

/// All kinds.
pub fn all() -> Vec<Case> {
    vec![
        stale_read(),
        lost_write(),
        split_brain_cas(),
        read_of_a_failed_write(),
        g_single(),
        g2_item(),
        lost_element(),
        unbalanced_bank(),
        unknown_outcomes(),
        long_order(),
    ]
}

pub fn stale_read() -> Case {
    let mut script = Script::default();
    script.noise(0, 40);
    script.at(1_200, 3, Phase::Invoke, write(7, 41));
    script.at(1_203, 3, done(), write(7, 41));
    script.nemesis(1_350, "partition", 1, &["n1"]);
    script.at(1_400, 4, Phase::Invoke, write(7, 42));
    script.at(1_409, 4, done(), write(7, 42));
    script.at(1_412, 6, Phase::Invoke, read(7));
    script.at(1_413, 6, value(41), read(7));
    script.nemesis(1_900, "heal-partition", 1, &["n1"]);
    script.judged("stale-read", "register")
}

pub fn lost_write() -> Case {
    let mut script = Script::default();
    script.noise(0, 40);
    script.at(900, 2, Phase::Invoke, write(3, 17));
    script.at(902, 2, done(), write(3, 17));
    script.nemesis(950, "kill", 1, &["n2"]);
    script.nemesis(2_950, "heal-kill", 1, &["n2"]);
    script.at(3_400, 5, Phase::Invoke, read(3));
    script.at(3_401, 5, Phase::Ok(Ret::Value(Value::Nil)), read(3));
    script.judged("lost-write", "register")
}

pub fn split_brain_cas() -> Case {
    let mut script = Script::default();
    script.at(100, 0, Phase::Invoke, write(1, 5));
    script.at(104, 0, done(), write(1, 5));
    script.nemesis(150, "partition", 1, &["n1", "n2"]);
    script.at(400, 1, Phase::Invoke, cas(1, 5, 6));
    script.at(402, 2, Phase::Invoke, cas(1, 5, 7));
    script.at(420, 1, done(), cas(1, 5, 6));
    script.at(431, 2, done(), cas(1, 5, 7));
    script.noise(500, 40);
    script.judged("split-brain-cas", "cas-register")
}

pub fn read_of_a_failed_write() -> Case {
    let mut script = Script::default();
    script.noise(0, 10);
    script.at(700, 1, Phase::Invoke, write(2, 8));
    script.at(703, 1, done(), write(2, 8));
    script.at(710, 2, Phase::Invoke, write(2, 9));
    let refused = Phase::Fail(Reason::new("not-leader"));
    script.at(716, 2, refused, write(2, 9));
    script.at(720, 3, Phase::Invoke, read(2));
    script.at(722, 3, value(9), read(2));
    script.judged("read-of-a-failed-write", "register")
}

/// An acknowledged write between two of unknown outcome, and reads that no order of them explains.
pub fn unknown_outcomes() -> Case {
    let mut script = Script::default();
    let unknown = || Phase::Info(Reason::new("timeout"));
    script.nemesis(5, "pause", 1, &["n3"]);
    script.at(10, 1, Phase::Invoke, write(4, 1));
    script.at(12, 2, Phase::Invoke, write(4, 2));
    script.at(30, 1, unknown(), write(4, 1));
    script.at(31, 2, unknown(), write(4, 2));
    script.at(40, 3, Phase::Invoke, read(4));
    script.at(41, 3, value(1), read(4));
    script.at(50, 4, Phase::Invoke, read(4));
    script.at(51, 4, value(2), read(4));
    script.at(60, 5, Phase::Invoke, read(4));
    script.at(61, 5, value(1), read(4));
    script.judged("unknown-outcomes", "register")
}

/// Two cas succeed from one value; each needs all that came before.
pub fn long_order() -> Case {
    let mut script = Script::default();
    let mut ms = 10;
    let mut step = |script: &mut Script, process: u64, op: Op| {
        script.at(ms, process, Phase::Invoke, op.clone());
        script.at(ms + 3, process, done(), op);
        ms += 5;
    };
    step(&mut script, 1, write(6, 0));
    for from in 0..30 {
        step(&mut script, 1 + from as u64 % 4, cas(6, from, from + 1));
    }
    step(&mut script, 7, cas(6, 29, 30));
    script.judged("long-order", "cas-register")
}

pub fn g_single() -> Case {
    let mut script = Script::default();
    let writer = script.txn(100, 1, &[append("x", 1), append("y", 2)]);
    let reader = script.txn(110, 2, &[list("x", &[]), list("y", &[2])]);
    script.txn(120, 3, &[list("x", &[1]), list("y", &[2])]);
    let anomaly = json!({
        "name": "G-single",
        "why": "",
        "steps": [
            {"index": reader, "text": format!("T{reader}: r(x, []) r(y, [2])"), "edge": "rw",
             "why": format!("T{reader} read x as [], without 1, which T{writer} appended")},
            {"index": writer, "text": format!("T{writer}: append(x, 1) append(y, 2)"), "edge": "wr",
             "why": format!("T{reader} read y as [2], and T{writer} appended 2")},
        ],
    });
    script.transactions("g-single", anomaly)
}

pub fn g2_item() -> Case {
    let mut script = Script::default();
    let one = script.txn(100, 1, &[list("x", &[]), append("y", 1)]);
    let other = script.txn(101, 2, &[list("y", &[]), append("z", 1)]);
    let third = script.txn(102, 4, &[list("z", &[]), append("x", 1)]);
    script.txn(120, 3, &[list("x", &[1]), list("y", &[1]), list("z", &[1])]);
    let step = |from: u64, to: u64, text: &str, missed: &str| {
        json!({"index": from, "text": format!("T{from}: {text}"), "edge": "rw",
            "why": format!("T{from} read {missed} as [], without 1, which T{to} appended")})
    };
    let anomaly = json!({
        "name": "G2-item",
        "why": "",
        "steps": [
            step(one, third, "r(x, []) append(y, 1)", "x"),
            step(third, other, "r(z, []) append(x, 1)", "z"),
            step(other, one, "r(y, []) append(z, 1)", "y"),
        ],
    });
    script.transactions("g2-item", anomaly)
}

pub fn lost_element() -> Case {
    let mut script = Script::default();
    let key = || Key::from("s");
    let add = |value| Op::Add { key: key(), value };
    let all = || Op::List { key: key() };
    let mut present = Vec::new();
    for n in 0..12 {
        script.at(10 * n, 1, Phase::Invoke, add(n as i64));
        script.at(10 * n + 4, 1, done(), add(n as i64));
        present.push(n as i64);
    }
    script.nemesis(66, "kill", 1, &["n1", "n2", "n3"]);
    script.nemesis(90, "heal-kill", 1, &["n1", "n2", "n3"]);
    present.retain(|n| *n != 6);
    script.at(300, 2, Phase::Invoke, all());
    script.at(305, 2, Phase::Ok(Ret::List(present)), all());
    script.judged_by("lost-element", "set-full", vec![Box::new(Lost)])
}

pub fn unbalanced_bank() -> Case {
    let mut script = Script::default();
    let transfer = |from: i64, to: i64, amount| Op::Transfer {
        from: Key::Int(from),
        to: Key::Int(to),
        amount,
    };
    let all = || Op::ReadAll {
        keys: (0..3).map(Key::Int).collect(),
    };
    let balances = |values: [i64; 3]| {
        let entries = (0..3).map(Key::Int).zip(values.map(Value::Int));
        Phase::Ok(Ret::Map(entries.collect()))
    };
    script.at(10, 1, Phase::Invoke, all());
    script.at(12, 1, balances([50, 30, 20]), all());
    script.at(20, 2, Phase::Invoke, transfer(0, 1, 5));
    script.at(22, 1, Phase::Invoke, all());
    script.at(24, 1, balances([45, 30, 20]), all());
    script.at(29, 2, done(), transfer(0, 1, 5));
    script.at(40, 3, Phase::Invoke, all());
    script.at(41, 3, balances([45, 35, 20]), all());
    script.judged_by("unbalanced-bank", "bank", vec![Box::new(Total)])
}

/// Events in the order in which they are written down.
#[derive(Default)]
struct Script(History);

impl Script {
    fn index(&self) -> u64 {
        (self.0.events.len() + self.0.nemesis.len()) as u64
    }

    fn at(&mut self, ms: u64, process: u64, phase: Phase, op: Op) -> u64 {
        let index = self.index();
        self.0.events.push(Event {
            index,
            time: ms * MS + index * 1_300,
            process: ProcessId(process),
            phase,
            op,
        });
        index
    }

    fn nemesis(&mut self, ms: u64, f: &str, fault: u32, targets: &[&str]) {
        let index = self.index();
        self.0.nemesis.push(NemesisEvent {
            index,
            time: ms * MS,
            f: f.to_owned(),
            value: json!({"fault": fault, "targets": targets}),
        });
    }

    /// Operations on another key that are as they should be.
    fn noise(&mut self, from_ms: u64, count: i64) {
        for n in 0..count {
            let ms = from_ms + 2 * n as u64;
            self.at(ms, 9, Phase::Invoke, write(99, n));
            self.at(ms + 1, 9, done(), write(99, n));
        }
    }

    fn txn(&mut self, ms: u64, process: u64, steps: &[(Mop, Seen)]) -> u64 {
        let ops = steps.iter().map(|(op, _)| op.clone()).collect();
        let seen = steps.iter().map(|(_, seen)| seen.clone()).collect();
        let op = Op::Txn { ops };
        let index = self.at(ms, process, Phase::Invoke, op.clone());
        self.at(ms + 6, process, Phase::Ok(Ret::Txn(seen)), op);
        index
    }

    fn judged(self, name: &'static str, model: &'static str) -> Case {
        let checkers = checkers_for(model).expect("a known model");
        self.judged_by(name, model, checkers)
    }

    fn transactions(self, name: &'static str, anomaly: Json) -> Case {
        let checker = Cycle(anomaly);
        self.judged_by(name, "list-append", vec![Box::new(checker)])
    }

    fn judged_by(
        self,
        name: &'static str,
        model: &'static str,
        checkers: Vec<Box<dyn Checker>>,
    ) -> Case {
        let mut history = self.0;
        history.events.sort_by_key(|event| event.index);
        let mut verdicts = check_all(&history, &checkers, Budget::default());
        explain_all(&history, &checkers, &mut verdicts, Duration::from_secs(20));
        Case {
            name,
            model,
            history,
            verdicts,
        }
    }
}

/// An element that was added is not in a later read.
struct Lost;

impl Checker for Lost {
    fn name(&self) -> &'static str {
        "set-full"
    }

    fn check(&self, history: &History, _: Budget) -> Verdict {
        let operations = history.operations().expect("a history");
        for add in operations.iter().filter(|one| one.is_ok()) {
            let Op::Add { value, .. } = add.op() else {
                continue;
            };
            let missing = operations.iter().find(|read| {
                matches!(read.ret(), Some(Ret::List(items)) if !items.contains(value))
                    && Some(read.invoked_at) > add.completed_at
            });
            if let Some(read) = missing {
                let (added, read) = (add.invocation, read.invocation);
                return Verdict::invalid(format!(
                    "element {value} of set s is lost: the add of process {} (index {}) was acknowledged, \
                     then process {} (index {}) read the set without it and nobody saw it after that",
                    added.process, added.index, read.process, read.index
                ))
                .with("operations", json!([added.index, read.index]));
            }
        }
        Verdict::valid()
    }
}

/// All accounts together hold 100.
struct Total;

impl Checker for Total {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn check(&self, history: &History, _: Budget) -> Verdict {
        for operation in &history.operations().expect("a history") {
            let Some(Ret::Map(entries)) = operation.ret() else {
                continue;
            };
            let total: i64 = entries
                .iter()
                .filter_map(|(_, value)| match value {
                    Value::Int(n) => Some(*n),
                    _ => None,
                })
                .sum();
            if total != 100 {
                let event = operation.invocation;
                return Verdict::invalid(format!(
                    "process {} (index {}) read accounts that hold {total} together instead of 100",
                    event.process, event.index
                ))
                .with("operations", json!([event.index]));
            }
        }
        Verdict::valid()
    }
}

/// One anomaly, as long as the history shows it.
struct Cycle(Json);

impl Checker for Cycle {
    fn name(&self) -> &'static str {
        "list-append"
    }

    fn check(&self, history: &History, _: Budget) -> Verdict {
        let anomaly: Anomaly = serde_json::from_value(self.0.clone()).expect("an anomaly");
        match cycles::verify(history, &anomaly) {
            Ok(_) => {
                let whys: Vec<&str> = anomaly.steps.iter().map(|step| step.why.as_str()).collect();
                Verdict::invalid(format!("{}: {}", anomaly.name, whys.join("; ")))
                    .with("anomalies", json!([self.0]))
            }
            Err(_) => Verdict::valid(),
        }
    }
}

fn done() -> Phase {
    Phase::Ok(Ret::Done)
}

fn value(value: i64) -> Phase {
    Phase::Ok(Ret::Value(value.into()))
}

fn write(key: i64, value: i64) -> Op {
    Op::Write {
        key: key.into(),
        value: value.into(),
    }
}

fn read(key: i64) -> Op {
    Op::Read { key: key.into() }
}

fn cas(key: i64, from: i64, to: i64) -> Op {
    Op::Cas {
        key: key.into(),
        from: from.into(),
        to: to.into(),
    }
}

fn append(key: &str, value: i64) -> (Mop, Seen) {
    let key = key.into();
    (Mop::Append { key, value }, Seen::Done)
}

fn list(key: &str, items: &[i64]) -> (Mop, Seen) {
    (Mop::Read { key: key.into() }, Seen::List(items.into()))
}
