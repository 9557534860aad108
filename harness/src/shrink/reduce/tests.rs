use super::*;
use std::cell::RefCell;

/// A spec of 60 s whose faults begin 5 s apart; they go round the first three nodes.
fn spec(faults: u64) -> Spec {
    let lines: String = (0..faults)
        .map(|at| {
            format!(
                "  - {{number: {}, kind: kill, target: n{}, start_ms: {}, duration_ms: 2000, pause_ms: 1000}}\n",
                at + 1,
                at % 3 + 1,
                2_000 + at * 5_000
            )
        })
        .collect();
    let text = match faults {
        0 => "nemesis: []".to_owned(),
        _ => format!("schedule:\n{lines}"),
    };
    Spec::parse(&text, "test").unwrap()
}

fn answered(base: &Spec, fails: impl Fn(&Spec) -> bool) -> (Spec, usize) {
    let asked = RefCell::new(0);
    let smallest = reduce(base, |candidate| {
        *asked.borrow_mut() += 1;
        Some(fails(candidate))
    });
    (smallest.unwrap(), asked.into_inner())
}

#[test]
fn a_failure_that_needs_nothing_loses_everything() {
    let (smallest, _) = answered(&spec(8), |_| true);
    assert!(smallest.schedule.is_empty() && smallest.nemesis.is_empty());
    assert_eq!(smallest.time.0, TIME_LEAST);
    assert_eq!((smallest.clients, smallest.prefill), (2, Size(0)));
    assert!(smallest.rate < 2 * RATE_LEAST, "{}", smallest.rate);
    assert_eq!(smallest.workloads.len(), 1);
}

#[test]
fn the_two_faults_that_are_needed_together_stay_and_no_other() {
    // By their nodes and order, since faults are moved in time and numbered anew.
    let needed = |spec: &Spec| {
        let n3 = spec.schedule.iter().filter(|f| names(f, "n3")).count();
        let n1 = spec.schedule.iter().filter(|f| names(f, "n1")).count();
        n3 >= 1 && n1 >= 1
    };
    let (smallest, asked) = answered(&spec(9), needed);
    assert_eq!(smallest.schedule.len(), 2);
    assert!(
        smallest.time.0 <= Duration::from_secs(9),
        "{}",
        smallest.time
    );
    assert!(asked < 200, "{asked} candidates");
    assert_eq!(smallest.schedule[1].number, 2);
}

fn names(fault: &PlannedFault, node: &str) -> bool {
    serde_json::to_string(&fault.target).unwrap().contains(node)
}

#[test]
fn no_single_step_from_the_end_fails() {
    let fails = |spec: &Spec| spec.schedule.len() >= 3 && spec.rate >= 100 && spec.clients >= 5;
    let (smallest, _) = answered(&spec(8), fails);
    assert_eq!(smallest.schedule.len(), 3);
    for step in STEPS {
        for smaller in (step.smaller)(&smallest) {
            assert!(!fails(&smaller), "{}", step.trial);
        }
    }
}

#[test]
fn a_base_of_which_no_part_fails_stays_as_it_is() {
    let base = spec(4);
    let (smallest, _) = answered(&base, |_| false);
    assert_eq!(smallest, base);
}

#[test]
fn the_search_stops_at_the_first_candidate_whose_end_is_unknown() {
    let base = spec(4);
    let unanswered = reduce(&base, |_| None).unwrap_err();
    assert_eq!(unanswered.smallest, base);
    assert_eq!(unanswered.trial, "less time");
    assert_eq!(unanswered.candidate.time.to_string(), "30s");
}

#[test]
fn candidates_are_always_smaller_and_keep_to_the_bounds_of_a_spec() {
    let base = spec(7);
    for step in STEPS {
        for candidate in (step.smaller)(&base) {
            assert_ne!(candidate, base, "{}", step.trial);
            candidate.validate().unwrap();
            assert!(candidate.schedule.len() <= base.schedule.len());
        }
    }
}
