//! The whole replica under the simulator: fixed seeds, and a batch of new ones that prints its seed.

use cluster::sim::{Coverage, Options, run};
use std::time::{Duration, Instant};

fn assert_holds(seed: u64) -> Coverage {
    let report = run(seed, &Options::of(seed));
    assert_eq!(
        report.violation, None,
        "shakedown sim --seed {seed}, or STRATA_SIM_SEED={seed} cargo test -p cluster --test simulation, repeats it"
    );
    report.coverage
}

#[test]
fn fixed_seeds_hold_and_reach_every_rare_path() {
    let mut coverage = Coverage::default();
    for seed in 0..300 {
        coverage.add(&assert_holds(seed));
    }
    println!("{coverage}");
    for (path, times, _) in coverage.all() {
        assert!(times > 0, "{path} was never taken");
    }
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
        let (one, two) = (run(seed, &Options::of(seed)), run(seed, &Options::of(seed)));
        assert_eq!(one, two);
        assert_ne!(one.trace, run(seed + 1, &Options::of(seed)).trace);
    }
}
