//! The transactions of a history with dense ids: what the inference and the graph work with.
//!
//! Nothing is copied that the history holds already: keys, values and the lists that reads saw are
//! borrowed.

use super::Kind;
use super::meter::{Exhausted, Meter};
use crate::history::{Operation, StructureError};
use crate::{History, Key, Mop, Op, Ret, Seen, Value};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A transaction's place in the order of invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TxnId(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyId(pub u32);

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Aborted,
    /// Nobody knows, and nobody saw anything of it.
    Unknown,
    /// Its outcome was unknown, but a committed transaction read what it wrote: so it happened.
    Observed,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action<'a> {
    Append(i64),
    ReadList(&'a [i64]),
    Write(&'a Value),
    Read(&'a Value),
    /// A read of which nothing is known.
    Unseen,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub key: KeyId,
    pub action: Action<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Txn<'a> {
    pub operation: Operation<'a>,
    pub fate: Fate,
    first_step: u32,
    end_step: u32,
}

/// The transactions of one kind in a history.
#[derive(Debug)]
pub(super) struct Transactions<'a> {
    pub all: Vec<Txn<'a>>,
    steps: Vec<Step<'a>>,
    pub keys: Vec<&'a Key>,
    /// Keys that operations outside of the kind's vocabulary change as well: nothing is inferred of them.
    pub foreign: Vec<bool>,
}

/// Why a history has no transactions to judge.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("not a history: {0}")]
    Structure(#[from] StructureError),
    #[error(
        "the transaction at index {index} both appends to lists and uses registers: it can be judged as neither"
    )]
    Mixed { index: u64 },
    #[error("the history has more than {} operations or steps", u32::MAX)]
    TooLong,
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

impl TxnId {
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl KeyId {
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl Fate {
    /// Whether it certainly happened.
    pub fn happened(self) -> bool {
        matches!(self, Fate::Committed | Fate::Observed)
    }
}

impl<'a> Transactions<'a> {
    /// The transactions of `history` that are of this `kind`.
    pub fn of(history: &'a History, kind: Kind, meter: &mut Meter) -> Result<Self, Unfit> {
        meter.stage("pairing invocations with completions")?;
        meter.room::<Operation<'_>>(history.events.len() / 2 + 1)?;
        let operations = history.operations()?;
        meter.stage("giving numbers to transactions and keys")?;
        meter.room::<Txn<'_>>(operations.len())?;
        let mut reader = Reader {
            keys: HashMap::default(),
            transactions: Transactions {
                all: Vec::with_capacity(operations.len()),
                steps: Vec::with_capacity(operations.len()),
                keys: Vec::new(),
                foreign: Vec::new(),
            },
        };
        for operation in operations {
            reader.read(operation, kind)?;
            meter.work(1)?;
        }
        let transactions = reader.transactions;
        if transactions.steps.len() >= u32::MAX as usize {
            return Err(Unfit::TooLong);
        }
        meter.give_back::<Operation<'_>>(history.events.len() / 2 + 1);
        meter.room::<Step<'_>>(transactions.steps.len())?;
        meter.room::<(Key, u64)>(transactions.keys.len())?;
        Ok(transactions)
    }

    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TxnId> + use<> {
        (0..self.all.len() as u32).map(TxnId)
    }

    pub fn get(&self, id: TxnId) -> &Txn<'a> {
        &self.all[id.at()]
    }

    pub fn steps(&self, id: TxnId) -> &[Step<'a>] {
        let txn = &self.all[id.at()];
        &self.steps[txn.first_step as usize..txn.end_step as usize]
    }

    pub fn steps_total(&self) -> usize {
        self.steps.len()
    }

    pub fn happened(&self, id: TxnId) -> bool {
        self.all[id.at()].fate.happened()
    }

    /// Says that a committed transaction read what `id` wrote.
    pub fn observe(&mut self, id: TxnId) {
        let fate = &mut self.all[id.at()].fate;
        if *fate == Fate::Unknown {
            *fate = Fate::Observed;
        }
    }
}

struct Reader<'a> {
    keys: HashMap<&'a Key, KeyId, BuildHasherDefault<Mixer>>,
    transactions: Transactions<'a>,
}

