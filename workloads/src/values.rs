//! Texts that can be deleted and lengthened, counters, sets, logs and ids.

use crate::objects::{Finale, Kind, Object, Place};
use checker::store::{BLOCK, COUNTERS, LISTS, SETS};
use checker::{Event, Key, Op, Phase, Ret, Value};
use rand::RngExt;

pub(crate) const KEY_VALUE: Kind = Kind {
    first_key: 65 * BLOCK,
    width: 1,
    make: |place| {
        Box::new(KeyValue {
            place,
            seen: Value::Nil,
        })
    },
    finale: Finale::Read(read_each),
    one_by_one: false,
};

pub(crate) const COUNTER: Kind = Kind {
    first_key: COUNTERS.start,
    width: 1,
    make: |place| {
        Box::new(Counter {
            place,
            amounts: [-2, 5],
        })
    },
    finale: Finale::Read(read_each),
    one_by_one: false,
};

pub(crate) const COUNTER_BOUNDS: Kind = Kind {
    first_key: COUNTERS.start + BLOCK,
    make: |place| {
        Box::new(Counter {
            place,
            amounts: [1, 5],
        })
    },
    ..COUNTER
};

pub(crate) const MONOTONIC: Kind = Kind {
    first_key: COUNTERS.start + 2 * BLOCK,
    make: |place| {
        Box::new(Counter {
            place,
            amounts: [1, 1],
        })
    },
    ..COUNTER
};

pub(crate) const SET: Kind = Kind {
    first_key: SETS.start,
    width: 1,
    make: |place| {
        Box::new(Set {
            place,
            removes: true,
            added: Vec::new(),
        })
    },
    finale: Finale::Read(list_each),
    one_by_one: false,
};

pub(crate) const SET_FULL: Kind = Kind {
    first_key: SETS.start + BLOCK,
    make: |place| {
        Box::new(Set {
            place,
            removes: false,
            added: Vec::new(),
        })
    },
    ..SET
};

pub(crate) const LOG: Kind = Kind {
    first_key: LISTS.start + BLOCK,
    width: 1,
    make: |place| Box::new(Log(place)),
    finale: Finale::Read(list_each),
    one_by_one: false,
};

pub(crate) const UNIQUE_IDS: Kind = Kind {
    first_key: 74 * BLOCK,
    width: 1,
    make: |place| Box::new(Ids(place)),
    finale: Finale::None,
    one_by_one: false,
};

fn read_each(keys: &[Key]) -> Vec<Op> {
    let read = |key: &Key| Op::Read { key: key.clone() };
    keys.iter().map(read).collect()
}

fn list_each(keys: &[Key]) -> Vec<Op> {
    let list = |key: &Key| Op::List { key: key.clone() };
    keys.iter().map(list).collect()
}

/// Gets, puts, deletes, cas and appends of text; no text is put or appended twice.
struct KeyValue {
    place: Place,
    /// What the key was last seen to hold.
    seen: Value,
}

impl Object for KeyValue {
    fn op(&mut self, _thread: u64) -> Op {
        let key = self.place.key();
        let draw = self.place.rng.random_range(0..10);
        // Neither can be taken for a number, whatever it is appended to.
        let text = format!("v{};", self.place.fresh());
        match draw {
            0..4 => Op::Read { key },
            4..6 => Op::Write {
                key,
                value: Value::Text(text.into()),
            },
            6 => Op::Delete { key },
            7 => Op::Cas {
                key,
                from: self.seen.clone(),
                to: Value::Text(text.into()),
            },
            _ => Op::Concat {
                key,
                suffix: text.into(),
            },
        }
    }

    fn observe(&mut self, _thread: u64, event: &Event) {
        if let Phase::Ok(ret) = &event.phase {
            match (&event.op, ret) {
                (Op::Read { .. }, Ret::Value(value)) => self.seen = value.clone(),
                (Op::Write { value, .. }, _) | (Op::Cas { to: value, .. }, _) => {
                    self.seen = value.clone();
                }
                (Op::Delete { .. }, _) => self.seen = Value::Nil,
                _ => {}
            }
        }
    }
}

/// Additions and reads of a number.
struct Counter {
    place: Place,
    /// The least and the greatest that is added; never 0.
    amounts: [i64; 2],
}

impl Object for Counter {
    fn op(&mut self, _thread: u64) -> Op {
        let key = self.place.key();
        let [least, greatest] = self.amounts;
        match self.place.rng.random_bool(0.5) {
            true => Op::Read { key },
            false => Op::Add {
                key,
                value: match self.place.rng.random_range(least..=greatest) {
                    0 => 1,
                    amount => amount,
                },
            },
        }
    }
}

/// Additions of new elements, removals where they are wanted, and reads of all.
struct Set {
    place: Place,
    removes: bool,
    added: Vec<i64>,
}

impl Object for Set {
    fn op(&mut self, _thread: u64) -> Op {
        let key = self.place.key();
        let draw = self.place.rng.random_range(0..10);
        if draw < 3 {
            return Op::List { key };
        }
        if draw < 5 && self.removes && !self.added.is_empty() {
            let at = self.place.rng.random_range(0..self.added.len());
            let value = self.added.swap_remove(at);
            return Op::Remove { key, value };
        }
        let value = self.place.fresh();
        self.added.push(value);
        Op::Add { key, value }
    }
}

/// Appends of new numbers, and reads of the whole list.
struct Log(Place);

impl Object for Log {
    fn op(&mut self, _thread: u64) -> Op {
        let key = self.0.key();
        match self.0.rng.random_ratio(1, 3) {
            true => Op::List { key },
            false => Op::Append {
                key,
                value: self.0.fresh(),
            },
        }
    }
}

struct Ids(Place);

impl Object for Ids {
    fn op(&mut self, _thread: u64) -> Op {
        Op::Generate { key: self.0.key() }
    }
}
