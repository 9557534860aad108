//! Parts that use only some of the worker threads.

use super::{Any, Boxed};
use crate::{Context, Generator, Next};
use checker::{Event, ProcessId};
use std::ops::Range;

/// Shows its part only the free processes of some threads.
pub struct OnThreads {
    threads: Range<u64>,
    part: Boxed,
    free: Vec<ProcessId>,
}

impl OnThreads {
    pub fn new(threads: Range<u64>, part: Boxed) -> Self {
        Self {
            threads,
            part,
            free: Vec::new(),
        }
    }
}

/// Gives each part so many threads of its own, counted from thread 0; the last part, given apart, has
/// the rest.
pub fn reserve(parts: impl IntoIterator<Item = (u64, Boxed)>, rest: Boxed) -> Any {
    let mut first = 0;
    let mut all: Vec<Boxed> = Vec::new();
    for (count, part) in parts {
        all.push(Box::new(OnThreads::new(first..first + count, part)));
        first += count;
    }
    all.push(Box::new(OnThreads::new(first..u64::MAX, rest)));
    Any::new(all)
}

impl Generator for OnThreads {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        self.free.clear();
        self.free.extend(
            ctx.free
                .iter()
                .filter(|process| self.threads.contains(&ctx.thread(**process))),
        );
        self.part.next(&Context {
            free: &self.free,
            ..*ctx
        })
    }

    fn observe(&mut self, event: &Event) {
        self.part.observe(event);
    }
}
