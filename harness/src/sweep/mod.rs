//! Sweeps: the same runs over a grid of settings and faults.
//!
//! First the runs that measure what predictions are made of, then all cells' runs in random order. A run counts once
//! its line is in the sweep's folder; whatever ends the sweep, it goes on from there.

pub mod axes;
pub mod grid;
pub mod queue;
pub mod schedule;
pub mod spec;

use crate::exit::{Failure, Result};
use crate::run::judge::Judged;
use crate::run::session::Session;
use crate::spec::Spec;
use grid::{Grid, Point};
use queue::Task;
use results::Program;
use results::sweep::{Calibrated, Calibration, Repeat, Store};
use spec::SweepSpec;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A sweep that goes on in its folder.
pub struct Engine<'a> {
    pub spec: &'a SweepSpec,
    pub grid: &'a Grid,
    pub store: &'a Store,
    pub seed: u64,
    pub binary: Option<PathBuf>,
    /// What it was when the sweep began.
    pub program: Option<Program>,
    /// No run is begun that would not end before.
    pub until: Option<Instant>,
}

/// What a run takes besides its load, until it is known better: deploying, prefill, quiet time, judging.
const OVERHEAD: Duration = Duration::from_secs(12);

/// So many runs in a row may fail to be made before the sweep gives up.
const MOST_FAILED: u32 = 2;

/// How the work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every cell has what it wants, or can't get it.
    Complete,
    /// The user ended it, or its time was over.
    Early,
}

impl Engine<'_> {
    /// Makes what is still to be made.
    pub async fn run(&self, session: &Session) -> Result<Ended> {
        let mut pace = Pace::default();
        for (case, number) in self.calibrations()? {
            if self.is_over(session, &pace, length(self.spec, case, case.per_run)) {
                return Ok(Ended::Early);
            }
            if !self.calibrate(session, &mut pace, case, number).await? {
                return Ok(Ended::Early);
            }
        }
        let points = &self.grid.points;
        loop {
            let done = Store::read(self.store.path())?.repeats;
            let mut tasks = queue::planned(points, &done, self.seed);
            if tasks.is_empty() {
                tasks = queue::makeup(points, &done, self.seed);
            }
            let Some(task) = tasks.first().copied() else {
                return Ok(Ended::Complete);
            };
            let left = self.left(&tasks, &pace);
            if self.is_over(session, &pace, self.duration(&task)?) {
                return Ok(Ended::Early);
            }
            session.progress().note(&format!(
                "sweep: {} of {} runs, {} left",
                done.len(),
                done.len() + tasks.len(),
                humantime::format_duration(left)
            ));
            if self.cell(session, &mut pace, task).await?.is_none() {
                return Ok(Ended::Early);
            }
        }
    }

    /// One run more of a cell; `None` if it was interrupted.
    pub async fn again(&self, session: &Session, cell: u32) -> Result<Option<Repeat>> {
        let point = self.point(cell)?;
        let done = Store::read(self.store.path())?.repeats;
        let task = queue::next(point, &done, self.seed);
        self.cell(session, &mut Pace::default(), task).await
    }

    fn point(&self, cell: u32) -> Result<&Point> {
        let mut points = self.grid.points.iter();
        points
            .find(|point| point.cell.number == cell)
            .ok_or_else(|| {
                let cells = self.grid.points.len();
                Failure::usage(format!("cell {cell}: there are the cells 1 to {cells}"))
            })
    }

    /// The calibrating runs that are still to be made: their case and number.
    fn calibrations(&self) -> Result<Vec<(&Point, u32)>> {
        let done = self.store.calibrated()?;
        let made = |case: &Point, number| {
            done.iter()
                .any(|run| run.case == case.cell.number && run.repeat.number == number)
        };
        let cases = self.grid.cases.iter();
        Ok(cases
            .flat_map(|case| (1..=self.spec.calibrations).map(move |number| (case, number)))
            .filter(|(case, number)| !made(case, *number))
            .collect())
    }

    async fn calibrate(
        &self,
        session: &Session,
        pace: &mut Pace,
        case: &Point,
        number: u32,
    ) -> Result<bool> {
        let cell = &case.cell;
        session.progress().note(&format!(
            "calibration {} of {}, run {number}: {}",
            cell.number,
            self.grid.cases.len(),
            cell.scenario
        ));
        let name = format!("calibration {}, run {number}", cell.number);
        let task = Task {
            cell: cell.number,
            number,
            faults: case.per_run,
            seed: workloads::seed::derive(self.seed, &name) % 1_000_000_000,
        };
        let mut spec = self.filled(case, &task, None);
        spec.name = format!("{}-calibration-{}", self.spec.name, cell.number);
        let Some(repeat) = self.one(session, pace, case, spec, &task).await? else {
            return Ok(false);
        };
        self.store.append_calibration(&Calibrated {
            scenario: cell.scenario,
            case: cell.number,
            repeat,
        })?;
        Ok(true)
    }

    async fn cell(&self, session: &Session, pace: &mut Pace, task: Task) -> Result<Option<Repeat>> {
        let point = self.point(task.cell)?;
        session.progress().note(&format!(
            "cell {} of {}, run {}: {}",
            task.cell,
            self.grid.points.len(),
            task.number,
            grid::title(point.cell.scenario, &point.cell.settings)
        ));
        let spec = self.filled(point, &task, self.write_rate()?);
        let repeat = self.one(session, pace, point, spec, &task).await?;
        if let Some(repeat) = &repeat {
            self.store.append(repeat)?;
        }
        Ok(repeat)
    }

    /// Settled before the first cell's run, so the same whenever the sweep goes on.
    fn write_rate(&self) -> Result<Option<f64>> {
        let calibration = Calibration::of(&self.store.calibrated()?);
        Ok(calibration.write_per_s.map(|measured| measured.mean))
    }

    /// The test of a task.
    fn filled(&self, point: &Point, task: &Task, write_rate: Option<f64>) -> Spec {
        let spread = schedule::spread(self.spec, point.cell.interval, write_rate);
        let scenario = point.cell.scenario;
        let (faults, time) =
            schedule::schedule(self.spec, scenario, task.faults, spread, task.seed);
        Spec {
            schedule: faults,
            time,
            ..point.spec.clone()
        }
    }

    /// Built anew in the middle, it would be compared with itself.
    fn same_program(&self, judged: &Judged) -> Result<()> {
        let now = judged.recorded.run.program.as_ref();
        match self.program.as_ref().zip(now) {
            Some((begun, now)) if !begun.is_same(now) => Err(Failure::harness(format!(
                "the program changed: {now}, where the sweep began with {begun}; this run is left out"
            ))),
            _ => Ok(()),
        }
    }

    /// Makes a run and keeps what it tells; `None` if it was interrupted. A run that could not be made is kept as
    /// one that brought nothing; several in a row end the sweep.
    async fn one(
        &self,
        session: &Session,
        pace: &mut Pace,
        point: &Point,
        spec: Spec,
        task: &Task,
    ) -> Result<Option<Repeat>> {
        let planned = spec.time.0;
        let began = Instant::now();
        let runs = self.store.runs();
        let judged = session
            .run(spec, task.seed, self.binary.clone(), &runs)
            .await;
        if session.interrupt().happened() {
            return Ok(None);
        }
        let judged = match judged {
            Ok(judged) => judged,
            Err(Failure::Harness(error)) if pace.failed < MOST_FAILED => {
                pace.failed += 1;
                session
                    .progress()
                    .note(&format!("no run could be made: {error:#}"));
                return Ok(Some(Repeat {
                    cell: task.cell,
                    number: task.number,
                    seed: task.seed,
                    valid: checker::Validity::Unknown,
                    reason: format!("no run could be made: {error:#}"),
                    ..Repeat::default()
                }));
            }
            Err(failure) => return Err(failure),
        };
        pace.failed = 0;
        self.same_program(&judged)?;
        let mut repeat =
            results::sweep::repeat(point.cell.scenario, &judged.recorded, &judged.results);
        repeat.cell = task.cell;
        repeat.number = task.number;
        repeat.again = judged.recorded.run.repeat.clone();
        repeat.run = self.relative(judged.folder.path());
        pace.took(planned, began.elapsed());
        session.progress().note(&format!(
            "{}: {}; {} of {} faults recovered from",
            repeat.valid,
            repeat.reason,
            repeat.recoveries.len(),
            task.faults
        ));
        let violation = repeat.valid == checker::Validity::Invalid
            && !results::sweep::is_allowed(&point.cell, &repeat);
        if !violation {
            remove_data(&judged)?;
        }
        Ok(Some(repeat))
    }

    fn relative(&self, run: &Path) -> String {
        let relative = run.strip_prefix(self.store.path()).unwrap_or(run);
        relative.display().to_string()
    }

    fn is_over(&self, session: &Session, pace: &Pace, next: Duration) -> bool {
        let late = |until| Instant::now() + pace.total(next) > until;
        session.interrupt().happened() || self.until.is_some_and(late)
    }

    fn duration(&self, task: &Task) -> Result<Duration> {
        let spec = self.filled(self.point(task.cell)?, task, self.write_rate()?);
        Ok(spec.time.0)
    }

    fn left(&self, tasks: &[Task], pace: &Pace) -> Duration {
        let durations = tasks.iter().filter_map(|task| self.duration(task).ok());
        let left: Duration = durations.map(|load| pace.total(load)).sum();
        Duration::from_secs(left.as_secs())
    }
}

