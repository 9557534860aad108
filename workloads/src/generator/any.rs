//! Whichever part is ready.

use super::{Boxed, Owners, earlier};
use crate::{Context, Generator, Next};
use checker::Event;

/// Asks the parts in turn and takes the first operation offered; the part after the one that gave the
/// last operation is asked first, so none starves. Done when all are.
pub struct Any {
    parts: Vec<Boxed>,
    owners: Owners<usize>,
    first: usize,
}

impl Any {
    pub fn new(parts: impl IntoIterator<Item = Boxed>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
            owners: Owners::default(),
            first: 0,
        }
    }
}

impl Generator for Any {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        let count = self.parts.len();
        let mut pending = None;
        for offset in 0..count {
            let at = (self.first + offset) % count;
            match self.parts[at].next(ctx) {
                Next::Op(process, op) => {
                    self.owners.claim(process, at);
                    self.first = at + 1;
                    return Next::Op(process, op);
                }
                Next::Pending { until } => {
                    pending = Some(pending.map_or(until, |other| earlier(other, until)));
                }
                Next::Done => {}
            }
        }
        match pending {
            Some(until) => Next::Pending { until },
            None => Next::Done,
        }
    }

    fn observe(&mut self, event: &Event) {
        if let Some(at) = self.owners.of(event) {
            self.parts[at].observe(event);
        }
    }
}
