//! From the list to a run, to a comparison, to a live run: with the keys, in a browser.

use crate::chromium::Browser;
use crate::site::Site;
use std::fs::{self, OpenOptions};
use std::io::Write as _;

#[test]
fn a_reader_goes_from_list_to_run_to_comparison_to_live_run() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let site = Site::new();
    let (older, newer) = (site.test("quick", "1"), site.test("quick", "2"));

    // The list, by keys alone: down to the newest run, and into it.
    browser.open(&site.url("/"));
    browser.press("/");
    browser.until("document.activeElement.id === 'search'");
    browser.value("document.activeElement.blur()");
    browser.press("j");
    browser.until(&format!(
        "document.activeElement.getAttribute('href') === '/run/{newer}'"
    ));
    browser.press("n");
    browser.press("Enter");
    browser.until(&format!("location.pathname === '/run/{newer}'"));
    browser.until(
        "document.querySelector('h1') !== null && document.body.innerText.includes('Repeat with')",
    );

    // The report, whose script its own policy and ours both let run.
    browser.open(&site.url(&format!("/files/{newer}/report.html")));
    browser.until("!document.getElementById('moment').hidden");

    // Two runs ticked, and compared.
    browser.open(&site.url("/"));
    for key in ["j", "n", "j", "b", "c"] {
        browser.press(key);
    }
    browser.until("location.pathname === '/compare'");
    browser.until("document.body.innerText.includes('Measures')");
    let query = browser.value("location.search").to_string();
    let encoded = older.replace('/', "%2F");
    assert!(query.contains(&format!("base={encoded}")), "{query}");

    // A run that goes on: its page follows it without being loaded anew, and says when it ended.
    let run = site.runs().join("growing/20261123T000000Z-1");
    fs::create_dir_all(&run).unwrap();
    let original = site.runs().join(&newer);
    fs::copy(original.join("spec.yaml"), run.join("spec.yaml")).unwrap();
    fs::write(run.join("processes.jsonl"), written_by_us()).unwrap();
    let grow = |process: u32| {
        let path = run.join("history.jsonl");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        for (time, kind) in [(process * 100, "invoke"), (process * 100 + 3, "ok")] {
            let time = u64::from(time) * 1_000_000;
            writeln!(file, "{{\"index\":0,\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"read\",\"value\":null}}").unwrap();
        }
    };
    grow(1);
    browser.open(&site.url("/live/growing/20261123T000000Z-1"));
    browser.value("window.same = true");
    let ok = |n: u32| format!("document.querySelector('#live .facts dd').textContent === '{n}'");
    browser.until(&ok(1));
    grow(2);
    grow(3);
    browser.until(&ok(3));
    browser.until("document.querySelectorAll('#live svg').length === 2");
    fs::write(
        run.join("faults.jsonl"),
        "{\"fault\":1,\"step\":\"intend\",\"time\":5,\"kind\":\"kill\",\"targets\":[\"n2\"]}\n",
    )
    .unwrap();
    browser.until("document.getElementById('faults').innerText.includes('kill')");
    fs::copy(original.join("results.json"), run.join("results.json")).unwrap();
    browser.until("document.getElementById('live').dataset.state === 'valid' || document.getElementById('live').dataset.state === 'unknown'");
    browser.until("window.same && document.querySelector('#live a.button').getAttribute('href') === '/run/growing/20261123T000000Z-1'");
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let site = Site::new();
    let (a, b) = (
        site.test("quick", "1"),
        site.test(
            "a-name-that-is-much-longer-than-most-names-are",
            "987654321",
        ),
    );
    browser.size(390);
    for path in [
        "/".to_owned(),
        format!("/run/{b}"),
        format!("/live/{b}"),
        format!("/compare?base={a}&new={b}"),
        "/trend?name=quick&metric=throughput.ok".into(),
        "/collections".into(),
        "/nowhere".into(),
    ] {
        browser.open(&site.url(&path));
        let wide = browser.value("document.documentElement.scrollWidth");
        assert!(wide.as_f64().unwrap() <= 390.0, "{path}: {wide}");
    }
}

/// The first line of a run's journal of processes, as if this program wrote the run.
fn written_by_us() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap();
    let boot = read("/proc/sys/kernel/random/boot_id");
    let stat = read("/proc/self/stat");
    let after = stat.rsplit_once(')').unwrap().1;
    let started = after.split_whitespace().nth(19).unwrap();
    let pid = std::process::id();
    format!(
        "{{\"version\":1,\"boot\":\"{}\",\"pid_namespace\":\"\",\"controller\":{pid},\"started\":{started}}}\n",
        boot.trim()
    )
}
