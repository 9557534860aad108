//! The scene of a planted violation: a few operations one after the other, or side by side.

use super::world::Values;
use crate::{Op, Phase, Reason, Ret};
use rand_pcg::Pcg64;

/// An event of the scene, by a worker.
pub struct Line {
    pub worker: u32,
    pub phase: Phase,
    pub op: Op,
}

pub struct Script<'r> {
    pub lines: Vec<Line>,
    pub values: &'r mut Values,
    pub rng: &'r mut Pcg64,
    workers: u32,
    next: u32,
}

impl<'r> Script<'r> {
    pub fn new(workers: u32, values: &'r mut Values, rng: &'r mut Pcg64) -> Self {
        Self {
            lines: Vec::new(),
            values,
            rng,
            workers,
            next: 0,
        }
    }

    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// The workers take turns.
    pub fn turn(&mut self) -> u32 {
        let worker = self.next;
        self.next = (self.next + 1) % self.workers;
        worker
    }

    pub fn ok(&mut self, op: Op, ret: Ret) {
        let worker = self.turn();
        self.ok_by(worker, op, ret);
    }

    pub fn ok_by(&mut self, worker: u32, op: Op, ret: Ret) {
        self.line(worker, Phase::Invoke, op.clone());
        self.line(worker, Phase::Ok(ret), op);
    }

    pub fn done(&mut self, op: Op) {
        self.ok(op, Ret::Done);
    }

    pub fn fail(&mut self, op: Op) {
        let worker = self.turn();
        self.line(worker, Phase::Invoke, op.clone());
        self.line(worker, Phase::Fail(Reason::new("rejected")), op);
    }

    /// Two operations at the same time; one after the other where there is one worker only.
    pub fn both(&mut self, first: (Op, Ret), second: (Op, Ret)) {
        if self.workers == 1 {
            self.ok(first.0, first.1);
            self.ok(second.0, second.1);
            return;
        }
        let (one, other) = (self.turn(), self.turn());
        self.line(one, Phase::Invoke, first.0.clone());
        self.line(other, Phase::Invoke, second.0.clone());
        self.line(one, Phase::Ok(first.1), first.0);
        self.line(other, Phase::Ok(second.1), second.0);
    }

    fn line(&mut self, worker: u32, phase: Phase, op: Op) {
        self.lines.push(Line { worker, phase, op });
    }
}
