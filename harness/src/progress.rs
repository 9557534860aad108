//! What a person sees while a run goes on: on a terminal one line that changes, elsewhere a line now and
//! then. All of it on standard error; standard output is for results.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What the line is made of; the parts that do not apply are absent.
#[derive(Clone, Debug, Default)]
pub struct Now {
    pub elapsed: Option<Duration>,
    pub total: Option<Duration>,
    pub ops_per_second: Option<f64>,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    pub faults: Vec<String>,
    pub fault_number: Option<(u32, u32)>,
    pub leader: Option<String>,
}

/// Shows progress; cheap to clone and to call often.
#[derive(Clone)]
pub struct Progress {
    bar: Option<ProgressBar>,
    heartbeat: Arc<Mutex<Heartbeat>>,
    quiet: bool,
}

struct Heartbeat {
    phase: String,
    last: Option<Instant>,
}

impl Progress {
    /// `quiet`: nothing at all.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {prefix:<8} {wide_msg}")
                    .expect("a constant template"),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let heartbeat = Heartbeat {
            phase: String::new(),
            last: None,
        };
        Self {
            bar,
            heartbeat: Arc::new(Mutex::new(heartbeat)),
            quiet,
        }
    }

    /// A new phase of the run begins.
    pub fn phase(&self, name: &str, what: &str) {
        let mut heartbeat = self
            .heartbeat
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        heartbeat.phase = name.to_owned();
        heartbeat.last = Some(Instant::now());
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(name.to_owned());
                bar.set_message(what.to_owned());
            }
            None if !self.quiet => eprintln!("{name}: {what}"),
            None => {}
        }
    }

    /// The state of the phase has changed.
    pub fn update(&self, now: &Now) {
        match &self.bar {
            Some(bar) => bar.set_message(now.line()),
            None if self.quiet => {}
            None => {
                let mut heartbeat = self
                    .heartbeat
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                if heartbeat
                    .last
                    .is_none_or(|last| last.elapsed() >= HEARTBEAT)
                {
                    heartbeat.last = Some(Instant::now());
                    eprintln!("{}: {}", heartbeat.phase, now.line());
                }
            }
        }
    }

    /// A line that stays.
    pub fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None if !self.quiet => eprintln!("{line}"),
            None => {}
        }
    }

    /// Takes the changing line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Now {
    fn line(&self) -> String {
        let mut parts = Vec::new();
        match (self.elapsed, self.total) {
            (Some(elapsed), Some(total)) => {
                parts.push(format!("{}/{} s", elapsed.as_secs(), total.as_secs()))
            }
            (Some(elapsed), None) => parts.push(format!("{} s", elapsed.as_secs())),
            _ => {}
        }
        if let Some(rate) = self.ops_per_second {
            parts.push(format!("{rate:.0} ops/s"));
        }
        parts.push(format!(
            "ok {} fail {} info {}",
            self.ok, self.fail, self.info
        ));
        if let Some((number, of)) = self.fault_number {
            parts.push(format!("fault {number}/{of}"));
        }
        parts.push(match self.faults.as_slice() {
            [] => "no fault active".into(),
            faults => faults.join(", "),
        });
        parts.push(format!(
            "leader {}",
            self.leader.as_deref().unwrap_or("none")
        ));
        parts.join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_what_is_broken_and_who_leads() {
        let now = Now {
            elapsed: Some(Duration::from_secs(12)),
            total: Some(Duration::from_secs(60)),
            ops_per_second: Some(498.7),
            ok: 10,
            fail: 2,
            info: 1,
            faults: vec!["kill n3".into()],
            fault_number: Some((4, 22)),
            leader: Some("n2".into()),
        };
        assert_eq!(
            now.line(),
            "12/60 s  499 ops/s  ok 10 fail 2 info 1  fault 4/22  kill n3  leader n2"
        );
    }
}