impl<'a> Reader<'a> {
    fn key(&mut self, key: &'a Key) -> KeyId {
        let next = KeyId(self.transactions.keys.len() as u32);
        let id = *self.keys.entry(key).or_insert(next);
        if id == next {
            self.transactions.keys.push(key);
            self.transactions.foreign.push(false);
        }
        id
    }

    fn step(&mut self, key: &'a Key, action: Action<'a>) {
        let key = self.key(key);
        self.transactions.steps.push(Step { key, action });
    }

    fn read(&mut self, operation: Operation<'a>, kind: Kind) -> Result<(), Unfit> {
        let first_step = self.transactions.steps.len();
        let lists = matches!(kind, Kind::ListAppend);
        match operation.op() {
            Op::Txn { ops } => {
                let seen = match operation.ret() {
                    Some(Ret::Txn(seen)) => Some(&**seen),
                    _ => None,
                };
                let uses_lists = ops.iter().any(|op| matches!(op, Mop::Append { .. }))
                    || seen
                        .is_some_and(|seen| seen.iter().any(|seen| matches!(seen, Seen::List(_))));
                let uses_registers = ops.iter().any(|op| matches!(op, Mop::Write { .. }))
                    || seen.is_some_and(|seen| {
                        let holds = |seen: &Seen| match seen {
                            Seen::Value(value) => *value != Value::Nil,
                            _ => false,
                        };
                        seen.iter().any(holds)
                    });
                if uses_lists && uses_registers {
                    let index = operation.invocation.index;
                    return Err(Unfit::Mixed { index });
                }
                if if lists { uses_registers } else { uses_lists } {
                    return Ok(());
                }
                for (at, op) in ops.iter().enumerate() {
                    let action = match (op, seen.map(|seen| &seen[at])) {
                        (Mop::Append { value, .. }, _) => Action::Append(*value),
                        (Mop::Write { value, .. }, _) => Action::Write(value),
                        (Mop::Read { .. }, Some(Seen::List(list))) => Action::ReadList(list),
                        (Mop::Read { .. }, Some(Seen::Value(_))) if lists => Action::ReadList(&[]),
                        (Mop::Read { .. }, Some(Seen::Value(value))) => Action::Read(value),
                        (Mop::Read { .. }, _) => Action::Unseen,
                    };
                    self.step(op.key(), action);
                }
            }
            Op::Append { key, value } if lists => self.step(key, Action::Append(*value)),
            Op::List { key } if lists => {
                let action = match operation.ret() {
                    Some(Ret::List(list)) => Action::ReadList(list),
                    _ => Action::Unseen,
                };
                self.step(key, action);
            }
            Op::Write { key, value } if !lists => self.step(key, Action::Write(value)),
            Op::Read { key } if !lists => {
                let action = match operation.ret() {
                    Some(Ret::Value(value)) => Action::Read(value),
                    _ => Action::Unseen,
                };
                self.step(key, action);
            }
            Op::ReadAll { keys } if !lists => {
                let seen = match operation.ret() {
                    Some(Ret::Map(entries)) => Some(entries),
                    _ => None,
                };
                for (at, key) in keys.iter().enumerate() {
                    let action = seen.map_or(Action::Unseen, |seen| Action::Read(&seen[at].1));
                    self.step(key, action);
                }
            }
            Op::Cas { key, .. } | Op::Delete { key } | Op::Concat { key, .. } if !lists => {
                let key = self.key(key);
                self.transactions.foreign[key.at()] = true;
                return Ok(());
            }
            _ => return Ok(()),
        }
        let fate = if operation.is_ok() {
            Fate::Committed
        } else if operation.is_unknown() {
            Fate::Unknown
        } else {
            Fate::Aborted
        };
        self.transactions.all.push(Txn {
            operation,
            fate,
            first_step: first_step as u32,
            end_step: self.transactions.steps.len() as u32,
        });
        Ok(())
    }
}

/// A quick hash for keys that nobody chooses with ill intent: multiply and fold.
#[derive(Clone, Copy, Default)]
pub(super) struct Mixer(u64);

pub(super) type Mixed = BuildHasherDefault<Mixer>;

impl Mixer {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(0xd6e8_feb8_6659_fd93_u64);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    fn write_i64(&mut self, n: i64) {
        self.mix(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.mix(n as u64);
    }
}
