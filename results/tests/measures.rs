//! The made-up run, whose recoveries are known by construction, measured.

mod specimen;

use checker::history::faults::{FaultRecord, Step};
use checker::{Validity, Verdict};
use results::measure::{FaultSummary, Gate, Moment, Results, Rto};
use results::{Recorded, measure};
use specimen::MS;
use std::sync::OnceLock;

/// The run as it is, measured once for all tests.
fn clean() -> &'static Results {
    static CLEAN: OnceLock<Results> = OnceLock::new();
    CLEAN.get_or_init(|| measure(&specimen::recorded()))
}

fn fault(results: &Results, id: u32) -> &FaultSummary {
    results.faults.iter().find(|fault| fault.id == id).unwrap()
}

fn rto(results: &Results, id: u32) -> &Rto {
    fault(results, id).rto.as_ref().unwrap()
}

/// Answers come 1 ms after the service is back; bins and scheduling of the specimen add nothing.
fn near(found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.unwrap_or_else(|| panic!("nothing measured, {expected} expected"));
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} measured, {expected} ± {tolerance} expected"
    );
}

#[test]
fn first_success_is_the_known_end_of_each_outage() {
    let results = clean();
    for (id, kept, new) in [
        (1, 1_201.0, 1_201.0),
        (3, 1_701.0, 1_501.0),
        (5, 4_001.0, 4_001.0),
    ] {
        let rto = rto(results, id);
        assert!(rto.due && !rto.below_resolution, "fault {id}");
        near(rto.first_success_kept_ms, kept, 0.001);
        near(rto.first_success_new_ms, new, 0.001);
        near(rto.first_success_ms, new.min(kept), 0.001);
        near(rto.first_write_ms, new.min(kept), 0.001);
        assert!(rto.censored.is_empty());
    }
}

#[test]
fn a_fault_that_broke_nothing_is_below_the_resolution() {
    let results = clean();
    for id in [2, 4] {
        let rto = rto(results, id);
        assert!(!rto.due && rto.below_resolution, "fault {id}");
        assert_eq!(rto.first_success_ms, Some(0.0));
        assert_eq!(rto.steady_ms, Some(0.0));
    }
}

#[test]
fn election_phases_come_from_the_samples() {
    let results = clean();
    for (id, detect) in [(1, 800.0), (3, 1_100.0), (5, 3_600.0)] {
        near(rto(results, id).detect_ms, detect, 50.0);
        near(rto(results, id).elect_ms, 400.0, 50.0);
    }
    assert_eq!(rto(results, 2).detect_ms, None);
}

#[test]
fn steady_state_comes_after_the_slow_stretch_that_follows_an_outage() {
    let results = clean();
    for (id, steady) in [(1, 2_000.0), (3, 2_300.0), (5, 4_800.0)] {
        near(rto(results, id).steady_ms, steady, 200.0);
        assert_eq!(rto(results, id).steady_reason, None);
    }
}

#[test]
fn rejoin_counts_from_the_heal_until_the_slowest_hit_node_caught_up() {
    let results = clean();
    for (id, rejoin) in [
        (1, 1_000.0),
        (2, 400.0),
        (3, 600.0),
        (4, 1_000.0),
        (5, 1_200.0),
    ] {
        near(rto(results, id).rejoin_ms, rejoin, 50.0);
    }
}

#[test]
fn a_restarted_server_tells_its_own_phases_and_a_paused_one_does_not() {
    let results = clean();
    let recovery = &rto(results, 1).recovery["n1"];
    assert_eq!(recovery.phases_ms["replay"], 187.5);
    assert_eq!(recovery.counts["replayed_entries"], 812);
    assert!(rto(results, 2).recovery.is_empty());
    assert_eq!(rto(results, 5).recovery.len(), 3);
}

#[test]
fn the_lagging_follower_received_one_image() {
    let results = clean();
    assert_eq!(fault(results, 4).snapshots_installed, 1);
    assert_eq!(fault(results, 2).snapshots_installed, 0);
}

