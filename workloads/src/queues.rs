//! Queues and stacks: values go in once and come out; in the finale, until nothing is left.

use crate::objects::{Finale, Kind, Object, Place};
use checker::store::BLOCK;
use checker::{Key, Op, Value};
use rand::RngExt;

pub(crate) const FIFO_QUEUE: Kind = Kind {
    first_key: 69 * BLOCK,
    width: 1,
    make: |place| {
        Box::new(Line {
            place,
            put: |key, value| Op::Enqueue { key, value },
            take: dequeue,
        })
    },
    finale: Finale::Drain(|key| dequeue(key.clone())),
    one_by_one: false,
};

pub(crate) const TOTAL_QUEUE: Kind = Kind {
    first_key: 70 * BLOCK,
    ..FIFO_QUEUE
};

pub(crate) const STACK: Kind = Kind {
    first_key: 71 * BLOCK,
    width: 1,
    make: |place| {
        Box::new(Line {
            place,
            put: |key, value| Op::Push { key, value },
            take: pop,
        })
    },
    finale: Finale::Drain(|key| pop(key.clone())),
    one_by_one: false,
};

fn dequeue(key: Key) -> Op {
    Op::Dequeue { key }
}

fn pop(key: Key) -> Op {
    Op::Pop { key }
}

struct Line {
    place: Place,
    put: fn(Key, Value) -> Op,
    take: fn(Key) -> Op,
}

impl Object for Line {
    fn op(&mut self, _thread: u64) -> Op {
        let key = self.place.key();
        match self.place.rng.random_bool(0.5) {
            true => (self.put)(key, Value::Int(self.place.fresh())),
            false => (self.take)(key),
        }
    }
}
