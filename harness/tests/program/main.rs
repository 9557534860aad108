//! The `shakedown` program from outside, as its users meet it.

mod evidence;
mod runs;
mod usage;
mod workplace;
