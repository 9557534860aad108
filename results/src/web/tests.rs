use super::list::Filter;
use super::row::{Row, State};
use super::*;
use crate::recorded::Run;
use checker::Validity;

fn row(n: usize, state: State) -> Row {
    let run = Run {
        name: "nightly".into(),
        system: if n.is_multiple_of(2) {
            "strata"
        } else {
            "<script>"
        }
        .into(),
        seed: n as u64,
        started: format!("2026-11-23T{:02}:{:02}:00Z", n / 60, n % 60),
        ..Run::default()
    };
    Row::unjudged(&format!("nightly/r{n}"), state, &run)
}

fn rows(n: usize) -> Vec<Row> {
    (0..n)
        .map(|n| row(n, State::Judged(Validity::Valid)))
        .collect()
}

fn filter(fields: &[(&str, &str)]) -> Filter {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Filter::of(&fields)
}

#[test]
fn a_list_begins_with_the_newest_and_goes_on_with_the_next_page() {
    let page = list::render(&rows(250), &filter(&[]), "runs");
    assert!(page.find("/run/nightly/r249\"").unwrap() < page.find("/run/nightly/r150\"").unwrap());
    assert!(!page.contains("/run/nightly/r149\""));
    assert!(page.contains("href=\"/?page=2\""), "the way on");
    let last = list::render(&rows(250), &filter(&[("page", "99")]), "runs");
    assert!(
        last.contains("/run/nightly/r0\""),
        "the last page instead of one that is not there"
    );
}

#[test]
fn filters_narrow_the_list_and_stay_in_the_address() {
    let rows = rows(500);
    let page = list::render(&rows, &filter(&[("system", "strata"), ("q", "r4")]), "runs");
    assert!(page.contains("/run/nightly/r4\"") && !page.contains("/run/nightly/r41\""));
    let page = list::render(&rows, &filter(&[("system", "<script>")]), "runs");
    assert!(page.contains("&amp;system=%3Cscript%3E"), "{page}");
    let page = list::render(&rows, &filter(&[("verdict", "live")]), "runs");
    assert!(page.contains("No run is like that"));
}

#[test]
fn an_empty_store_says_how_to_fill_it() {
    let page = list::render(&[], &filter(&[]), "runs");
    assert!(page.contains("shakedown test --runs runs"), "{page}");
}

#[test]
fn no_page_loads_anything_from_elsewhere_or_runs_what_was_recorded() {
    let mut live = row(1, State::Live);
    live.name = "<img src=http://x>".into();
    let pages = [
        list::render(&rows(3), &filter(&[]), "runs"),
        run::render(&row(1, State::Interrupted), None, &[]),
        run::render(&row(1, State::Damaged("<b>".into())), None, &[]),
        live::render(
            &live,
            &follow::Follow::default(),
            &live::Circumstances::default(),
        ),
        trend::render(&rows(3), "nightly", "rpo.lost"),
        collections::render(&[]),
        refused("Not found", "<script>"),
    ];
    for page in pages {
        for attribute in ["src=\"", "href=\"", "action=\""] {
            for target in page.split(attribute).skip(1) {
                let target = target.split('"').next().unwrap_or_default();
                let own = target.is_empty() || target.starts_with(['/', '#']) || target == "data:,";
                assert!(own && !target.starts_with("//"), "{target}");
            }
        }
        assert!(!page.contains("<script>") && !page.contains("<b>") && !page.contains(" style=\""));
        assert!(!page.contains("<img src=http"));
    }
}

#[test]
fn scripts_and_style_name_no_place_outside() {
    for name in ["style.css", "keys.js", "live.js"] {
        let (_, text) = asset(name).unwrap();
        for forbidden in ["://", "@import", "innerHTML", "eval(", "url("] {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
    }
    assert!(asset("../style.css").is_none());
}

#[test]
fn a_trend_marks_the_run_with_which_a_level_changed() {
    let mut rows = rows(24);
    let at = crate::metrics::ALL
        .iter()
        .position(|metric| metric.name == "latency.p50")
        .unwrap();
    for (n, row) in rows.iter_mut().enumerate() {
        let mut metrics = vec![None; crate::metrics::ALL.len()];
        metrics[at] = Some(if n < 12 { 10.0 } else { 20.0 } + (n * 7 % 5) as f64 / 10.0);
        row.measured = Some(row::Measured {
            metrics,
            ..row::Measured::default()
        });
    }
    let page = trend::render(&rows, "nightly", "latency.p50");
    assert!(
        page.contains("(medians) with <a href=\"/run/nightly/r12\">"),
        "{page}"
    );
    let page = trend::render(&rows, "nightly", "rpo.lost");
    assert!(page.contains("No run named nightly has this measure"));
}
