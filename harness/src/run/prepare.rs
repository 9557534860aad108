//! Everything that can be refused is refused here, by name, before anything is started.

use super::{evidence, machine, program, stored::Stored, workload};
use crate::exit::{Failure, Result};
use crate::spec::Spec;
use nemesis::schedule::Schedule;
use nemesis::{Kind, Plan};
use results::{Folder, Marks, Method, Program, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use systems::System;
use testbed::doctor::{Choice, Wanted};
use testbed::{Environment, NodeId};
use workloads::Workload;

/// A run that can begin.
pub struct Prepared {
    pub spec: Spec,
    pub seed: u64,
    pub system: Arc<dyn System>,
    pub workload: Box<dyn Workload>,
    pub plan: Plan,
    /// Absent for a system without servers.
    pub environment: Option<Arc<dyn Environment>>,
    pub choice: Choice,
    binary: Binary,
    nodes: Vec<NodeId>,
}

/// What was asked for and checked as far as possible without touching anything.
pub struct Checked {
    pub spec: Spec,
    pub system: Arc<dyn System>,
    pub kinds: Vec<Kind>,
    binary: Binary,
}

/// The server program.
struct Binary {
    path: PathBuf,
    /// Whether it was asked for: the one beside this program need not be.
    named: bool,
}

/// Checks names and settings.
pub fn check(spec: Spec, binary: Option<PathBuf>) -> Result<Checked> {
    let kinds = match spec.schedule.as_slice() {
        [] => spec
            .nemesis
            .iter()
            .map(|name| kind(name))
            .collect::<Result<Vec<_>>>()?,
        faults => faults
            .iter()
            .map(|fault| fault.kind)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    };
    workload::by_names(&spec.workloads)?;
    let binary = Binary {
        named: binary.is_some(),
        path: binary.map_or_else(default_binary, Ok)?,
    };
    let options = systems::registry::Options {
        binary: Some(binary.path.clone()),
        settings: spec.system_settings(),
    };
    let system = systems::by_name(&spec.system, options).map_err(Failure::usage)?;
    if !system.runs_processes() && !kinds.is_empty() {
        return Err(Failure::usage(format!(
            "nemesis: system {} has no servers to break; use --nemesis none",
            spec.system
        )));
    }
    if kinds.contains(&Kind::PowerLoss) && !system.kill_loses_unsynced() {
        return Err(Failure::usage(format!(
            "nemesis: power-loss: a kill of {} loses nothing that it wrote; for strata add --set disk=power-loss",
            spec.system
        )));
    }
    plan(&spec, &kinds, 0)?;
    Ok(Checked {
        spec,
        system,
        kinds,
        binary,
    })
}

/// The plan of faults: the spec's own, or that of the seed.
pub fn plan(spec: &Spec, kinds: &[Kind], seed: u64) -> Result<Plan> {
    if !spec.schedule.is_empty() {
        return Ok(Plan::of(seed, spec.nodes, spec.time.0, &spec.schedule));
    }
    let schedule = Schedule::new(spec.nodes, spec.time.0, kinds);
    schedule
        .plan(seed)
        .map_err(|error| Failure::usage(format!("nemesis: {error}")))
}

/// The environment that the spec wants, as the testbed names it.
pub fn wanted(spec: &Spec) -> Result<Wanted> {
    spec.env
        .parse()
        .map_err(|error| Failure::usage(format!("env: {error}")))
}

impl Checked {
    /// Builds the environment in `dir` and settles the plan.
    pub async fn prepare(self, seed: u64, choice: Choice, dir: &Path) -> Result<Prepared> {
        let Checked {
            spec,
            system,
            kinds,
            binary,
        } = self;
        let plan = plan(&spec, &kinds, seed)?;
        let workload = workload::by_names(&spec.workloads)?;
        let environment = match system.runs_processes() {
            true => Some(environment(&choice, spec.nodes, dir).await?),
            false => None,
        };
        if let Some(environment) = &environment {
            let checked = nemesis::check(&kinds, environment.as_ref(), system.as_ref());
            if let Err(error) = checked {
                environment.teardown().await?;
                return Err(Failure::usage(error));
            }
        }
        let nodes = (1..=spec.nodes).map(NodeId::numbered).collect();
        Ok(Prepared {
            spec,
            seed,
            system,
            workload,
            plan,
            environment,
            choice,
            binary,
            nodes,
        })
    }

    /// What the servers run, if the system has any.
    pub fn program(&self) -> Result<Option<Program>> {
        program_of(self.system.as_ref(), &self.binary)
    }
}

fn program_of(system: &dyn System, binary: &Binary) -> Result<Option<Program>> {
    let path = system.runs_processes().then_some(&binary.path);
    path.map(|path| program::identify(path)).transpose()
}

impl Binary {
    /// What a command line that repeats something must add.
    fn flag(&self) -> String {
        match self.named {
            true => format!(" --binary {}", self.path.display()),
            false => String::new(),
        }
    }
}

pub async fn environment(
    choice: &Choice,
    nodes: usize,
    dir: &Path,
) -> Result<Arc<dyn Environment>> {
    Ok(match choice.name.as_str() {
        "netns" => testbed::netns::Netns::new(nodes, dir).await?,
        _ => testbed::loopback::Loopback::new(nodes, dir).await?,
    })
}

impl Prepared {
    pub fn nodes(&self) -> Vec<NodeId> {
        self.nodes.clone()
    }

    pub fn environment_name(&self) -> &str {
        self.environment
            .as_ref()
            .map_or("no environment", |environment| environment.name())
    }

    /// Ends everything that runs. Idempotent.
    pub async fn teardown(&self) -> Result<()> {
        match &self.environment {
            Some(environment) => Ok(environment.teardown().await?),
            None => Ok(()),
        }
    }

    /// What goes into `spec.yaml`.
    pub fn stored(&self, folder: &Folder) -> Result<Stored> {
        let spec = Spec {
            seed: Some(self.seed),
            ..self.spec.clone()
        };
        let checkers = workload::checkers(&spec.workloads)?;
        let expected_checks = checkers
            .iter()
            .map(|checker| checker.name())
            .chain(self.environment.iter().flat_map(|_| evidence::CHECKS))
            .map(str::to_owned)
            .collect();
        let host = match &self.environment {
            Some(environment) => BTreeMap::from([
                ("environment".to_owned(), environment.name().to_owned()),
                ("chosen because".to_owned(), self.choice.why.clone()),
            ]),
            None => BTreeMap::new(),
        };
        let run = Run {
            name: spec.name.clone(),
            seed: self.seed,
            system: spec.system.clone(),
            workload: spec.workloads.join("+"),
            nemesis: self.plan.kinds().iter().map(Kind::to_string).collect(),
            environment: self.environment_name().to_owned(),
            nodes: self.nodes.iter().map(NodeId::to_string).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: jiff::Timestamp::now().to_string(),
            repeat: format!(
                "shakedown test {} --seed {}{}",
                folder.spec().display(),
                self.seed,
                self.binary.flag()
            ),
            program: program_of(self.system.as_ref(), &self.binary)?,
            machine: machine::facts(),
            not_exercised: left_out(&self.plan),
            data_bytes: None,
            remarks: Vec::new(),
            expected_checks,
            faults_asked: self.plan.faults.len() as u32,
            operations_floor: spec.min_ops,
        };
        // Each kind of connection has its own schedule over all nodes; a lane is one of them.
        let method = Method {
            probe_interval: spec.probe_every.nanos(),
            sample_interval: spec.status_every.nanos(),
            ..Method::default()
        };
        let argv = std::env::args().collect();
        Ok(Stored {
            spec,
            argv,
            host,
            run,
            method,
            marks: Marks::default(),
        })
    }
}

/// The kinds of fault that a plan does without, in a sentence.
fn left_out(plan: &Plan) -> Vec<String> {
    let planned = plan.kinds();
    let kinds = Kind::ALL.iter().filter(|kind| !planned.contains(kind));
    let names: Vec<&str> = kinds.map(|kind| kind.name()).collect();
    match names.is_empty() {
        true => Vec::new(),
        false => vec![format!(
            "Faults: none of these was planned: {}.",
            names.join(", ")
        )],
    }
}

fn kind(name: &str) -> Result<Kind> {
    name.parse()
        .map_err(|error| Failure::usage(format!("nemesis: {error}")))
}

/// `strata` beside this program.
fn default_binary() -> Result<PathBuf> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::harness(format!("own program: {error}")))?;
    Ok(program.with_file_name("strata"))
}

/// A seed for a run that names none.
pub fn fresh_seed() -> u64 {
    let time = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or(Duration::ZERO);
    // Short enough to be typed again.
    workloads::seed::derive(time.as_nanos() as u64, "seed") % 1_000_000_000
}
