use super::super::expect::Gate;
use super::*;

pub fn run(number: u32, test: &str, seed: u64, ended: Ended) -> Run {
    Run {
        night: "20260102T000000Z".into(),
        number,
        test: test.into(),
        seed,
        ended,
        reason: format!("{ended} because"),
        run: format!("{test}/20260102T000000Z-{seed}"),
        repeat: format!("shakedown test {test}.yaml --seed {seed}"),
        took_s: 12.5,
        metrics: BTreeMap::from([("throughput.ok".to_owned(), 500.0 + seed as f64)]),
        ..Run::default()
    }
}

pub fn plan(tests: &[(&str, &[u64])]) -> Plan {
    Plan {
        name: "nightly".into(),
        night: "20260102T000000Z".into(),
        tests: tests
            .iter()
            .map(|(name, seeds)| Test {
                name: (*name).to_owned(),
                seeds: seeds.to_vec(),
                ..Test::default()
            })
            .collect(),
        ..Plan::default()
    }
}

fn missed() -> Gate {
    Gate {
        metric: "rpo.lost".into(),
        expected: "0".into(),
        found: None,
        passed: false,
    }
}

fn outcome(runs: Vec<Run>) -> Outcome {
    Summary::of(&plan(&[]), runs, false, Vec::new()).outcome
}

#[test]
fn the_worst_run_decides_in_the_order_of_the_contract() {
    let of = |ended| run(1, "a", 1, ended);
    let missed = Run {
        gates: vec![missed()],
        ..of(Ended::Valid)
    };
    assert_eq!(outcome(vec![of(Ended::Valid)]), Outcome::Valid);
    assert_eq!(
        outcome(vec![of(Ended::Valid), of(Ended::Unknown)]),
        Outcome::Unknown
    );
    assert_eq!(
        outcome(vec![of(Ended::Unknown), missed.clone()]),
        Outcome::Missed
    );
    assert_eq!(
        outcome(vec![missed.clone(), of(Ended::Invalid)]),
        Outcome::Invalid
    );
    assert_eq!(
        outcome(vec![of(Ended::Invalid), of(Ended::Broken)]),
        Outcome::Broken
    );
    assert_eq!(outcome(Vec::new()), Outcome::Unknown);
}

#[test]
fn reruns_state_a_rate_and_never_make_a_violation_pass() {
    let mut runs = vec![run(1, "a", 7, Ended::Invalid)];
    for (n, ended) in [Ended::Valid, Ended::Invalid, Ended::Valid, Ended::Broken]
        .into_iter()
        .enumerate()
    {
        runs.push(Run {
            because: Because::Rerun,
            ..run(2 + n as u32, "a", 7, ended)
        });
    }
    let summary = Summary::of(&plan(&[("a", &[7])]), runs, false, Vec::new());
    assert_eq!(summary.outcome, Outcome::Invalid);
    assert_eq!(summary.violations.len(), 1);
    let violation = &summary.violations[0];
    assert_eq!((violation.failed_again, violation.reruns), (1, 3));
    let said = violation.reproduction().unwrap();
    assert!(said.starts_with("failed again in 1 of 3 reruns"), "{said}");
    // Figures of the test are of its own runs.
    assert_eq!(summary.tests[0].runs, 1);
}

#[test]
fn a_planned_run_that_was_not_made_makes_the_night_unknown() {
    let runs = vec![run(1, "a", 1, Ended::Valid)];
    let summary = Summary::of(&plan(&[("a", &[1, 2])]), runs, true, Vec::new());
    assert_eq!(summary.outcome, Outcome::Unknown);
    assert!(!summary.finished);
    assert_eq!(summary.missing[0].seed, 2);
    assert_eq!(summary.sentence, "of 1 run: 1 planned run was not made");
}

#[test]
fn medians_are_over_the_runs_that_have_the_measure() {
    let runs = vec![
        run(1, "a", 1, Ended::Valid),
        run(2, "a", 3, Ended::Valid),
        Run {
            metrics: BTreeMap::new(),
            ..run(3, "a", 4, Ended::Valid)
        },
    ];
    let summary = Summary::of(&plan(&[("a", &[1, 3, 4])]), runs, false, Vec::new());
    assert_eq!(summary.tests[0].medians["throughput.ok"], 502.0);
    assert_eq!(summary.tests[0].medians.len(), 1);
}

#[test]
fn a_run_that_was_broken_and_made_later_counts_as_made() {
    let runs = vec![
        run(1, "a", 1, Ended::Broken),
        run(2, "a", 2, Ended::Broken),
        run(3, "a", 1, Ended::Valid),
    ];
    let summary = Summary::of(&plan(&[("a", &[1, 2])]), runs, false, Vec::new());
    assert_eq!(summary.count(Ended::Broken), 1);
    assert_eq!(summary.made().count(), 2);
    assert_eq!(summary.outcome, Outcome::Broken);
}
