//! Ctrl-C: the first ends the load, heals, saves and judges; the second ends the program at once.

use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A terminal sends Ctrl-C to every process of the foreground group, and a supervising process may pass it
/// on: signals closer together than this count as one.
const SAME: Duration = Duration::from_millis(300);

#[derive(Clone)]
pub struct Interrupt {
    receiver: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on. Must be called inside the runtime.
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
                match first {
                    None => {
                        first = Some(Instant::now());
                        eprintln!(
                            "stopping: healing, then judging what was recorded (again: end at once)"
                        );
                        sender.send_replace(true);
                    }
                    Some(first) if first.elapsed() > SAME => {
                        // Processes and namespaces end with this one; `shakedown heal` checks the rest.
                        std::process::exit(130);
                    }
                    Some(_) => {}
                }
            }
        });
        Ok(Self { receiver })
    }

    pub fn watch(&self) -> watch::Receiver<bool> {
        self.receiver.clone()
    }

    pub fn happened(&self) -> bool {
        *self.receiver.borrow()
    }
}
