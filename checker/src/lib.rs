//! Judges histories.
//!
//! Start at [`history`]: what clients did and saw, and the files that keep it. A [`Checker`] turns a
//! [`History`] into a [`Verdict`] within a [`Budget`]. This crate does no I/O besides reading and
//! writing history files, and reads no clock besides the one that ends its budget: it gives the same
//! answers in a real run, in simulation and on somebody else's file.
//!
//! | where | what |
//! |---|---|
//! | [`history`] | events, operations, our own file format |
//! | [`formats`] | histories of other tools |
//! | [`model`] | objects as one client sees them |
//! | [`special`] | answers for some objects that need no search |
//! | [`linearizability`] | [`Linearizable`](linearizability::Linearizable): did it look like one object? |
//! | [`weak`] | what weaker systems promise: sequential consistency, bounded staleness, session guarantees |
//! | [`ledger`] | [`Ledger`](ledger::Ledger): is what was acknowledged still there? |
//! | [`store`] | what every operation does when one client at a time asks for it |
//! | [`set_full`] | [`SetFull`](set_full::SetFull): what became of each element of a set |
//! | [`bank`] | [`Bank`](bank::Bank): no read sees money made or lost |
//! | [`unique_ids`] | [`UniqueIds`](unique_ids::UniqueIds): no id is given twice |
//! | [`counter_bounds`] | [`CounterBounds`](counter_bounds::CounterBounds): reads lie within what was added |
//! | [`monotonic`] | [`Monotonic`](monotonic::Monotonic): values never go back |
//! | [`total_queue`] | [`TotalQueue`](total_queue::TotalQueue): what goes in comes out, once |
//! | [`long_fork`] | [`LongFork`](long_fork::LongFork): all see the writes in one order |
//! | [`causal`] | [`Causal`](causal::Causal): whoever sees an effect sees its causes |
//! | [`causal_reverse`] | [`CausalReverse`](causal_reverse::CausalReverse): no later write is seen without an earlier |
//! | [`crashes`], [`log_patterns`], [`availability`] | judges of a whole run: servers, their logs, the service |
//! | [`transactions`] | [`Transactional`](transactions::Transactional): which isolation did they have? |
//! | [`stats`] | [`Stats`](stats::Stats): how operations ended |
//! | [`generate`] | histories made up, right or with a planted violation |
//! | [`explain`] | why a history is invalid: the few operations that show it, verified and drawn |
//! | [`check_all`] | all of them, none able to spoil the others |

pub mod availability;
pub mod bank;
pub mod causal;
pub mod causal_reverse;
mod check;
pub mod counter_bounds;
pub mod crashes;
pub mod explain;
pub mod fault_windows;
mod findings;
pub mod formats;
pub mod generate;
pub mod history;
pub mod ledger;
pub mod linearizability;
pub mod log_patterns;
pub mod long_fork;
pub mod model;
pub mod monotonic;
mod named;
pub mod set_full;
pub mod special;
pub mod stats;
pub mod store;
pub mod total_queue;
pub mod transactions;
pub mod unique_ids;
mod verdict;
pub mod weak;

pub use check::check_all;
pub use history::{
    Event, History, Key, Mop, Op, Outcome, Phase, ProcessId, Reason, Ret, Seen, Value,
};
pub use named::{MODELS, UnknownModel, checkers_for};
pub use verdict::{Budget, Checker, Validity, Verdict, Watch};
