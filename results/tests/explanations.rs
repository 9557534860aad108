//! Pages and pictures of violations: what they say, that they stay as they are, that they hold nothing
//! foreign.

mod violations;

use checker::Verdict;
use checker::explain::{DETAIL, Explanation};
use results::explanation::{Source, page, section};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use violations::Case;

fn page_of(case: &Case) -> String {
    let source = Source {
        file: case.name,
        model: case.model,
        events: case.history.events.len(),
    };
    page(&source, &case.verdicts)
}

fn explanation(case: &Case) -> Explanation {
    let explained = case.verdicts.values().find_map(Explanation::of);
    explained.unwrap_or_else(|| panic!("{} is not explained", case.name))
}

/// The pictures as they stand in the page, a tag a line.
fn pictures(case: &Case) -> String {
    let html = section(&explanation(case)).into_string();
    let mut pictures = String::new();
    for part in html.split("<svg ").skip(1) {
        let svg = part.split("</svg>").next().unwrap_or_default();
        pictures.push_str(&format!("<svg {svg}</svg>\n").replace("><", ">\n<"));
    }
    pictures
}

#[test]
fn pictures_stay_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shown");
    for case in [violations::stale_read(), violations::g_single()] {
        let path = folder.join(format!("{}.svg.txt", case.name));
        let drawn = pictures(&case);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        assert!(
            drawn == expected,
            "{}: look at it, then run with UPDATE=1\n{drawn}",
            case.name
        );
    }
}

#[test]
fn every_violation_is_explained_small_and_confirmed() {
    for case in violations::all() {
        let explanation = explanation(&case);
        assert!(
            explanation.witness.confirmed,
            "{}: {}",
            case.name, explanation.witness.text
        );
        assert!(explanation.core.minimal, "{}", case.name);
        let shown = explanation.operations.len();
        assert!((1..=9).contains(&shown), "{}: {shown}", case.name);
        let stuck = explanation.operations.iter().any(|one| one.stuck);
        assert_eq!(stuck, explanation.anomalies.is_empty(), "{}", case.name);
    }
}

#[test]
fn a_page_says_in_words_what_its_picture_shows() {
    for (case, texts) in [
        (
            violations::stale_read(),
            vec![
                "INVALID",
                "✗ read 41: the state there can only be 42",
                "3 of the history's 43 operations are wrong by themselves: leave out any one",
                "Fault meanwhile: partition n1",
            ],
        ),
        (
            violations::lost_write(),
            vec!["✗ read nil: the state there can only be 17", "kill n2"],
        ),
        (
            violations::split_brain_cas(),
            vec!["cas 5→6", "cas 5→7", "partition n1 n2"],
        ),
        (
            violations::read_of_a_failed_write(),
            vec![
                "write 9 (failed)",
                "✗ read 9: the state there can only be 8",
                "2 operations that are wrong by themselves, and 1 more that the verdict names",
            ],
        ),
        (
            violations::g_single(),
            vec![
                "G-single: a transaction saw part of what others did",
                "they form a G-single",
                "A circle can't be put in an order.",
            ],
        ),
        (
            violations::g2_item(),
            vec!["G2-item: ", "each of the 3 dependencies"],
        ),
        (
            violations::lost_element(),
            vec![
                "element 6 of set s is lost",
                "without 6",
                "kill n1 n2 n3",
                "11 of these operations are not drawn",
            ],
        ),
        (
            violations::unbalanced_bank(),
            vec![
                "hold 95 together instead of 100",
                "read 0=45 1=30 2=20, together 95",
            ],
        ),
        (
            violations::long_order(),
            vec![
                "25 operations before",
                "✗ cas 29→30: the state there can only be 30",
            ],
        ),
        (
            violations::unknown_outcomes(),
            vec!["write 1 (unknown)", "the state there can only be 2"],
        ),
    ] {
        let page = page_of(&case);
        for text in texts {
            assert!(page.contains(text), "{}: {text}", case.name);
        }
    }
}

#[test]
fn pages_load_nothing_run_nothing_and_stay_small() {
    for case in violations::all() {
        let page = page_of(&case);
        for outside in [
            "http://", "https://", "src=", "url(", "@import", "<script", "<link",
        ] {
            assert!(!page.contains(outside), "{}: {outside}", case.name);
        }
        assert!(page.len() < 100_000, "{}: {} bytes", case.name, page.len());
    }
}

#[test]
fn texts_of_a_history_are_shown_and_not_interpreted() {
    let mut case = violations::stale_read();
    let verdict = case.verdicts.get_mut("linearizable").unwrap();
    let text = serde_json::to_string(&verdict.details[DETAIL]).unwrap();
    let evil = text.replace("write 42", "<img onerror=alert(1)>");
    verdict
        .details
        .insert(DETAIL.into(), serde_json::from_str(&evil).unwrap());
    verdict.reason = "</style><script>".to_owned();
    let page = page_of(&case);
    assert!(!page.contains("<img") && !page.contains("<script"));
    assert!(page.contains("&lt;img"));
}

#[test]
fn an_explanation_from_a_file_that_makes_no_sense_is_no_picture_and_no_panic() {
    let mut case = violations::stale_read();
    let verdict = case.verdicts.get_mut("linearizable").unwrap();
    for (name, value) in [
        ("operations", serde_json::json!([])),
        (
            "place",
            serde_json::json!({"stuck": 77, "initial": "", "order": [], "before": 3, "states": [], "complete": true}),
        ),
        (
            "faults",
            serde_json::json!([{"name": "kill", "kind": "kill", "from": 1, "to": null, "from_at": 900, "to_at": 2}]),
        ),
    ] {
        let mut broken = verdict.clone();
        broken.details[DETAIL][name] = value;
        let verdicts = BTreeMap::from([("linearizable".to_owned(), broken)]);
        let source = Source {
            file: "f",
            model: "m",
            events: 1,
        };
        assert!(page(&source, &verdicts).contains("INVALID"), "{name}");
    }
}

#[test]
fn a_valid_history_has_a_page_too() {
    let verdicts = BTreeMap::from([("linearizable".to_owned(), Verdict::valid())]);
    let source = Source {
        file: "good.jsonl",
        model: "register",
        events: 12_345,
    };
    let page = page(&source, &verdicts);
    assert!(page.contains("All 12,345 events were judged"));
}
