//! `shakedown bench` alone: the interpreter with clients that answer at once, recorded to disk like any run.

use crate::cli::Output;
use crate::exit::{Failure, Result, VALID};
use crate::interpreter::{Clock, Interpreter, Recorder};
use checker::history::Header;
use clap::Args;
use std::time::{Duration, Instant};
use systems::System;
use testbed::NodeId;
use tokio::sync::{mpsc, watch};
use workloads::generator::Limit;

#[derive(Debug, Args)]
pub struct BenchInterpreter {
    /// Operations to perform
    #[arg(long, default_value_t = 500_000)]
    pub ops: u64,
    /// Number of clients
    #[arg(long, default_value_t = 32)]
    pub clients: usize,
    #[command(flatten)]
    pub output: Output,
}

pub fn run(args: &BenchInterpreter) -> Result<u8> {
    if args.clients == 0 || args.ops == 0 {
        return Err(Failure::usage("--clients and --ops must be at least 1"));
    }
    let file = std::env::temp_dir().join(format!("shakedown-bench-{}.jsonl", std::process::id()));
    let measured = super::super::runtime()?.block_on(measure(args, &file));
    let bytes = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
    std::fs::remove_file(&file)?;
    let (done, elapsed) = measured?;
    let rate = done as f64 / elapsed.as_secs_f64();
    let cores = super::cores();
    if args.output.json {
        let document = serde_json::json!({
            "ops_per_s": rate, "n": done, "seconds": elapsed.as_secs_f64(), "clients": args.clients,
            "history_bytes": bytes, "cores": cores,
        });
        println!("{document}");
    } else {
        println!(
            "{rate:.0} operations/s through the interpreter (n {done}, {:.1} s, {} null clients, {:.1} MB of history, {cores} cores)",
            elapsed.as_secs_f64(),
            args.clients,
            bytes as f64 / 1e6
        );
    }
    Ok(VALID)
}

async fn measure(args: &BenchInterpreter, file: &std::path::Path) -> Result<(u64, Duration)> {
    let system = systems::Null::new();
    let mut clients = Vec::new();
    for _ in 0..args.clients {
        clients.push(system.connect(&NodeId::numbered(1)).await?);
    }
    let workload = workloads::by_name("register").map_err(Failure::usage)?;
    let header = Header {
        version: 1,
        workload: "register".into(),
        model: workload.model().to_owned(),
    };
    let mut recorder = Recorder::create(file, header)?;
    let (_notes, received) = mpsc::unbounded_channel();
    let mut interpreter =
        Interpreter::new(Clock::start(), clients, Duration::from_secs(1), received);
    let counts = interpreter.counts();
    let mut generator = Limit::new(args.ops, workload.generator(1));
    let (_stop, mut stopped) = watch::channel(false);
    let began = Instant::now();
    interpreter
        .run(&mut generator, &mut recorder, &mut stopped)
        .await?;
    recorder.finish()?;
    let elapsed = began.elapsed();
    let counts = *counts.borrow();
    Ok((counts.ok + counts.fail + counts.info, elapsed))
}
