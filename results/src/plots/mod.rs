//! Pictures as SVG, drawn with plotters from binned data, never from single operations. [`canvas`]
//! holds what they share: size, fonts, the colours by role, the bands of the faults.
//!
//! Every picture follows the reader's light or dark scheme: colours are classes, and the style that
//! gives them their values is in each file and once in the report.

mod availability;
mod canvas;
mod chains;
mod growth;
mod latency;
mod milestones;
mod overlay;
mod progression;
mod recovery;
mod series;
mod strips;
pub mod sweep;
mod throughput;
mod trend;
mod upright;

use crate::measure::Results;
use crate::recorded::Recorded;

pub use canvas::STYLE;
pub(crate) use canvas::fault_class;
use canvas::{Bands, Timescale};
pub use growth::{Curve, growth, n_log_n};
pub use overlay::{changes, overlay};
pub use progression::{Dot, growing, progression};
pub use series::Series;
pub use trend::trend;

/// The pictures of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plots {
    /// Over the time of the run, one above the other on the same scale.
    pub timeline: Vec<Picture>,
    /// What these are drawn from.
    pub series: Series,
    /// The recoveries of all faults; `None` when no fault took effect.
    pub recoveries: Option<Picture>,
    /// The chains of checkpoint files over time; `None` when no server told of one.
    pub chains: Option<Picture>,
    /// The timeline of each fault that took effect, by its number.
    pub recovery: Vec<(u32, Picture)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// File name without its ending.
    pub name: String,
    /// What the picture shows, in a line.
    pub title: String,
    /// In units of which the width has [`canvas::WIDTH`].
    height: u32,
    /// The inside of the root element.
    body: String,
}

impl Plots {
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        let each = self.recovery.iter().map(|(_, picture)| picture);
        let single = self.recoveries.iter().chain(&self.chains);
        self.timeline.iter().chain(single).chain(each)
    }
}

impl Picture {
    /// For a page that has [`STYLE`] and says the title itself.
    pub fn inline(&self) -> String {
        format!("{}{}</svg>", self.root("", 0), self.body)
    }

    /// A document of its own, with its title above.
    pub fn document(&self) -> String {
        const TITLE: u32 = 30;
        let title = maud::html! { (self.title) }.into_string();
        format!(
            "{}<style>{STYLE}svg{{background:var(--page)}}</style>\
             <text x=\"10\" y=\"-10\" font-size=\"14\" font-weight=\"600\" class=\"f-ink\">{title}</text>\
             {}</svg>\n",
            self.root("xmlns=\"http://www.w3.org/2000/svg\" ", TITLE),
            self.body
        )
    }

    fn root(&self, namespace: &str, above: u32) -> String {
        let title = maud::html! { (self.title) }.into_string();
        format!(
            "<svg {namespace}viewBox=\"0 -{above} {} {}\" class=\"plot\" role=\"img\" aria-label=\"{title}\" \
             font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif\">",
            canvas::WIDTH,
            self.height + above
        )
    }
}

pub fn draw(recorded: &Recorded, results: &Results) -> Plots {
    let scale = Timescale::of(recorded);
    let bands = Bands::of(recorded);
    let series = Series::of(recorded, &scale, &bands);
    Plots {
        timeline: vec![
            strips::draw(recorded, &scale, &bands),
            latency::draw(&series, &scale, &bands),
            throughput::draw(&series, &scale, &bands),
            availability::draw(recorded, &scale, &bands),
        ],
        series,
        recoveries: recovery::overview(results),
        chains: chains::draw(recorded, results, &scale, &bands),
        recovery: milestones::each(recorded, results),
    }
}
