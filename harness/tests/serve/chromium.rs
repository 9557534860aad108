//! A browser, driven over a pair of pipes: the protocol that its developer tools use.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// For anything that is waited for; on a busy machine a browser takes long to begin.
const LIMIT: Duration = Duration::from_secs(90);

pub struct Browser {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    session: Option<String>,
    number: u64,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, and says so, where no browser can be driven.
    pub fn start() -> Option<Self> {
        let there = |name: &&&str| {
            let version = Command::new(name).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        };
        let Some(name) = BROWSERS.iter().find(there) else {
            println!("skipped: no browser of {BROWSERS:?}");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // The browser reads commands from descriptor 3 and answers on descriptor 4.
        let mut process = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
                name,
            ])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            loop {
                let mut message = Vec::new();
                match stdout.read_until(0, &mut message) {
                    Ok(1..) => {}
                    _ => break,
                }
                message.pop();
                if sender
                    .send(serde_json::from_slice(&message).unwrap_or_default())
                    .is_err()
                {
                    break;
                }
            }
        });
        let mut browser = Self {
            process,
            commands,
            answers,
            session: None,
            number: 0,
            _profile: profile,
        };
        let Some(target) = browser.call("Target.createTarget", json!({"url": "about:blank"}))
        else {
            println!("skipped: {name} can't be driven here");
            return None;
        };
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach).unwrap();
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        Some(browser)
    }

    /// The result of a command; `None` if the browser ended.
    fn call(&mut self, method: &str, params: Value) -> Option<Value> {
        self.number += 1;
        let mut command = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).ok()?;
        let end = Instant::now() + LIMIT;
        loop {
            let answer = self
                .answers
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .ok()?;
            if answer["id"] == json!(self.number) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return Some(answer["result"].clone());
            }
        }
    }

    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url})).unwrap();
        self.until(&format!(
            "document.readyState === 'complete' && location.href === {}",
            json!(url)
        ));
    }

    /// A screen of so many points.
    pub fn size(&mut self, width: u32) {
        let metrics =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true});
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .unwrap();
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let evaluate = json!({"expression": expression, "returnByValue": true});
        let result = self.call("Runtime.evaluate", evaluate).unwrap();
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true. A page that is being left has none.
    pub fn until(&mut self, expression: &str) {
        let end = Instant::now() + LIMIT;
        while self.value(expression) != json!(true) {
            let at = self.value("location.href + ' ' + document.body.innerText");
            assert!(
                Instant::now() < end,
                "not in {LIMIT:?}: {expression}; at {at}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses a key as a person does.
    pub fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            key => key,
        };
        let code = if key == "Enter" { 13 } else { 0 };
        let down =
            json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", down).unwrap();
        self.call(
            "Input.dispatchKeyEvent",
            json!({"type": "keyUp", "key": key}),
        )
        .unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
