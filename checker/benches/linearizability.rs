//! Measures the linearizability check: `cargo bench -p checker --bench linearizability [CASE]...`
//!
//! Each case is a history made in memory, checked several times; the least time counts. The peak of
//! memory is that of the whole process so far, so for the memory of one case name it alone. `growth`
//! shows how time grows with the length of a history, and is measured only if named.
//!
//! `model=MODEL FILE...` measures histories in files instead: path, verdict and least nanoseconds of each,
//! parsed beforehand, in a form to be joined with what a peer needs for the same files.

mod histories;

use checker::linearizability::Linearizable;
use checker::{Budget, Checker, History, Validity, formats};
use histories::{Events, Shape, history, plant};
use std::time::{Duration, Instant};

const BUDGET: Budget = Budget {
    time: Duration::from_secs(120),
    memory: 4 << 30,
};

const REGISTER: Shape = Shape {
    operations: 10_000,
    processes: 10,
    keys: 1,
    values: Some(5),
    cas: 30,
    crashed: 0,
    seed: 1,
};

fn main() {
    // Cargo itself passes `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if let Some((model, files)) = of_files(&wanted) {
        return recorded(model, files);
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    println!(
        "{:<28} {:>10} {:>9} {:>11} {:>11} {:>9}",
        "case", "operations", "verdict", "least time", "mean CPU", "peak"
    );
    for (name, shape, planted) in cases() {
        if is_wanted(name) {
            offline(name, shape, planted);
        }
    }
    if wanted.iter().any(|part| part == "growth") {
        growth();
    }
    if is_wanted("online") {
        online(Shape {
            operations: 10_000_000,
            processes: 50,
            keys: 100,
            crashed: 1,
            ..REGISTER
        });
    }
}

/// The model and the files that the arguments ask for.
fn of_files(arguments: &[String]) -> Option<(&str, &[String])> {
    let (first, files) = arguments.split_first()?;
    Some((first.strip_prefix("model=")?, files))
}

fn recorded(model: &str, files: &[String]) {
    for path in files {
        let read = formats::read_path(path, formats::Options::default());
        let history = read.unwrap_or_else(|error| panic!("{error}")).history;
        let mut checkers = checker::checkers_for(model).unwrap_or_else(|error| panic!("{error}"));
        checkers.retain(|checker| checker.name() != "stats");
        let judge = || {
            checkers
                .iter()
                .map(|checker| checker.decide(&history, BUDGET))
        };
        let mut least = Duration::MAX;
        let mut worst = None;
        let begun = Instant::now();
        for _ in 0..100 {
            let started = Instant::now();
            worst = judge().max();
            least = least.min(started.elapsed());
            if begun.elapsed() > Duration::from_secs(2) {
                break;
            }
        }
        let verdict = worst.map_or_else(|| "nothing".to_owned(), |validity| validity.to_string());
        println!("{path}\t{verdict}\t{}", least.as_nanos());
    }
}

fn cases() -> Vec<(&'static str, Shape, bool)> {
    let unique = Shape {
        values: None,
        cas: 0,
        ..REGISTER
    };
    let crashing = Shape {
        operations: 1_000,
        crashed: 50,
        ..REGISTER
    };
    let store = Shape {
        operations: 1_000_000,
        processes: 100,
        keys: 100,
        crashed: 10,
        ..REGISTER
    };
    let large = |shape: Shape| Shape {
        operations: 100_000,
        ..shape
    };
    vec![
        ("cas", REGISTER, false),
        ("cas-stale-read", REGISTER, true),
        ("cas-100k", large(REGISTER), false),
        ("cas-100k-stale-read", large(REGISTER), true),
        (
            "unique-50",
            Shape {
                processes: 50,
                ..unique
            },
            false,
        ),
        (
            "unique-50-stale-read",
            Shape {
                processes: 50,
                ..unique
            },
            true,
        ),
        (
            "unique-100k-50",
            Shape {
                processes: 50,
                ..large(unique)
            },
            false,
        ),
        ("cas-1k-crashed", crashing, false),
        ("cas-1k-crashed-stale-read", crashing, true),
        (
            "unique-1k-crashed",
            Shape {
                crashed: 50,
                operations: 1_000,
                ..unique
            },
            false,
        ),
        ("store-1m", store, false),
        (
            "store-1m-unique",
            Shape {
                values: None,
                cas: 10,
                ..store
            },
            false,
        ),
    ]
}

