//! Pictures of a sweep: everything against the checkpoint interval, on one scale.

mod cost;
mod durations;
mod scale;

pub use cost::costs;
pub use durations::{durations, phases};
pub use scale::{Mark, words as interval_words};

use super::canvas::{self, Role};

const HEIGHT: u32 = 340;
const TOP: i32 = 46;
const BOTTOM: i32 = HEIGHT as i32 - 46;

/// Curves in the order of the settings; a sixth one has the colour of the first, and its name beside it as well.
fn role(curve: usize) -> Role {
    const ROLES: [Role; 5] = [Role::Blue, Role::Amber, Role::Green, Role::Pink, Role::Sky];
    ROLES[curve % ROLES.len()]
}

/// The names of curves for a key: one that has none is what was measured.
fn names<'a>(curves: impl Iterator<Item = &'a str>) -> Vec<(&'a str, Role)> {
    let named = |(at, name): (usize, &'a str)| match name {
        "" => ("measured", role(at)),
        name => (name, role(at)),
    };
    curves.enumerate().map(named).collect()
}

/// A vertical scale from 0.
struct Upright {
    most: f64,
}

impl Upright {
    /// For these values; room is left above the highest.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self {
            most: if most > 0.0 { most * 1.12 } else { 1.0 },
        }
    }

    fn y(&self, value: f64) -> i32 {
        let part = (value / self.most).clamp(0.0, 1.0);
        BOTTOM - (part * f64::from(BOTTOM - TOP)).round() as i32
    }

    fn draw(&self, area: &canvas::Area<'_>, text: impl Fn(f64) -> String) -> canvas::Drawn {
        use plotters::style::text_anchor::HPos;
        let step = canvas::step(self.most, 6);
        for n in (0..).take_while(|n| f64::from(*n) * step <= self.most) {
            let value = f64::from(n) * step;
            let y = self.y(value);
            let right = canvas::WIDTH as i32 - canvas::RIGHT;
            canvas::line(area, (canvas::LEFT, y), (right, y), Role::Grid)?;
            let style = canvas::font(11.0, Role::Muted);
            canvas::label(
                area,
                &text(value),
                (canvas::LEFT - 8, y),
                style,
                HPos::Right,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::plots::Picture;
    use crate::sweep::made_up::MadeUp;
    use crate::sweep::{Scenario, Target, Waited, analyse};

    fn count(picture: &Picture, what: &str) -> usize {
        picture.inline().matches(what).count()
    }

    #[test]
    fn every_recovery_is_a_point() {
        let sweep = MadeUp::default().sweep();
        let findings = analyse(&sweep, Target::default());
        let chart = &findings.charts[0];
        let points: usize = chart
            .curves
            .iter()
            .flat_map(|curve| &curve.places)
            .map(|place| place.points.len())
            .sum();
        let picture = super::durations(chart, &[]);
        assert!(points >= 240);
        assert_eq!(count(&picture, "<circle"), points);
        assert!(picture.inline().contains("never\n"));
    }

    #[test]
    fn what_did_not_end_is_marked_and_not_left_out() {
        let mut sweep = MadeUp::default().sweep();
        let killed = |cell: &&crate::sweep::Cell| cell.scenario == Scenario::KillFollower;
        let cell = sweep.cells.iter().find(killed).unwrap().number;
        for repeat in sweep
            .repeats
            .iter_mut()
            .filter(|repeat| repeat.cell == cell)
        {
            repeat.recoveries[0].restart = Some(Waited::LongerThanMs(700.0));
        }
        let findings = analyse(&sweep, Target::default());
        let picture = super::durations(&findings.charts[0], &[]);
        assert_eq!(count(&picture, "<polygon"), 20);
    }

    #[test]
    fn pictures_of_a_sweep_that_has_hardly_begun_can_be_drawn() {
        let mut sweep = MadeUp::default().sweep();
        sweep.repeats.truncate(25);
        let findings = analyse(&sweep, Target::default());
        for chart in &findings.charts {
            super::durations(chart, &[]);
            super::phases(chart);
        }
        super::costs(&findings.costs);
        super::costs(&[]);
    }
}
