//! Several workloads in one run: `register+ledger`.

use crate::generator::{Any, Boxed, Mix};
use crate::judges::Scoped;
use crate::{Workload, seed};
use checker::Checker;

/// Every thread works on all of them, choosing at random by weight. Their keys do not collide, and each is judged by
/// the operations on its own keys.
pub struct Union {
    name: String,
    model: String,
    parts: Vec<(u32, Box<dyn Workload>)>,
}

impl Union {
    pub fn new(parts: Vec<(u32, Box<dyn Workload>)>) -> Self {
        let join = |name: fn(&dyn Workload) -> &str| {
            let names: Vec<&str> = parts.iter().map(|(_, part)| name(part.as_ref())).collect();
            names.join("+")
        };
        Self {
            name: join(|part| part.name()),
            model: join(|part| part.model()),
            parts,
        }
    }
}

impl Workload for Union {
    fn name(&self) -> &str {
        &self.name
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn generator(&self, seed: u64) -> Boxed {
        let parts: Vec<(u32, Boxed)> = self
            .parts
            .iter()
            .map(|(weight, part)| (*weight, part.generator(seed)))
            .collect();
        Box::new(Mix::new(parts, seed::stream(seed, "union")))
    }

    fn finale(&self, seed: u64) -> Boxed {
        let parts: Vec<Boxed> = self
            .parts
            .iter()
            .map(|(_, part)| part.finale(seed))
            .collect();
        Box::new(Any::new(parts))
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let scoped = |part: &dyn Workload| {
            let blocks = part.blocks();
            let checkers = part.checkers().into_iter();
            checkers.map(move |checker| -> Box<dyn Checker> {
                Box::new(Scoped {
                    blocks: blocks.clone(),
                    checker,
                })
            })
        };
        self.parts
            .iter()
            .flat_map(|(_, part)| scoped(part.as_ref()))
            .collect()
    }

    fn blocks(&self) -> Vec<i64> {
        self.parts
            .iter()
            .flat_map(|(_, part)| part.blocks())
            .collect()
    }
}
