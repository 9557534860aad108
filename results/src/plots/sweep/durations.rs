//! Recovery time against the checkpoint interval: every point, means with their intervals, the predicted line; and what
//! the time went to.

use super::scale::{Mark, Scale};
use super::{BOTTOM, HEIGHT, TOP, names, role, upright};
use crate::measure::Recovery;
use crate::plots::Picture;
use crate::plots::canvas::*;
use crate::plots::upright::Upright;
use crate::sweep::{Chart, Curve, Place};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Between the points of two curves at the same interval.
const ASIDE: i32 = 16;

/// Points, means and predictions of one scenario.
pub fn durations(chart: &Chart, marks: &[Mark]) -> Picture {
    let places = || chart.curves.iter().flat_map(|curve| &curve.places);
    let scale = Scale::of(places().map(|place| place.interval));
    let points = places().flat_map(|place| &place.points);
    let predicted = places().filter_map(|place| place.predicted_ms);
    let upright = upright(points.map(|point| point.waited.known_ms()).chain(predicted));
    let (scenario, measure) = (chart.scenario, chart.measure.name());
    let title = format!(
        "{measure} after {scenario} against the checkpoint interval: points, means with 95 % intervals, dashed: predicted"
    );
    picture(format!("{scenario}-{measure}"), title, HEIGHT, |area| {
        upright.draw(area, crate::table::duration)?;
        scale.draw(area)?;
        scale.marks(area, marks)?;
        for (at, curve) in chart.curves.iter().enumerate() {
            let aside = ASIDE * (2 * at as i32 - (chart.curves.len() as i32 - 1)) / 2;
            draw(area, curve, role(at), aside, &scale, &upright)?;
        }
        let curves = chart.curves.iter().map(|curve| curve.name.as_str());
        let mut entries = names(curves);
        if places().any(|place| place.summary.censored > 0) {
            entries.push(("▲ not seen to end", Role::Ink));
        }
        key(area, KEY, &entries)
    })
}

fn draw(
    area: &Area<'_>,
    curve: &Curve,
    role: Role,
    aside: i32,
    scale: &Scale,
    upright: &Upright,
) -> Drawn {
    for place in &curve.places {
        let x = scale.x(place.interval) + aside;
        for (at, point) in place.points.iter().enumerate() {
            // Spread a little, always alike: points of the same duration are seen as many.
            let x = x - 5 + (at as i32 * 7) % 11;
            let y = upright.y(point.waited.known_ms());
            if point.waited.is_censored() {
                let up = vec![(x - 4, y + 3), (x + 4, y + 3), (x, y - 5)];
                area.draw(&Polygon::new(up, role.color()))?;
            } else {
                area.draw(&Circle::new((x, y), 2, role.color().mix(0.45).filled()))?;
            }
        }
        if let Some(mean) = place.summary.mean_ms {
            let y = upright.y(mean);
            bar(area, (x - 8, x + 8), (y - 1, y + 1), role, 1.0)?;
            if let (Some(low), Some(high)) = (place.summary.mean_low_ms, place.summary.mean_high_ms)
            {
                line(area, (x, upright.y(low)), (x, upright.y(high)), role)?;
            }
        }
    }
    let predicted: Vec<(i32, i32)> = curve
        .places
        .iter()
        .filter_map(|place| {
            let ms = place.predicted_ms?;
            Some((scale.x(place.interval) + aside, upright.y(ms)))
        })
        .collect();
    dashed(area, &predicted, role)
}

fn dashed(area: &Area<'_>, points: &[(i32, i32)], role: Role) -> Drawn {
    const DASH: f64 = 5.0;
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let dashes = ((x1 - x0).hypot(y1 - y0) / DASH).ceil().max(1.0);
        let at = |n: f64| {
            let part = n / dashes;
            (
                (x0 + (x1 - x0) * part) as i32,
                (y0 + (y1 - y0) * part) as i32,
            )
        };
        for n in (0..dashes as u32).step_by(2) {
            line(area, at(n.into()), at(f64::from(n) + 1.0), role)?;
        }
    }
    Ok(())
}

/// What the restarts were made of, on average; `None` where the servers say nothing of it.
pub fn phases(chart: &Chart) -> Option<Picture> {
    let own = |place: &Place| -> Vec<(String, f64)> {
        let account = Recovery {
            phases_ms: place.phases_ms.clone(),
            ..Recovery::default()
        };
        let phases = account.phases();
        let whole = phases.filter(|(name, _)| Recovery::part_of(name).is_none());
        let server = whole.filter(|(name, _)| !matches!(*name, "detect" | "elect"));
        server.map(|(name, ms)| (name.to_owned(), ms)).collect()
    };
    let places = || chart.curves.iter().flat_map(|curve| &curve.places);
    let mut order: Vec<String> = Vec::new();
    for (name, _) in places().flat_map(own) {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    if order.is_empty() {
        return None;
    }
    let scale = Scale::of(places().map(|place| place.interval));
    let total = |place: &Place| own(place).iter().map(|(_, ms)| ms).sum::<f64>();
    let upright = upright(places().map(total));
    const SHADES: [Role; 6] = [
        Role::Muted,
        Role::Sky,
        Role::Amber,
        Role::Blue,
        Role::Green,
        Role::Pink,
    ];
    let shade = |name: &str| {
        let at = order
            .iter()
            .position(|known| known == name)
            .unwrap_or_default();
        SHADES[at % SHADES.len()]
    };
    let title = format!(
        "What a restart after {} goes to, on average, by the servers' own account; in the order of the curves{}",
        chart.scenario,
        curve_names(chart)
    );
    let name = format!("{}-phases", chart.scenario);
    Some(picture(name, title, HEIGHT, |area| {
        upright.draw(area, crate::table::duration)?;
        scale.draw(area)?;
        for (at, curve) in chart.curves.iter().enumerate() {
            let aside = ASIDE * (2 * at as i32 - (chart.curves.len() as i32 - 1)) / 2;
            for place in &curve.places {
                let x = scale.x(place.interval) + aside;
                let mut below = 0.0;
                for (name, ms) in own(place) {
                    let y = (upright.y(below + ms), upright.y(below));
                    bar(area, (x - 6, x + 6), y, shade(&name), 1.0)?;
                    below += ms;
                }
                if below > 0.0 && chart.curves.len() > 1 {
                    let letter = letter(at);
                    let at = (x, upright.y(below).max(TOP) - 8);
                    label(area, &letter, at, font(10.0, Role::Muted), HPos::Center)?;
                }
            }
        }
        line(
            area,
            (LEFT, BOTTOM),
            (WIDTH as i32 - RIGHT, BOTTOM),
            Role::Muted,
        )?;
        let entries: Vec<(&str, Role)> = order
            .iter()
            .map(|name| (name.as_str(), shade(name)))
            .collect();
        key(area, KEY, &entries)
    }))
}

fn curve_names(chart: &Chart) -> String {
    if chart.curves.len() < 2 {
        return String::new();
    }
    let curves = chart.curves.iter().enumerate();
    let named = curves.map(|(at, curve)| format!("{}: {}", letter(at), curve.name));
    format!(" ({})", named.collect::<Vec<_>>().join("; "))
}

fn letter(at: usize) -> String {
    char::from(b'a' + (at % 26) as u8).to_string()
}