#[test]
fn images_of_changes_are_told_from_whole_ones_and_from_the_log() {
    use results::measure::By;
    let ways = |results: &Results, id| fault(results, id).returns.clone();
    let [way] = &ways(clean(), 4)[..] else {
        panic!("one server came back");
    };
    assert_eq!((way.by, way.images, way.base), (By::Delta, 1, Some(76_000)));
    assert_eq!((way.bytes, way.full_bytes), (3_400_000, 68_000_000));
    assert_eq!(way.ratio, Some(0.05));
    assert!(ways(clean(), 1).is_empty(), "a restart needs no image");

    let mut recorded = specimen::recorded();
    for sample in &mut recorded.samples {
        sample.snapshots_installed_delta = 0;
        sample.snapshot_last_base = 0;
    }
    let way = &ways(&measure(&recorded), 4)[0];
    assert_eq!((way.by, way.base), (By::Full, None));
    for sample in &mut recorded.samples {
        sample.snapshots_installed = 0;
        sample.snapshots_installed_total = 0;
    }
    let way = &ways(&measure(&recorded), 4)[0];
    assert_eq!((way.by, way.bytes, way.ratio), (By::Log, 0, None));
}

#[test]
fn a_server_whose_data_was_removed_counts_its_images_from_nothing() {
    let mut recorded = specimen::recorded();
    for record in recorded.faults.iter_mut().filter(|r| r.fault == 4) {
        record.kind = "members".into();
        record.variant = "replace".into();
    }
    let heal = 46_000 * MS;
    for sample in &mut recorded.samples {
        // It had received images in its first life.
        if sample.node == "n5" && sample.time < heal {
            sample.snapshots_installed_total = 3;
        }
    }
    assert_eq!(fault(&measure(&recorded), 4).snapshots_installed, 1);
}

#[test]
fn checkpoints_are_counted_over_the_restarts_of_their_servers() {
    let found = &clean().checkpoints;
    assert!(found.measured);
    let (n1, n4) = (&found.by_node["n1"], &found.by_node["n4"]);
    // n4 never restarted: one checkpoint every half second. n1 did twice, and lost what was under way.
    assert_eq!(n4.written, 125);
    assert!((100..n4.written).contains(&n1.written), "{}", n1.written);
    assert_eq!(n4.write_amplification, Some(2.2));
    assert_eq!(found.all.longest_pause_us, 31.5);
    let sum: u64 = found.by_node.values().map(|one| one.bytes_written).sum();
    assert_eq!(found.all.bytes_written, sum);
}

#[test]
fn a_service_that_is_not_back_before_the_next_fault_is_censored_not_guessed() {
    let mut recorded = specimen::recorded();
    // The next fault comes 800 ms after the first, whose outage lasts 1,200 ms.
    let mut early: Vec<FaultRecord> = recorded
        .faults
        .iter()
        .filter(|record| record.fault == 2)
        .cloned()
        .collect();
    for (record, time) in early.iter_mut().zip([10_790, 10_800, 10_850, 10_900]) {
        record.fault = 6;
        record.time = time * MS;
    }
    recorded.faults.splice(4..4, early);
    let results = measure(&recorded);
    let first = rto(&results, 1);
    assert_eq!(first.first_success_ms, None);
    assert!(first.censored.contains(&"first_success".to_owned()));
    assert_eq!(first.window_ms, 800.0);
    assert_eq!(results.rto.all.censored, 1);
    assert!(rto(&results, 6).carried_over);
    assert!(!rto(&results, 2).carried_over);
    let reason = first.steady_reason.as_ref().unwrap();
    assert!(reason.contains("before fault 6"), "{reason}");
}

#[test]
fn service_outages_match_the_three_stoppages() {
    let results = clean();
    let service = &results.availability.service;
    assert_eq!(service.outages.count, 3);
    // Answers that came at most 250 ms late count as served: the outage ends that much earlier.
    let lengths: Vec<f64> = service
        .outages
        .intervals
        .iter()
        .map(|outage| outage.to_ms - outage.from_ms)
        .collect();
    for (found, expected) in lengths.iter().zip([950.0, 1_350.0, 3_750.0]) {
        assert!((found - expected).abs() <= 110.0, "{found} {expected}");
    }
    let n2 = &results.availability.by_node["n2"];
    assert!(n2.outages.longest_ms >= 5_000.0, "{n2:?}");
}

#[test]
fn open_operations_count_as_unknown() {
    let mut recorded = specimen::recorded();
    let before = measure(&recorded).ops;
    recorded
        .history
        .events
        .retain(|event| !matches!(event.phase, checker::Phase::Info(_)));
    assert_eq!(measure(&recorded).ops, before);
    assert!(before.info > 0);
}

