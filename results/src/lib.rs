//! What is kept of a run and how it is shown.
//!
//! [`folder`] is the run's place on disk, written step by step so that a crash loses nothing recorded
//! before it. [`observe`] holds what is recorded beside the history while a run goes on. Everything
//! recorded, put together, is a [`Recorded`]; [`measure()`] turns it into [`Results`], which is
//! `results.json`. From these two [`plots`] draws, [`report`] writes the page, [`table`] the terminal
//! summary and [`junit`] the file for build servers. [`explanation`] draws why a history is invalid.
//! [`compare`] holds runs against each other, [`suite`] says what a night of tests came to, [`statistics`] what may
//! be concluded from several runs.
//! [`sweep`] says what follows from a grid of runs, and [`web`] has the pages of `shakedown serve`.
//!
//! Only [`folder`], [`hold`] and the stores of what has several runs touch the disk. Nothing here reads a clock besides the one that names a folder.

pub mod compare;
pub mod explanation;
pub mod folder;
pub mod hold;
pub mod junit;
pub mod measure;
pub mod metrics;
pub mod observe;
pub mod plots;
mod recorded;
pub mod report;
pub mod statistics;
pub mod suite;
pub mod sweep;
pub mod table;
pub mod web;

pub use folder::{Error, Folder};
pub use measure::{Results, measure, overall};
pub use recorded::{LedgerFigures, Marks, Method, Program, Recorded, Run};