/// How time grows with the length of a history, for some families; the last column stays about level
/// where it grows as n log n.
fn growth() {
    println!(
        "{:<28} {:>10} {:>11} {:>12}",
        "family", "operations", "mean CPU", "ns / n log2 n"
    );
    let families = cases();
    for family in ["cas", "cas-stale-read", "unique-50", "store-1m"] {
        let Some((name, shape, planted)) = families.iter().find(|(name, ..)| *name == family)
        else {
            continue;
        };
        for thousands in [10, 20, 40, 80, 160, 320] {
            let operations = 1_000 * thousands;
            let shape = Shape {
                operations,
                ..*shape
            };
            let (_, time) = measure(shape, *planted);
            let n = operations as f64;
            println!(
                "{name:<28} {operations:>10} {:>8.2} ms {:>12.2}",
                time.cpu.as_secs_f64() * 1e3,
                time.cpu.as_secs_f64() * 1e9 / (n * n.log2()),
            );
        }
    }
}

struct Time {
    least: Duration,
    cpu: Duration,
}

fn offline(name: &str, shape: Shape, planted: bool) {
    let (validity, time) = measure(shape, planted);
    println!(
        "{name:<28} {:>10} {:>9} {:>8.2} ms {:>8.2} ms {:>5} MiB",
        shape.operations,
        validity.to_string(),
        time.least.as_secs_f64() * 1e3,
        time.cpu.as_secs_f64() * 1e3,
        peak_mib(),
    );
}

fn measure(shape: Shape, planted: bool) -> (Validity, Time) {
    let mut history = history(shape);
    let checker = Linearizable::cas_register();
    if planted {
        // Where values repeat, a stale read may be legal by chance.
        let is_violation = |history: &History| {
            let budget = Budget {
                time: Duration::from_secs(1),
                ..BUDGET
            };
            checker.decide(history, budget) == Validity::Invalid
        };
        let part = match shape.crashed {
            0 => 0.9,
            // Later, operations of unknown outcome explain anything.
            _ => 0.1,
        };
        assert!(plant(&mut history, part, is_violation), "no violation");
    }
    let mut least = Duration::MAX;
    let mut validity = Validity::Unknown;
    let begun = Instant::now();
    let cpu_before = cpu();
    let mut turns = 0;
    while turns < 10 {
        turns += 1;
        let started = Instant::now();
        validity = checker.decide(&history, BUDGET);
        least = least.min(started.elapsed());
        if begun.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    let time = Time {
        least,
        cpu: (cpu() - cpu_before) / turns,
    };
    (validity, time)
}

/// Feeds an online judgement as fast as it takes events in.
fn online(shape: Shape) {
    let mut online = Linearizable::cas_register().online(Budget {
        time: Duration::from_secs(3_600),
        memory: 1 << 30,
    });
    let mut spent = (Duration::ZERO, Duration::ZERO);
    let mut held = 0;
    let mut events = Events::new(shape);
    let mut done = 0;
    loop {
        let some: Vec<_> = events.by_ref().take(200_000).collect();
        let (started, cpu_before) = (Instant::now(), cpu());
        for event in &some {
            online.observe(event);
            held = held.max(online.held());
        }
        spent.0 += started.elapsed();
        spent.1 += cpu() - cpu_before;
        if done % 2_000_000 == 0 && done > 0 || some.is_empty() {
            println!(
                "online: {} operations, {:.0} a second, {:.0} a second of CPU, at most {held} held, peak {} MiB",
                done / 2,
                done as f64 / 2.0 / spent.0.as_secs_f64(),
                done as f64 / 2.0 / spent.1.as_secs_f64(),
                peak_mib()
            );
        }
        done += some.len();
        if some.is_empty() {
            break;
        }
    }
    let started = Instant::now();
    let verdict = online.finish();
    println!(
        "online: {} {} after the last event: {:.1} ms",
        verdict.valid,
        verdict.reason,
        started.elapsed().as_secs_f64() * 1e3
    );
}

/// Time that all threads of this process have computed, to a hundredth of a second, where the system
/// tells: on a busy machine it says more than the clock.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// The most memory that this process ever held, where the system tells.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}
