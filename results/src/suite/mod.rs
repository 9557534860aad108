//! What a suite is expected to hold, what it recorded, and what it came to.
//!
//! [`expect`] reads thresholds such as `rto.steady_p95: "< 5s"`. [`record`] has the lines that are written as a suite
//! goes on, [`store`] their place on disk. [`summary`] turns them into a verdict, from which [`junit`], [`markdown`],
//! [`annotations`], [`table`] and [`page`] are written; [`trend`] looks over all nights.

pub mod annotations;
pub mod expect;
pub mod junit;
pub mod markdown;
pub mod page;
pub mod record;
pub mod store;
pub mod summary;
pub mod table;
pub mod trend;

pub use expect::{Expectations, Gate};
pub use record::{Because, Ended, Failing, Plan, Run, Test};
pub use store::{Night, Place};
pub use summary::{Outcome, Summary};
