//! Locks and semaphores: each thread is an owner, which acquires and releases in turn.
//!
//! A thread keeps its name when its process crashes, so it can release what its crashed process may have acquired.
//! Whether it holds the lock shows when the release succeeds.

use crate::objects::{Finale, Kind, Object, Place};
use checker::store::{BLOCK, SEMAPHORES};
use checker::{Event, Op, Phase, Value};
use std::collections::HashMap;

pub(crate) const MUTEX: Kind = Kind {
    first_key: 67 * BLOCK,
    width: 1,
    make: |place| {
        Box::new(Lock {
            place,
            believed: HashMap::new(),
        })
    },
    finale: Finale::None,
    one_by_one: false,
};

pub(crate) const FENCED_LOCK: Kind = Kind {
    first_key: 68 * BLOCK,
    ..MUTEX
};

/// A semaphore with so many permits, at least two.
pub(crate) fn semaphore(permits: i64) -> Kind {
    Kind {
        first_key: SEMAPHORES.start + (permits - 2) * BLOCK,
        ..MUTEX
    }
}

struct Lock {
    place: Place,
    /// By thread; absent: it does not hold the lock.
    believed: HashMap<u64, Belief>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Belief {
    Holds,
    /// An acquire or release of unknown outcome.
    MayHold,
}

impl Object for Lock {
    fn op(&mut self, thread: u64) -> Op {
        let (key, owner) = (self.place.key(), Value::Int(thread as i64));
        match self.believed.get(&thread) {
            Some(_) => Op::Release { key, owner },
            None => Op::Acquire { key, owner },
        }
    }

    fn observe(&mut self, thread: u64, event: &Event) {
        let held = self.believed.get(&thread).copied();
        let now = match (&event.op, &event.phase) {
            (_, Phase::Invoke) => held,
            (_, Phase::Info(_)) => Some(Belief::MayHold),
            (Op::Acquire { .. }, Phase::Ok(_)) => Some(Belief::Holds),
            // Who certainly holds it tries again to give it back.
            (Op::Release { .. }, Phase::Fail(_)) if held == Some(Belief::Holds) => held,
            _ => None,
        };
        match now {
            Some(belief) => self.believed.insert(thread, belief),
            None => self.believed.remove(&thread),
        };
    }
}
