//! The vertical scale from 0, with a line across at each step.

use super::canvas::{self, Area, Drawn, LEFT, RIGHT, Role, WIDTH};
use plotters::style::text_anchor::HPos;

pub(super) struct Upright {
    most: f64,
    step: f64,
    top: i32,
    bottom: i32,
}

impl Upright {
    /// From 0, at the bottom, to a value at the top, in at most so many steps.
    pub fn to(most: f64, steps: u32, (top, bottom): (i32, i32)) -> Self {
        Self {
            most,
            step: canvas::step(most, steps),
            top,
            bottom,
        }
    }

    /// The same for bytes: steps are round in KiB, MiB and so on.
    pub fn to_bytes(most: f64, steps: u32, place: (i32, i32)) -> Self {
        let unit = 1024f64.powf(most.max(1.0).log(1024.0).floor());
        let step = canvas::step(most / unit, steps) * unit;
        Self {
            step: if unit > 1.0 { step } else { step.max(1.0) },
            ..Self::to(most, steps, place)
        }
    }

    pub fn y(&self, value: f64) -> i32 {
        let part = (value / self.most).clamp(0.0, 1.0);
        self.bottom - (part * f64::from(self.bottom - self.top)).round() as i32
    }

    pub fn values(&self) -> impl Iterator<Item = f64> {
        let Self { most, step, .. } = *self;
        (0..)
            .map(move |n| f64::from(n) * step)
            .take_while(move |value| *value <= most)
    }

    pub fn draw(&self, area: &Area<'_>, text: impl Fn(f64) -> String) -> Drawn {
        for value in self.values() {
            let y = self.y(value);
            let right = WIDTH as i32 - RIGHT;
            canvas::line(area, (LEFT, y), (right, y), Role::Grid)?;
            let style = canvas::font(11.0, Role::Muted);
            canvas::label(area, &text(value), (LEFT - 8, y), style, HPos::Right)?;
        }
        Ok(())
    }
}

/// A number in a second.
pub(super) fn rate(value: f64) -> String {
    format!("{}/s", crate::table::count(value.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_the_most_and_the_bottom_0() {
        let upright = Upright::to(50.0, 5, (10, 110));
        assert_eq!(
            [0.0, 25.0, 50.0, 70.0].map(|v| upright.y(v)),
            [110, 60, 10, 10]
        );
        assert_eq!(
            upright.values().collect::<Vec<_>>(),
            [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
        );
    }

    #[test]
    fn steps_of_bytes_are_round_in_their_unit() {
        const MIB: f64 = 1024.0 * 1024.0;
        let steps = |most| {
            let values: Vec<f64> = Upright::to_bytes(most, 4, (0, 100)).values().collect();
            values[1]
        };
        assert_eq!(steps(180.0 * MIB), 50.0 * MIB);
        assert_eq!(steps(3.1 * MIB), 1.0 * MIB);
        assert_eq!(steps(900.0), 500.0);
        assert_eq!(steps(2.0), 1.0);
    }
}
