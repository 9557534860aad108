//! The checkers that need no search, held against their definitions: each verdict on random small
//! histories is that of an oracle that compares everything with everything.
//!
//! `scene` writes histories, `agreement` compares verdicts; then one file for each checker.

mod agreement;
mod availability;
mod bank;
mod causal;
mod causal_reverse;
mod counter_bounds;
mod limits;
mod long_fork;
mod monotonic;
mod scene;
mod set_full;
mod total_queue;
mod unique_ids;
