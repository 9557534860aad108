//! Executes random transactions, correctly or with the faults of weaker stores.

use checker::transactions::Kind;
use checker::{Event, History, Key, Mop, Op, Phase, ProcessId, Reason, Ret, Seen, Value};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::collections::{BTreeMap, BTreeSet};

/// How the store executes a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// At one moment between invocation and completion.
    Serial,
    /// Reads from a snapshot taken at the invocation; writes at the commit, if nobody else has written
    /// the same objects since.
    Snapshot,
    /// Like `Snapshot`, but without looking for conflicts, with snapshots that are old at times, with
    /// reads beside the snapshot, and with failed transactions that take effect.
    Sloppy,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub kind: Kind,
    pub store: Store,
    pub transactions: usize,
    pub processes: usize,
    pub keys: i64,
    pub steps_max: usize,
}

/// All values that an object had, oldest first: of a list each is one longer.
type Versions = BTreeMap<Key, Vec<i64>>;

struct Open {
    op: Op,
    mops: Vec<Mop>,
    snapshot: Versions,
    /// Absent while it is not yet executed.
    result: Option<Phase>,
}

pub fn execute(plan: Plan, rng: &mut Pcg64Mcg) -> History {
    let mut store = Versions::new();
    let mut older = Versions::new();
    let mut events = Vec::new();
    let mut open: BTreeMap<usize, Open> = BTreeMap::new();
    let mut names: Vec<u64> = (0..plan.processes as u64).collect();
    let (mut invoked, mut value) = (0, 0);
    while invoked < plan.transactions || !open.is_empty() {
        let lane = rng.random_range(0..plan.processes);
        let mut record = |process: u64, phase: Phase, op: &Op| {
            events.push(Event {
                index: events.len() as u64,
                time: events.len() as u64 * 1_000,
                process: ProcessId(process),
                phase,
                op: op.clone(),
            });
        };
        let Some(txn) = open.get_mut(&lane) else {
            if invoked == plan.transactions {
                continue;
            }
            invoked += 1;
            let count = rng.random_range(1..=plan.steps_max);
            let mops: Vec<Mop> = (0..count)
                .map(|_| {
                    let key = Key::Int(rng.random_range(0..plan.keys));
                    if rng.random_bool(0.5) {
                        return Mop::Read { key };
                    }
                    value += 1;
                    match plan.kind {
                        Kind::ListAppend => Mop::Append { key, value },
                        Kind::RwRegister => Mop::Write {
                            key,
                            value: Value::Int(value),
                        },
                    }
                })
                .collect();
            let op = Op::Txn {
                ops: mops.clone().into(),
            };
            record(names[lane], Phase::Invoke, &op);
            let is_old = plan.store == Store::Sloppy && rng.random_bool(0.15);
            let snapshot = if is_old { older.clone() } else { store.clone() };
            if rng.random_bool(0.3) {
                older = store.clone();
            }
            open.insert(
                lane,
                Open {
                    op,
                    mops,
                    snapshot,
                    result: None,
                },
            );
            continue;
        };
        match txn.result.take() {
            Some(phase) => {
                let is_unknown = matches!(phase, Phase::Info(_));
                record(names[lane], phase, &txn.op);
                if is_unknown {
                    names[lane] = names.iter().max().unwrap() + 1;
                }
                open.remove(&lane);
            }
            None => txn.result = Some(run(plan, txn, &mut store, rng)),
        }
    }
    History {
        events,
        ..History::default()
    }
}

fn run(plan: Plan, txn: &Open, store: &mut Versions, rng: &mut Pcg64Mcg) -> Phase {
    let mut view = match plan.store {
        Store::Serial => store.clone(),
        Store::Snapshot | Store::Sloppy => txn.snapshot.clone(),
    };
    let mut seen = Vec::new();
    let mut written = BTreeSet::new();
    for mop in &txn.mops {
        let is_beside = plan.store == Store::Sloppy && rng.random_bool(0.05);
        match mop {
            Mop::Read { key } => {
                let view = if is_beside { &*store } else { &view };
                let versions = view.get(key).map_or(&[][..], Vec::as_slice);
                seen.push(match plan.kind {
                    Kind::ListAppend => Seen::List(versions.into()),
                    Kind::RwRegister => {
                        Seen::Value(versions.last().map_or(Value::Nil, |last| Value::Int(*last)))
                    }
                });
            }
            Mop::Append { key, value }
            | Mop::Write {
                key,
                value: Value::Int(value),
            } => {
                view.entry(key.clone()).or_default().push(*value);
                written.insert(key.clone());
                seen.push(Seen::Done);
            }
            Mop::Write { .. } => unreachable!("only numbers are written"),
        }
    }
    let conflicts = plan.store == Store::Snapshot
        && written
            .iter()
            .any(|key| store.get(key) != txn.snapshot.get(key));
    let is_failed = conflicts || rng.random_bool(0.05);
    let is_unknown = rng.random_bool(0.08);
    let leaks = plan.store == Store::Sloppy && rng.random_bool(0.2);
    if (!is_failed || (leaks && !conflicts)) && !(is_unknown && rng.random_bool(0.5)) {
        for mop in &txn.mops {
            if let Mop::Append { key, value }
            | Mop::Write {
                key,
                value: Value::Int(value),
            } = mop
            {
                store.entry(key.clone()).or_default().push(*value);
            }
        }
    }
    if is_unknown {
        Phase::Info(Reason::new("timeout"))
    } else if is_failed {
        Phase::Fail(Reason::new("conflict"))
    } else {
        Phase::Ok(Ret::Txn(seen.into()))
    }
}
