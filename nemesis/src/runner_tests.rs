use super::*;
use crate::fakes::{FakeCluster, Fault};
use crate::links::Shape;
use crate::members::Change;
use crate::plan::Variant;
use crate::schedule::Schedule;
use crate::{FaultJournal, Target};

/// Keeps every record as a line: `1 kill n1 effective leader`.
#[derive(Default)]
struct Script {
    lines: Vec<String>,
    records: Vec<FaultRecord>,
    waits: usize,
}

impl Observer for Script {
    fn step(&mut self, record: &FaultRecord) {
        let step = serde_json::to_value(record.step).unwrap();
        let mut line = format!("{} {}", record.fault, record.kind);
        if !record.variant.is_empty() {
            line += &format!(" {}", record.variant);
        }
        line += &format!(
            " of {}: {}",
            record.targets.join(" "),
            step.as_str().unwrap()
        );
        if record.step == Step::Effective && record.hit_leader {
            line += ", leader hit";
        }
        if record.step == Step::Effective && record.hit_majority {
            line += ", majority hit";
        }
        if let Some(error) = &record.error {
            line += &format!(": {error}");
        }
        self.lines.push(line);
        self.records.push(record.clone());
    }

    fn waiting(&mut self, _why: &str) {
        self.waits += 1;
    }
}

struct Trial {
    cluster: FakeCluster,
    folder: tempfile::TempDir,
    script: Script,
    summary: Summary,
}

impl Trial {
    fn script(&self) -> String {
        self.script.lines.join("\n")
    }

    /// What the record of this step has seen.
    fn proof(&self, step: Step) -> String {
        let record = self
            .script
            .records
            .iter()
            .find(|record| record.step == step);
        Value::Object(record.unwrap().proof.clone()).to_string()
    }
}

fn fault(number: u32, kind: Kind, target: Target) -> PlannedFault {
    PlannedFault {
        number,
        kind,
        variant: None,
        target,
        start_ms: 100,
        duration_ms: 1000,
        pause_ms: 500,
    }
}

fn partition(shape: Shape, target: Target) -> PlannedFault {
    PlannedFault {
        variant: Some(Variant::Partition(shape)),
        ..fault(1, Kind::Partition, target)
    }
}

fn plan(faults: Vec<PlannedFault>) -> Plan {
    Plan {
        faults,
        ..Plan::quiet(42, 5, Duration::from_secs(10))
    }
}

