//! What a setting costs, against the checkpoint interval.

use super::scale::Scale;
use super::{HEIGHT, names, role, upright, upright_of_bytes};
use crate::plots::Picture;
use crate::plots::canvas::*;
use crate::plots::upright::rate;
use crate::sweep::{Costs, Spread};
use plotters::prelude::*;

/// One number against the interval.
struct Panel {
    name: &'static str,
    title: &'static str,
    value: fn(&Costs) -> Option<Spread>,
    unit: Unit,
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    PerSecond,
    Milliseconds,
    Bytes,
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Unit::PerSecond => rate(value),
            Unit::Milliseconds => crate::table::duration(value),
            Unit::Bytes => crate::table::size(value.round() as u64),
        }
    }
}

const PANELS: [Panel; 4] = [
    Panel {
        name: "cost-throughput",
        title: "Entries committed in a second, without faults: means of the controls with 95 % intervals",
        value: |cost| cost.entries_per_s,
        unit: Unit::PerSecond,
    },
    Panel {
        name: "cost-p99",
        title: "Latency at the 99th percentile, without faults",
        value: |cost| cost.p99_ms,
        unit: Unit::Milliseconds,
    },
    Panel {
        name: "cost-bytes",
        title: "Bytes of checkpoints written for each entry committed, by all servers",
        value: |cost| alone(cost.bytes_per_entry),
        unit: Unit::Bytes,
    },
    Panel {
        name: "cost-disk",
        title: "Data folder of the largest server at the end",
        value: |cost| alone(cost.disk_bytes),
        unit: Unit::Bytes,
    },
];

fn alone(value: Option<f64>) -> Option<Spread> {
    value.map(|mean| Spread {
        mean,
        low: None,
        high: None,
    })
}

/// The pictures that there are numbers for.
pub fn costs(costs: &[Costs]) -> Vec<Picture> {
    PANELS
        .iter()
        .filter_map(|panel| draw(panel, costs))
        .collect()
}

fn draw(panel: &Panel, costs: &[Costs]) -> Option<Picture> {
    let shown: Vec<_> = costs
        .iter()
        .filter_map(|cost| Some((cost, cost.interval?, (panel.value)(cost)?)))
        .collect();
    if shown.is_empty() {
        return None;
    }
    let mut curves: Vec<&str> = Vec::new();
    for (cost, _, _) in &shown {
        if !curves.contains(&cost.name.as_str()) {
            curves.push(&cost.name);
        }
    }
    let scale = Scale::of(shown.iter().map(|(_, interval, _)| *interval));
    let tops = shown
        .iter()
        .map(|(_, _, spread)| spread.high.unwrap_or(spread.mean));
    let upright = match panel.unit {
        Unit::Bytes => upright_of_bytes(tops),
        Unit::PerSecond | Unit::Milliseconds => upright(tops),
    };
    Some(picture(panel.name, panel.title, HEIGHT, |area| {
        upright.draw(area, |value| panel.unit.text(value))?;
        scale.draw(area)?;
        for (at, name) in curves.iter().enumerate() {
            let of = shown.iter().filter(|(cost, _, _)| cost.name == *name);
            let mut points: Vec<(i32, Spread)> = of
                .map(|(_, interval, spread)| (scale.x(*interval), *spread))
                .collect();
            points.sort_by_key(|(x, _)| *x);
            let path: Vec<(i32, i32)> = points
                .iter()
                .map(|(x, spread)| (*x, upright.y(spread.mean)))
                .collect();
            area.draw(&PathElement::new(
                path.clone(),
                role(at).color().stroke_width(2),
            ))?;
            for ((x, y), (_, spread)) in path.iter().zip(&points) {
                area.draw(&Circle::new((*x, *y), 3, role(at).color().filled()))?;
                if let (Some(low), Some(high)) = (spread.low, spread.high) {
                    line(area, (*x, upright.y(low)), (*x, upright.y(high)), role(at))?;
                }
            }
        }
        key(area, KEY, &names(curves.iter().copied()))
    }))
}
