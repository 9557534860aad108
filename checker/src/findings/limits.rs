//! The limits of one check.

use crate::verdict::Budget;
use std::time::{Duration, Instant};

/// Units of work, of well under a microsecond each, between two looks at the clock.
const STRIDE: usize = 8192;

/// A budget in use.
#[derive(Debug)]
pub(crate) struct Limits {
    started: Instant,
    time: Duration,
    memory: usize,
    /// Work that is left until the clock is looked at again.
    credit: usize,
}

/// A limit that stopped a check.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Exhausted {
    #[error("time ran out after {:.1} s", .0.as_secs_f64())]
    Time(Duration),
    #[error("memory ran out: {what} would take {needed} bytes of {allowed} allowed")]
    Memory {
        what: &'static str,
        needed: usize,
        allowed: usize,
    },
}

impl Limits {
    pub fn start(budget: Budget) -> Self {
        Self {
            started: Instant::now(),
            time: budget.time,
            memory: budget.memory,
            credit: 0,
        }
    }

    /// Accounts for work that is done or about to be done. The first call looks at the clock.
    pub fn spend(&mut self, work: usize) -> Result<(), Exhausted> {
        match self.credit.checked_sub(work) {
            Some(rest) => {
                self.credit = rest;
                Ok(())
            }
            None if self.elapsed() >= self.time => Err(Exhausted::Time(self.elapsed())),
            None => {
                self.credit = STRIDE;
                Ok(())
            }
        }
    }

    /// Refuses to hold more than the budget allows.
    pub fn hold(&self, what: &'static str, bytes: usize) -> Result<(), Exhausted> {
        if bytes > self.memory {
            return Err(Exhausted::Memory {
                what,
                needed: bytes,
                allowed: self.memory,
            });
        }
        Ok(())
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
