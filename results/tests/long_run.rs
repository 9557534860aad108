//! Ten minutes with fifty faults: the page stays light, whatever was recorded.

mod long;
mod specimen;

use results::{measure, plots, report};

#[test]
fn the_page_of_a_long_run_with_many_faults_is_under_three_megabytes() {
    let mut short = specimen::recorded();
    // A tenth of the clients: the page counts bins and faults, and is not to grow with operations.
    short
        .history
        .events
        .retain(|event| event.process.0 % 10 == 0);
    let recorded = long::repeated(&short, 10);
    let results = measure(&recorded);
    let plots = plots::draw(&recorded, &results);
    assert_eq!(results.faults.len(), 50);
    assert_eq!(plots.recovery.len(), 50);
    assert!(
        plots.series.ok.len() <= 301,
        "{} bins",
        plots.series.ok.len()
    );
    let page = report::render(&results, &plots, "seed: 7\n");
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    // The same recoveries as in the short run, as often as they were repeated.
    assert_eq!(results.rto.due, 30);
    assert_eq!(results.rto.all.first_success.n, 30);
}

#[test]
fn of_very_many_faults_the_slowest_are_drawn_and_the_others_linked() {
    let mut short = specimen::recorded();
    short
        .history
        .events
        .retain(|event| event.process.0 % 20 == 0);
    short
        .probes
        .retain(|probe| probe.node != "n5" && probe.node != "n3");
    let recorded = long::repeated(&short, 13);
    let results = measure(&recorded);
    let page = report::render(&results, &plots::draw(&recorded, &results), "seed: 7\n");
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("href=\"plots/recovery-").count(), 65 - 60);
    // Nobody was away because of the pause of a follower; the kill of a majority is the slowest to come back from.
    assert!(page.contains("href=\"plots/recovery-62.svg\""));
    assert!(!page.contains("href=\"plots/recovery-65.svg\""));
}
