//! The clients of a generated history, one step at a time.

use super::script::Script;
use super::world::{self, Applied, Fate, Values, World};
use super::{CannotGenerate, History};
use crate::{Event, Op, Phase, ProcessId, Reason, Ret};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// A crashed operation that still may take effect does so in about so many steps.
const LINGER_STEPS: u32 = 64;

/// How often a scene may say "not now".
const ATTEMPTS: usize = 1_000;

pub struct Run<'h, F> {
    plan: &'h History,
    take: F,
    rng: Pcg64,
    values: Values,
    world: Box<dyn World>,
    /// The process on each worker's seat.
    processes: Vec<ProcessId>,
    next_process: u64,
    idle: Vec<u32>,
    busy: Vec<Busy>,
    /// Crashed operations that have not taken effect yet.
    lingering: Vec<Op>,
    index: u64,
    time: u64,
}

/// A worker in the middle of an operation.
struct Busy {
    worker: u32,
    op: Op,
    crashes: bool,
    /// What it came to, once it has taken effect.
    result: Option<Result<Ret, &'static str>>,
}

impl<'h, F: FnMut(Event)> Run<'h, F> {
    pub fn new(plan: &'h History, take: F) -> Self {
        let processes = plan.processes as u64;
        Self {
            plan,
            take,
            rng: Pcg64::seed_from_u64(plan.seed),
            values: Values::new(plan.values),
            world: world::of(plan),
            processes: (0..processes).map(ProcessId).collect(),
            next_process: processes,
            idle: (0..plan.processes as u32).collect(),
            busy: Vec::with_capacity(plan.processes),
            lingering: Vec::new(),
            index: 0,
            time: 0,
        }
    }

    pub fn run(mut self) -> Result<(), CannotGenerate> {
        let mut plant_at = match self.plan.planted {
            Some(_) => self.plan.operations / 2,
            None => usize::MAX,
        };
        let mut attempts = 0;
        let mut invoked = 0;
        loop {
            let scene_due = invoked >= plant_at;
            if scene_due && self.busy.is_empty() {
                if self.play() {
                    plant_at = usize::MAX;
                    continue;
                }
                attempts += 1;
                if attempts == ATTEMPTS || invoked == self.plan.operations {
                    break;
                }
                plant_at = invoked + 1;
                continue;
            }
            let invokes = !scene_due && invoked < self.plan.operations && !self.idle.is_empty();
            if invokes && (self.busy.is_empty() || self.rng.random_bool(0.5)) {
                self.invoke();
                invoked += 1;
            } else if !self.busy.is_empty() {
                self.proceed(!invokes);
            } else {
                break;
            }
            if !self.lingering.is_empty() && self.rng.random_ratio(1, LINGER_STEPS) {
                self.let_linger();
            }
        }
        if plant_at != usize::MAX
            && let Some(planted) = self.plan.planted
        {
            return Err(CannotGenerate::NoPlace { planted });
        }
        for op in self.world.finale() {
            if let Applied::Ok(ret) = self.world.apply(&op) {
                let worker = self.idle[0];
                self.record(worker, Phase::Invoke, op.clone());
                self.record(worker, Phase::Ok(ret), op);
            }
        }
        Ok(())
    }

    fn invoke(&mut self) {
        let at = self.rng.random_range(0..self.idle.len());
        let worker = self.idle.swap_remove(at);
        let op = self.world.next(worker, &mut self.rng, &mut self.values);
        let crashes = self.plan.crashed > 0.0 && self.rng.random_bool(self.plan.crashed);
        self.record(worker, Phase::Invoke, op.clone());
        self.busy.push(Busy {
            worker,
            op,
            crashes,
            result: None,
        });
    }

    /// Lets some open operation take effect, or end. Nothing waits any longer when nobody `invokes`: what
    /// it waits for would not come.
    fn proceed(&mut self, gives_up: bool) {
        let at = self.rng.random_range(0..self.busy.len());
        let busy = &mut self.busy[at];
        let lingers = busy.crashes && busy.result.is_none() && self.rng.random_bool(0.5);
        if busy.result.is_none() && !lingers {
            busy.result = match self.world.apply(&busy.op) {
                Applied::Ok(ret) => Some(Ok(ret)),
                Applied::Fail(reason) => Some(Err(reason)),
                Applied::Wait if gives_up || self.rng.random_ratio(1, 8) => Some(Err("busy")),
                Applied::Wait => None,
            };
            return;
        }
        let Busy {
            worker,
            op,
            crashes,
            result,
        } = self.busy.swap_remove(at);
        let phase = match result {
            Some(result) if !crashes => match result {
                Ok(ret) => Phase::Ok(ret),
                Err(reason) => Phase::Fail(Reason::new(reason)),
            },
            result => {
                if result.is_none() && self.world.may_linger(&op) && self.rng.random_bool(0.5) {
                    self.lingering.push(op.clone());
                }
                Phase::Info(Reason::new("timeout"))
            }
        };
        let fate = match phase {
            Phase::Ok(_) => Fate::Ok,
            Phase::Fail(_) => Fate::Fail,
            _ => Fate::Crashed,
        };
        self.world.ended(worker, &op, fate);
        self.record(worker, phase, op);
        if crashes {
            self.processes[worker as usize] = ProcessId(self.next_process);
            self.next_process += 1;
        }
        self.idle.push(worker);
    }

    fn let_linger(&mut self) {
        let at = self.rng.random_range(0..self.lingering.len());
        if !matches!(self.world.apply(&self.lingering[at]), Applied::Wait) {
            self.lingering.swap_remove(at);
        }
    }

    /// The planted violation; false: not now.
    fn play(&mut self) -> bool {
        let Some(planted) = self.plan.planted else {
            return true;
        };
        let workers = self.processes.len() as u32;
        let mut script = Script::new(workers, &mut self.values, &mut self.rng);
        let played = self.world.plant(planted, &mut script);
        let lines = if played { script.lines } else { Vec::new() };
        for line in lines {
            self.record(line.worker, line.phase, line.op);
        }
        played
    }

    fn record(&mut self, worker: u32, phase: Phase, op: Op) {
        self.time += self.rng.random_range(1_000..=20_000);
        (self.take)(Event {
            index: self.index,
            time: self.time,
            process: self.processes[worker as usize],
            phase,
            op,
        });
        self.index += 1;
    }
}
