//! `shakedown test`.

use crate::cli::{Limits, Output, Store};
use crate::exit::{Failure, Result, code_of};
use crate::run::prepare;
use crate::run::session::{self, Session, Settled};
use crate::spec::{Size, Span, Spec};
use checker::Validity;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Test {
    /// YAML file with settings; flags override it
    pub spec: Option<PathBuf>,
    /// Folder name below the run store
    #[arg(long)]
    pub name: Option<String>,
    /// System to test
    #[arg(long)]
    pub system: Option<String>,
    /// A setting of the system, for example checkpoint.every=1000; may be repeated (see `shakedown list`)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where to run: auto, netns or loopback
    #[arg(long)]
    pub env: Option<String>,
    /// Number of nodes
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Workloads, separated by commas, with options: bank:accounts=4 (see `shakedown list`)
    #[arg(long, value_delimiter = ',')]
    pub workload: Option<Vec<String>>,
    /// Bytes written before the run under keys that no workload uses, for example 64MiB; 0B: none
    #[arg(long)]
    pub prefill: Option<Size>,
    /// Kinds of fault, separated by commas; `none` breaks nothing
    #[arg(long, value_delimiter = ',')]
    pub nemesis: Option<Vec<String>>,
    /// Length of the main phase, for example 60s
    #[arg(long)]
    pub time: Option<Span>,
    /// Operations per second to aim at
    #[arg(long)]
    pub rate: Option<u64>,
    /// Number of history clients
    #[arg(long)]
    pub clients: Option<usize>,
    /// Limit of one operation
    #[arg(long)]
    pub deadline: Option<Span>,
    /// Time without faults before the final reads
    #[arg(long)]
    pub quiet_period: Option<Span>,
    /// Fixes operations, keys and the plan of faults; printed and stored in any case
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run so many times, with seeds counting up
    #[arg(long, default_value_t = 1)]
    pub count: u32,
    /// End the load at the first violation: some are found while it goes on
    #[arg(long)]
    pub fail_fast: bool,
    /// Print the plan of faults and end
    #[arg(long)]
    pub plan: bool,
    /// Program of the system; default: `strata` beside this program
    #[arg(long, value_name = "PATH", env = "STRATA_BIN")]
    pub binary: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub store: Store,
    #[command(flatten)]
    pub output: Output,
}

impl Test {
    /// The spec file, or the default, with the flags applied.
    pub fn resolve(&self) -> Result<Spec> {
        let mut spec = match &self.spec {
            Some(path) => Spec::read(path)?,
            None => Spec::default(),
        };
        let Test {
            name,
            system,
            env,
            nodes,
            time,
            rate,
            prefill,
            clients,
            deadline,
            quiet_period,
            ..
        } = self;
        override_with(&mut spec.name, name);
        override_with(&mut spec.system, system);
        override_with(&mut spec.env, env);
        override_with(&mut spec.nodes, nodes);
        override_with(&mut spec.time, time);
        override_with(&mut spec.rate, rate);
        override_with(&mut spec.prefill, prefill);
        override_with(&mut spec.clients, clients);
        override_with(&mut spec.deadline, deadline);
        override_with(&mut spec.quiet, quiet_period);
        override_with(&mut spec.workloads, &self.workload);
        override_with(&mut spec.check_time, &self.limits.check_time);
        override_with(&mut spec.check_memory, &self.limits.check_memory);
        if let Some(kinds) = &self.nemesis {
            spec.nemesis = kinds
                .iter()
                .filter(|kind| *kind != "none")
                .cloned()
                .collect();
        }
        for assignment in &self.settings {
            spec.set(assignment)?;
        }
        if self.seed.is_some() {
            spec.seed = self.seed;
        }
        spec.fail_fast |= self.fail_fast;
        if self.count == 0 {
            return Err(Failure::usage("--count 0: at least one run is needed"));
        }
        spec.validate()?;
        Ok(spec)
    }
}

fn override_with<T: Clone>(field: &mut T, flag: &Option<T>) {
    if let Some(value) = flag {
        *field = value.clone();
    }
}

pub fn run(args: &Test) -> Result<u8> {
    let spec = args.resolve()?;
    let checked = prepare::check(spec.clone(), args.binary.clone())?;
    prepare::wanted(&spec)?;
    if args.plan {
        return print_plan(args, &checked);
    }
    let choice = match session::settle(&checked)? {
        Settled::Here(choice) => choice,
        Settled::Done(code) => return Ok(code),
    };
    let first_seed = spec.seed.unwrap_or_else(prepare::fresh_seed);
    let runtime = super::runtime()?;
    let worst = runtime.block_on(async {
        let session = Session::begin(choice, args.output.quiet)?;
        let mut worst = Validity::Valid;
        for number in 0..args.count {
            let seed = first_seed.wrapping_add(number.into());
            let judged = session
                .run(spec.clone(), seed, args.binary.clone(), &args.store.runs)
                .await?;
            session.progress().finish();
            super::print(&judged, args.output.json)?;
            worst = worst.max(judged.results.valid);
            if session.interrupt().happened() {
                break;
            }
        }
        Ok::<_, Failure>(worst)
    })?;
    Ok(code_of(worst))
}

fn print_plan(args: &Test, checked: &prepare::Checked) -> Result<u8> {
    let first_seed = checked.spec.seed.unwrap_or_else(prepare::fresh_seed);
    for number in 0..args.count {
        let seed = first_seed.wrapping_add(number.into());
        let plan = prepare::plan(&checked.spec, &checked.kinds, seed)?;
        match args.output.json {
            true => println!("{}", serde_json::to_string(&plan)?),
            false => print!("{plan}"),
        }
    }
    Ok(crate::exit::VALID)
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn flags_override_the_spec() {
        let cli = Cli::try_parse_from([
            "shakedown",
            "test",
            "--nemesis",
            "none",
            "--time",
            "5s",
            "--seed",
            "7",
        ]);
        let Ok(Cli {
            command: Command::Test(test),
        }) = cli
        else {
            panic!("{cli:?}")
        };
        let spec = test.resolve().unwrap();
        assert!(spec.nemesis.is_empty());
        assert_eq!((spec.time.to_string().as_str(), spec.seed), ("5s", Some(7)));
    }
}
