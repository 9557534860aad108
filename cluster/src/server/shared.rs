//! What clients can see of a server at any time.

use super::Config;
use crate::api::{RecoveryStatus, Status};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

pub struct Shared {
    started: Instant,
    status: Mutex<Status>,
}

impl Shared {
    pub fn new(config: &Config) -> Self {
        let status = Status {
            name: config.id.to_string(),
            role: "follower".into(),
            phase: "open".into(),
            ..Status::default()
        };
        Self {
            started: Instant::now(),
            status: Mutex::new(status),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn status(&self) -> Status {
        let mut status = self.lock().clone();
        status.uptime_ms = self.started.elapsed().as_millis() as u64;
        status
    }

    /// Whether requests can be taken.
    pub fn is_ready(&self) -> bool {
        matches!(self.lock().phase.as_str(), "join" | "serving")
    }

    pub fn phase_done(&self, phase: &str, began: Instant, next: &str) {
        let mut status = self.lock();
        status
            .recovery
            .phases_ms
            .insert(phase.to_owned(), millis(began));
        status.phase = next.to_owned();
    }

    /// A part of a phase that overlaps nothing else of its kind.
    pub fn phase_took(&self, phase: &str, took: std::time::Duration) {
        let millis = took.as_secs_f64() * 1e3;
        self.lock()
            .recovery
            .phases_ms
            .insert(phase.to_owned(), millis);
    }

    pub fn recovered(
        &self,
        checkpoint_index: u64,
        replayed_entries: u64,
        loaded_bytes: u64,
        torn_bytes: u64,
        installed_total: u64,
    ) {
        let mut status = self.lock();
        let phases_ms = std::mem::take(&mut status.recovery.phases_ms);
        status.recovery = RecoveryStatus {
            phases_ms,
            checkpoint_index,
            replayed_entries,
            loaded_bytes,
            torn_bytes,
        };
        status.install.installed_total = installed_total;
    }

    /// Takes over what the replica says; keeps what only the program knows.
    pub fn publish(&self, replica: Status, installed_before: u64, joined_ms: Option<f64>) {
        let mut status = self.lock();
        let mut recovery = std::mem::take(&mut status.recovery);
        if let Some(joined_ms) = joined_ms {
            recovery.phases_ms.entry("join".into()).or_insert(joined_ms);
        }
        *status = replica;
        status.install.installed_total += installed_before;
        status.recovery = recovery;
    }

    pub fn installed_total(&self) -> u64 {
        self.lock().install.installed_total
    }
}

pub fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
