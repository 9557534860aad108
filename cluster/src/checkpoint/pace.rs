//! How fast a checkpoint is written.
//!
//! A burst of writing would hold up the log's syncs, and with them every client. So a checkpoint takes its time,
//! unless more waits to be checkpointed than a server wants to keep in its log: then it hurries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Shorter rests are not worth waking up for.
const LEAST_REST: Duration = Duration::from_millis(2);

/// Clones share whether there is a hurry.
#[derive(Clone, Debug)]
pub struct Pace {
    bytes_per_s: u64,
    hurried: Arc<AtomicBool>,
}

impl Pace {
    pub fn new(bytes_per_s: u64) -> Self {
        Self {
            bytes_per_s: bytes_per_s.max(1),
            hurried: Arc::default(),
        }
    }

    /// From now on, writing rests or does not.
    pub fn hurry(&self, yes: bool) {
        self.hurried.store(yes, Ordering::Relaxed);
    }

    /// Waits until so many bytes, counted since `began`, are not too many.
    pub(super) fn rest(&self, bytes: u64, began: Instant) {
        if self.hurried.load(Ordering::Relaxed) {
            return;
        }
        let due = Duration::from_secs_f64(bytes as f64 / self.bytes_per_s as f64);
        let early = due.saturating_sub(began.elapsed());
        if early >= LEAST_REST {
            std::thread::sleep(early);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hurries_does_not_rest() {
        let pace = Pace::new(1_000);
        let began = Instant::now();
        pace.clone().hurry(true);
        pace.rest(1 << 40, began);
        assert!(began.elapsed() < Duration::from_secs(60));
        pace.hurry(false);
        pace.rest(100, began);
        assert!(began.elapsed() >= Duration::from_millis(98));
    }
}
