use super::*;
use std::collections::BTreeSet;

fn minute(seed: u64) -> Plan {
    let schedule = Schedule::new(5, Duration::from_secs(60), &Kind::DEFAULT);
    schedule.plan(seed).unwrap()
}

#[test]
fn the_plan_of_seed_42_never_changes() {
    assert_eq!(minute(42).to_string(), include_str!("schedule_seed_42.txt"));
}

#[test]
fn a_default_minute_has_twenty_faults_two_lags_every_kind_and_every_partition() {
    for seed in 0..300 {
        let plan = minute(seed);
        assert!(plan.faults.len() >= 20, "{plan}");
        assert!(plan.count(Kind::Lag) >= 2, "{plan}");
        assert_eq!(plan.kinds(), Kind::DEFAULT.into_iter().collect(), "{plan}");
        let variants: BTreeSet<_> = plan.faults.iter().filter_map(|f| f.variant).collect();
        assert_eq!(variants.len(), Shape::ALL.len(), "{plan}");
        let at_leader = |fault: &&PlannedFault| {
            matches!(
                fault.target,
                Target::Leader | Target::Majority | Target::All
            ) && fault.shape() != Some(Shape::MajorityRing)
        };
        assert!(plan.faults.iter().filter(at_leader).count() >= 6, "{plan}");
    }
}

#[test]
fn faults_follow_one_another_with_a_gap_and_end_in_time() {
    for seed in 0..300 {
        let plan = minute(seed);
        for pair in plan.faults.windows(2) {
            let gap = pair[1].start_ms - pair[0].start_ms - pair[0].duration_ms;
            assert!(gap >= PAUSE_MS.0, "{plan}");
            assert_eq!(pair[1].number, pair[0].number + 1);
        }
        let last = plan.faults.last().unwrap();
        let end = last.start_ms + last.duration_ms + last.pause_ms;
        assert!(end <= plan.duration_ms + 1_000, "{plan}");
    }
}

#[test]
fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
    assert_eq!(minute(7), minute(7));
    assert_ne!(minute(7).faults, minute(8).faults);
}

#[test]
fn leaving_out_a_kind_does_not_change_whom_the_others_hit() {
    let targets = |kinds: &[Kind]| {
        let schedule = Schedule::new(5, Duration::from_secs(60), kinds);
        let kills = schedule.plan(42).unwrap().faults.into_iter();
        let kills = kills.filter(|fault| fault.kind == Kind::Kill);
        kills.map(|fault| fault.target).take(5).collect::<Vec<_>>()
    };
    assert_eq!(targets(&Kind::DEFAULT), targets(&[Kind::Kill]));
}

#[test]
fn a_plan_survives_being_stored() {
    let plan = minute(42);
    let stored = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
}

#[test]
fn a_shape_that_so_few_nodes_can_t_have_is_left_out_by_name() {
    let schedule = Schedule::new(3, Duration::from_secs(30), &[Kind::Partition]);
    let plan = schedule.plan(42).unwrap();
    assert_eq!(plan.left_out, [Shape::MajorityRing]);
    assert!(
        plan.to_string()
            .ends_with("left out: partition majority-ring needs 4 nodes\n")
    );
}

#[test]
fn a_run_too_short_for_any_fault_is_refused_with_the_time_it_takes() {
    let schedule = Schedule::new(5, Duration::from_secs(3), &Kind::DEFAULT);
    let error = schedule.plan(42).unwrap_err().to_string();
    assert_eq!(error, "no fault fits into 3s: it takes 5700 ms at least");
    assert!(
        Schedule::new(5, Duration::from_secs(3), &[])
            .plan(42)
            .is_ok()
    );
}

#[test]
fn short_runs_still_have_a_lag_and_others_beside_it() {
    let plan = Schedule::new(5, Duration::from_secs(15), &Kind::DEFAULT)
        .plan(42)
        .unwrap();
    assert_eq!(plan.count(Kind::Lag), 1, "{plan}");
    assert!(plan.faults.len() >= 3, "{plan}");
}

#[test]
fn a_chosen_target_replaces_the_decks() {
    let schedule = Schedule {
        target: Some(Target::Leader),
        ..Schedule::new(5, Duration::from_secs(30), &[Kind::Kill, Kind::Pause])
    };
    let plan = schedule.plan(42).unwrap();
    assert!(
        plan.faults
            .iter()
            .all(|fault| fault.target == Target::Leader)
    );
}

#[test]
fn changes_of_the_cluster_are_planned_only_when_asked_for_and_show_every_way() {
    let plan = Schedule::new(5, Duration::from_secs(60), &[Kind::Transfer, Kind::Members])
        .plan(42)
        .unwrap();
    let ways: BTreeSet<String> = plan
        .faults
        .iter()
        .map(|fault| format!("{} {}", fault.title(), fault.target))
        .collect();
    assert_eq!(
        ways.into_iter().collect::<Vec<_>>(),
        [
            "members remove-add follower",
            "members remove-add leader",
            "members replace follower",
            "transfer leader",
        ]
    );
    let stored = serde_json::to_string(&plan).unwrap();
    assert!(
        stored.contains(r#""kind":"members","variant":"replace""#),
        "{stored}"
    );
    assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
    assert!(
        minute(42)
            .faults
            .iter()
            .all(|fault| Kind::DEFAULT.contains(&fault.kind))
    );
}
