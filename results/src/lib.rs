//! What is kept of a run and how it is shown.
//!
//! [`observe`] holds what is recorded beside the history while a run goes on.

pub mod observe;
