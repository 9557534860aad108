//! Latency of the clients' successful operations over time: median, p99 and maximum of each bin, on a
//! logarithmic scale.

use super::Picture;
use super::canvas::*;
use super::series::Series;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const HEIGHT: u32 = 264;
const TOP: i32 = 42;
const BOTTOM: i32 = HEIGHT as i32 - 26;

pub(super) fn draw(series: &Series, scale: &Timescale, bands: &Bands) -> Picture {
    let curve = |values| -> Vec<(f64, Option<f64>)> { series.points(values).collect() };
    let curves = [&series.p50, &series.p99, &series.max].map(|values| curve(values));
    let values = || curves.iter().flatten().filter_map(|(_, ms)| *ms);
    let low = values().fold(f64::INFINITY, f64::min).min(1.0);
    let high = values().fold(10.0, f64::max);
    let low = 10f64.powf(low.log10().floor());
    let high = high * 1.3;
    let y = |ms: f64| {
        let part = (ms / low).log10() / (high / low).log10();
        BOTTOM - (part * f64::from(BOTTOM - TOP)).round() as i32
    };
    let title = "Latency of successful operations over time: median, p99 and maximum";
    picture("latency", title, HEIGHT, |area| {
        key(
            area,
            KEY,
            &[
                ("p50", Role::Blue),
                ("p99", Role::Red),
                ("max", Role::Muted),
            ],
        )?;
        bands.shade(area, scale, (TOP, BOTTOM))?;
        scale.axis(area, TOP, BOTTOM)?;
        let mut decade = low;
        while decade <= high {
            line(
                area,
                (LEFT, y(decade)),
                (WIDTH as i32 - RIGHT, y(decade)),
                Role::Grid,
            )?;
            let text = crate::table::duration(decade);
            label(
                area,
                &text,
                (LEFT - 8, y(decade)),
                font(11.0, Role::Muted),
                HPos::Right,
            )?;
            decade *= 10.0;
        }
        let mut chart = ChartBuilder::on(area)
            .set_label_area_size(LabelAreaPosition::Left, LEFT)
            .margin_right(RIGHT)
            .margin_top(TOP)
            .margin_bottom(HEIGHT as i32 - BOTTOM)
            .build_cartesian_2d(scale.seconds(), (low..high).log_scale())?;
        for (curve, (role, width)) in curves
            .iter()
            .zip([(Role::Blue, 2), (Role::Red, 2), (Role::Muted, 1)])
            .rev()
        {
            // A bin without operations is a gap, not a line across it.
            for run in curve.split(|(_, ms)| ms.is_none()) {
                let points = run.iter().filter_map(|(x, ms)| Some((*x, (*ms)?)));
                chart.draw_series(LineSeries::new(points, role.color().stroke_width(width)))?;
            }
        }
        Ok(())
    })
}
