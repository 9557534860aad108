//! From a spec to its cells: every combination of what is varied, with every scenario, and a control for each.

use super::axes::{self, Axes};
use super::spec::{Planned, SweepSpec};
use crate::exit::{Failure, Result};
use crate::run::prepare::{self, Checked};
use crate::spec::Spec;
use results::sweep::{Cell, Durability, Interval, Scenario};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What all runs are made from.
pub struct Grid {
    pub points: Vec<Point>,
    /// What makes no sense, with the reason.
    pub left_out: Vec<String>,
    /// In the order of the spec.
    pub varied: Vec<String>,
    /// In the order of the spec's list.
    pub cases: Vec<Point>,
    pub base: Checked,
}

/// A cell, and how its runs are made.
pub struct Point {
    pub cell: Cell,
    /// Without faults yet.
    pub spec: Spec,
    pub recoveries: u32,
    /// Faults in one run; 0: a control.
    pub per_run: u32,
}

impl Point {
    /// How many runs are to be made, if each brings all its recoveries.
    pub fn runs(&self) -> u32 {
        match self.per_run {
            0 => self.recoveries,
            some => self.recoveries.div_ceil(some),
        }
    }
}

/// Makes the grid; everything that a run would refuse is refused here, by the name of its cell.
pub fn grid(sweep: &SweepSpec, binary: &Option<PathBuf>) -> Result<Grid> {
    sweep.validate()?;
    let base = sweep.base()?;
    let builder = Builder {
        sweep,
        base: &base,
        binary,
    };
    let mut grid = Grid {
        points: Vec::new(),
        left_out: Vec::new(),
        varied: sweep.vary.names().map(str::to_owned).collect(),
        cases: Vec::new(),
        base: prepare::check(base.clone(), binary.clone())?,
    };
    let plain = |planned: &&Planned| planned.vary == Axes::default();
    let (common, own): (Vec<&Planned>, Vec<&Planned>) = sweep.scenarios.iter().partition(plain);
    builder.add(&mut grid, &sweep.vary, &common)?;
    for planned in own {
        let axes = sweep.vary.overridden(&planned.vary);
        for name in axes.names() {
            if !grid.varied.iter().any(|known| known == name) {
                grid.varied.push(name.to_owned());
            }
        }
        builder.add(&mut grid, &axes, &[planned])?;
    }
    for (number, case) in (1..).zip(&sweep.calibrate) {
        let with = texts(&case.with);
        let named = |error: Failure| prefixed(format!("calibrate, {number}: "), error);
        let (cell, spec) = builder
            .cell(number, case.scenario, &BTreeMap::new(), &with)
            .map_err(named)?;
        let per_run = builder.per_run(case.scenario, None);
        grid.cases.push(Point {
            cell,
            spec,
            recoveries: per_run.max(1) * sweep.calibrations,
            per_run,
        });
    }
    Ok(grid)
}

struct Builder<'a> {
    sweep: &'a SweepSpec,
    base: &'a Spec,
    binary: &'a Option<PathBuf>,
}

impl Builder<'_> {
    fn add(&self, grid: &mut Grid, axes: &Axes, scenarios: &[&Planned]) -> Result<()> {
        for settings in axes.combinations() {
            let known = |point: &Point| {
                point.cell.scenario == Scenario::Control && point.cell.settings == settings
            };
            if self.sweep.controls > 0 && !grid.points.iter().any(known) {
                self.push(grid, Scenario::Control, &settings, None)?;
            }
            for planned in scenarios {
                self.push(grid, planned.scenario, &settings, Some(planned))?;
            }
        }
        Ok(())
    }

    fn push(
        &self,
        grid: &mut Grid,
        scenario: Scenario,
        settings: &BTreeMap<String, String>,
        planned: Option<&Planned>,
    ) -> Result<()> {
        let number = grid.points.len() as u32 + 1;
        let title = title(scenario, settings);
        let with = planned.map(|one| texts(&one.with)).unwrap_or_default();
        let (mut cell, spec) = self
            .cell(number, scenario, settings, &with)
            .map_err(|error| prefixed(format!("cell {title}: "), error))?;
        if scenario == Scenario::Lag && cell.interval == Some(Interval::Never) {
            grid.left_out.push(format!(
                "{title}: a log that is never compacted can't leave a follower behind."
            ));
            return Ok(());
        }
        let per_run = self.per_run(scenario, planned.and_then(|one| one.per_run));
        let recoveries = match scenario {
            Scenario::Control => self.sweep.controls,
            _ => planned
                .and_then(|one| one.recoveries)
                .unwrap_or(self.sweep.recoveries),
        };
        cell.wanted = recoveries;
        grid.points.push(Point {
            cell,
            spec,
            recoveries,
            per_run,
        });
        Ok(())
    }

    /// One loss of power a run: what was lost is known in the end, and not which of several lost it.
    fn per_run(&self, scenario: Scenario, own: Option<u32>) -> u32 {
        match scenario {
            Scenario::Control => 0,
            Scenario::PowerLoss => 1,
            _ => own.unwrap_or(self.sweep.per_run),
        }
    }

    fn cell(
        &self,
        number: u32,
        scenario: Scenario,
        settings: &BTreeMap<String, String>,
        with: &BTreeMap<String, String>,
    ) -> Result<(Cell, Spec)> {
        let system = prepare::check(self.base.clone(), self.binary.clone())?.system;
        let mut spec = self.base.clone();
        axes::apply(&mut spec, system.as_ref(), with)?;
        axes::apply(&mut spec, system.as_ref(), settings)?;
        spec.name = format!("{}-{number:03}", self.sweep.name);
        spec.schedule = super::schedule::example(scenario);
        spec.validate()?;
        let checked = prepare::check(spec.clone(), self.binary.clone())?;
        let meaning = checked.system.meaning();
        let cell = Cell {
            number,
            scenario,
            settings: settings.clone(),
            interval: meaning.interval.map(interval),
            durability: meaning.durability.map(durability),
            wanted: 0,
        };
        Ok((cell, spec))
    }
}

