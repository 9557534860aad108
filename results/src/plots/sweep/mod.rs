//! Pictures of a sweep: everything against the checkpoint interval, on one scale.

mod cost;
mod durations;
mod scale;

pub use cost::costs;
pub use durations::{durations, phases};
pub use scale::{Mark, words as interval_words};

use super::canvas::Role;
use super::upright::Upright;

const HEIGHT: u32 = 340;
const TOP: i32 = 46;
const BOTTOM: i32 = HEIGHT as i32 - 46;
const STEPS: u32 = 6;

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

/// A vertical scale for these values; room is left above the highest.
fn upright(values: impl Iterator<Item = f64>) -> Upright {
    Upright::to(with_room(values), STEPS, (TOP, BOTTOM))
}

fn upright_of_bytes(values: impl Iterator<Item = f64>) -> Upright {
    Upright::to_bytes(with_room(values), STEPS, (TOP, BOTTOM))
}

fn with_room(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if most > 0.0 { most * 1.12 } else { 1.0 }
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
