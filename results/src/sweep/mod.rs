//! Sweeps: the same runs over a grid of settings and faults, and what the curves say.

mod record;
mod recovered;
mod store;

pub use record::{
    Calibration, Cell, Cost, Durability, Interval, Measured, Recovered, Repeat, Scenario, Sweep,
    Waited,
};
pub use recovered::repeat;
pub use store::{Calibrated, Store};
