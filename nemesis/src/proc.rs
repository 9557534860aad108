//! What identifies a process for good: the boot, the process-id namespace, the id, and its start time.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
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
    let stat = testbed::process::stat::read(pid).ok()?;
    (!matches!(stat.state, 'Z' | 'X')).then_some(stat.started)
}

/// Whether the ids under `/proc` are those that a signal is sent to: not so where a process-id namespace
/// was entered without a `/proc` of its own.
pub(crate) fn is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.as_os_str() == &*std::process::id().to_string())
}

/// The living processes of one process-id namespace, which may lie inside ours: what they are called
/// there, and here.
pub(crate) struct Population {
    here: HashMap<(i32, u64), i32>,
}

impl Population {
    pub(crate) fn of(namespace: &str) -> Self {
        let mut here = HashMap::new();
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        for pid in pids {
            // A process that ends while we look, or that we may not look at, is none of ours.
            if let Some(id) = identity_inside(pid, namespace) {
                here.insert(id, pid);
            }
        }
        Self { here }
    }

    /// Our number for the process that has this number and start time there.
    pub(crate) fn find(&self, pid: i32, started: u64) -> Option<i32> {
        self.here.get(&(pid, started)).copied()
    }
}

/// The number in its own namespace, if that is this one, and the start time.
fn identity_inside(pid: i32, namespace: &str) -> Option<(i32, u64)> {
    let link = fs::read_link(format!("/proc/{pid}/ns/pid")).ok()?;
    if link.to_str() != Some(namespace) {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    let inside = numbers.split_whitespace().last()?.parse().ok()?;
    Some((inside, start_time(pid)?))
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
    fn a_process_is_found_by_its_number_and_start_time_in_its_namespace() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let started = start_time(pid).unwrap();
        let population = Population::of(&Place::here().unwrap().pid_namespace);
        assert_eq!(population.find(pid, started), Some(pid));
        assert_eq!(population.find(pid, started + 1), None);
        assert_eq!(Population::of("pid:[1]").find(pid, started), None);
        assert!(is_ours());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_place_is_the_same_when_asked_twice() {
        assert_eq!(Place::here().unwrap(), Place::here().unwrap());
    }
}
