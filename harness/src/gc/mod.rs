//! What of the run store may go, and the going of it.
//!
//! [`mod@survey`] finds the runs and what speaks for each, [`policy`] decides, and is pure, [`removal`] removes.

pub mod policy;
pub mod removal;
pub mod survey;

pub use policy::{Decision, Rules, decide};
pub use survey::{Found, survey};
