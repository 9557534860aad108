//! Pictures as SVG, drawn with plotters from binned data, never from single operations. [`canvas`]
//! holds what they share: size, fonts, the colours by role, the bands of the faults.
//!
//! Every picture follows the reader's light or dark scheme: colours are classes, and the style that
//! gives them their values is in each file and once in the report.

mod availability;
mod canvas;
mod latency;
mod recovery;
mod strips;
mod throughput;

use crate::measure::Results;
use crate::recorded::Recorded;

pub use canvas::STYLE;
use canvas::{Bands, Timescale};

/// The pictures of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plots {
    /// Over the time of the run, one above the other on the same scale.
    pub timeline: Vec<Picture>,
    /// The recoveries of all faults; `None` when no fault took effect.
    pub recoveries: Option<Picture>,
    /// One for each fault that took effect, by its number.
    pub recovery: Vec<(u32, Picture)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// File name without its ending.
    pub name: String,
    /// What the picture shows, in a line.
    pub title: String,
    svg: String,
}

impl Plots {
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        let each = self.recovery.iter().map(|(_, picture)| picture);
        self.timeline.iter().chain(&self.recoveries).chain(each)
    }
}

impl Picture {
    /// For a page that has [`STYLE`].
    pub fn inline(&self) -> &str {
        &self.svg
    }

    /// A document of its own.
    pub fn document(&self) -> String {
        let rest = self.svg.strip_prefix("<svg").unwrap_or(&self.svg);
        let (root, body) = rest.split_once('>').unwrap_or((rest, ""));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"{root}>\
             <style>{STYLE}svg{{background:var(--page)}}</style>{body}\n"
        )
    }
}

pub fn draw(recorded: &Recorded, results: &Results) -> Plots {
    let scale = Timescale::of(recorded);
    let bands = Bands::of(recorded);
    Plots {
        timeline: vec![
            strips::draw(recorded, &scale, &bands),
            latency::draw(recorded, &scale, &bands),
            throughput::draw(recorded, &scale, &bands),
            availability::draw(recorded, &scale, &bands),
        ],
        recoveries: recovery::overview(results),
        recovery: recovery::each(results),
    }
}
