//! Sequential consistency of each object (Lamport 1979): all operations on it have one order that
//! explains their results and keeps the order of each process. It need not keep real time: a process may
//! see an old state for as long as it likes, if only never older than what it saw before.
//!
//! What is linearizable is sequentially consistent, and what breaks a session guarantee is not: so the
//! fast ways to tell these come first. What is left is searched: a configuration is how far each
//! process has come, which operations of unknown outcome were used, and the state; each is tried once. A
//! read that is possible is taken at once, as it changes nothing for the others. Operations are tried
//! in the order of their completions, for a right system is mostly nearly linearizable. Operations of
//! unknown outcome are the last of their process; of equal ones that may be used the first is tried.
//!
//! The problem is NP-complete (Gibbons and Korach 1997), more so than linearizability: nothing bounds
//! how far processes may drift apart. The budget does.

use super::session::Session;
use crate::history::Operation;
use crate::linearizability::Linearizable;
use crate::model::Model;
use crate::verdict::{Budget, Checker, Validity, Verdict};
use crate::{History, Op, Ret};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sequential consistency of each object by itself.
pub struct Sequential<M> {
    initial: M,
    owns: Arc<dyn Fn(&Op) -> bool + Send + Sync>,
}

/// How often the clock is read.
const CLOCK_EVERY: u64 = 256;

/// Operations that a reason names.
const NAMED_MAX: usize = 8;

impl<M: Model + 'static> Sequential<M> {
    /// `initial` is the state of every object before its first operation.
    pub fn new(initial: M, owns: impl Fn(&Op) -> bool + Send + Sync + 'static) -> Self {
        Self {
            initial,
            owns: Arc::new(owns),
        }
    }

    /// Judges one object.
    fn judge(&self, operations: &[Operation<'_>], deadline: Instant, memory: usize) -> Verdict {
        let left = deadline.saturating_duration_since(Instant::now());
        let linearizable = Linearizable::new(self.initial.clone(), |_| true);
        // Half of the time is left for the search.
        let budget = Budget {
            time: left / 2,
            memory,
        };
        if linearizable.check_operations(operations, budget).valid == Validity::Valid {
            return Verdict::valid();
        }
        if let Some(initial) = self.initial.value()
            && let Some(found) = Session::default().contradiction::<M>(&initial, operations)
        {
            return Verdict::invalid(found.reason).with("operations", found.operations);
        }
        Search::new(operations).run(&self.initial, deadline, memory)
    }
}

impl<M: Model + 'static> Checker for Sequential<M> {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn check(&self, history: &History, budget: Budget) -> Verdict {
        let year = Duration::from_secs(365 * 24 * 3600);
        let deadline = Instant::now() + budget.time.min(year);
        let operations = match history.operations() {
            Ok(operations) => operations,
            Err(error) => return Verdict::unknown(format!("not a history: {error}")),
        };
        let objects = super::objects::<M>(&operations, |op| (self.owns)(op));
        let mut any_succeeded = false;
        let mut worst = Verdict::valid();
        for (key, operations) in &objects {
            if !operations.iter().any(Operation::is_ok) {
                continue;
            }
            any_succeeded = true;
            let mut verdict = self.judge(operations, deadline, budget.memory);
            if verdict.valid > worst.valid {
                let name = super::name_of(key);
                verdict.reason = match verdict.valid {
                    Validity::Invalid => {
                        format!("{name} is not sequentially consistent: {}", verdict.reason)
                    }
                    _ => format!("{name} is undecided: {}", verdict.reason),
                };
                worst = verdict.with("key", json!(key));
            }
            if worst.valid == Validity::Invalid {
                break;
            }
        }
        if !any_succeeded {
            worst = Verdict::unknown("no operation of this model succeeded: nothing was shown");
        }
        worst.with("objects", objects.len())
    }
}

/// An operation that may be taken.
#[derive(Clone, Copy)]
struct Step<'a> {
    operation: Operation<'a>,
    ret: Option<&'a Ret>,
}

/// The operations of one object by process.
struct Search<'a> {
    /// Those that happened, in the order of the process.
    processes: Vec<Vec<Step<'a>>>,
    /// Those of unknown outcome, each with the process whose operations come before it.
    optional: Vec<(usize, Step<'a>)>,
}

/// How far each process has come, then which optional operations were used, in words of 32 bits.
type Places = Box<[u32]>;

