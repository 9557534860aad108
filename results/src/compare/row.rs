//! One measure on both sides: its values, its change with an interval, and what may be concluded.

use super::Entry;
use crate::metrics::{self, Better, Metric, Unit};
use crate::statistics::family::{self, Design, Measure};
use crate::statistics::{Interval, bootstrap, mean, median, student};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Of the interval of a change.
pub const CONFIDENCE: f64 = 0.95;

/// A ratio nearer to 1 than this is of no interest, however sure it is.
pub const NEGLIGIBLE: f64 = 0.02;

/// Chance is part of the method; the same runs must give the same table.
const SEED: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Regressed,
    Improved,
    WithinNoise,
    NotComparable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Regressed => "regressed",
            Verdict::Improved => "improved",
            Verdict::WithinNoise => "within noise",
            Verdict::NotComparable => "not comparable",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// As in [`metrics::ALL`].
    pub metric: String,
    pub base: Option<Summary>,
    pub new: Option<Summary>,
    pub change: Option<Change>,
    /// Corrected for the number of measures.
    pub p: Option<f64>,
    pub verdict: Verdict,
    /// Why it can't be compared; else empty.
    pub reason: String,
}

/// The runs of one side, in the metric's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub median: f64,
    /// Of the median, by bootstrap; none of a single run.
    pub interval: Option<Interval>,
    /// Of the runs that have it, in their order.
    pub values: Vec<f64>,
}

/// How much more the new side has. The interval is for this measure alone; the verdict is corrected for all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "kebab-case")]
pub enum Change {
    /// Ratio of the geometric means minus 1: where all values are above 0.
    Relative {
        value: f64,
        interval: Option<Interval>,
    },
    /// Difference of the means, in the metric's unit.
    Absolute {
        value: f64,
        interval: Option<Interval>,
    },
}

impl Row {
    pub fn metric(&self) -> Option<&'static Metric> {
        Metric::by_name(&self.metric)
    }

    pub fn unit(&self) -> Unit {
        self.metric().map_or(Unit::Count, |metric| metric.unit)
    }
}

/// Why so few runs can't tell; none if they can.
pub(super) fn too_few(base: usize, new: usize, design: Design, alpha: f64) -> Option<String> {
    if family::least_p(base, new, design) <= alpha {
        return None;
    }
    let enough = (2..).find(|n| family::least_p(*n, *n, design) <= alpha)?;
    Some(format!(
        "too few repeats: {base} and {new}; {enough} and {enough} can tell"
    ))
}

/// A row for each metric that any run has, in the order of [`metrics::ALL`].
pub(super) fn rows(
    base: &[&Entry],
    new: &[&Entry],
    design: Design,
    alpha: f64,
    refused: Option<&str>,
) -> Vec<Row> {
    let values = |side: &[&Entry], metric: &Metric| -> Vec<Option<f64>> {
        side.iter().map(|entry| metric.of(&entry.results)).collect()
    };
    let all = metrics::ALL.iter().map(|metric| Compared {
        metric,
        design,
        base: values(base, metric),
        new: values(new, metric),
    });
    let all: Vec<Compared> = all.filter(Compared::is_measured).collect();
    // Those that can't be judged take no part in the correction.
    let refusals: Vec<Option<String>> = all
        .iter()
        .map(|compared| {
            refused
                .map(str::to_owned)
                .or_else(|| compared.refusal(alpha))
        })
        .collect();
    let judged: Vec<Measure> = all
        .iter()
        .zip(&refusals)
        .filter(|(_, refusal)| refusal.is_none())
        .map(|(compared, _)| Measure::new(&compared.base, &compared.new))
        .collect();
    let mut p = family::corrected(&judged, (base.len(), new.len()), design, SEED).into_iter();
    all.iter()
        .zip(refusals)
        .map(|(compared, refusal)| match refusal {
            Some(reason) => compared.row(None, reason, alpha),
            None => compared.row(p.next(), String::new(), alpha),
        })
        .collect()
}

