//! Makes a run that failed small: fewer faults, less time, less load, and it still fails.
//!
//! [`reduce()`] decides what to try, and is pure: it is told how the candidates so far ended and names the next
//! one. [`attempts`] keeps how they ended, a line as each run ends, so that shrinking goes on where it was
//! interrupted. [`search`] runs the candidates.

pub mod attempts;
pub mod reduce;
pub mod search;

pub use attempts::{Attempt, Attempts, Ended};
pub use reduce::{Unanswered, reduce};
pub use search::{Limits, Search, Shrunk, Why};
