//! What is written and shown of a run: results.json, the terminal, the page, junit.xml.

mod specimen;

use checker::Verdict;
use results::{Folder, Recorded, Results, junit, measure, plots, report, table};
use serde_json::Value;

fn page(recorded: &Recorded) -> String {
    let results = measure(recorded);
    let plots = plots::draw(recorded, &results);
    report::render(&results, &plots, "seed: 7\nname: \"<b>\"\n")
}

#[test]
fn results_json_has_the_keys_of_the_contract_and_reads_back() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::create(root.path(), "smoke", 7).unwrap();
    let results = measure(&specimen::recorded());
    folder.write_results(&results).unwrap();
    assert_eq!(folder.read_results().unwrap(), results);

    let text = std::fs::read_to_string(folder.results()).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["valid"], "valid");
    assert_eq!(json["seed"], 7);
    assert_eq!(json["system"], "strata");
    assert_eq!(json["workload"], "register+ledger");
    assert_eq!(json["nemesis"][0], "kill");
    for key in ["ok", "fail", "info"] {
        assert!(json["ops"][key].as_u64().unwrap() > 0, "{key}");
    }
    assert_eq!(json["checks"]["linearizable"]["valid"], "valid");
    assert_eq!(json["checks"]["linearizable"]["keys"], 12);
    assert!(json["latency"]["operations"]["read"]["p99_9_ms"].is_f64());
    assert!(json["availability"]["service"]["outages"]["longest_ms"].is_f64());
    assert!(json["rto"]["first_success"]["p50_ms"].is_f64());
    assert_eq!(json["rpo"]["lost"], 0);
    assert_eq!(json["faults"][0]["rto"]["first_success_ms"], 1_201.0);
    assert_eq!(json["faults"][0]["proof"]["pid"], 4711);
    assert_eq!(json["faults"][3]["returns"][0]["by"], "delta");
    assert_eq!(json["faults"][3]["returns"][0]["base"], 76_000);
    assert_eq!(json["faults"][3]["returns"][0]["ratio"], 0.05);
    assert_eq!(json["checkpoints"]["write_amplification"], 2.2);
    assert!(
        json["checkpoints"]["by_node"]["n1"]["chain_longest"]
            .as_u64()
            .unwrap()
            > 1
    );
    assert_eq!(json["gates"]["enough-operations"]["passed"], true);
}

#[test]
fn a_run_measured_again_from_its_folder_gives_the_same_results() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::create(root.path(), "again", 7).unwrap();
    let recorded = specimen::recorded();
    let results = measure(&recorded);
    let faults = folder.append_faults().unwrap();
    recorded
        .faults
        .iter()
        .for_each(|r| faults.append(r).unwrap());
    let probes = folder.append_probes().unwrap();
    recorded
        .probes
        .iter()
        .for_each(|p| probes.append(p).unwrap());
    let status = folder.append_status().unwrap();
    recorded
        .samples
        .iter()
        .for_each(|s| status.append(s).unwrap());
    folder.write_results(&results).unwrap();

    let stored = folder.read_results().unwrap();
    let again = folder.recorded(&stored, recorded.history).unwrap();
    assert_eq!(measure(&again), results);
}

#[test]
fn the_terminal_summary_reads_like_this() {
    let text = table::summary(&measure(&specimen::recorded()), false);
    let expected = include_str!("shown/summary.txt");
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn the_faults_read_like_this() {
    let text = table::faults(&measure(&specimen::recorded()));
    let expected = include_str!("shown/faults.txt");
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn colour_is_used_only_when_asked_for() {
    let results = measure(&specimen::recorded());
    assert!(!table::summary(&results, false).contains('\x1b'));
    assert!(table::summary(&results, true).contains("\x1b[1;32mVALID\x1b[0m"));
}

#[test]
fn the_page_loads_nothing_from_anywhere_and_stays_small() {
    let page = page(&specimen::recorded());
    for outside in ["http://", "https://", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("; script-src 'sha256-") || page.contains("; script-src &#39;sha256-"));
}

#[test]
fn the_page_opens_with_the_verdict_its_reason_and_how_to_repeat_it() {
    let page = page(&specimen::recorded());
    let at = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("{text} is missing"))
    };
    assert!(at("VALID</span>") < at("2 checks passed through 5 faults"));
    assert!(at("shakedown test --seed 7") < at("id=\"recovery\""));
    assert!(at("id=\"recovery\"") < at("id=\"time\""));
    assert!(page.contains("0 of 20,412 acknowledged writes lost"));
    for id in 1..=5 {
        assert!(page.contains(&format!("id=\"fault-{id}\"")), "fault {id}");
    }
}

#[test]
fn the_page_says_how_a_server_came_back_and_what_checkpoints_cost() {
    let whole = page(&specimen::recorded());
    for text in [
        "n5 came back by what had changed since index 76,000: 1 image, 3.2 MiB on the wire, 5.0 % of \
         the 64.8 MiB that full images would have taken.",
        "<strong>delta</strong>",
        "write amplification",
    ] {
        assert!(whole.contains(text), "{text}");
    }
    let nothing = page(&Recorded::default());
    assert!(nothing.contains("No server told of the checkpoints that it wrote."));
}

