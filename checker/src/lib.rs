//! Judges histories.
//!
//! Start at [`history`]: what clients did and saw, and the files that keep it. A [`Checker`] turns a
//! [`History`] into a [`Verdict`] within a [`Budget`]. This crate does no I/O besides reading and
//! writing history files, and reads no clock besides the one that ends its budget: it gives the same
//! answers in a real run, in simulation and on somebody else's file.

pub mod history;
mod verdict;

pub use history::{Event, History, Key, Op, Outcome, Phase, ProcessId, Reason, Ret, Value};
pub use verdict::{Budget, Checker, Validity, Verdict};