struct Compared<'a> {
    metric: &'a Metric,
    /// If paired, partners are at the same place.
    design: Design,
    base: Vec<Option<f64>>,
    new: Vec<Option<f64>>,
}

impl Compared<'_> {
    fn is_measured(&self) -> bool {
        self.base.iter().chain(&self.new).any(Option::is_some)
    }

    fn refusal(&self, alpha: f64) -> Option<String> {
        let (base, new) = (present(&self.base), present(&self.new));
        match (base.len(), new.len()) {
            (0, _) => Some("the base does not have it".into()),
            (_, 0) => Some("the new runs do not have it".into()),
            (base, new) => {
                let (ours, theirs) = (self.usable(base), self.usable(new));
                too_few(ours, theirs, self.design, alpha).map(|_| match self.design {
                    Design::Free => format!("too few runs have it: {base} and {new}"),
                    Design::Paired => format!("too few pairs have it: {ours}"),
                })
            }
        }
    }

    /// How many values of a side with so many count: of pairs only the whole ones.
    fn usable(&self, present: usize) -> usize {
        match self.design {
            Design::Free => present,
            Design::Paired => self.pairs().count(),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let both = self.base.iter().zip(&self.new);
        both.filter_map(|(base, new)| Some(((*base)?, (*new)?)))
    }

    fn change(&self) -> Option<Change> {
        let (base, new): (Vec<f64>, Vec<f64>) = match self.design {
            Design::Free => (present(&self.base), present(&self.new)),
            Design::Paired => self.pairs().unzip(),
        };
        change(&base, &new, self.design)
    }

    fn row(&self, p: Option<f64>, reason: String, alpha: f64) -> Row {
        let (base, new) = (present(&self.base), present(&self.new));
        let change = self.change();
        let verdict = match (p, change) {
            (Some(p), Some(change)) if p <= alpha && change.matters() => {
                match change.is_more() == (self.metric.better == Better::Higher) {
                    true => Verdict::Improved,
                    false => Verdict::Regressed,
                }
            }
            (Some(_), _) => Verdict::WithinNoise,
            (None, _) => Verdict::NotComparable,
        };
        Row {
            metric: self.metric.name.to_owned(),
            base: summary(base),
            new: summary(new),
            change,
            p,
            verdict,
            reason,
        }
    }
}

impl Change {
    fn matters(self) -> bool {
        match self {
            Change::Relative { value, .. } => value.abs() >= NEGLIGIBLE,
            Change::Absolute { value, .. } => value != 0.0,
        }
    }

    pub fn is_more(self) -> bool {
        match self {
            Change::Relative { value, .. } | Change::Absolute { value, .. } => value > 0.0,
        }
    }
}

fn present(values: &[Option<f64>]) -> Vec<f64> {
    values.iter().flatten().copied().collect()
}

fn summary(values: Vec<f64>) -> Option<Summary> {
    Some(Summary {
        median: median(&values)?,
        interval: bootstrap::interval(&values, CONFIDENCE, SEED, median),
        values,
    })
}

fn change(base: &[f64], new: &[f64], design: Design) -> Option<Change> {
    let positive = base.iter().chain(new).all(|value| *value > 0.0);
    let scaled = |values: &[f64]| -> Vec<f64> {
        let scale = |value: &f64| if positive { value.ln() } else { *value };
        values.iter().map(scale).collect()
    };
    let (a, b) = (scaled(base), scaled(new));
    let value = mean(&b)? - mean(&a)?;
    let interval = match design {
        Design::Free => student::difference(&a, &b, CONFIDENCE),
        Design::Paired => {
            let steps: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
            student::of_mean(&steps, CONFIDENCE)
        }
    };
    Some(match positive {
        true => Change::Relative {
            value: value.exp_m1(),
            interval: interval.map(|Interval { low, high }| Interval {
                low: low.exp_m1(),
                high: high.exp_m1(),
            }),
        },
        false => Change::Absolute { value, interval },
    })
}
