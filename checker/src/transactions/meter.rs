//! Keeps an analysis within its budget of time and memory.

use crate::Budget;
use std::time::{Duration, Instant};

/// The clock is read once in so many steps.
const STEPS_PER_LOOK: u64 = 1 << 14;

/// How much of the budget is used.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    deadline: Instant,
    memory: usize,
    memory_max: usize,
    steps_to_look: u64,
    stage: &'static str,
}

/// Why an analysis could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    #[error("time ran out after {after_ms} ms while {stage}")]
    Time { after_ms: u64, stage: &'static str },
    #[error("{stage} would need {needed_mib} MiB of memory, {allowed_mib} MiB are allowed")]
    Memory {
        needed_mib: usize,
        allowed_mib: usize,
        stage: &'static str,
    },
}

impl Meter {
    pub fn new(budget: Budget) -> Self {
        let started = Instant::now();
        Self {
            started,
            // A budget too long for the clock is no limit.
            deadline: started
                .checked_add(budget.time)
                .unwrap_or_else(|| started + Duration::from_secs(365 * 24 * 3600)),
            memory: 0,
            memory_max: budget.memory,
            steps_to_look: STEPS_PER_LOOK,
            stage: "beginning",
        }
    }

    /// Names what is done next, for the sentence that says how far the analysis came.
    pub fn stage(&mut self, stage: &'static str) -> Result<(), Exhausted> {
        self.stage = stage;
        self.look()
    }

    /// Counts `steps` of work.
    #[inline]
    pub fn work(&mut self, steps: u64) -> Result<(), Exhausted> {
        if steps < self.steps_to_look {
            self.steps_to_look -= steps;
            return Ok(());
        }
        self.steps_to_look = STEPS_PER_LOOK;
        self.look()
    }

    fn look(&self) -> Result<(), Exhausted> {
        if Instant::now() <= self.deadline {
            return Ok(());
        }
        Err(Exhausted::Time {
            after_ms: self.elapsed_ms(),
            stage: self.stage,
        })
    }

    /// Asks for room for `count` things of type `T` before they are allocated.
    pub fn room<T>(&mut self, count: usize) -> Result<(), Exhausted> {
        self.memory += count * size_of::<T>();
        if self.memory <= self.memory_max {
            return Ok(());
        }
        Err(Exhausted::Memory {
            needed_mib: self.memory.div_ceil(1 << 20),
            allowed_mib: self.memory_max >> 20,
            stage: self.stage,
        })
    }

    /// Says that what [`room`](Self::room) allowed was given back.
    pub fn give_back<T>(&mut self, count: usize) {
        self.memory = self.memory.saturating_sub(count * size_of::<T>());
    }

    pub fn elapsed_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_the_budget_is_refused_with_the_stage() {
        let mut meter = Meter::new(Budget {
            time: Duration::ZERO,
            memory: 1 << 20,
        });
        assert_eq!(meter.room::<u64>(1 << 17), Ok(()));
        meter.give_back::<u64>(1 << 17);
        assert!(meter.stage("looking for cycles").is_err());
        assert_eq!(
            meter.room::<u64>(1 << 18).unwrap_err().to_string(),
            "looking for cycles would need 2 MiB of memory, 1 MiB are allowed"
        );
        let error = (0..).find_map(|_| meter.work(1).err()).unwrap();
        assert!(error.to_string().ends_with("ms while looking for cycles"));
    }
}