struct Frame<M> {
    places: Places,
    state: M,
    /// Next steps that are still to be tried, the best last.
    untried: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(operations: &[Operation<'a>]) -> Self {
        let mut places: BTreeMap<u64, usize> = BTreeMap::new();
        let mut search = Self {
            processes: Vec::new(),
            optional: Vec::new(),
        };
        for operation in operations {
            if operation.failure().is_some() {
                continue;
            }
            let processes = &mut search.processes;
            let process = *places
                .entry(operation.invocation.process.0)
                .or_insert_with(|| {
                    processes.push(Vec::new());
                    processes.len() - 1
                });
            let step = Step {
                operation: *operation,
                ret: operation.ret(),
            };
            match step.ret {
                Some(_) => search.processes[process].push(step),
                None if operation.op().is_read_only() => {}
                None => search.optional.push((process, step)),
            }
        }
        search
    }

    fn run<M: Model>(&self, initial: &M, deadline: Instant, memory: usize) -> Verdict {
        let total: usize = self.processes.iter().map(Vec::len).sum();
        let words = self.processes.len() + self.optional.len().div_ceil(32);
        let mut tried: HashSet<(Places, M)> = HashSet::new();
        let mut bytes = 0;
        let mut steps: u64 = 0;
        // Most operations taken, with where that was.
        let mut best: (usize, Option<(Places, M)>) = (0, None);
        let mut places: Places = vec![0; words].into();
        self.settle(&mut places, initial);
        let untried = self.next(&places, initial);
        let mut path = vec![Frame {
            places,
            state: initial.clone(),
            untried,
        }];
        while let Some(frame) = path.last_mut() {
            let taken: usize = self.progress(&frame.places);
            if taken == total {
                return Verdict::valid();
            }
            if taken >= best.0 {
                best = (taken, Some((frame.places.clone(), frame.state.clone())));
            }
            let Some(step) = frame.untried.pop() else {
                path.pop();
                continue;
            };
            steps += 1;
            if steps.is_multiple_of(CLOCK_EVERY) && Instant::now() > deadline {
                return Verdict::unknown(format!(
                    "time ran out after {steps} steps, with {} of {total} operations in order at best",
                    best.0
                ));
            }
            let (mut places, state) = self.take(frame, step);
            self.settle(&mut places, &state);
            let size = words * size_of::<u32>() + state.memory() + 3 * size_of::<usize>();
            let untried = self.next(&places, &state);
            if !tried.insert((places.clone(), state.clone())) {
                continue;
            }
            bytes += size;
            // The path holds as much again, at most.
            if bytes > memory / 2 {
                return Verdict::unknown(format!(
                    "memory ran out after {steps} steps, with {} of {total} operations in order at best",
                    best.0
                ));
            }
            path.push(Frame {
                places,
                state,
                untried,
            });
        }
        self.refuted(&best)
    }

    fn progress(&self, places: &[u32]) -> usize {
        let taken = places[..self.processes.len()].iter();
        taken.map(|place| *place as usize).sum()
    }

    fn head(&self, places: &[u32], process: usize) -> Option<&Step<'a>> {
        self.processes[process].get(places[process] as usize)
    }

    fn is_used(&self, places: &[u32], optional: usize) -> bool {
        places[self.processes.len() + optional / 32] & (1 << (optional % 32)) != 0
    }

    /// Takes all reads that are possible.
    fn settle<M: Model>(&self, places: &mut Places, state: &M) {
        for process in 0..self.processes.len() {
            while self.head(places, process).is_some_and(|step| {
                step.operation.op().is_read_only()
                    && state.step(step.operation.op(), step.ret).is_some()
            }) {
                places[process] += 1;
            }
        }
    }

    /// The possible next steps, the best last: processes by number, then optional operations.
    fn next<M: Model>(&self, places: &Places, state: &M) -> Vec<usize> {
        let mut heads: Vec<(usize, usize)> = Vec::new();
        for process in 0..self.processes.len() {
            if let Some(step) = self.head(places, process)
                && state.step(step.operation.op(), step.ret).is_some()
            {
                let completed_at = step.operation.completed_at.unwrap_or(usize::MAX);
                heads.push((completed_at, process));
            }
        }
        heads.sort_unstable_by(|a, b| b.cmp(a));
        let mut next: Vec<usize> = Vec::new();
        let mut ops: HashSet<&Op> = HashSet::new();
        for (number, (process, step)) in self.optional.iter().enumerate() {
            let op = step.operation.op();
            if !self.is_used(places, number)
                && self.head(places, *process).is_none()
                && state.step(op, None).is_some_and(|after| after != *state)
                && ops.insert(op)
            {
                next.push(self.processes.len() + number);
            }
        }
        next.reverse();
        next.extend(heads.into_iter().map(|(_, process)| process));
        next
    }

    fn take<M: Model>(&self, frame: &Frame<M>, step: usize) -> (Places, M) {
        let mut places = frame.places.clone();
        let taken = match step.checked_sub(self.processes.len()) {
            None => {
                let head = self.head(&places, step).expect("a possible step is there");
                places[step] += 1;
                head
            }
            Some(number) => {
                places[self.processes.len() + number / 32] |= 1 << (number % 32);
                &self.optional[number].1
            }
        };
        let state = frame.state.step(taken.operation.op(), taken.ret);
        (places, state.expect("only possible steps are tried"))
    }

    /// The reason, once all orders were tried.
    fn refuted<M: Model>(&self, best: &(usize, Option<(Places, M)>)) -> Verdict {
        let (taken, Some((places, state))) = best else {
            return Verdict::invalid("no order explains the results");
        };
        let stuck = (0..self.processes.len()).filter_map(|process| self.head(places, process));
        let stuck: Vec<&Step<'_>> = stuck.take(NAMED_MAX).collect();
        let named: Vec<String> = stuck
            .iter()
            .map(|step| {
                format!(
                    "{} of process {} (index {})",
                    step.operation.op().name(),
                    step.operation.invocation.process,
                    step.operation.invocation.index
                )
            })
            .collect();
        let indexes: Vec<u64> = stuck
            .iter()
            .map(|step| step.operation.invocation.index)
            .collect();
        Verdict::invalid(format!(
            "no order that keeps the order of each process explains all results; the longest takes {taken} operations to {}, and then none can follow of: {}",
            state.describe(),
            named.join(", ")
        ))
        .with("operations", indexes)
    }
}
