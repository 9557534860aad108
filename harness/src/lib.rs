//! The controller: the `shakedown` command.
//!
//! [`cli`] is the command line, [`commands`] has one file a command. A run is [`run::test`], which reads as its
//! phases; operations are performed by the [`interpreter`] and availability is watched by [`watch`].
//! [`compare`] finds the runs of a comparison, and makes those of an A/B comparison in turns.
//! [`suite`] makes the runs of a night and says what came of them.
//! [`gc`] decides which runs may go.
//! [`simulated`] plays workloads in strata's simulation.
//! [`serve`] shows the runs as web pages.
//! [`exit`] has the exit codes of the contract.

pub mod cli;
pub mod commands;
pub mod compare;
pub mod exit;
pub mod gc;
pub mod interpreter;
pub mod interrupt;
pub mod log;
pub mod progress;
pub mod run;
pub mod serve;
pub mod shrink;
pub mod simulated;
pub mod spec;
pub mod suite;
pub mod sweep;
pub mod watch;
