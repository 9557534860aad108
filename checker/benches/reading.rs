//! Measures how fast histories are read: `cargo bench -p checker --bench reading [CASE]...`
//!
//! Each file is made in memory and read several times; the least time counts. An operation is an
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
        "{:<24} {:>9} {:>12} {:>10} {:>14}",
        "case", "MB", "bytes an op", "least time", "operations/s"
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
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let reading = formats::read(file, name, Options::default()).expect("we wrote it");
        least = least.min(started.elapsed().as_secs_f64());
        assert!(reading.history.events.len() >= OPERATIONS);
    }
    println!(
        "{name:<24} {:>9.1} {:>12.1} {:>8.0} ms {:>14.0}",
        file.len() as f64 / 1e6,
        file.len() as f64 / OPERATIONS as f64,
        least * 1e3,
        OPERATIONS as f64 / least
    );
}