#[test]
fn distributions_are_over_the_faults_for_which_an_rto_is_due() {
    let results = clean();
    assert_eq!((results.rto.due, results.rto.measured), (3, 3));
    assert_eq!(results.rto.all.first_success.n, 3);
    near(results.rto.all.first_success.p50_ms, 1_501.0, 0.001);
    near(results.rto.all.first_success.max_ms, 4_001.0, 0.001);
    assert_eq!(results.rto.by_kind["kill"].first_success.n, 2);
    assert_eq!(results.rto.by_kind["pause"].first_success.n, 0);
    assert_eq!(results.rto.all.rejoin.n, 5);
}

#[test]
fn the_clean_run_passes_every_gate_and_is_valid() {
    let results = clean();
    let failed: Vec<_> = results
        .gates
        .iter()
        .filter(|(_, gate)| !gate.passed)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(results.valid, Validity::Valid);
}

/// Changes the clean run and expects exactly this gate to stop it, with the run unknown.
fn stopped_by(gate: &str, change: impl FnOnce(&mut Recorded)) -> Gate {
    let mut recorded = specimen::recorded();
    change(&mut recorded);
    let results = measure(&recorded);
    assert_eq!(results.valid, Validity::Unknown, "{}", results.reason);
    let found = results.gates[gate].clone();
    assert!(!found.passed, "{gate} was passed: {}", found.reason);
    found
}

#[test]
fn too_few_operations_are_unknown() {
    let gate = stopped_by("enough-operations", |run| run.history.events.clear());
    assert!(gate.reason.contains("0 operations"), "{}", gate.reason);
}

#[test]
fn no_fault_although_asked_for_is_unknown() {
    let gate = stopped_by("faults-injected", |run| run.faults.clear());
    assert_eq!(gate.reason, "0 of 5 faults asked for took effect");
}

#[test]
fn a_fault_without_effect_is_unknown_and_named() {
    let gate = stopped_by("every-fault-effective", |run| {
        run.faults
            .retain(|r| r.fault != 2 || r.step == Step::Intend);
        let mut failed = run.faults.iter().find(|r| r.fault == 2).unwrap().clone();
        failed.step = Step::Failed;
        failed.error = Some("the process still runs".into());
        run.faults.push(failed);
    });
    assert_eq!(
        gate.reason,
        "fault 2 (pause follower n3): the process still runs"
    );
}

#[test]
fn a_fault_that_was_not_healed_is_unknown() {
    stopped_by("every-fault-healed", |run| {
        run.faults
            .retain(|r| r.fault != 5 || r.step != Step::Healed);
    });
}

#[test]
fn a_lag_that_ended_without_an_image_is_unknown() {
    stopped_by("lag-installs-snapshot", |run| {
        for sample in &mut run.samples {
            sample.snapshots_installed = 0;
            sample.snapshots_installed_total = 0;
        }
    });
}

#[test]
fn a_checker_that_did_not_run_is_unknown() {
    let gate = stopped_by("checkers-ran", |run| {
        run.verdicts.remove("ledger");
    });
    assert_eq!(gate.reason, "ledger did not run");
    let gate = stopped_by("checkers-ran", |run| {
        run.verdicts.clear();
        run.run.expected_checks.clear();
    });
    assert_eq!(gate.reason, "no checker judged the run");
}

#[test]
fn a_run_without_probes_is_unknown() {
    stopped_by("probes-recorded", |run| run.probes.clear());
}

#[test]
fn a_recovery_that_nobody_watched_is_unknown() {
    stopped_by("recovery-observed", |run| {
        run.probes.retain(|probe| probe.intended < 50_000 * MS);
    });
}

#[test]
fn a_proved_violation_outweighs_every_gate() {
    let mut recorded = specimen::recorded();
    recorded.probes.clear();
    recorded
        .verdicts
        .insert("linearizable".into(), Verdict::invalid("key 4: stale read"));
    let results = measure(&recorded);
    assert_eq!(results.valid, Validity::Invalid);
    assert_eq!(results.reason, "linearizable: key 4: stale read");
}

