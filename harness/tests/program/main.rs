//! The `shakedown` program from outside, as its users meet it.

mod evidence;
mod gc;
mod runs;
mod suites;
mod sweeps;
mod usage;
mod workplace;
