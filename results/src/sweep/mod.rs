//! Sweeps: the same runs over a grid of settings and faults, and what the curves say.

mod record;

pub use record::{
    Calibration, Cell, Cost, Durability, Interval, Measured, Recovered, Repeat, Scenario, Sweep,
    Waited,
};
