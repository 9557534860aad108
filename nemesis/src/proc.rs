//! What identifies a process for good: the boot, the process-id namespace, the id, and its start time.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// Where process ids mean something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Changes with every boot of the machine.
    pub boot: String,
    /// As `/proc/self/ns/pid` names it.
    pub pid_namespace: String,
}

impl Place {
    pub(crate) fn here() -> Result<Self> {
        let failed = |path: &str| {
            let path = Path::new(path).to_owned();
            move |source| Error::File { path, source }
        };
        let boot = "/proc/sys/kernel/random/boot_id";
        let namespace = "/proc/self/ns/pid";
        Ok(Self {
            boot: fs::read_to_string(boot)
                .map_err(failed(boot))?
                .trim()
                .to_owned(),
            pid_namespace: fs::read_link(namespace)
                .map_err(failed(namespace))?
                .display()
                .to_string(),
        })
    }
}

/// When the kernel started a living process, in clock ticks since boot; nothing when there is none of
/// that id, or only a dead one that nobody has waited for.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, stands in brackets and may hold anything: count from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_has_a_start_time_and_a_reaped_one_has_none() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let started = start_time(pid).unwrap();
        assert!(started >= start_time(std::process::id() as i32).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(start_time(pid), None);
    }

    #[test]
    fn a_place_is_the_same_when_asked_twice() {
        assert_eq!(Place::here().unwrap(), Place::here().unwrap());
    }
}
