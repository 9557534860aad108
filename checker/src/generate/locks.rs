//! Locks and semaphores: each worker is an owner, before and after it crashes.

use super::Planted;
use super::script::Script;
use super::world::{Applied, Fate, Values, World, int, key, position};
use crate::{Op, Ret, Value};
use rand::RngExt;
use rand_pcg::Pcg64;

pub struct Locks {
    permits: usize,
    fenced: bool,
    locks: Vec<Lock>,
    /// By worker: the lock that it has, or may have.
    believed: Vec<Option<usize>>,
}

#[derive(Clone, Default)]
struct Lock {
    /// Workers; one that has two permits is here twice.
    holders: Vec<u32>,
    token: i64,
    /// Crashed operations by worker: they may have let go, or got hold, unseen.
    crashed_acquires: Vec<u32>,
    crashed_releases: usize,
}

impl Locks {
    pub fn new(keys: usize, permits: u32, fenced: bool, workers: usize) -> Self {
        Self {
            permits: permits as usize,
            fenced,
            locks: vec![Lock::default(); keys],
            believed: vec![None; workers],
        }
    }

    fn owner(op: &Op) -> u32 {
        match op {
            Op::Acquire { owner, .. } | Op::Release { owner, .. } => int(owner) as u32,
            _ => unreachable!("locks are asked for nothing else"),
        }
    }

    /// Acquires in the scene, rightly or not.
    fn acquire(&mut self, at: usize, worker: u32, script: &mut Script<'_>) {
        let ret = match self.fenced {
            true => {
                self.locks[at].token += 1;
                Ret::Value(Value::Int(self.locks[at].token))
            }
            false => Ret::Done,
        };
        script.ok_by(worker, acquire(at, worker), ret);
    }
}

fn acquire(at: usize, worker: u32) -> Op {
    Op::Acquire {
        key: key(at),
        owner: Value::Int(i64::from(worker)),
    }
}

fn release(at: usize, worker: u32) -> Op {
    Op::Release {
        key: key(at),
        owner: Value::Int(i64::from(worker)),
    }
}

impl World for Locks {
    fn next(&mut self, worker: u32, rng: &mut Pcg64, _values: &mut Values) -> Op {
        match self.believed[worker as usize] {
            Some(at) => release(at, worker),
            None => acquire(rng.random_range(0..self.locks.len()), worker),
        }
    }

    fn apply(&mut self, op: &Op) -> Applied {
        let worker = Self::owner(op);
        let lock = &mut self.locks[position(op)];
        if let Op::Release { .. } = op {
            let Some(held) = lock.holders.iter().position(|holder| *holder == worker) else {
                return Applied::Fail("not-held");
            };
            lock.holders.swap_remove(held);
            return Applied::Ok(Ret::Done);
        }
        if lock.holders.len() == self.permits {
            return Applied::Wait;
        }
        lock.holders.push(worker);
        if !self.fenced {
            return Applied::Ok(Ret::Done);
        }
        lock.token += 1;
        Applied::Ok(Ret::Value(Value::Int(lock.token)))
    }

    fn ended(&mut self, worker: u32, op: &Op, fate: Fate) {
        let at = position(op);
        let acquires = matches!(op, Op::Acquire { .. });
        // After a crash a worker releases until it hears that it holds nothing.
        let holds = acquires == (fate == Fate::Ok) && (acquires || fate != Fate::Fail);
        self.believed[worker as usize] = (holds || fate == Fate::Crashed).then_some(at);
        if fate == Fate::Crashed {
            match acquires {
                true => self.locks[at].crashed_acquires.push(worker),
                false => self.locks[at].crashed_releases += 1,
            }
        }
    }

    fn may_linger(&self, op: &Op) -> bool {
        // One that got hold after its worker has made sure that it holds nothing would hold for ever.
        matches!(op, Op::Release { .. })
    }

    fn plant(&mut self, planted: Planted, script: &mut Script<'_>) -> bool {
        let at = script.rng.random_range(0..self.locks.len());
        // Everyone lets go first, so that it is certain who holds what.
        for worker in std::mem::take(&mut self.locks[at].holders) {
            script.ok_by(worker, release(at, worker), Ret::Done);
            self.believed[worker as usize] = None;
        }
        match planted {
            Planted::TooManyHolders => {
                let excess = 1 + self.locks[at].crashed_releases;
                for _ in 0..self.permits + excess {
                    let worker = script.turn();
                    self.acquire(at, worker, script);
                }
            }
            Planted::ForeignRelease => {
                let excuses = |worker: u32| {
                    let crashed = &self.locks[at].crashed_acquires;
                    crashed.iter().filter(|other| **other == worker).count()
                };
                let worker = (0..script.workers()).min_by_key(|worker| excuses(*worker));
                let Some(worker) = worker else { return false };
                for _ in 0..=excuses(worker) {
                    script.ok_by(worker, release(at, worker), Ret::Done);
                }
            }
            Planted::StaleToken => {
                for _ in 0..2 {
                    let worker = script.turn();
                    self.acquire(at, worker, script);
                    self.locks[at].token -= 1;
                    script.ok_by(worker, release(at, worker), Ret::Done);
                }
            }
            _ => return false,
        }
        true
    }
}
