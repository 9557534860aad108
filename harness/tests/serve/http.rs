//! Every answer over HTTP: what is shown, and what is refused.

use crate::site::{Site, contents};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn an_empty_store_is_shown_with_the_way_to_fill_it() {
    let site = Site::new();
    let answer = site.get("/");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("No runs yet"), "{}", answer.body);
    assert!(!site.runs().exists(), "nothing is made");
    assert_eq!(site.get("/collections").status, 200);
    assert_eq!(site.get("/trend").status, 200);
}

#[test]
fn runs_are_listed_shown_and_compared() {
    let site = Site::new();
    let (a, b) = (site.test("quick", "1"), site.test("quick", "2"));
    let list = site.get("/").body;
    assert!(
        list.contains(&format!("/run/{a}\"")) && list.contains("2 runs"),
        "{list}"
    );
    assert!(
        site.get("/?q=nothing-like-it")
            .body
            .contains("No run is like that")
    );

    let run = site.get(&format!("/run/{a}"));
    assert_eq!(run.status, 200);
    assert!(
        run.body.contains("shakedown test") && run.body.contains("history.jsonl"),
        "{}",
        run.body
    );

    let report = site.get(&format!("/files/{a}/report.html"));
    assert!(
        report.head.contains("sandbox allow-scripts"),
        "{}",
        report.head
    );
    assert!(report.body.contains("<h1>"));
    let history = site.get(&format!("/files/{a}/history.jsonl"));
    let written = fs::metadata(site.runs().join(&a).join("history.jsonl"))
        .unwrap()
        .len();
    assert_eq!(history.body.len() as u64, written);
    let picture = site.get(&format!("/files/{a}/plots/latency.svg"));
    assert!(picture.head.contains("image/svg+xml") && picture.head.contains("sandbox"));

    let comparison = site.get(&format!("/compare?base={a}&new={b}"));
    assert!(
        comparison.body.contains("not comparable"),
        "{}",
        comparison.body
    );
    let absolute = site.place.path().to_str().unwrap();
    assert!(
        !comparison.body.contains(absolute),
        "paths of the machine are not shown"
    );
    let lonely = site.get(&format!("/compare?base={a}"));
    assert!(
        lonely.status == 400 && lonely.body.contains("ticked as new"),
        "{}",
        lonely.body
    );
    let stranger = site.get(&format!("/compare?base={a}&new=..%2F..%2Fetc"));
    assert_eq!(stranger.status, 404);

    let trend = site.get("/trend?name=quick&metric=throughput.ok");
    assert!(trend.body.contains("<svg"), "{}", trend.body);
}

#[test]
fn nothing_outside_the_store_is_served() {
    let site = Site::new();
    let run = site.test("quick", "1");
    let folder = site.runs().join(&run);
    fs::write(site.place.path().join("results.json"), "a secret").unwrap();
    fs::create_dir(site.place.path().join("outside")).unwrap();
    fs::write(site.place.path().join("outside/spec.yaml"), "a secret").unwrap();
    fs::write(folder.join("notes.txt"), "a secret").unwrap();
    symlink(
        site.place.path().join("outside"),
        site.runs().join("linked"),
    )
    .unwrap();
    symlink(
        site.place.path().join("results.json"),
        folder.join("summary.md"),
    )
    .unwrap();
    for path in [
        "/files/../results.json".to_owned(),
        "/files/quick/../../results.json".into(),
        "/files/%2e%2e/results.json".into(),
        "/files/quick/..%2f..%2fresults.json".into(),
        "/files/..%5cresults.json".into(),
        "/files//etc/passwd".into(),
        "/files/linked/spec.yaml".into(),
        "/run/linked".into(),
        "/live/..".into(),
        "/collection/linked".into(),
        format!("/files/{run}/summary.md"),
        format!("/files/{run}/notes.txt"),
        format!("/files/{run}/results.json%00.html"),
        format!("/files/{run}/plots/../../../../results.json"),
        format!("/files/{run}/nodes"),
        "/assets/../results.json".into(),
    ] {
        let answer = site.get(&path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("a secret"), "{path}");
    }
    assert_eq!(site.get(&format!("/files/{run}/results.json")).status, 200);
}

