//! Histories written by hand or by chance.

use checker::history::Operation;
use checker::{Event, History, Op, Phase, ProcessId, Reason, Ret};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::collections::BTreeMap;

/// A history in the making; each event is a millisecond after the one before.
#[derive(Default)]
pub struct Scene {
    history: History,
    open: BTreeMap<u64, Op>,
}

impl Scene {
    pub fn invoke(&mut self, process: u64, op: Op) -> &mut Self {
        self.open.insert(process, op.clone());
        self.event(process, Phase::Invoke, op)
    }

    pub fn ok(&mut self, process: u64, ret: Ret) -> &mut Self {
        self.complete(process, Phase::Ok(ret))
    }

    pub fn fail(&mut self, process: u64) -> &mut Self {
        self.complete(process, Phase::Fail(Reason::new("refused")))
    }

    pub fn info(&mut self, process: u64) -> &mut Self {
        self.complete(process, Phase::Info(Reason::new("timeout")))
    }

    /// Invoked and at once successful.
    pub fn done(&mut self, process: u64, op: Op, ret: Ret) -> &mut Self {
        self.invoke(process, op).ok(process, ret)
    }

    pub fn history(&self) -> History {
        self.history.clone()
    }

    fn complete(&mut self, process: u64, phase: Phase) -> &mut Self {
        let op = self.open.remove(&process).expect("the process has invoked");
        self.event(process, phase, op)
    }

    fn event(&mut self, process: u64, phase: Phase, op: Op) -> &mut Self {
        let index = self.history.events.len() as u64;
        self.history.events.push(Event {
            index,
            time: index * 1_000_000,
            process: ProcessId(process),
            phase,
            op,
        });
        self
    }
}

/// An object that random clients use. It may misbehave.
pub trait Object {
    fn ask(&mut self, rng: &mut Pcg64) -> Op;
    /// The operation takes effect and gives this.
    fn apply(&mut self, op: &Op, rng: &mut Pcg64) -> Ret;
}

/// Clients that call an object, `operations` times, up to four at once. Effects come at either end of an
/// operation; failed ones have none, mostly.
pub fn play(rng: &mut Pcg64, operations: usize, object: &mut dyn Object) -> History {
    const CLIENTS: u64 = 4;
    let mut scene = Scene::default();
    let mut processes: Vec<u64> = (0..CLIENTS).collect();
    let mut early: BTreeMap<u64, Ret> = BTreeMap::new();
    let mut asked = 0;
    while asked < operations || !scene.open.is_empty() {
        let at = rng.random_range(0..processes.len());
        let process = processes[at];
        let Some(op) = scene.open.get(&process).cloned() else {
            if asked < operations {
                asked += 1;
                let op = object.ask(rng);
                if rng.random_bool(0.5) {
                    early.insert(process, object.apply(&op, rng));
                }
                scene.invoke(process, op);
            }
            continue;
        };
        let effect = early.remove(&process);
        match rng.random_range(0..20) {
            0 if effect.is_none() || rng.random_bool(0.2) => {
                scene.fail(process);
            }
            0..=2 => {
                if effect.is_none() && rng.random_bool(0.5) {
                    object.apply(&op, rng);
                }
                scene.info(process);
                processes[at] += CLIENTS;
            }
            _ => {
                let ret = effect.unwrap_or_else(|| object.apply(&op, rng));
                scene.ok(process, ret);
            }
        }
    }
    scene.history()
}

/// The operations, for oracles.
pub fn operations(history: &History) -> Vec<Operation<'_>> {
    history.operations().expect("a scene is a history")
}

/// Whether `first` had ended before `second` began.
pub fn before(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    first.completed_at.is_some_and(|at| at < second.invoked_at)
}
