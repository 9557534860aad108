//! A random choice among parts.

use super::{Boxed, Owners, earlier};
use crate::{Context, Generator, Next};
use checker::Event;
use rand::RngExt;
use rand_pcg::Pcg64;

/// Each operation comes from a part chosen at random by weight. When the chosen part has nothing now,
/// the others are asked in their order; a part that is done drops out.
pub struct Mix {
    parts: Vec<(u32, Option<Boxed>)>,
    owners: Owners<usize>,
    rng: Pcg64,
}

impl Mix {
    /// A weight of 0 means: only when the others have nothing.
    pub fn new(parts: impl IntoIterator<Item = (u32, Boxed)>, rng: Pcg64) -> Self {
        Self {
            parts: parts
                .into_iter()
                .map(|(weight, part)| (weight, Some(part)))
                .collect(),
            owners: Owners::default(),
            rng,
        }
    }

    fn choose(&mut self) -> usize {
        let live = |(weight, part): &(u32, Option<Boxed>)| {
            if part.is_some() {
                u64::from(*weight)
            } else {
                0
            }
        };
        let total: u64 = self.parts.iter().map(live).sum();
        if total == 0 {
            return 0;
        }
        let mut left = self.rng.random_range(0..total);
        for (at, part) in self.parts.iter().enumerate() {
            let weight = live(part);
            if left < weight {
                return at;
            }
            left -= weight;
        }
        0
    }
}

impl Generator for Mix {
    fn next(&mut self, ctx: &Context<'_>) -> Next {
        if ctx.free.is_empty() {
            // Draws nothing from the stream: the plan must not depend on how often it is asked.
            return if self.parts.iter().any(|(_, part)| part.is_some()) {
                Next::Pending { until: None }
            } else {
                Next::Done
            };
        }
        let count = self.parts.len();
        let chosen = self.choose();
        let mut pending = None;
        for at in std::iter::once(chosen).chain((0..count).filter(|at| *at != chosen)) {
            let Some(part) = self.parts.get_mut(at).and_then(|(_, part)| part.as_mut()) else {
                continue;
            };
            match part.next(ctx) {
                Next::Op(process, op) => {
                    self.owners.claim(process, at);
                    return Next::Op(process, op);
                }
                Next::Pending { until } => {
                    pending = Some(pending.map_or(until, |other| earlier(other, until)));
                }
                // Kept until its last operation has completed: it may want to know.
                Next::Done if self.owners.0.values().any(|owner| *owner == at) => {}
                Next::Done => self.parts[at].1 = None,
            }
        }
        match pending {
            Some(until) => Next::Pending { until },
            None => Next::Done,
        }
    }

    fn observe(&mut self, event: &Event) {
        if let Some(at) = self.owners.of(event)
            && let Some(part) = &mut self.parts[at].1
        {
            part.observe(event);
        }
    }
}
