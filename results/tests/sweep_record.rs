//! What a sweep keeps of a run, shown on a run whose recoveries are known by construction.

mod specimen;

use results::sweep::{self, Scenario, Waited};

fn repeat(scenario: Scenario) -> sweep::Repeat {
    let recorded = specimen::recorded();
    let results = results::measure(&recorded);
    sweep::repeat(scenario, &recorded, &results)
}

fn ms(waited: Option<Waited>) -> f64 {
    match waited {
        Some(Waited::Ms(ms)) => ms,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_service_counts_from_the_fault_and_the_restart_from_its_beginning() {
    let repeat = repeat(Scenario::KillLeader);
    assert_eq!(repeat.recoveries.len(), 5);
    let first = &repeat.recoveries[0];
    let service = ms(first.service);
    assert!((1_200.0..1_225.0).contains(&service), "{service}");
    let restart = ms(first.restart);
    assert!((1_000.0..1_051.0).contains(&restart), "{restart}");
    assert_eq!(first.replayed_entries, Some(812));
    assert_eq!(first.phases_ms["replay"], 187.5);
}

#[test]
fn where_all_are_hit_the_service_counts_from_their_restart() {
    let last = repeat(Scenario::KillAll).recoveries.pop().unwrap();
    // Killed at 50 s, served again 4 s later, started again after 3 s.
    let service = ms(last.service);
    assert!((1_000.0..1_025.0).contains(&service), "{service}");
}

#[test]
fn a_scenario_that_takes_no_service_away_has_no_service_to_wait_for() {
    let lag = &repeat(Scenario::Lag).recoveries[3];
    assert_eq!(lag.service, None);
    assert!(ms(lag.restart) >= 1_000.0);
    assert_eq!(lag.received_bytes, Some(3_400_000));
}

#[test]
fn the_age_of_the_checkpoint_is_that_at_the_fault() {
    let first = &repeat(Scenario::KillLeader).recoveries[0];
    // 2 entries a millisecond, a checkpoint every 1,000: at 10 s the newest has just been seen.
    let (entries, ms) = (first.age_entries.unwrap(), first.age_ms.unwrap());
    assert!(entries <= 1_000 && ms <= 500.0, "{entries} {ms}");
}

#[test]
fn the_cost_is_that_of_the_time_under_load() {
    let cost = repeat(Scenario::Control).cost;
    assert!((cost.entries_per_s - 2_000.0).abs() < 20.0, "{cost:?}");
    assert!(cost.p99_ms.unwrap() >= cost.p50_ms.unwrap());
    assert!(cost.checkpoints > 0 && cost.checkpoint_bytes > 0);
    assert_eq!(cost.longest_pause_ms, Some(0.0315));
}
