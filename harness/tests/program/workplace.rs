//! Runs the program as a user does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The program, in a folder of its own.
pub struct Workplace {
    pub dir: tempfile::TempDir,
}

impl Workplace {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("NO_COLOR", "1");
        command
            .env_remove("SHAKEDOWN_RUNS")
            .env_remove("STRATA_BIN");
        command
    }

    /// Runs to the end; returns the exit code and what was printed.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Waits until the history of the newest run has so many bytes.
    pub fn await_history(&self, bytes: u64) {
        const LIMIT: Duration = Duration::from_secs(60);
        let history = self.dir.path().join("runs/latest/history.jsonl");
        let end = Instant::now() + LIMIT;
        while std::fs::metadata(&history).map_or(0, |file| file.len()) < bytes {
            assert!(
                Instant::now() < end,
                "no {bytes} bytes of history in {LIMIT:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn results(&self) -> serde_json::Value {
        let path = self.dir.path().join("runs/latest/results.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

/// Whether the server program was built beside this one; says so where it was not.
pub fn strata_is_built() -> bool {
    let built = Path::new(env!("CARGO_BIN_EXE_shakedown"))
        .with_file_name("strata")
        .exists();
    if !built {
        println!("skipped: strata is not built; run the tests of the whole workspace");
    }
    built
}
