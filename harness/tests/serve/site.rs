//! A store made for a test, and the program that serves it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// For an answer; a busy machine takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

pub struct Site {
    pub place: tempfile::TempDir,
    server: Child,
    address: String,
}

/// An answer, its head in lower case.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Site {
    /// Serves a store that is filled later, or never.
    pub fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .current_dir(place.path())
            .env_remove("SHAKEDOWN_RUNS")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = server.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = told["url"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
        Self {
            place,
            server,
            address: address.to_owned(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn runs(&self) -> PathBuf {
        self.place.path().join("runs")
    }

    /// Makes a run, judged as any other; returns its address in the store.
    pub fn test(&self, name: &str, seed: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args([
                "test",
                "--system",
                "null",
                "--nemesis",
                "none",
                "--time",
                "1s",
                "--quiet-period",
                "10ms",
            ])
            .args(["--name", name, "--seed", seed, "--quiet", "--runs"])
            .arg(self.runs())
            .output()
            .unwrap();
        assert!(output.status.code() != Some(255), "{output:?}");
        let newest = fs::read_link(self.runs().join("latest")).unwrap();
        newest.to_str().unwrap().to_owned()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &self.address)
    }

    pub fn ask(&self, method: &str, path: &str, host: &str) -> Answer {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
    }

    pub fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// Kills the server as nothing can prepare for.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Ctrl-C; returns the exit code.
    pub fn interrupt(&mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(self.server.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        self.server.wait().unwrap().code()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Every file below a folder with what it holds.
pub fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap_or_default())),
        }
    }
    all.sort();
    all
}
