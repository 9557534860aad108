//! Measures how fast histories are read: `cargo bench -p checker --bench reading [CASE]...`
//!
//! Each file is made in memory and read several times; the least time counts, on the clock and of the
//! processor: on a machine that others use as well, the second is the one to go by. An operation is an
//! invocation and its completion.

use checker::formats::{self, Options};
use checker::generate::{History, Kind};
use checker::history::compressed::Frames;
use checker::history::jsonl::Writer;
use std::io::Write;
use std::time::Instant;

const OPERATIONS: usize = 500_000;
const ROUNDS: usize = 5;

fn main() {
    // Cargo itself passes `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    println!(
        "{:<24} {:>9} {:>12} {:>10} {:>13} {:>14}",
        "case", "MB", "bytes an op", "on clock", "of processor", "operations/s"
    );
    for (name, model) in [
        ("cas-register", Kind::CasRegister),
        ("key-value", Kind::KeyValue),
        ("list-append", Kind::ListAppend),
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part)) {
            continue;
        }
        let text = text(model);
        let mut frames = Frames::new(Vec::new());
        frames.write_all(&text).expect("a Vec takes all bytes");
        let compressed = frames.into_inner().expect("a Vec takes all bytes");
        row(name, &text);
        row(&format!("{name} + zstd"), &compressed);
    }
}

fn text(model: Kind) -> Vec<u8> {
    let wanted = History {
        model,
        operations: OPERATIONS,
        processes: 20,
        keys: 100,
        values: 0,
        crashed: 0.01,
        ..History::default()
    };
    let mut writer = Writer::new(Vec::new(), &wanted.header()).expect("a Vec takes all bytes");
    wanted
        .stream(|event| writer.append(&event).expect("a Vec takes all bytes"))
        .expect("there are such histories");
    writer.into_inner().expect("a Vec takes all bytes")
}

fn row(name: &str, file: &[u8]) {
    let mut least = f64::MAX;
    let mut of_processor = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let used = processor_seconds();
        let reading = formats::read(file, name, Options::default()).expect("we wrote it");
        least = least.min(started.elapsed().as_secs_f64());
        if let (Some(before), Some(after)) = (used, processor_seconds()) {
            of_processor = of_processor.min(after - before);
        }
        assert!(reading.history.events.len() >= OPERATIONS);
    }
    println!(
        "{name:<24} {:>9.1} {:>12.1} {:>7.0} ms {:>10.0} ms {:>14.0}",
        file.len() as f64 / 1e6,
        file.len() as f64 / OPERATIONS as f64,
        least * 1e3,
        of_processor * 1e3,
        OPERATIONS as f64 / of_processor.min(least)
    );
}

/// What this thread has used so far, where the system tells.
fn processor_seconds() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = told.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}