/// How long all of a sweep takes, roughly.
pub fn estimate(spec: &SweepSpec, grid: &Grid, seed: u64) -> Duration {
    let pace = Pace::default();
    let cases = grid.cases.iter();
    let calibrating: Duration = cases
        .map(|case| pace.total(length(spec, case, case.per_run)) * spec.calibrations)
        .sum();
    let tasks = queue::planned(&grid.points, &[], seed);
    let runs = tasks.iter().filter_map(|task| {
        let mut points = grid.points.iter();
        let point = points.find(|point| point.cell.number == task.cell)?;
        Some(pace.total(length(spec, point, task.faults)))
    });
    Duration::from_secs((calibrating + runs.sum()).as_secs())
}

/// The load of a point's run, before anything is known of the rate of writes.
fn length(spec: &SweepSpec, point: &Point, faults: u32) -> Duration {
    let spread = schedule::spread(spec, point.cell.interval, None);
    let (_, time) = schedule::schedule(spec, point.cell.scenario, faults, spread, 1);
    time.0
}

/// How long runs take besides their load.
#[derive(Default)]
struct Pace {
    runs: u32,
    besides: Duration,
    /// Runs in a row that could not be made.
    failed: u32,
}

impl Pace {
    fn took(&mut self, load: Duration, all: Duration) {
        self.runs += 1;
        self.besides += all.saturating_sub(load);
    }

    fn total(&self, load: Duration) -> Duration {
        load + self.besides.checked_div(self.runs).unwrap_or(OVERHEAD)
    }
}

/// The servers' data of hundreds of runs would fill the disk; what they logged stays.
fn remove_data(judged: &Judged) -> Result<()> {
    for node in &judged.recorded.run.nodes {
        for entry in std::fs::read_dir(judged.folder.node(node)?)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
    }
    Ok(())
}
