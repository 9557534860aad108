//! What is said of made-up sweeps whose truth is known.

use super::made_up::MadeUp;
use super::*;

fn findings(made_up: &MadeUp, target: Target) -> Findings {
    analyse(&made_up.sweep(), target)
}

fn chart(findings: &Findings, scenario: Scenario, measure: Measure) -> &Chart {
    let mut charts = findings.charts.iter();
    let found = charts.find(|chart| chart.scenario == scenario && chart.measure == measure);
    found.expect("there is a chart")
}

fn rto(ms: f64) -> Target {
    Target {
        rto_ms: Some(ms),
        rpo_s: Some(0.0),
    }
}

#[test]
fn durations_that_follow_the_model_are_seen_to() {
    let findings = findings(&MadeUp::default(), Target::default());
    for (scenario, measure) in [
        (Scenario::KillFollower, Measure::Restart),
        (Scenario::KillAll, Measure::Service),
    ] {
        let fit = &chart(&findings, scenario, measure).fit;
        assert!(fit.r_squared.unwrap() > 0.98, "{scenario} {fit:?}");
        assert!(
            fit.replay_cells >= 3 && fit.replay_r_squared.unwrap() > 0.9,
            "{scenario} {fit:?}"
        );
    }
    let doubts = findings
        .remarks
        .iter()
        .filter(|one| one.contains("Prediction"));
    assert_eq!(doubts.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn durations_that_do_not_follow_it_are_said_not_to() {
    let made_up = MadeUp {
        slower: 3.0,
        ..MadeUp::default()
    };
    let findings = findings(&made_up, Target::default());
    let fit = &chart(&findings, Scenario::KillFollower, Measure::Restart).fit;
    assert!(fit.replay_r_squared.unwrap() < 0.5, "{fit:?}");
    let said = |one: &String| one.starts_with("Prediction of restart of kill-follower: R²");
    assert!(findings.remarks.iter().any(said), "{:?}", findings.remarks);
}

#[test]
fn curves_go_from_the_shortest_interval_to_never_and_one_is_for_each_mode() {
    let findings = findings(&MadeUp::default(), Target::default());
    let chart = chart(&findings, Scenario::KillFollower, Measure::Restart);
    let names: Vec<&str> = chart
        .curves
        .iter()
        .map(|curve| curve.name.as_str())
        .collect();
    assert_eq!(names, ["checkpoint.mode=full", "checkpoint.mode=levels"]);
    let places = &chart.curves[0].places;
    assert_eq!(places.len(), 6);
    assert_eq!(places[0].interval, Interval::Entries(100));
    assert_eq!(places[5].interval, Interval::Never);
    assert_eq!(places[5].expected_ms, None);
    assert_eq!(places[0].points.len(), 20);
}

#[test]
fn losses_are_held_against_what_the_settings_allow() {
    let findings = findings(&MadeUp::default(), Target::default());
    let power: Vec<&Loss> = findings
        .losses
        .iter()
        .filter(|loss| loss.scenario == Scenario::PowerLoss)
        .collect();
    let verdicts: Vec<Verdict> = power.iter().map(|loss| loss.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Nothing, Verdict::Within, Verdict::Within]
    );
    assert_eq!((power[0].lost, power[0].runs), (0, 20));
    assert!((power[0].share_upper - 0.139).abs() < 0.001);
}

#[test]
fn the_cheapest_setting_that_meets_the_target_is_recommended() {
    // 420 + 20 ms, and 450 ms more allow a log of 45,000 entries: an interval of 10,000 meets it, 50,000 does not.
    let findings = findings(&MadeUp::default(), rto(850.0));
    let recommendation = &findings.recommendation;
    let chosen = recommendation.chosen().expect("one meets it");
    let settings = "checkpoint.every=10000 checkpoint.mode=levels";
    assert_eq!(chosen.settings, settings, "{recommendation:#?}");
    assert_eq!((chosen.lost_s, chosen.lost_elsewhere), (Some(0.0), true));
    assert!(recommendation.margin().unwrap() > 1.3);
    let cheaper = recommendation.cheaper().unwrap();
    assert!(!cheaper.misses.is_empty(), "{cheaper:?}");
}

#[test]
fn a_target_that_nothing_meets_has_no_recommendation_but_a_closest() {
    let findings = findings(&MadeUp::default(), rto(100.0));
    let recommendation = &findings.recommendation;
    assert_eq!(recommendation.chosen, None);
    let closest = recommendation.closest().unwrap();
    assert!(
        closest.settings.contains("checkpoint.every=100 "),
        "{closest:?}"
    );
}

#[test]
fn durability_that_loses_is_not_recommended_where_nothing_may_be_lost() {
    let recommendation = findings(&MadeUp::default(), rto(1e9)).recommendation;
    let lossy = |one: &&Judged| one.settings.contains("sync=never");
    let lossy = recommendation.judged.iter().find(lossy).unwrap();
    assert!(lossy.misses[0].contains("of work lost"), "{lossy:?}");
}

#[test]
fn a_sweep_half_done_says_what_is_missing() {
    let mut sweep = MadeUp::default().sweep();
    sweep.repeats.retain(|repeat| repeat.cell < 10);
    sweep.calibration = Calibration::default();
    let findings = analyse(&sweep, rto(500.0));
    let said = |text: &str| findings.remarks.iter().any(|one| one.contains(text));
    assert!(said("cells have no recovery yet") && said("Not calibrated: rate of replay"));
    assert_eq!(findings.charts[0].fit.r_squared, None);
}

#[test]
fn a_sweep_of_nothing_is_no_reason_to_panic() {
    let findings = analyse(&Sweep::default(), rto(500.0));
    assert!(findings.charts.is_empty() && findings.recommendation.chosen.is_none());
}

#[test]
fn what_is_censored_is_counted_and_takes_the_mean_away() {
    let mut sweep = MadeUp::default().sweep();
    let cell = sweep
        .cells
        .iter()
        .find(|cell| cell.scenario == Scenario::KillAll)
        .unwrap()
        .number;
    let mut of_cell = sweep
        .repeats
        .iter_mut()
        .filter(|repeat| repeat.cell == cell);
    of_cell.next().unwrap().recoveries[0].service = Some(Waited::LongerThanMs(60_000.0));
    let findings = analyse(&sweep, rto(1e6));
    let chart = chart(&findings, Scenario::KillAll, Measure::Service);
    let place = &chart.curves[0].places[0];
    assert_eq!((place.summary.censored, place.summary.mean_ms), (1, None));
    assert_eq!(place.points.len(), 20);
}

#[test]
fn page_and_texts_say_the_answer_and_escape_what_was_recorded() {
    let mut sweep = MadeUp::default().sweep();
    sweep.name = "<b>night</b>".into();
    let findings = analyse(&sweep, rto(850.0));
    let page = page(&sweep, &findings);
    if let Some(path) = std::env::var_os("SHAKEDOWN_SWEEP_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    let answer = "Cheapest setting that meets RTO 850 ms and RPO 0: checkpoint.every=10000 checkpoint.mode=levels.";
    assert!(
        page.contains(answer) && page.contains("&lt;b&gt;night"),
        "{page}"
    );
    assert!(!page.contains("<b>night") && !page.contains("http://") && !page.contains("<script"));
    for said in [text(&sweep, &findings), markdown(&sweep, &findings)] {
        assert!(said.contains(answer), "{said}");
    }
}

#[test]
fn a_page_can_be_made_of_anything_that_is_there() {
    let mut half = MadeUp::default().sweep();
    half.repeats.truncate(7);
    half.calibration = Calibration::default();
    for sweep in [half, Sweep::default()] {
        let findings = analyse(&sweep, rto(500.0));
        assert!(page(&sweep, &findings).contains("No setting meets"));
        assert!(!markdown(&sweep, &findings).is_empty());
    }
}

#[test]
fn controls_without_checkpoints_tell_nothing_of_what_checkpoints_cost() {
    let mut sweep = MadeUp::default().sweep();
    let is_control = |cell: &&Cell| cell.scenario == Scenario::Control;
    let is_checkpointed = |cell: &&Cell| matches!(cell.interval, Some(Interval::Entries(_)));
    let control = sweep.cells.iter().filter(is_control).find(is_checkpointed);
    let control = control.unwrap().clone();
    let none = |repeat: &mut Repeat| {
        repeat.cost.checkpoints = 0;
        repeat.cost.checkpoint_bytes = 0;
    };
    let own = |sweep: &Sweep| {
        let findings = analyse(sweep, Target::default());
        let mut costs = findings.costs.into_iter();
        let cost = costs.find(|cost| cost.cell == control.number).unwrap();
        (
            cost.bytes_per_entry,
            cost.bytes_of_all_runs,
            findings.remarks,
        )
    };
    let (before, of_all, _) = own(&sweep);
    assert!(before.unwrap() > 0.0 && !of_all);
    let controls = |repeat: &&mut Repeat| repeat.cell == control.number;
    sweep.repeats.iter_mut().filter(controls).for_each(none);
    let (bytes, of_all, remarks) = own(&sweep);
    assert!(bytes.unwrap() > 0.0 && of_all);
    assert!(
        remarks
            .iter()
            .any(|one| one.contains("are those of all their runs")),
        "{remarks:?}"
    );
    sweep.repeats.iter_mut().for_each(none);
    let (bytes, _, remarks) = own(&sweep);
    assert_eq!(bytes, None);
    assert!(
        remarks.iter().any(|one| one.contains("is not known")),
        "{remarks:?}"
    );
}
