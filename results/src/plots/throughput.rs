//! Completed operations per second over time, by how they ended.

use super::Picture;
use super::canvas::*;
use super::series::Series;
use super::upright::{Upright, rate};
use plotters::prelude::*;

const HEIGHT: u32 = 224;
const TOP: i32 = 42;
const BOTTOM: i32 = HEIGHT as i32 - 26;

pub(super) fn draw(series: &Series, scale: &Timescale, bands: &Bands) -> Picture {
    let curve = |values| -> Vec<(f64, f64)> { series.points(values).collect() };
    let rates = [&series.ok, &series.fail, &series.unknown].map(|values| curve(values));
    let high = rates
        .iter()
        .flatten()
        .map(|(_, rate)| *rate)
        .fold(10.0, f64::max)
        * 1.05;
    let upright = Upright::to(high, 5, (TOP, BOTTOM));
    let title = "Operations per second over time: ok, fail and unknown";
    picture("throughput", title, HEIGHT, |area| {
        key(
            area,
            KEY,
            &[
                ("ok", Role::Blue),
                ("fail", Role::Pink),
                ("unknown", Role::Red),
            ],
        )?;
        bands.shade(area, scale, (TOP, BOTTOM))?;
        scale.axis(area, TOP, BOTTOM)?;
        upright.draw(area, rate)?;
        let mut chart = ChartBuilder::on(area)
            .set_label_area_size(LabelAreaPosition::Left, LEFT)
            .margin_right(RIGHT)
            .margin_top(TOP)
            .margin_bottom(HEIGHT as i32 - BOTTOM)
            .build_cartesian_2d(scale.seconds(), 0.0..high)?;
        let [ok, fail, info] = rates;
        let area_under = AreaSeries::new(ok.iter().copied(), 0.0, Role::Blue.color().mix(0.18));
        chart.draw_series(area_under)?;
        for (curve, role) in [(ok, Role::Blue), (fail, Role::Pink), (info, Role::Red)] {
            chart.draw_series(LineSeries::new(curve, role.color().stroke_width(2)))?;
        }
        Ok(())
    })
}
