//! What generated clients work on: a right object, and how it can be caught being wrong.

use super::script::Script;
use super::{History, Kind, Planted};
use super::{bank, collections, counter, locks, registers, transactions};
use crate::{Key, Op, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

/// What an operation comes to.
pub enum Applied {
    Ok(Ret),
    /// It certainly does nothing.
    Fail(&'static str),
    /// It can't take effect yet.
    Wait,
}

/// How a client saw its operation end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Ok,
    Fail,
    Crashed,
}

/// All objects of a history. A worker is the seat of a client: its process is replaced when it crashes.
pub trait World {
    /// What a worker asks for next.
    fn next(&mut self, worker: u32, rng: &mut Pcg64, values: &mut Values) -> Op;

    fn apply(&mut self, op: &Op) -> Applied;

    /// Told of every end, so that a scene knows what could excuse it.
    fn ended(&mut self, _worker: u32, _op: &Op, _fate: Fate) {}

    /// Whether a crashed operation may take effect after its client has gone.
    fn may_linger(&self, _op: &Op) -> bool {
        true
    }

    /// Writes the scene that shows the violation; false: not now.
    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool;

    /// What is asked last.
    fn finale(&self) -> Vec<Op> {
        Vec::new()
    }
}

pub fn of(history: &History) -> Box<dyn World> {
    let keys = history.keys;
    match history.model {
        Kind::Register => Box::new(registers::Registers::new(keys, registers::Use::ReadWrite)),
        Kind::CasRegister => Box::new(registers::Registers::new(keys, registers::Use::Cas)),
        Kind::KeyValue => Box::new(registers::Registers::new(keys, registers::Use::Texts)),
        Kind::MultiRegister => Box::new(transactions::MultiRegister::new(keys)),
        Kind::Mutex => Box::new(locks::Locks::new(keys, 1, false, history.processes)),
        Kind::FencedLock => Box::new(locks::Locks::new(keys, 1, true, history.processes)),
        Kind::Semaphore(permits) => {
            Box::new(locks::Locks::new(keys, permits, false, history.processes))
        }
        Kind::Counter => Box::new(counter::Counters::new(keys)),
        Kind::Set => Box::new(collections::Sets::new(keys)),
        Kind::FifoQueue => Box::new(collections::Lines::new(keys, collections::End::Head)),
        Kind::Stack => Box::new(collections::Lines::new(keys, collections::End::Top)),
        Kind::Log => Box::new(collections::Logs::new(keys, false)),
        Kind::Ledger => Box::new(collections::Logs::new(keys, true)),
        Kind::ListAppend => Box::new(transactions::Transactions::new(keys, true)),
        Kind::RwRegister => Box::new(transactions::Transactions::new(keys, false)),
        Kind::Bank => Box::new(bank::Bank::new(keys)),
        Kind::UniqueIds => Box::new(counter::Ids::new(keys)),
    }
}

/// Where written values come from.
pub struct Values {
    /// 0: every value is new.
    distinct: i64,
    fresh: i64,
}

impl Values {
    pub fn new(distinct: usize) -> Self {
        let distinct = i64::try_from(distinct).unwrap_or(0);
        Self {
            distinct,
            fresh: distinct,
        }
    }

    pub fn draw(&mut self, rng: &mut Pcg64) -> i64 {
        match self.distinct {
            0 => self.fresh(),
            distinct => rng.random_range(0..distinct),
        }
    }

    /// One that nobody has used.
    pub fn fresh(&mut self) -> i64 {
        self.fresh += 1;
        self.fresh
    }

    pub fn are_unique(&self) -> bool {
        self.distinct == 0
    }

    pub fn distinct(&self) -> i64 {
        self.distinct
    }
}

pub fn key(at: usize) -> Key {
    Key::Int(at as i64)
}

/// The object that an operation concerns, for keys that [`key`] made.
pub fn position(op: &Op) -> usize {
    match op.key() {
        Some(Key::Int(at)) => *at as usize,
        _ => unreachable!("generated operations of this kind have a number for a key"),
    }
}

pub fn int(value: &Value) -> i64 {
    match value {
        Value::Int(n) => *n,
        _ => unreachable!("generated values of this kind are numbers"),
    }
}
