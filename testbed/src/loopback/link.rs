//! One directed link: a gate that bytes pass or are held at, and what it counted.

use crate::LinkCounters;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What a cut held back for longer is not delivered: its connection is reset when the link opens, as the
/// sender's kernel would have given it up (TCP_USER_TIMEOUT).
const HOLD_LIMIT: Duration = Duration::from_millis(2_500);

/// A link is open or cut. Bytes are passed on while the gate is held open, so that when [`Link::cut`]
/// returns nothing is still under way.
#[derive(Debug)]
pub(super) struct Link {
    open: watch::Sender<bool>,
    passed: AtomicU64,
    held: AtomicU64,
}

impl Link {
    pub fn new() -> Self {
        Self {
            open: watch::Sender::new(true),
            passed: AtomicU64::new(0),
            held: AtomicU64::new(0),
        }
    }

    /// Returns once nothing passes any more: it waits for those inside [`Link::pass`].
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    pub fn mend(&self) {
        self.open.send_replace(true);
    }

    pub fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Runs `forward` unless the link is cut, and counts a chunk if it says that one went through. It must
    /// not block: a cut waits for it.
    pub fn pass<T>(
        &self,
        forward: impl FnOnce() -> T,
        whole: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let open = self.open.borrow();
        open.then(|| {
            // Counted first, so that whoever saw the bytes arrive also sees them counted.
            self.passed.fetch_add(1, Ordering::Relaxed);
            let outcome = forward();
            if !whole(&outcome) {
                self.passed.fetch_sub(1, Ordering::Relaxed);
            }
            outcome
        })
    }

    /// Waits while the link is cut; counts what waits as held. False if that took longer than
    /// [`HOLD_LIMIT`].
    pub async fn opened(&self) -> bool {
        if self.is_open() {
            return true;
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        self.wait(true).await;
        since.elapsed() <= HOLD_LIMIT
    }

    /// Waits until the link is cut.
    pub async fn closed(&self) {
        self.wait(false).await;
    }

    async fn wait(&self, open: bool) {
        // The sender lives in `self`, so the channel can't be closed while we wait.
        let _ = self.open.subscribe().wait_for(|now| *now == open).await;
    }

    pub fn counters(&self) -> LinkCounters {
        LinkCounters {
            passed: self.passed.load(Ordering::Relaxed),
            cut: self.held.load(Ordering::Relaxed),
            lost: 0,
        }
    }
}