#[test]
fn only_this_machine_is_a_host_and_only_reading_a_method() {
    let site = Site::new();
    for host in ["example.org", "127.0.0.1.example.org", "10.0.0.1:80", ""] {
        assert_eq!(site.ask("GET", "/", host).status, 403, "{host}");
    }
    assert_eq!(
        site.send(
            "GET http://example.org/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .status,
        403
    );
    assert_eq!(site.ask("GET", "/", "localhost:1").status, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(site.ask(method, "/", "localhost").status, 405, "{method}");
    }
    let head = site.ask("HEAD", "/", "localhost");
    assert!(head.status == 200 && head.body.is_empty());
    for header in [
        "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(head.head.contains(header), "{header}: {}", head.head);
    }
}

#[test]
fn what_is_missing_or_damaged_is_said_so() {
    let site = Site::new();
    let run = site.test("quick", "1");
    assert_eq!(site.get("/run/quick/20000101T000000Z-9").status, 404);
    assert_eq!(site.get("/nowhere").status, 404);
    fs::write(
        site.runs().join(&run).join("results.json"),
        "{\"valid\": \"va",
    )
    .unwrap();
    assert!(site.get("/").body.contains("DAMAGED"));
    let page = site.get(&format!("/run/{run}"));
    assert!(
        page.status == 200 && page.body.contains("shakedown analyze"),
        "{}",
        page.body
    );

    // Without results and without a writer it is no live run.
    fs::remove_file(site.runs().join(&run).join("results.json")).unwrap();
    assert!(site.get("/").body.contains("INTERRUPTED"));
    let live = site.get(&format!("/live/{run}"));
    assert!(
        live.body.contains("data-state=\"interrupted\""),
        "{}",
        live.body
    );
    assert!(!live.body.contains("live.js"), "nothing is waited for");
}

#[test]
fn sweeps_and_suites_are_listed_with_their_reports() {
    let site = Site::new();
    let night = site.runs().join("suites/nightly/20261123T000000Z");
    fs::create_dir_all(&night).unwrap();
    fs::write(night.join("suite.json"), "{}").unwrap();
    fs::write(night.join("report.html"), "<h1>The night</h1>").unwrap();
    let sweep = site.runs().join("sweep-1");
    fs::create_dir_all(&sweep).unwrap();
    fs::write(sweep.join("sweep.json"), "{}").unwrap();
    let all = site.get("/collections").body;
    assert!(
        all.contains("/collection/suites/nightly/20261123T000000Z\"")
            && all.contains("/collection/sweep-1\""),
        "{all}"
    );
    assert!(
        site.get("/collection/sweep-1")
            .body
            .contains("no report yet")
    );
    let one = site.get("/collection/suites/nightly/20261123T000000Z").body;
    assert!(
        one.contains("/files/suites/nightly/20261123T000000Z/report.html"),
        "{one}"
    );
    let report = site.get("/files/suites/nightly/20261123T000000Z/report.html");
    assert!(report.body.contains("The night") && report.head.contains("sandbox"));
}

#[test]
fn two_thousand_runs_are_listed_from_what_was_read_before() {
    let site = Site::new();
    let run = site.test("quick", "1");
    let original = site.runs().join(&run);
    for n in 0..2_000 {
        let copy = site.runs().join(format!("many/20261122T000000Z-{n}"));
        fs::create_dir_all(&copy).unwrap();
        for file in ["spec.yaml", "results.json"] {
            fs::copy(original.join(file), copy.join(file)).unwrap();
        }
    }
    assert!(site.get("/").body.contains("2,001 runs"));
    let begun = std::time::Instant::now();
    assert!(site.get("/?page=3").body.contains("page 3 of 21"));
    // Generous: a busy machine, and a program that was not optimised.
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn the_end_of_the_server_changes_nothing_in_the_store() {
    let mut site = Site::new();
    let run = site.test("quick", "1");
    let before = contents(site.place.path());
    for path in [
        "/".to_owned(),
        format!("/run/{run}"),
        format!("/live/{run}"),
        format!("/compare?base={run}&new={run}"),
    ] {
        assert_eq!(site.get(&path).status, 200, "{path}");
    }
    site.kill();
    assert!(contents(site.place.path()) == before);
    let mut site = Site::new();
    site.get("/");
    assert_eq!(site.interrupt(), Some(0));
    assert!(contents(site.place.path()).is_empty());
}