#[test]
fn a_run_that_recorded_nothing_is_unknown_and_measurable() {
    let results = measure(&Recorded::default());
    assert_eq!(results.valid, Validity::Unknown);
    assert!(!results.rpo.measured);
    assert_eq!(results.availability.service.ratio, None);
}

#[test]
fn lost_writes_are_counted_over_all_ledgers() {
    let mut recorded = specimen::recorded();
    recorded.ledgers[0].lost = 41;
    recorded.ledgers[0].lost_seconds = 0.4125;
    recorded.ledgers.push(recorded.ledgers[0].clone());
    let rpo = measure(&recorded).rpo;
    assert_eq!((rpo.lost, rpo.acknowledged), (82, 40_824));
    assert_eq!(rpo.lost_seconds, 0.4125);
}

#[test]
fn no_outage_is_no_time_and_not_its_negative() {
    let mut recorded = specimen::recorded();
    recorded
        .probes
        .retain(|probe| probe.ok && probe.done - probe.intended < 100 * MS);
    let outages = measure(&recorded).availability.service.outages;
    assert_eq!(outages.count, 0);
    assert!(outages.total_ms.is_sign_positive());
}

#[test]
fn the_timeline_of_a_fault_holds_every_moment_with_its_time_or_its_reason() {
    let results = clean();
    let at = |id, moment| {
        let timeline = &rto(results, id).timeline;
        timeline.iter().find(|m| m.moment == moment).unwrap()
    };
    for fault in &results.faults {
        let timeline = &fault.rto.as_ref().unwrap().timeline;
        let moments: Vec<Moment> = timeline.iter().map(|m| m.moment).collect();
        assert_eq!(moments, Moment::ALL);
        for milestone in timeline {
            assert_ne!(
                milestone.at_ms.is_some(),
                milestone.reason.is_some(),
                "fault {}: {milestone:?}",
                fault.id
            );
        }
    }
    assert_eq!(at(1, Moment::Effective).at_ms, Some(0.0));
    near(at(1, Moment::FirstFailed).at_ms, 0.0, 25.0);
    near(at(1, Moment::Detected).at_ms, 800.0, 50.0);
    near(at(1, Moment::Elected).at_ms, 1_200.0, 50.0);
    near(at(3, Moment::FirstOkNew).at_ms, 1_501.0, 0.001);
    near(at(3, Moment::FirstOkKept).at_ms, 1_701.0, 0.001);
    near(at(1, Moment::Healed).at_ms, 4_300.0, 0.001);
    near(at(1, Moment::Rejoined).at_ms, 5_000.0, 50.0);
    // Slower for 800 ms after the outage: throughput and p99 take that long.
    near(at(1, Moment::ThroughputBack).at_ms, 1_950.0, 150.0);
    let ordered = |id| {
        let time = |moment| at(id, moment).at_ms.unwrap();
        time(Moment::ThroughputBack) <= time(Moment::P99Back)
            && time(Moment::P99Back) <= rto(results, id).steady_ms.unwrap()
    };
    assert!(ordered(1) && ordered(3));
    assert!(
        at(2, Moment::FirstFailed)
            .reason
            .as_ref()
            .unwrap()
            .starts_with("no request failed")
    );
}

#[test]
fn what_clients_catch_up_on_after_an_outage_does_not_make_up_for_it() {
    let mut recorded = specimen::recorded();
    // A burst right after the first outage: twice the usual work, done in no time.
    let outage = 10_000 * MS..11_201 * MS;
    let burst = 11_201 * MS..12_400 * MS;
    let mut added = Vec::new();
    for event in recorded
        .history
        .events
        .iter()
        .filter(|e| burst.contains(&e.time))
    {
        for copy in 1..4u64 {
            let mut event = event.clone();
            event.process.0 += copy * 10_000_000;
            added.push(event);
        }
    }
    recorded.history.events.extend(added);
    recorded.history.events.sort_by_key(|event| event.time);
    let results = measure(&recorded);
    let served = (outage.end - outage.start) as f64 / 1e6;
    let timeline = &rto(&results, 1).timeline;
    let back = timeline.iter().find(|m| m.moment == Moment::ThroughputBack);
    let back = back.and_then(|milestone| milestone.at_ms).unwrap();
    assert!(back >= served && back < served + 150.0, "{back}");
    assert!(rto(&results, 1).steady_ms.unwrap() >= served);
}
