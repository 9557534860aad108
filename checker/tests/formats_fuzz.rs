//! What the fuzzers hold, with any compiler: their corpus, so many mutations of it, and fresh ones for some
//! seconds, 3 unless `SHAKEDOWN_FUZZ_SECONDS` says otherwise. The seed of the fresh ones is printed, and
//! `SHAKEDOWN_FUZZ_SEED` repeats them.

use checker::formats::Format;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

const MUTATIONS: u64 = 300;
const RANDOM_HISTORIES: u64 = 3_000;

/// Pieces that mean something to some reader.
const TOKENS: [&[u8]; 16] = [
    b"\n",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"#_",
    b"nil",
    b"null",
    b"-1",
    b"9223372036854775808",
    b"\\",
    b"\xff",
    b"-----",
    b"\"index\":18446744073709551615,",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no corpus");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn mutated(bytes: &[u8], rng: &mut Pcg64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        let end = rng.random_range(at..=bytes.len().min(at + 40));
        match rng.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            3 => {
                let token = TOKENS[rng.random_range(0..TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            4 if at < bytes.len() => bytes[at] = rng.random(),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => {}
        }
    }
    bytes
}

#[test]
fn no_reader_fails_on_its_corpus_or_on_mutations_of_it() {
    for format in Format::ALL {
        for (file, bytes) in corpus(&format.name().replace('-', "_")).iter().enumerate() {
            fuzz::parse(format, bytes);
            for seed in 0..MUTATIONS {
                let mut rng = Pcg64::seed_from_u64(seed << 8 | file as u64);
                let bytes = mutated(bytes, &mut rng);
                // A panic is followed by the input that led to it.
                let shown = Shown(&bytes);
                fuzz::parse(format, &bytes);
                std::mem::forget(shown);
            }
        }
    }
}

/// A seed that is another one each time.
fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed();
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Cases from fresh seeds, until the time is up.
fn fresh(case: impl Fn(u64)) {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().expect(name));
    let seconds = number("SHAKEDOWN_FUZZ_SECONDS").unwrap_or(3);
    let first = number("SHAKEDOWN_FUZZ_SEED").unwrap_or_else(now);
    println!("fresh cases: SHAKEDOWN_FUZZ_SEED={first}");
    let started = Instant::now();
    let mut cases = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        case(first.wrapping_add(cases));
        cases += 1;
    }
    println!("{cases} fresh cases in {seconds} s");
}

#[test]
fn no_reader_fails_on_fresh_mutations() {
    let files: Vec<(Format, Vec<u8>)> = Format::ALL
        .into_iter()
        .flat_map(|format| {
            let files = corpus(&format.name().replace('-', "_"));
            files.into_iter().map(move |bytes| (format, bytes))
        })
        .collect();
    fresh(|seed| {
        let mut rng = Pcg64::seed_from_u64(seed);
        let (format, bytes) = &files[rng.random_range(0..files.len())];
        let mut bytes = bytes.clone();
        for _ in 0..rng.random_range(1..6) {
            bytes = mutated(&bytes, &mut rng);
        }
        let shown = Shown(&bytes);
        fuzz::parse(*format, &bytes);
        std::mem::forget(shown);
    });
}

#[test]
fn the_search_finds_in_fresh_histories_what_trying_all_orders_finds() {
    fresh(|seed| {
        let mut bytes = [0; 40];
        Pcg64::seed_from_u64(seed).fill(&mut bytes[..]);
        fuzz::judge(&bytes);
    });
}

#[test]
fn the_search_finds_what_trying_all_orders_finds() {
    for bytes in corpus("judge") {
        fuzz::judge(&bytes);
    }
    for seed in 0..RANDOM_HISTORIES {
        let mut bytes = [0; 40];
        Pcg64::seed_from_u64(seed).fill(&mut bytes[..]);
        fuzz::judge(&bytes);
    }
}

/// Prints the bytes when it is dropped by a panic.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        eprintln!("input: {}", self.0.escape_ascii());
    }
}
