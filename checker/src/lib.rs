//! Judges histories.
//!
//! Start at [`history`]: what clients did and saw, and the files that keep it. A [`Checker`] turns a
//! [`History`] into a [`Verdict`] within a [`Budget`]. This crate does no I/O besides reading and
//! writing history files, and reads no clock besides the one that ends its budget: it gives the same
//! answers in a real run, in simulation and on somebody else's file.
//!
//! | where | what |
//! |---|---|
//! | [`history`] | events, operations, the file formats |
//! | [`model`] | objects as one client sees them |
//! | [`special`] | answers for some objects that need no search |
//! | [`linearizability`] | [`Linearizable`](linearizability::Linearizable): did it look like one object? |
//! | [`weak`] | what weaker systems promise: sequential consistency, bounded staleness, session guarantees |
//! | [`ledger`] | [`Ledger`](ledger::Ledger): is what was acknowledged still there? |
//! | [`store`] | what every operation does when one client at a time asks for it |
//! | [`stats`] | [`Stats`](stats::Stats): how operations ended |
//! | [`generate`] | histories made up, right or with a planted violation |
//! | [`check_all`] | all of them, none able to spoil the others |

mod check;
pub mod generate;
pub mod history;
pub mod ledger;
pub mod linearizability;
pub mod model;
pub mod special;
pub mod stats;
pub mod store;
mod verdict;
pub mod weak;

pub use check::{MODELS, UnknownModel, check_all, checkers_for};
pub use history::{
    Event, History, Key, Mop, Op, Outcome, Phase, ProcessId, Reason, Ret, Seen, Value,
};
pub use verdict::{Budget, Checker, Validity, Verdict};
