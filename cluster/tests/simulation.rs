//! The whole replica under the simulator: fixed seeds, and a batch of new ones that prints its seed.

use cluster::sim::{Coverage, Options, Weakness, run};
use std::time::{Duration, Instant};

fn options(seed: u64) -> Options {
    Options {
        servers: if seed.is_multiple_of(3) { 5 } else { 3 },
        ..Options::default()
    }
}

fn assert_holds(seed: u64) -> Coverage {
    let report = run(seed, &options(seed));
    assert_eq!(
        report.violation, None,
        "STRATA_SIM_SEED={seed} cargo test -p cluster --test simulation repeats it"
    );
    report.coverage
}

#[test]
fn fixed_seeds_hold_and_reach_every_rare_path() {
    let mut coverage = Coverage::default();
    for seed in 0..240 {
        coverage.add(&assert_holds(seed));
    }
    println!("{coverage:?}");
    let Coverage {
        crashes,
        partitions,
        leaders,
        checkpoints,
        installs,
        truncations,
        torn_tails,
        lost,
        doubled,
    } = coverage;
    let counts = [
        crashes,
        partitions,
        leaders,
        checkpoints,
        installs,
        truncations,
        torn_tails,
        lost,
        doubled,
    ];
    assert!(counts.iter().all(|&count| count >= 20), "{coverage:?}");
}

#[test]
fn new_seeds_hold() {
    if let Ok(seed) = std::env::var("STRATA_SIM_SEED") {
        assert_holds(seed.parse().expect("STRATA_SIM_SEED is a number"));
        return;
    }
    let first = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_nanos() as u64;
    println!("seeds from {first}");
    let end = Instant::now() + Duration::from_secs(5);
    let mut seed = first;
    while Instant::now() < end {
        assert_holds(seed);
        seed += 1;
    }
    println!("{} seeds", seed - first);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 3, 42] {
        let (one, two) = (run(seed, &options(seed)), run(seed, &options(seed)));
        assert_eq!(one, two);
        assert_ne!(one.trace, run(seed + 1, &options(seed)).trace);
    }
}

#[test]
fn planted_weaknesses_are_found() {
    for weakness in [Weakness::AckBeforeReplication, Weakness::SyncNever] {
        let found = (0..40).find(|&seed| {
            run(
                seed,
                &Options {
                    weakness,
                    ..options(seed)
                },
            )
            .violation
            .is_some()
        });
        let seed = found.unwrap_or_else(|| panic!("{weakness:?} was not found in 40 seeds"));
        println!(
            "{weakness:?}: seed {seed}: {}",
            run(
                seed,
                &Options {
                    weakness,
                    ..options(seed)
                }
            )
            .violation
            .unwrap()
        );
    }
}
