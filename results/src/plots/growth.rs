//! How a cost grows with a size: both on logarithmic scales, each family as a curve, beside the line of n log n.

use super::Picture;
use super::canvas::*;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const HEIGHT: u32 = 420;
const TOP: i32 = 42;
const BOTTOM: i32 = HEIGHT as i32 - 40;
const ROLES: [Role; 6] = [
    Role::Blue,
    Role::Red,
    Role::Green,
    Role::Amber,
    Role::Pink,
    Role::Sky,
];

/// Sizes, and seconds that each took.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub name: String,
    /// Ascending by size; sizes of at least 2.
    pub points: Vec<(u64, f64)>,
}

/// The curves, each with n log n through its first point as a thin line. `None` if there is no point.
pub fn growth(name: &str, title: &str, curves: &[Curve]) -> Option<Picture> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let sizes = || points().map(|(size, _)| *size as f64);
    let seconds = || points().map(|(_, seconds)| *seconds);
    points().next()?;
    let x = Decades::over(sizes());
    let y = Decades::over(seconds());
    let to_x = |size: f64| LEFT + (x.part(size) * f64::from(WIDTH as i32 - RIGHT - LEFT)) as i32;
    let to_y = |seconds: f64| BOTTOM - (y.part(seconds) * f64::from(BOTTOM - TOP)) as i32;
    Some(picture(name, title, HEIGHT, |area| {
        let named = curves.iter().map(|curve| curve.name.as_str());
        let entries: Vec<(&str, Role)> = named.zip(ROLES.into_iter().cycle()).collect();
        key(area, KEY, &entries)?;
        let right = WIDTH as i32 - RIGHT;
        for decade in x.marks() {
            line(
                area,
                (to_x(decade), TOP),
                (to_x(decade), BOTTOM),
                Role::Grid,
            )?;
            let text = crate::table::count(decade as u64);
            let (x, side) = match to_x(decade) {
                x if x == right => (x, HPos::Right),
                x => (x, HPos::Center),
            };
            label(area, &text, (x, BOTTOM + 16), font(11.0, Role::Muted), side)?;
        }
        for decade in y.marks() {
            line(
                area,
                (LEFT, to_y(decade)),
                (right, to_y(decade)),
                Role::Grid,
            )?;
            let text = crate::table::duration(decade * 1e3);
            let at = (LEFT - 8, to_y(decade));
            label(area, &text, at, font(11.0, Role::Muted), HPos::Right)?;
        }
        for (curve, role) in curves.iter().zip(ROLES.into_iter().cycle()) {
            let Some((first, took)) = curve.points.first().copied() else {
                continue;
            };
            let each = took / n_log_n(first);
            let ends = curve.points.iter().map(|(size, _)| *size);
            let ideal: Vec<(i32, i32)> = ends
                .map(|size| (to_x(size as f64), to_y(each * n_log_n(size))))
                .collect();
            area.draw(&PathElement::new(
                ideal,
                role.color().mix(0.45).stroke_width(1),
            ))?;
            let measured: Vec<(i32, i32)> = curve
                .points
                .iter()
                .map(|(size, seconds)| (to_x(*size as f64), to_y(*seconds)))
                .collect();
            area.draw(&PathElement::new(
                measured.clone(),
                role.color().stroke_width(2),
            ))?;
            for (x, y) in measured {
                bar(area, (x - 3, x + 3), (y - 3, y + 3), role, 1.0)?;
            }
        }
        Ok(())
    }))
}

/// What is proportional to n log n.
pub fn n_log_n(size: u64) -> f64 {
    size as f64 * (size as f64).log2()
}

/// A logarithmic scale from a power of ten to another.
struct Decades {
    from: i32,
    to: i32,
}

impl Decades {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let from = low.max(1e-9).log10().floor() as i32;
        Self {
            from,
            to: (high.max(1e-9).log10().ceil() as i32).max(from + 1),
        }
    }

    fn part(&self, value: f64) -> f64 {
        (value.max(1e-9).log10() - f64::from(self.from)) / f64::from(self.to - self.from)
    }

    fn marks(&self) -> impl Iterator<Item = f64> + use<> {
        (self.from..=self.to).map(|power| 10f64.powi(power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stand_beside_n_log_n_and_without_points_there_is_no_picture() {
        let curve = |points: &[(u64, f64)]| Curve {
            name: "cas-register".into(),
            points: points.to_vec(),
        };
        assert_eq!(growth("g", "growth", &[curve(&[])]), None);
        let picture = growth("g", "growth", &[curve(&[(1_000, 0.001), (10_000, 0.013)])]).unwrap();
        let text = picture.document();
        assert!(text.contains("cas-register"), "{text}");
        assert!(text.contains("10,000"), "{text}");
        assert!(text.contains("100 ms"), "{text}");
        let lines = text
            .lines()
            .filter(|line| line.contains("<polyline") && line.contains("s-blue"));
        assert_eq!(lines.count(), 2, "{text}");
    }

    #[test]
    fn a_scale_reaches_from_one_power_of_ten_to_another() {
        let scale = Decades::over([20.0, 4_000.0].into_iter());
        assert_eq!((scale.from, scale.to), (1, 4));
        assert_eq!(scale.part(10.0), 0.0);
        assert_eq!(scale.part(10_000.0), 1.0);
    }
}
