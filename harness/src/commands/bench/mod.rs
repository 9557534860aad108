//! `shakedown bench`: what the harness itself can do on this machine.

mod check;
mod interpreter;

use self::check::BenchCheck;
use self::interpreter::BenchInterpreter;
use crate::exit::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    pub part: Option<BenchPart>,
    #[command(flatten)]
    pub interpreter: BenchInterpreter,
}

#[derive(Debug, Subcommand)]
pub enum BenchPart {
    /// How the time of the checkers grows with the length of a history, as a table and a plot
    Check(BenchCheck),
}

pub fn run(args: &Bench) -> Result<u8> {
    match &args.part {
        Some(BenchPart::Check(args)) => check::run(args),
        None => interpreter::run(&args.interpreter),
    }
}

/// Cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| cores.get())
}