#[test]
fn a_run_recorded_before_servers_told_of_chains_is_read_and_measured() {
    let old = r#"{"time":5,"node":"n1","up":true,"role":"leader","term":1,"leader":"n1","commit":3,
        "applied":3,"first_index":1,"checkpoint_index":0,"snapshots_installed":0,
        "snapshots_installed_total":0,"recovery_ms":{},"recovery_counts":{},"uptime_ms":9}"#;
    let sample: results::observe::Sample = serde_json::from_str(old).unwrap();
    assert_eq!((sample.checkpoint_chain, sample.voters.len()), (0, 0));

    let mut json = serde_json::to_value(measure(&specimen::recorded())).unwrap();
    json.as_object_mut().unwrap().remove("checkpoints");
    for fault in json["faults"].as_array_mut().unwrap() {
        fault.as_object_mut().unwrap().remove("returns");
    }
    let old: Results = serde_json::from_value(json).unwrap();
    assert!(!old.checkpoints.measured && old.faults[3].returns.is_empty());
}

#[test]
fn a_violation_comes_before_the_recovery() {
    let mut recorded = specimen::recorded();
    let verdict = Verdict::invalid("key 4 is not linearizable");
    recorded.verdicts.insert("linearizable".into(), verdict);
    let page = page(&recorded);
    assert!(page.find("id=\"checks\"").unwrap() < page.find("id=\"recovery\"").unwrap());
    assert!(page.contains("INVALID</span>"));
}

#[test]
fn recorded_texts_are_shown_and_not_interpreted() {
    let mut recorded = specimen::recorded();
    let verdict = Verdict::unknown("<img onerror=alert(1)>");
    recorded.verdicts.insert("linearizable".into(), verdict);
    let page = page(&recorded);
    assert!(!page.contains("<img"));
    assert!(page.contains("&lt;img"));
    assert!(page.contains("name: &quot;&lt;b&gt;&quot;") || page.contains("name: \"&lt;b&gt;\""));
}

#[test]
fn a_run_that_recorded_nothing_still_has_a_page() {
    let page = page(&Recorded::default());
    assert!(page.contains("UNKNOWN"));
    assert!(page.contains("No fault took effect"));
}

#[test]
fn every_plot_is_a_document_of_its_own_in_both_schemes() {
    let recorded = specimen::recorded();
    let results: Results = measure(&recorded);
    let plots = plots::draw(&recorded, &results);
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::create(root.path(), "plots", 7).unwrap();
    folder.write_plots(&plots).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.plots())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "availability.svg",
            "chains.svg",
            "faults.svg",
            "latency.svg",
            "recovery-01.svg",
            "recovery-02.svg",
            "recovery-03.svg",
            "recovery-04.svg",
            "recovery-05.svg",
            "recovery.svg",
            "throughput.svg",
        ]
    );
    for picture in plots.pictures() {
        let svg = picture.document();
        assert!(svg.starts_with("<svg xmlns="), "{}", picture.name);
        assert!(svg.trim_end().ends_with("</svg>"), "{}", picture.name);
        assert!(
            svg.contains("prefers-color-scheme:dark"),
            "{}",
            picture.name
        );
        assert!(svg.len() < 100_000, "{}: {} bytes", picture.name, svg.len());
    }
}

#[test]
fn junit_has_a_case_for_each_check_and_gate_and_tells_violation_from_doubt() {
    let mut recorded = specimen::recorded();
    let verdict = Verdict::invalid("key 4: read \"a\" < b\nafter c");
    recorded.verdicts.insert("linearizable".into(), verdict);
    recorded.probes.clear();
    let results = measure(&recorded);
    let xml = junit::render(&results);
    let cases = results.checks.len() + results.gates.len();
    assert!(
        xml.contains(&format!("tests=\"{cases}\" failures=\"1\" errors=\"2\"")),
        "{xml}"
    );
    assert_eq!(xml.matches("<testcase").count(), cases);
    assert!(xml.contains("<failure message=\"key 4: read &quot;a&quot; &lt; b&#10;after c\"/>"));
    assert!(xml.contains("name=\"seed\" value=\"7\""));
}

#[test]
fn the_page_carries_the_numbers_that_its_pictures_show() {
    let recorded = specimen::recorded();
    let plots = plots::draw(&recorded, &measure(&recorded));
    let series = &plots.series;
    let bins = series.ok.len();
    assert!(bins > 100 && series.p99.len() == bins && series.served.len() == bins);
    let operations: f64 = series.ok.iter().map(|rate| rate * series.bin_s).sum();
    let counted = measure(&recorded).ops.ok as f64;
    assert!(
        (operations / counted - 1.0).abs() < 0.01,
        "{operations} of {counted}"
    );
    assert_eq!(series.faults.len(), 5);
    assert_eq!(series.faults[2].3, "partition n2");
    assert!(page(&recorded).contains("data-series=\"{&quot;from_s&quot;:0.5,"));
}

#[test]
fn counts_by_name_are_a_table_and_moments_in_a_proof_are_times() {
    let mut recorded = specimen::recorded();
    let counts = serde_json::json!({"cas": {"ok": 12_345, "fail": 2}, "read": {"ok": 7}});
    let verdict = Verdict::valid().with("by_f", counts);
    recorded.verdicts.insert("stats".into(), verdict);
    recorded.faults[1]
        .proof
        .insert("cut_at".into(), 6_619_841_190u64.into());
    let page = page(&recorded);
    assert!(page.contains("<td>cas</td><td class=\"n\">2</td><td class=\"n\">12,345</td>"));
    assert!(page.contains("<td>read</td><td class=\"n\">-</td><td class=\"n\">7</td>"));
    assert!(page.contains("<dt>cut at</dt><dd>6.62 s</dd>"));
}

#[test]
fn what_pictures_hide_on_a_narrow_screen_is_nothing_of_the_tables() {
    let page = page(&specimen::recorded());
    for name in ["wide", "narrow"] {
        assert!(page.contains(&format!(".{name}{{display:none}}")), "{name}");
        for cell in ["td", "th", "tr", "table"] {
            assert!(
                !page.contains(&format!("<{cell} class=\"{name}\"")),
                "{cell}"
            );
        }
    }
}
