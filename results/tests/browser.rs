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
    let Some(shown) = dumped(&page()) else {
        return;
    };
    assert!(
        !readout(&shown).contains(" hidden"),
        "the script did not run"
    );
    let text = told(&shown);
    assert!(text.starts_with("at 10."), "{text}");
    assert!(text.ends_with("fault 1 kill n1"), "{text}");
    assert_eq!(
        shown.matches("class=\"s-ink cursor\"").count(),
        5,
        "one in each picture"
    );
}

#[test]
fn keys_go_from_fault_to_fault_and_the_pointer_goes_anywhere() {
    let moved = |script: &str| {
        let script = format!(
            "<script>const m=document.getElementById('moment');\
             const key=(k)=>m.dispatchEvent(new KeyboardEvent('keydown',{{key:k}}));{script}</script></body>"
        );
        // The page's own policy would rightly refuse this script.
        let page = page()
            .replace("http-equiv", "data-was")
            .replace("</body>", &script);
        dumped(&page)
    };
    let Some(shown) = moved("key('PageDown');key('PageDown');key('ArrowRight');") else {
        return;
    };
    assert!(
        told(&shown).ends_with("fault 3 partition n2"),
        "{}",
        told(&shown)
    );
    let at_the_end = "const s=document.querySelector('figure.shared svg');const b=s.getBoundingClientRect();\
        s.dispatchEvent(new PointerEvent('pointermove',{clientX:b.left+b.width*0.975}));";
    let shown = moved(at_the_end).expect("a browser, as before");
    assert!(told(&shown).starts_with("at 61."), "{}", told(&shown));
    assert!(told(&shown).ends_with("fault none"), "{}", told(&shown));
}

fn page() -> String {
    let recorded = specimen::recorded();
    let results = measure(&recorded);
    let plots = plots::draw(&recorded, &results);
    report::render(&results, &plots, "seed: 7\n")
}

fn readout(shown: &str) -> &str {
    let at = shown.find("id=\"moment\"").expect("the readout");
    &shown[at..][..shown[at..].find("</div>").expect("its end")]
}

/// What the readout says.
fn told(shown: &str) -> &str {
    let (_, text) = readout(shown)
        .rsplit_once("aria-valuetext=\"")
        .expect("its text");
    text.split('"').next().unwrap_or_default()
}

/// The page after its scripts ran; `None` where no browser can show it.
fn dumped(page: &str) -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("report.html");
    std::fs::write(&file, page).unwrap();
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
            home.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
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
