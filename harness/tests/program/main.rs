//! The `shakedown` program from outside, as its users meet it.

mod evidence;
mod gc;
mod runs;
mod sweeps;
mod suites;
mod usage;
mod workplace;