/// Runs the plan on five nodes led by n1; `stop_after` sends the stop signal.
async fn trial(plan: &Plan, flaws: &[Fault], stop_after: Option<Duration>) -> Trial {
    let cluster = FakeCluster::new(5);
    for flaw in flaws {
        cluster.break_with(*flaw);
    }
    let folder = tempfile::tempdir().unwrap();
    let ctx = cluster.context(folder.path());
    let journal = FaultJournal::create(folder.path()).unwrap();
    let (sender, stop) = watch::channel(false);
    let mut script = Script::default();
    let signal = async {
        if let Some(after) = stop_after {
            tokio::time::sleep(after).await;
            sender.send(true).unwrap();
        }
    };
    let running = run(plan, &ctx, &journal, stop, &mut script);
    let (summary, ()) = tokio::join!(running, signal);
    Trial {
        cluster,
        folder,
        script,
        summary,
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_is_written_down_done_shown_and_undone() {
    let plan = plan(vec![fault(1, Kind::Kill, Target::Leader)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.script(),
        "1 kill of n1: intend\n\
         1 kill of n1: effective, leader hit\n\
         1 kill of n1: heal\n\
         1 kill of n1: healed"
    );
    assert_eq!(
        trial.cluster.done(),
        "[journal: 1 intend]\nKill n1 101\n[journal: 1 heal]\nstart n1"
    );
    assert_eq!(
        trial.proof(Step::Effective),
        r#"{"n1":"process 101 is gone"}"#
    );
    assert_eq!(
        trial.proof(Step::Healed),
        r#"{"n1":"process 201 took the place of 101, answered after 0 ms"}"#
    );
    let effective = trial.script.records[1].time;
    assert_eq!(trial.script.records[2].time - effective, 1_000_000_000);
    assert!(trial.cluster.is_whole());
    let processes = trial.folder.path().join(crate::journal::PROCESSES_FILE);
    let noted = std::fs::read_to_string(processes).unwrap();
    assert!(
        noted.contains(r#"{"node":"n1","pid":201,"started":2010}"#),
        "{noted}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_a_majority_stops_three_servers_and_lets_them_go_on() {
    let plan = plan(vec![fault(1, Kind::Pause, Target::Majority)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.script(),
        "1 pause of n1 n3 n5: intend\n\
         1 pause of n1 n3 n5: effective, leader hit, majority hit\n\
         1 pause of n1 n3 n5: heal\n\
         1 pause of n1 n3 n5: healed"
    );
    assert_eq!(
        trial.cluster.done(),
        "[journal: 1 intend]\nStop n1 101\nStop n3 103\nStop n5 105\n\
         [journal: 1 heal]\nContinue n1 101\nContinue n3 103\nContinue n5 105"
    );
    assert_eq!(
        trial.proof(Step::Healed),
        r#"{"n1":"process 101 runs","n3":"process 103 runs","n5":"process 105 runs"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_intended_on_disk_before_the_first_link_is_cut() {
    let plan = plan(vec![partition(Shape::LeaderAlone, Target::Leader)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.script(),
        "1 partition leader-alone of n1: intend\n\
         1 partition leader-alone of n1: effective, leader hit\n\
         1 partition leader-alone of n1: heal\n\
         1 partition leader-alone of n1: healed"
    );
    assert_eq!(
        trial.cluster.done(),
        "[journal: 1 intend]\n\
         cut n1->n2\ncut n1->n3\ncut n1->n4\ncut n1->n5\n\
         cut n2->n1\ncut n3->n1\ncut n4->n1\ncut n5->n1\n\
         [journal: 1 heal]\n\
         mend n1->n2\nmend n1->n3\nmend n1->n4\nmend n1->n5\n\
         mend n2->n1\nmend n3->n1\nmend n4->n1\nmend n5->n1"
    );
    assert_eq!(
        trial.proof(Step::Intend),
        r#"{"cluster":"whole","reach":{"n1":"n1","n2":"n2 n3 n4 n5","n3":"n2 n3 n4 n5","n4":"n2 n3 n4 n5","n5":"n2 n3 n4 n5"}}"#
    );
    assert_eq!(
        trial.proof(Step::Effective),
        r#"{"dropped":8,"links_cut":8,"links_kept":12,"probes_arrived":12,"probes_lost":8}"#
    );
    assert_eq!(trial.proof(Step::Healed), r#"{"probes_arrived":8}"#);
}

#[tokio::test(start_paused = true)]
async fn every_variant_of_a_partition_takes_effect_and_is_healed() {
    for variant in Shape::ALL {
        let target = match variant {
            Shape::LeaderAlone => Target::Leader,
            _ => Target::One,
        };
        let trial = trial(&plan(vec![partition(variant, target)]), &[], None).await;
        assert_eq!(trial.summary.healed, 1, "{variant}: {}", trial.script());
        assert!(trial.cluster.is_whole());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lagging_follower_is_held_until_the_log_has_passed_it_and_comes_back_by_an_image() {
    let plan = plan(vec![fault(1, Kind::Lag, Target::Follower)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.script(),
        "1 lag of n3: intend\n1 lag of n3: effective\n1 lag of n3: heal\n1 lag of n3: healed"
    );
    let proof = &trial.script.records[1].proof;
    let number = |name: &str| proof[name].as_u64().unwrap();
    assert!(number("leader_first_index") > number("follower_last_index"));
    let healed = &trial.script.records[3].proof;
    assert_eq!(healed["images_installed"], 1);
    assert!(healed.contains_key("caught_up_after_ms"));
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_is_shown_by_another_leader_and_needs_no_undoing() {
    let plan = plan(vec![fault(1, Kind::Transfer, Target::Leader)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.script(),
        "1 transfer of n1: intend\n\
         1 transfer of n1: effective, leader hit\n\
         1 transfer of n1: heal\n\
         1 transfer of n1: healed"
    );
    assert_eq!(
        trial.cluster.done(),
        "[journal: 1 intend]\ntransfer n1 to n2"
    );
    assert_eq!(
        trial.proof(Step::Effective),
        r#"{"before":"n1","leader":"n2","seen_after_ms":0,"term":2}"#
    );
    assert_eq!(trial.proof(Step::Healed), r#"{"all_follow":"n2"}"#);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_does_not_hand_over_fails_the_fault() {
    let plan = plan(vec![fault(1, Kind::Transfer, Target::Leader)]);
    let trial = trial(&plan, &[Fault::NoHandOver], None).await;
    let error = &trial.summary.failed[0].1;
    assert!(
        error.starts_with("no effect: 5s after n1 was told to hand over, no other server leads: "),
        "{error}"
    );
    assert_eq!(trial.summary.unhealed.len(), 0);
}

fn members(change: Change, target: Target) -> PlannedFault {
    PlannedFault {
        variant: Some(Variant::Members(change)),
        ..fault(1, Kind::Members, target)
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_removed_goes_on_outside_and_is_added_again_with_its_data() {
    let plan = plan(vec![members(Change::RemoveAdd, Target::Leader)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.script(),
        "1 members remove-add of n1: intend\n\
         1 members remove-add of n1: effective, leader hit\n\
         1 members remove-add of n1: heal\n\
         1 members remove-add of n1: healed"
    );
    assert_eq!(
        trial.cluster.done(),
        "[journal: 1 intend]\nremove n1\n[journal: 1 heal]\nadd n1"
    );
    assert_eq!(
        trial.proof(Step::Effective),
        r#"{"leader":"n2","voters":"n2 n3 n4 n5"}"#
    );
    let healed = &trial.script.records[3].proof;
    assert_eq!(healed["voters"], "n1 n2 n3 n4 n5");
    assert!(healed.contains_key("caught_up_after_ms"));
    assert!(trial.cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_replaced_loses_its_data_and_comes_back_by_a_whole_image() {
    let plan = plan(vec![members(Change::Replace, Target::Follower)]);
    let trial = trial(&plan, &[], None).await;
    assert_eq!(
        trial.cluster.done(),
        "[journal: 1 intend]\nremove n3\nstop n3\nwipe n3\n[journal: 1 heal]\nstart n3\nadd n3"
    );
    let records = &trial.script.records;
    assert_eq!(records[1].proof["data"], "removed");
    assert!(records[1].proof["log_reaches_back_to"].as_u64().unwrap() > 1);
    assert_eq!(records[3].proof["images_installed"], 1);
    assert_eq!(trial.summary.unexpected_exits, []);
    assert!(trial.cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_members_that_changes_nothing_is_no_fault() {
    let faults = plan(vec![members(Change::RemoveAdd, Target::Follower)]);
    let kept = trial(&faults, &[Fault::NoRemovals], None).await;
    assert_eq!(
        kept.summary.failed[0].1,
        "no effect: n3 was removed and is a member: n1 says that n1 n2 n3 n4 n5 vote"
    );
    assert!(kept.cluster.is_whole());

    let faults = plan(vec![members(Change::Replace, Target::Follower)]);
    let whole = trial(&faults, &[Fault::NeverCompacts], None).await;
    let error = &whole.summary.failed[0].1;
    assert!(error.starts_with("no effect: in 20s n1 did not discard any of its log"));
    assert_eq!(whole.cluster.done(), "", "nothing was touched");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_data_that_is_sent_only_changes_is_not_healed() {
    let plan = plan(vec![members(Change::Replace, Target::Follower)]);
    let trial = trial(&plan, &[Fault::FalseDeltas], None).await;
    assert_eq!(
        trial.summary.failed[0].1,
        "not healed: n3 had no data and was sent only what had changed since index 0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_out_when_the_run_is_stopped_is_added_again() {
    for change in Change::ALL {
        let plan = plan(vec![members(change, Target::Follower)]);
        let trial = trial(&plan, &[], Some(Duration::from_millis(1_600))).await;
        assert!(trial.summary.stopped, "{change}");
        assert!(trial.cluster.is_whole(), "{change}: {}", trial.script());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_without_effect_is_undone_recorded_and_the_run_goes_on() {
    let faults = vec![
        partition(Shape::Halves, Target::Minority),
        fault(2, Kind::Pause, Target::Leader),
    ];
    let trial = trial(&plan(faults), &[Fault::LeakyCuts], None).await;
    assert_eq!(
        trial.script(),
        "1 partition halves of n2 n3: intend\n\
         1 partition halves of n2 n3: failed: no effect: a probe passed the cut link n1->n2\n\
         2 pause of n1: intend\n\
         2 pause of n1: effective, leader hit\n\
         2 pause of n1: heal\n\
         2 pause of n1: healed"
    );
    assert_eq!(trial.summary.failed.len(), 1);
    assert!(trial.cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_can_t_be_killed_fails_the_fault_within_its_bound() {
    let plan = plan(vec![fault(1, Kind::Kill, Target::Leader)]);
    let trial = trial(&plan, &[Fault::Unkillable], None).await;
    assert_eq!(
        trial.script(),
        "1 kill of n1: intend\n\
         1 kill of n1: failed: n1: process 101 is not Gone; and could not be undone: \
         n1: process 101 is not Gone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lag_that_never_comes_about_says_what_it_waited_for() {
    let plan = plan(vec![fault(1, Kind::Lag, Target::Follower)]);
    let trial = trial(&plan, &[Fault::NeverCompacts], None).await;
    let error = &trial.summary.failed[0].1;
    assert!(
        error.starts_with("no effect: in 30s the leader's first log index (1) did not pass"),
        "{error}"
    );
    assert!(trial.cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_healed_is_tried_again_at_the_end_and_named() {
    let faults = plan(vec![fault(1, Kind::Kill, Target::Follower)]);
    let unhealed = trial(&faults, &[Fault::NoStarts], None).await;
    assert_eq!(
        unhealed.script.lines.last().unwrap(),
        "1 kill of n3: failed: not healed: n3: the server does not start"
    );
    assert_eq!(
        unhealed.summary.unhealed,
        [
            "kill: n3: the server does not start",
            "n3: the server does not start"
        ]
    );

    let faults = plan(vec![partition(Shape::One, Target::One)]);
    let healed_whole = trial(&faults, &[Fault::NoMends], None).await;
    assert_eq!(healed_whole.summary.unhealed.len(), 1);
    assert!(
        healed_whole.cluster.is_whole(),
        "healing the whole network mends what single links refuse"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_leader_a_fault_on_the_leader_fails_by_name_after_a_bounded_wait() {
    let plan = plan(vec![fault(1, Kind::Kill, Target::Leader)]);
    let trial = trial(&plan, &[Fault::NoLeader], None).await;
    assert_eq!(
        trial.script(),
        "1 kill of : failed: no leader is known: n1 follower, n2 follower, n3 follower, n4 follower, n5 follower"
    );
    assert_eq!(trial.script.waits, 1);
    assert_eq!(trial.cluster.done(), "");
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_fault_heals_it_at_once_and_begins_no_other() {
    let faults = vec![
        fault(1, Kind::Pause, Target::Leader),
        fault(2, Kind::Kill, Target::Leader),
    ];
    let trial = trial(&plan(faults), &[], Some(Duration::from_millis(400))).await;
    assert_eq!(
        trial.script(),
        "1 pause of n1: intend\n\
         1 pause of n1: effective, leader hit\n\
         1 pause of n1: heal\n\
         1 pause of n1: healed"
    );
    assert!(trial.summary.stopped);
    let lasted = trial.script.records[3].time - trial.script.records[1].time;
    assert!(lasted < 500_000_000, "{lasted}");
    assert!(trial.cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_an_injection_undoes_it() {
    let plan = plan(vec![fault(1, Kind::Lag, Target::Follower)]);
    let after = Some(Duration::from_millis(600));
    let trial = trial(&plan, &[Fault::NeverCompacts], after).await;
    assert_eq!(
        trial.script(),
        "1 lag of n3: intend\n1 lag of n3: failed: the run was stopped"
    );
    assert!(trial.cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_by_itself_is_recorded_and_started_again() {
    let cluster = FakeCluster::new(5);
    let folder = tempfile::tempdir().unwrap();
    let ctx = cluster.context(folder.path());
    let journal = FaultJournal::create(folder.path()).unwrap();
    let (_sender, stop) = watch::channel(false);
    let mut script = Script::default();
    let plan = plan(vec![fault(1, Kind::Pause, Target::Leader)]);
    let crash = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.crash("n4");
    };
    let (summary, ()) = tokio::join!(run(&plan, &ctx, &journal, stop, &mut script), crash);
    assert_eq!(
        script.lines.join("\n"),
        "1 pause of n1: intend\n\
         1 pause of n1: effective, leader hit\n\
         2 unexpected-exit of n4: failed: n4: connection refused\n\
         1 pause of n1: heal\n\
         1 pause of n1: healed"
    );
    assert_eq!(summary.unexpected_exits.len(), 1);
    assert_eq!(summary.unexpected_exits[0].pid, 104);
    assert!(cluster.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_can_t_be_written_ends_the_breaking_before_it_begins() {
    let cluster = FakeCluster::new(5);
    let folder = tempfile::tempdir().unwrap();
    let ctx = cluster.context(folder.path());
    let full = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", full.path().join(crate::journal::FAULTS_FILE)).unwrap();
    let journal = FaultJournal::create(full.path()).unwrap();
    let (_sender, stop) = watch::channel(false);
    let mut script = Script::default();
    let plan = plan(vec![fault(1, Kind::Kill, Target::Leader)]);
    let summary = run(&plan, &ctx, &journal, stop, &mut script).await;
    let error = summary.aborted.unwrap();
    assert!(
        error.ends_with("No space left on device (os error 28)"),
        "{error}"
    );
    assert!(error.contains("faults.jsonl"), "{error}");
    assert_eq!(cluster.done(), "");
}

#[tokio::test(start_paused = true)]
async fn the_default_minute_runs_whole_and_every_fault_shows_its_effect() {
    for seed in [1, 2, 42] {
        let schedule = Schedule::new(5, Duration::from_secs(60), &Kind::DEFAULT);
        let plan = schedule.plan(seed).unwrap();
        let trial = trial(&plan, &[], None).await;
        let summary = &trial.summary;
        assert_eq!(summary.failed, [], "seed {seed}");
        assert_eq!(summary.effective, plan.faults.len());
        assert_eq!(summary.healed, plan.faults.len());
        let hit = trial.script.records.iter().filter(|record| {
            record.step == Step::Effective && (record.hit_leader || record.hit_majority)
        });
        assert!(hit.count() >= 6, "seed {seed}: leaders are hit often");
        let ended = trial.script.records.last().unwrap().time / 1_000_000_000;
        assert!(ended <= 60, "seed {seed}: ended at {ended} s");
        assert!(trial.cluster.is_whole());
    }
}

#[tokio::test(start_paused = true)]
async fn healing_twice_does_nothing_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [
        Kind::Kill,
        Kind::Pause,
        Kind::Partition,
        Kind::Lag,
        Kind::PowerLoss,
        Kind::Transfer,
        Kind::Members,
    ] {
        let cluster = FakeCluster::new(5);
        let ctx = cluster.context(folder.path());
        let mut nemesis = crate::of(&fault(1, kind, Target::Follower));
        let view = View::take(&ctx).await;
        let planned = fault(1, kind, Target::Follower);
        let aim = nemesis
            .aim(&planned, &view, &mut Stream::derive(42, "twice"))
            .unwrap();
        nemesis.inject(&ctx, &aim).await.unwrap();
        nemesis.heal(&ctx).await.unwrap();
        let done = cluster.done();
        nemesis.heal(&ctx).await.unwrap();
        assert_eq!(cluster.done(), done, "{kind}");
        assert!(cluster.is_whole(), "{kind}");
    }
}
