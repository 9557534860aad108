//! `report.html`: one file that works offline and without scripts.

use crate::measure::Results;
use crate::plots::Plots;

/// The page. `spec` is the text of `spec.yaml`, shown as it is.
pub fn render(results: &Results, plots: &Plots, spec: &str) -> String {
    let _ = (results, plots, spec);
    String::new()
}
