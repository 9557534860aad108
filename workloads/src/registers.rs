//! Registers that are used together: by transactions, by reads of several, or by clients that see one cause another.

use crate::objects::{Finale, Kind, Object, Place};
use checker::store::BLOCK;
use checker::{Key, Mop, Op, Value};
use rand::RngExt;
use std::sync::Arc;

pub(crate) const MULTI_REGISTER: Kind = Kind {
    first_key: 66 * BLOCK,
    width: 3,
    make: |place| Box::new(MultiRegister(place)),
    finale: Finale::Read(|keys| vec![transaction(keys)]),
    one_by_one: true,
};

pub(crate) const LONG_FORK: Kind = Kind {
    first_key: 75 * BLOCK,
    width: 4,
    make: |place| {
        Box::new(OnceEach {
            place,
            next: 0,
            write: |key, value| Op::Txn {
                ops: [Mop::Write { key, value }].into(),
            },
            read: transaction,
        })
    },
    finale: Finale::Read(|keys| vec![transaction(keys)]),
    one_by_one: false,
};

pub(crate) const CAUSAL: Kind = Kind {
    first_key: 76 * BLOCK,
    width: 3,
    make: |place| Box::new(Several(place)),
    finale: Finale::Read(|keys| keys.iter().map(read).collect()),
    one_by_one: false,
};

pub(crate) const CAUSAL_REVERSE: Kind = Kind {
    first_key: 77 * BLOCK,
    width: 10,
    make: |place| {
        Box::new(OnceEach {
            place,
            next: 0,
            write: |key, value| Op::Write { key, value },
            read: read_all,
        })
    },
    finale: Finale::Read(|keys| vec![read_all(keys)]),
    one_by_one: false,
};

fn read(key: &Key) -> Op {
    Op::Read { key: key.clone() }
}

fn read_all(keys: &[Key]) -> Op {
    Op::ReadAll { keys: keys.into() }
}

/// A transaction that reads them all.
fn transaction(keys: &[Key]) -> Op {
    let reads = keys.iter().map(|key| Mop::Read { key: key.clone() });
    Op::Txn {
        ops: reads.collect(),
    }
}

/// Transactions of one to three reads and writes; every value is new.
struct MultiRegister(Place);

impl Object for MultiRegister {
    fn op(&mut self, _thread: u64) -> Op {
        let place = &mut self.0;
        let length = place.rng.random_range(1..=3);
        let ops: Arc<[Mop]> = (0..length)
            .map(|_| {
                let at = place.rng.random_range(0..place.keys.len());
                let key = place.keys[at].clone();
                match place.rng.random_bool(0.5) {
                    true => Mop::Read { key },
                    false => Mop::Write {
                        key,
                        value: Value::Int(place.fresh()),
                    },
                }
            })
            .collect();
        Op::Txn { ops }
    }
}

/// Reads and writes of single registers; every value is new. The threads talk to several servers, and what one of
/// them read before it wrote is a cause of what it wrote.
struct Several(Place);

impl Object for Several {
    fn op(&mut self, _thread: u64) -> Op {
        let place = &mut self.0;
        let at = place.rng.random_range(0..place.keys.len());
        let key = place.keys[at].clone();
        match place.rng.random_ratio(2, 3) {
            true => Op::Read { key },
            false => Op::Write {
                key,
                value: Value::Int(place.fresh()),
            },
        }
    }
}

/// Each register is written once, one after the other, and meanwhile all are read at once.
struct OnceEach {
    place: Place,
    /// The register that is written next.
    next: usize,
    write: fn(Key, Value) -> Op,
    read: fn(&[Key]) -> Op,
}

impl Object for OnceEach {
    fn op(&mut self, _thread: u64) -> Op {
        let place = &mut self.place;
        let writes = self.next < place.keys.len() && place.rng.random_ratio(1, 3);
        if !writes {
            return (self.read)(&place.keys);
        }
        let key = place.keys[self.next].clone();
        self.next += 1;
        let value = Value::Int(place.fresh());
        (self.write)(key, value)
    }
}
