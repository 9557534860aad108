//! Makes histories up: of any length, of many models, valid or with one violation of a chosen kind.
//!
//! A [`History`] says what is wanted; the same words always give the same events. Clients work on an
//! object in memory: every operation takes effect at one moment between its invocation and its
//! completion, so the history is right by construction. A crashed operation takes effect while its
//! client waits, or later, or never.
//!
//! A planted violation is a short scene in the middle: everyone falls silent, then a few operations end
//! as they never may, then the run goes on. A scene takes the crashed operations before it into account,
//! so that none of them can excuse it.
//!
//! `kind` and `planted` are the vocabulary, `run` is the clients, `world` what they work on; the objects
//! are in `registers`, `collections`, `counter`, `locks`, `transactions` and `bank`.
//!
//! ```
//! use checker::generate::{History, Kind, Planted};
//!
//! let history = History {
//!     model: Kind::CasRegister,
//!     operations: 1_000,
//!     planted: Some(Planted::StaleRead),
//!     ..History::default()
//! };
//! assert_eq!(history.generate()?, history.generate()?);
//! # Ok::<(), checker::generate::CannotGenerate>(())
//! ```

mod bank;
mod collections;
mod counter;
mod kind;
mod locks;
mod planted;
mod registers;
mod run;
mod script;
mod transactions;
mod world;

#[cfg(test)]
mod tests;

pub use kind::{Kind, UnknownKind};
pub use planted::{Planted, UnknownPlanted};

use crate::Event;
use crate::history::Header;

/// What history to make.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub model: Kind,
    /// Operations to invoke; those of a planted scene come on top.
    pub operations: usize,
    /// Clients that work at the same time, mostly all of them.
    pub processes: usize,
    /// Objects in use at a time.
    pub keys: usize,
    /// How many different values are written; 0: every written value is new.
    pub values: usize,
    /// Share of the operations whose outcome stays unknown, from 0 to 1.
    pub crashed: f64,
    /// What goes wrong in the middle.
    pub planted: Option<Planted>,
    pub seed: u64,
}

/// Why such a history can't be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CannotGenerate {
    #[error("operations, processes and keys must be at least 1")]
    Empty,
    #[error("the crashed share is {0}, but must be from 0 to 1")]
    Crashed(f64),
    #[error("{planted} can't be planted in a history of {kind}; these can: {possible}")]
    Misfit {
        planted: Planted,
        kind: Kind,
        possible: String,
    },
    #[error("{planted} found no place; it takes at least two processes and two values")]
    NoPlace { planted: Planted },
}

impl Default for History {
    fn default() -> Self {
        Self {
            model: Kind::CasRegister,
            operations: 1_000,
            processes: 10,
            keys: 1,
            values: 5,
            crashed: 0.0,
            planted: None,
            seed: 0,
        }
    }
}

impl History {
    /// The history with its header.
    pub fn generate(&self) -> Result<crate::History, CannotGenerate> {
        let mut events = Vec::with_capacity(2 * self.operations + 64);
        self.stream(|event| events.push(event))?;
        Ok(crate::History {
            header: Some(self.header()),
            events,
            ..crate::History::default()
        })
    }

    /// Hands over the events one by one, for histories that need not fit into memory.
    pub fn stream(&self, take: impl FnMut(Event)) -> Result<(), CannotGenerate> {
        if self.operations == 0 || self.processes == 0 || self.keys == 0 {
            return Err(CannotGenerate::Empty);
        }
        if !(0.0..=1.0).contains(&self.crashed) {
            return Err(CannotGenerate::Crashed(self.crashed));
        }
        if let Some(planted) = self.planted
            && !self.model.plantable().contains(&planted)
        {
            let possible: Vec<&str> = self.model.plantable().iter().map(Planted::name).collect();
            return Err(CannotGenerate::Misfit {
                planted,
                kind: self.model,
                possible: possible.join(", "),
            });
        }
        run::Run::new(self, take).run()
    }

    /// The first line of its file.
    pub fn header(&self) -> Header {
        Header {
            version: crate::history::jsonl::VERSION,
            workload: "generated".to_owned(),
            model: self.model.to_string(),
        }
    }
}
