//! `shakedown bench`: what the harness itself can do on this machine.

mod check;
mod interpreter;

use crate::cli::{Bench, BenchPart};
use crate::exit::Result;

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
