//! Completed operations per second over time, by how they ended.

use super::Picture;
use super::canvas::*;
use crate::measure::completions;
use crate::recorded::Recorded;
use checker::Phase;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const HEIGHT: u32 = 224;
const TOP: i32 = 42;
const BOTTOM: i32 = HEIGHT as i32 - 26;

pub(super) fn draw(recorded: &Recorded, scale: &Timescale, bands: &Bands) -> Picture {
    let mut counts = [(); 3].map(|()| vec![0u64; scale.bins()]);
    for completion in completions(recorded) {
        let outcome = match completion.phase {
            Phase::Invoke => continue,
            Phase::Ok(_) => 0,
            Phase::Fail(_) => 1,
            Phase::Info(_) => 2,
        };
        if let Some(bin) = scale.bin_of(completion.at) {
            counts[outcome][bin] += 1;
        }
    }
    let per_second = 1e9 / scale.bin() as f64;
    let rates = counts.map(|bins| -> Vec<(f64, f64)> {
        bins.iter()
            .enumerate()
            .map(|(bin, n)| (scale.middle(bin), *n as f64 * per_second))
            .collect()
    });
    let high = rates
        .iter()
        .flatten()
        .map(|(_, rate)| *rate)
        .fold(10.0, f64::max)
        * 1.05;
    let y = |rate: f64| BOTTOM - (rate / high * f64::from(BOTTOM - TOP)).round() as i32;
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
        let step = step(high, 5);
        for n in (0..).take_while(|n| f64::from(*n) * step <= high) {
            let rate = f64::from(n) * step;
            line(
                area,
                (LEFT, y(rate)),
                (WIDTH as i32 - RIGHT, y(rate)),
                Role::Grid,
            )?;
            let text = format!("{}/s", crate::table::count(rate.round() as u64));
            label(
                area,
                &text,
                (LEFT - 8, y(rate)),
                font(11.0, Role::Muted),
                HPos::Right,
            )?;
        }
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