fn texts(with: &BTreeMap<String, crate::spec::Setting>) -> BTreeMap<String, String> {
    let texts = with
        .iter()
        .map(|(name, value)| (name.clone(), value.0.clone()));
    texts.collect()
}

/// `kill-leader, checkpoint.every=100 sync=always`.
pub fn title(scenario: Scenario, settings: &BTreeMap<String, String>) -> String {
    let settings: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match settings.is_empty() {
        true => scenario.to_string(),
        false => format!("{scenario}, {}", settings.join(" ")),
    }
}

fn prefixed(prefix: String, failure: Failure) -> Failure {
    match failure {
        Failure::Usage(error) => Failure::usage(format!("{prefix}{error:#}")),
        Failure::Harness(error) => Failure::Harness(error.context(prefix)),
    }
}

fn interval(interval: systems::Interval) -> Interval {
    match interval {
        systems::Interval::Entries(entries) => Interval::Entries(entries),
        systems::Interval::Bytes(bytes) => Interval::Bytes(bytes),
        systems::Interval::Time(time) => Interval::Seconds(time.as_secs_f64()),
        systems::Interval::Never => Interval::Never,
    }
}

fn durability(durability: systems::Durability) -> Durability {
    match durability {
        systems::Durability::Always => Durability::Always,
        systems::Durability::Within(time) => Durability::WithinSeconds(time.as_secs_f64()),
        systems::Durability::Checkpointed => Durability::Checkpointed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Grid> {
        let sweep = SweepSpec::parse(text, "my.yaml").unwrap();
        // Any file that can be run stands for the server's program.
        grid(&sweep, &Some("/bin/true".into()))
    }

    fn titles(grid: &Grid) -> Vec<String> {
        let cells = grid.points.iter().map(|point| &point.cell);
        cells
            .map(|cell| title(cell.scenario, &cell.settings))
            .collect()
    }

    #[test]
    fn every_combination_has_its_control_and_its_scenarios() {
        let grid = made("vary: {checkpoint.every: [100, 0]}\nscenarios: [kill-all, lag]").unwrap();
        assert_eq!(
            titles(&grid),
            [
                "control, checkpoint.every=100",
                "kill-all, checkpoint.every=100",
                "lag, checkpoint.every=100",
                "control, checkpoint.every=0",
                "kill-all, checkpoint.every=0",
            ]
        );
        assert!(grid.left_out[0].starts_with("lag, checkpoint.every=0: a log"));
        let numbers: Vec<u32> = grid.points.iter().map(|point| point.cell.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert_eq!(grid.points[0].cell.interval, Some(Interval::Entries(100)));
        assert_eq!(grid.points[1].runs(), 4);
        assert_eq!(grid.points[0].runs(), 3);
    }

    #[test]
    fn a_scenario_may_vary_other_things_and_shares_controls() {
        let grid = made(
            "vary: {checkpoint.every: [100]}\ncontrols: 1\nscenarios:\n  - kill-leader\n  \
             - {scenario: power-loss, with: {disk: power-loss}, vary: {sync: [always, never]}}",
        )
        .unwrap();
        assert_eq!(
            titles(&grid),
            [
                "control, checkpoint.every=100",
                "kill-leader, checkpoint.every=100",
                "control, checkpoint.every=100 sync=always",
                "power-loss, checkpoint.every=100 sync=always",
                "control, checkpoint.every=100 sync=never",
                "power-loss, checkpoint.every=100 sync=never",
            ]
        );
        assert_eq!(grid.varied, ["checkpoint.every", "sync"]);
        let loss = &grid.points[3];
        assert_eq!((loss.per_run, loss.runs()), (1, 20));
        assert_eq!(loss.spec.system_settings()["disk"], "power-loss");
        assert_eq!(loss.cell.durability, Some(Durability::Always));
        assert!(!grid.points[2].spec.system_settings().contains_key("disk"));
    }

    #[test]
    fn what_a_run_would_refuse_is_refused_with_its_cell() {
        for (text, named) in [
            (
                "vary: {sync: [sometimes]}",
                "cell control, sync=sometimes: strata: setting `sync` can't be `sometimes`",
            ),
            (
                "scenarios: [power-loss]",
                "cell power-loss: nemesis: power-loss",
            ),
            ("vary: {nodes: [3, 30]}", "nodes: 30 is outside 1 to 9"),
            (
                "calibrate: [{scenario: lag, with: {nodse: 3}}]",
                "calibrate, 1: vary: nodse",
            ),
        ] {
            let failure = made(text).err().expect("it is refused");
            assert_eq!(failure.code(), crate::exit::USAGE);
            assert!(failure.to_string().contains(named), "{text}: {failure}");
        }
    }
}
