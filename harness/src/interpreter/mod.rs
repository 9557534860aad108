//! Turns a generator into a history: hands operations to workers and records what comes back.
//!
//! One scheduler owns the generator and the [`Recorder`]; each worker owns a [`Client`] and performs one
//! operation at a time (a closed loop). Completions are taken before new operations are asked for:
//! the other way round would make operations look concurrent that were not. An invocation is recorded
//! before it is handed over, so that an operation that took effect is always in the history.
//!
//! Generators run in virtual time in their own tests; here time is the monotonic clock of the run.

mod recorder;
mod worker;

pub use recorder::Recorder;

use checker::{Op, Phase, ProcessId};
use std::time::{Duration, Instant};
use systems::Client;
use tokio::sync::{mpsc, watch};
use workloads::{Context, Generator, Next};

/// The clock of a run: every recorded time is nanoseconds since `start`.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    pub fn instant(&self, time: u64) -> tokio::time::Instant {
        (self.start + Duration::from_nanos(time)).into()
    }
}

/// Counts of completions, for progress and gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
}

/// Something the nemesis did, on its way into the history.
#[derive(Clone, Debug)]
pub struct NemesisNote {
    pub time: u64,
    pub f: String,
    pub value: serde_json::Value,
}

/// Performs operations with a fixed set of workers.
pub struct Interpreter {
    clock: Clock,
    workers: Vec<worker::Handle>,
    completions: mpsc::UnboundedReceiver<worker::Completion>,
    notes: mpsc::UnboundedReceiver<NemesisNote>,
    /// The process that each worker runs now.
    processes: Vec<ProcessId>,
    free: Vec<ProcessId>,
    /// Invoked and not completed, by worker.
    open: Vec<Option<Op>>,
    in_flight: usize,
    counts: watch::Sender<Counts>,
}

impl Interpreter {
    /// One worker per client. `deadline` bounds each operation.
    pub fn new(
        clock: Clock,
        clients: Vec<Box<dyn Client>>,
        deadline: Duration,
        notes: mpsc::UnboundedReceiver<NemesisNote>,
    ) -> Self {
        let (sender, completions) = mpsc::unbounded_channel();
        let workers: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(thread, client)| worker::spawn(thread, client, clock, deadline, sender.clone()))
            .collect();
        let processes: Vec<_> = (0..workers.len() as u64).map(ProcessId).collect();
        Self {
            clock,
            free: processes.clone(),
            open: vec![None; workers.len()],
            workers,
            completions,
            notes,
            processes,
            in_flight: 0,
            counts: watch::Sender::default(),
        }
    }

    /// Follows the counts as they grow.
    pub fn counts(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    /// Runs a generator until it is done or `stop` becomes true, then waits for what is in flight (each
    /// operation has its deadline, so the wait is bounded).
    pub async fn run(
        &mut self,
        generator: &mut dyn Generator,
        recorder: &mut Recorder,
        stop: &mut watch::Receiver<bool>,
    ) -> crate::exit::Result<()> {
        let mut generating = true;
        while generating || self.in_flight > 0 {
            self.take_completions(generator, recorder)?;
            if *stop.borrow() {
                generating = false;
            }
            let next = if generating {
                self.ask(generator)
            } else {
                Next::Done
            };
            match next {
                Next::Op(process, op) => self.invoke(process, op, generator, recorder)?,
                Next::Done => {
                    generating = false;
                    if self.in_flight > 0 {
                        self.wait(None, generator, recorder, None).await?;
                    }
                }
                Next::Pending { until } => {
                    self.wait(until, generator, recorder, Some(stop)).await?
                }
            }
        }
        recorder.flush()
    }

    fn ask(&mut self, generator: &mut dyn Generator) -> Next {
        let context = Context {
            time: self.clock.now(),
            free: &self.free,
            threads: self.workers.len() as u64,
        };
        generator.next(&context)
    }

    fn invoke(
        &mut self,
        process: ProcessId,
        op: Op,
        generator: &mut dyn Generator,
        recorder: &mut Recorder,
    ) -> crate::exit::Result<()> {
        let thread = self.thread(process);
        let position = self.free.iter().position(|&free| free == process);
        let position = position.ok_or_else(|| {
            crate::exit::Failure::harness(format!(
                "the generator chose process {}, which is busy",
                process.0
            ))
        })?;
        self.free.remove(position);
        let event = recorder.event(self.clock.now(), process, Phase::Invoke, op.clone())?;
        generator.observe(&event);
        self.open[thread] = Some(op.clone());
        self.in_flight += 1;
        self.workers[thread].invoke(op)
    }

    /// Waits for a completion, a note, the moment `until`, or `stop`.
    async fn wait(
        &mut self,
        until: Option<u64>,
        generator: &mut dyn Generator,
        recorder: &mut Recorder,
        stop: Option<&mut watch::Receiver<bool>>,
    ) -> crate::exit::Result<()> {
        let until = until.map(|time| self.clock.instant(time));
        let stopped = async {
            let changed = match stop {
                Some(stop) => stop.changed().await.is_ok(),
                None => false,
            };
            // A closed channel means that nobody can ask to stop any more.
            if !changed {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            completion = self.completions.recv() => {
                let completion = completion.expect("workers live as long as the interpreter");
                self.complete(completion, generator, recorder)?;
            }
            Some(note) = self.notes.recv() => recorder.nemesis(note)?,
            () = stopped => {}
            () = tokio::time::sleep_until(until.unwrap_or_else(far_future)), if until.is_some() => {}
        }
        Ok(())
    }

    fn take_completions(
        &mut self,
        generator: &mut dyn Generator,
        recorder: &mut Recorder,
    ) -> crate::exit::Result<()> {
        while let Ok(completion) = self.completions.try_recv() {
            self.complete(completion, generator, recorder)?;
        }
        while let Ok(note) = self.notes.try_recv() {
            recorder.nemesis(note)?;
        }
        Ok(())
    }

    fn complete(
        &mut self,
        completion: worker::Completion,
        generator: &mut dyn Generator,
        recorder: &mut Recorder,
    ) -> crate::exit::Result<()> {
        match completion {
            worker::Completion::Outcome {
                thread,
                time,
                outcome,
                resting,
            } => {
                let op = self.open[thread]
                    .take()
                    .expect("only an open operation completes");
                let process = self.processes[thread];
                let phase = Phase::from(outcome);
                self.counts.send_modify(|counts| match phase {
                    Phase::Ok(_) => counts.ok += 1,
                    Phase::Fail(_) => counts.fail += 1,
                    Phase::Info(_) => counts.info += 1,
                    Phase::Invoke => {}
                });
                if matches!(phase, Phase::Info(_)) {
                    self.processes[thread] = ProcessId(process.0 + self.workers.len() as u64);
                }
                self.in_flight -= 1;
                if !resting {
                    self.free.push(self.processes[thread]);
                }
                let event = recorder.event(time, process, phase, op)?;
                generator.observe(&event);
            }
            worker::Completion::Rested { thread } => self.free.push(self.processes[thread]),
        }
        Ok(())
    }

    fn thread(&self, process: ProcessId) -> usize {
        (process.0 % self.workers.len() as u64) as usize
    }
}

fn far_future() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(86_400)
}

#[cfg(test)]
mod tests;
