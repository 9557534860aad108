//! Sweeps: the same runs over a grid of settings and faults, and what the curves say.
//!
//! [`record`] is what is kept of the runs, [`store`] where; [`findings`] is what follows from it: recovery times beside
//! their [predictions](predicted), [losses](loss), [costs](cost) and a [recommendation](recommend).

mod calibrated;
mod cost;
mod curves;
mod findings;
mod loss;
mod optimum;
mod page;
mod predicted;
mod recommend;
mod record;
mod recovered;
mod store;
mod text;
mod waiting;
mod words;

pub use cost::{Costs, Spread};
pub use curves::{Chart, Curve, Fit, Place, Point};
pub use findings::{Findings, analyse};
pub use loss::{Loss, Verdict, is_allowed};
pub use optimum::Optimum;
pub use page::page;
pub use predicted::Predicted;
pub use recommend::{Judged, Recommendation, Slowest, Target};
pub use record::{
    Calibration, Cell, Cost, Durability, Interval, Measured, Recovered, Repeat, Scenario, Sweep,
    Waited,
};
pub use recovered::repeat;
pub use store::{Calibrated, Store};
pub use text::{markdown, text};
pub use waiting::{Measure, Quantile, Summary};

#[cfg(test)]
pub(crate) mod made_up;
#[cfg(test)]
mod tests;
