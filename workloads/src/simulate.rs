//! Runs a generator in virtual time against an imaginary store, for tests of generators, workloads and
//! checkers: no clock, no network, the same history for the same seed.
//!
//! The store is the reference store ([`checker::store`]) and atomic: each operation takes effect at one moment between its invocation and its
//! completion. An [`Imperfect`](Mood) simulation lets some operations fail, and some end with an
//! unknown outcome, which then take effect at once, late, or never.

use crate::{Context, Generator, Next, seed};
use checker::{Event, History, Op, Phase, ProcessId, Reason, Ret};
use rand::RngExt;
use rand_pcg::Pcg64;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use checker::store::Store;

/// How the imaginary store treats its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Every operation gets its answer.
    Perfect,
    /// Of 100 operations so many fail without effect, and so many end unknown.
    Imperfect { fail: u32, info: u32 },
}

/// A simulation to be run.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    pub seed: u64,
    pub threads: u64,
    pub mood: Mood,
    /// Nanoseconds that an operation takes, at least and at most.
    pub latency: (u64, u64),
    /// Virtual nanoseconds after which the generator is not asked any more.
    pub end: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Effect,
    Completion,
}

struct Flight {
    process: ProcessId,
    op: Op,
    /// Decided in advance; `Ok` is filled in when the effect takes place.
    phase: Phase,
    effect: bool,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            seed: 42,
            threads: 5,
            mood: Mood::Perfect,
            latency: (1_000_000, 20_000_000),
            end: 60_000_000_000,
        }
    }
}

impl Simulation {
    /// Runs the generator to its end, or until [`end`](Self::end), and gives what the clients saw.
    ///
    /// # Panics
    /// When the generator waits for an event that can't come, or names a process that is not free.
    pub fn run(&self, generator: &mut dyn Generator) -> History {
        let mut history = History::default();
        self.go_on(&mut Store::default(), &mut history, generator);
        history
    }

    /// As [`run`](Self::run), going on with a store and a history, under fresh processes: a finale
    /// after a main phase.
    pub fn go_on(&self, store: &mut Store, history: &mut History, generator: &mut dyn Generator) {
        let mut rng = seed::stream(self.seed, "simulate");
        let start = history.events.last().map_or(0, |event| event.time + 1);
        let used = history.events.iter().map(|event| event.process.0 + 1).max();
        let first = used.unwrap_or(0).next_multiple_of(self.threads);
        let mut free: Vec<ProcessId> = (first..first + self.threads).map(ProcessId).collect();
        let mut flights: Vec<Flight> = Vec::new();
        let mut steps: BinaryHeap<Reverse<(u64, Step, usize)>> = BinaryHeap::new();
        let mut time = start;
        let mut done = false;
        loop {
            let mut wake = None;
            if !done && time - start < self.end {
                let context = Context {
                    time,
                    free: &free,
                    threads: self.threads,
                };
                match generator.next(&context) {
                    Next::Op(process, op) => {
                        let at = free.iter().position(|other| *other == process);
                        free.remove(at.expect("a generator names a free process"));
                        let flight =
                            self.launch(process, op, time, flights.len(), &mut steps, &mut rng);
                        let event =
                            record(history, time, process, Phase::Invoke, flight.op.clone());
                        generator.observe(&event);
                        flights.push(flight);
                        continue;
                    }
                    Next::Pending { until } => wake = until,
                    Next::Done => done = true,
                }
            }
            let next_step = steps.peek().map(|Reverse((at, ..))| *at);
            if let Some(wake) = wake
                && next_step.is_none_or(|at| wake < at)
            {
                assert!(wake > time, "a generator asks to be woken in the past");
                time = wake;
                continue;
            }
            let Some(Reverse((at, step, flight))) = steps.pop() else {
                let over = done || time - start >= self.end;
                assert!(over, "a generator waits for an event that can't come");
                return;
            };
            time = at;
            let flight = &mut flights[flight];
            match step {
                Step::Effect if flight.effect => {
                    let result = store.apply(&flight.op);
                    if matches!(flight.phase, Phase::Ok(_)) {
                        flight.phase = match result {
                            Ok(ret) => Phase::Ok(ret),
                            Err(reason) => Phase::Fail(reason),
                        };
                    }
                }
                Step::Effect => {}
                Step::Completion => {
                    let process = flight.process;
                    let crashed = matches!(flight.phase, Phase::Info(_));
                    let event = record(
                        history,
                        time,
                        process,
                        flight.phase.clone(),
                        flight.op.clone(),
                    );
                    generator.observe(&event);
                    free.push(if crashed {
                        ProcessId(process.0 + self.threads)
                    } else {
                        process
                    });
                }
            }
        }
    }

    /// Decides when an operation takes effect and how it will end.
    fn launch(
        &self,
        process: ProcessId,
        op: Op,
        time: u64,
        flight: usize,
        steps: &mut BinaryHeap<Reverse<(u64, Step, usize)>>,
        rng: &mut Pcg64,
    ) -> Flight {
        let completion = time + rng.random_range(self.latency.0..=self.latency.1);
        let mut effect_at = rng.random_range(time..=completion);
        let draw = rng.random_range(0..100);
        let (phase, effect) = match self.mood {
            Mood::Imperfect { fail, .. } if draw < fail => {
                (Phase::Fail(Reason::new("refused")), false)
            }
            Mood::Imperfect { fail, info } if draw < fail + info => {
                let happens = rng.random_bool(0.5);
                // Perhaps long after its client has given up.
                effect_at += rng.random_range(0..=10 * self.latency.1);
                (Phase::Info(Reason::new("timeout")), happens)
            }
            _ => (Phase::Ok(Ret::Done), true),
        };
        steps.push(Reverse((effect_at, Step::Effect, flight)));
        steps.push(Reverse((completion, Step::Completion, flight)));
        Flight {
            process,
            op,
            phase,
            effect,
        }
    }
}

fn record(history: &mut History, time: u64, process: ProcessId, phase: Phase, op: Op) -> Event {
    let event = Event {
        index: history.events.len() as u64,
        time,
        process,
        phase,
        op,
    };
    history.events.push(event.clone());
    event
}
