//! Which runs are still to be made, and in which order: at random, so that what the machine does meanwhile hits all
//! cells alike. The order and the seeds follow from the sweep's seed, so a sweep that goes on makes the runs that it
//! would have made.

use super::grid::Point;
use rand::RngExt;
use results::sweep::{Repeat, Scenario};

/// A run to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    pub cell: u32,
    /// Counts from 1 in its cell.
    pub number: u32,
    pub faults: u32,
    pub seed: u64,
}

/// Runs of a cell may bring fewer recoveries than they have faults; so many runs more than planned make up for it at
/// the most, and one at least.
const MORE: f64 = 0.5;

/// What is left of the planned runs, in their order.
pub fn planned(points: &[Point], done: &[Repeat], seed: u64) -> Vec<Task> {
    let mut tasks: Vec<Task> = points
        .iter()
        .flat_map(|point| (1..=point.runs()).map(move |number| task(point, number, seed)))
        .collect();
    let mut rng = workloads::seed::stream(seed, "order");
    for at in (1..tasks.len()).rev() {
        tasks.swap(at, rng.random_range(0..=at));
    }
    let made = |task: &Task| {
        done.iter()
            .any(|repeat| (repeat.cell, repeat.number) == (task.cell, task.number))
    };
    tasks.retain(|task| !made(task));
    tasks
}

/// A run for each cell that has had all its planned runs and still lacks recoveries.
pub fn makeup(points: &[Point], done: &[Repeat], seed: u64) -> Vec<Task> {
    let lacking = points.iter().filter(|point| {
        let of = done
            .iter()
            .filter(|repeat| repeat.cell == point.cell.number);
        let most = point.runs() + (point.runs() as f64 * MORE).ceil() as u32;
        let (runs, found) = of.fold((0, 0), |(runs, found), repeat| {
            (runs + 1, found + brought(point.cell.scenario, repeat))
        });
        found < point.recoveries && runs < most
    });
    lacking.map(|point| next(point, done, seed)).collect()
}

/// One run more of a cell.
pub fn next(point: &Point, done: &[Repeat], seed: u64) -> Task {
    let of = done
        .iter()
        .filter(|repeat| repeat.cell == point.cell.number);
    let number = of.map(|repeat| repeat.number).max().unwrap_or_default() + 1;
    task(point, number, seed)
}

/// What a run adds to what its cell wants.
pub fn brought(scenario: Scenario, repeat: &Repeat) -> u32 {
    match scenario {
        Scenario::Control => u32::from(!repeat.run.is_empty()),
        _ => repeat.recoveries.len() as u32,
    }
}

fn task(point: &Point, number: u32, seed: u64) -> Task {
    let cell = point.cell.number;
    // The last of the planned runs needs no more faults than are left.
    let before = point.per_run * (number - 1);
    let left = point.recoveries.saturating_sub(before);
    let name = format!("cell {cell}, run {number}");
    Task {
        cell,
        number,
        faults: match point.per_run {
            0 => 0,
            most => left.clamp(1, most),
        },
        seed: workloads::seed::derive(seed, &name) % 1_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use results::sweep::{Cell, Recovered};

    fn point(number: u32, per_run: u32, recoveries: u32) -> Point {
        Point {
            cell: Cell {
                number,
                scenario: match per_run {
                    0 => Scenario::Control,
                    _ => Scenario::KillAll,
                },
                settings: Default::default(),
                interval: None,
                durability: None,
                wanted: 0,
            },
            spec: Spec::default(),
            recoveries,
            per_run,
        }
    }

    fn done(task: &Task, recoveries: usize) -> Repeat {
        Repeat {
            cell: task.cell,
            number: task.number,
            run: "runs/x".into(),
            recoveries: vec![Recovered::default(); recoveries],
            ..Repeat::default()
        }
    }

    #[test]
    fn what_was_done_is_not_planned_again_and_the_rest_keeps_its_order_and_seeds() {
        let points = [point(1, 0, 3), point(2, 5, 12)];
        let all = planned(&points, &[], 42);
        assert_eq!(all.len(), 6);
        let faults: u32 = all.iter().map(|task| task.faults).sum();
        assert_eq!(faults, 12);
        let finished: Vec<Repeat> = all[..2].iter().map(|task| done(task, 5)).collect();
        assert_eq!(planned(&points, &finished, 42), all[2..]);
        assert_ne!(planned(&points, &[], 43), all);
    }

    #[test]
    fn a_cell_that_lacks_recoveries_gets_more_runs_up_to_a_bound() {
        let points = [point(1, 5, 10)];
        let mut finished = Vec::new();
        for task in planned(&points, &[], 42) {
            finished.push(done(&task, 4));
        }
        let more = makeup(&points, &finished, 42);
        assert_eq!((more.len(), more[0].number), (1, 3));
        finished.push(done(&more[0], 0));
        assert_eq!(makeup(&points, &finished, 42), []);
    }

    #[test]
    fn a_cell_that_has_what_it_wants_gets_no_more() {
        let points = [point(1, 5, 10)];
        let finished: Vec<Repeat> = planned(&points, &[], 42)
            .iter()
            .map(|task| done(task, 5))
            .collect();
        assert_eq!(makeup(&points, &finished, 42), []);
        assert_eq!(next(&points[0], &finished, 42).number, 3);
    }
}
