//! The page in a browser: its script is allowed by its own policy, and runs.

mod specimen;

use results::{measure, plots, report};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A browser takes a second or two; on a machine with much else to do, many.
const LIMIT: Duration = Duration::from_secs(90);

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

#[test]
fn the_cursor_of_the_page_shows_the_first_fault_when_the_page_opens() {
    let recorded = specimen::recorded();
    let results = measure(&recorded);
    let plots = plots::draw(&recorded, &results);
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    std::fs::write(&page, report::render(&results, &plots, "seed: 7\n")).unwrap();
    let Some(shown) = dumped(&page, folder.path()) else {
        return;
    };
    let at = shown.find("id=\"moment\"").expect("the readout");
    let readout = &shown[at..][..shown[at..].find("</div>").unwrap()];
    assert!(!readout.contains(" hidden"), "the script did not run");
    let text = readout.rsplit_once("aria-valuetext=\"").unwrap().1;
    let text = text.split('"').next().unwrap();
    assert!(text.starts_with("at 10."), "{text}");
    assert!(text.ends_with("fault 1 kill n1"), "{text}");
    assert_eq!(
        shown.matches("class=\"s-ink cursor\"").count(),
        5,
        "one in each picture"
    );
}

/// The page after its scripts ran; `None` where no browser can show it.
fn dumped(page: &std::path::Path, home: &std::path::Path) -> Option<String> {
    let browser = BROWSERS.iter().find(|name| {
        let mut version = Command::new(name);
        let version = version
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    });
    let Some(browser) = browser else {
        println!("skipped: no browser of {BROWSERS:?}");
        return None;
    };
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            home.join("profile").display()
        ))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let begun = Instant::now();
    while !reader.is_finished() && begun.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(20));
    }
    if !reader.is_finished() {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{browser} did not show the page within {LIMIT:?}");
    }
    let status = child.wait().unwrap();
    let text = reader.join().unwrap().unwrap();
    if text.is_empty() {
        println!("skipped: {browser} shows no page here: {status}");
        return None;
    }
    Some(text)
}
