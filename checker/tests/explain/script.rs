//! Small histories written down quickly.

use checker::{Event, History, Mop, Op, Phase, ProcessId, Reason, Ret, Seen};

pub const MS: u64 = 1_000_000;

/// Collects events; each is a millisecond after the one before.
#[derive(Default)]
pub struct Script {
    pub history: History,
}

impl Script {
    pub fn event(&mut self, process: u64, phase: Phase, op: Op) -> u64 {
        let index = self.history.events.len() as u64;
        self.history.events.push(Event {
            index,
            time: index * MS,
            process: ProcessId(process),
            phase,
            op,
        });
        index
    }

    /// From beginning to end without another between; the index of the invocation.
    pub fn whole(&mut self, process: u64, op: Op, phase: Phase) -> u64 {
        let index = self.event(process, Phase::Invoke, op.clone());
        self.event(process, phase, op);
        index
    }

    /// A transaction of that many steps, by what they saw.
    pub fn txn(&mut self, process: u64, steps: &[(Mop, Seen)]) -> u64 {
        let (op, seen) = txn(steps);
        self.whole(process, op, Phase::Ok(Ret::Txn(seen)))
    }

    pub fn failed_txn(&mut self, process: u64, steps: &[(Mop, Seen)]) -> u64 {
        let (op, _) = txn(steps);
        self.whole(process, op, Phase::Fail(Reason::new("aborted")))
    }
}

fn txn(steps: &[(Mop, Seen)]) -> (Op, std::sync::Arc<[Seen]>) {
    let ops = steps.iter().map(|(op, _)| op.clone()).collect();
    let seen = steps.iter().map(|(_, seen)| seen.clone()).collect();
    (Op::Txn { ops }, seen)
}

pub fn read(key: &str, items: &[i64]) -> (Mop, Seen) {
    (Mop::Read { key: key.into() }, Seen::List(items.into()))
}

pub fn append(key: &str, value: i64) -> (Mop, Seen) {
    let key = key.into();
    (Mop::Append { key, value }, Seen::Done)
}

pub fn get(key: &str, value: Option<i64>) -> (Mop, Seen) {
    let value = value.map_or(checker::Value::Nil, checker::Value::Int);
    (Mop::Read { key: key.into() }, Seen::Value(value))
}

pub fn put(key: &str, value: i64) -> (Mop, Seen) {
    let (key, value) = (key.into(), value.into());
    (Mop::Write { key, value }, Seen::Done)
}
