//! The `shakedown` program from outside, as its users meet it.

mod runs;
mod usage;
mod workplace;
