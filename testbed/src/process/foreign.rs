//! Processes that another controller started, which may be gone: nobody here has reaped or will reap them.
//!
//! Unlike with our own there is a moment, between the look at the start time and the signal, in which the
//! process may end and its id be used again.

use super::stat;
use crate::{Error, Process, ProcessState, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// For the kernel, to end what was killed.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Ends such a process: asks it to and waits so long, unless `grace` is zero; then kills it with its group. Returns
/// whether it was still there. An id that belongs to another process by now is left alone. Blocks.
pub fn end_foreign(process: &Process, grace: Duration) -> Result<bool> {
    if gone(process) {
        return Ok(false);
    }
    let pid = Pid::from_raw(process.pid);
    if !grace.is_zero() {
        told(process, kill(pid, Signal::SIGTERM))?;
        if gone_within(process, grace) {
            return Ok(true);
        }
    }
    // It may lead no group; while it lives, no other group can have its number.
    told(process, killpg(pid, Signal::SIGKILL))?;
    told(process, kill(pid, Signal::SIGKILL))?;
    match gone_within(process, KILL_LIMIT) {
        true => Ok(true),
        false => Err(Error::Failed(format!(
            "{}: process {pid} is still there {KILL_LIMIT:?} after it was killed",
            process.node
        ))),
    }
}

/// A signal that found nobody came too late, which is as good.
fn told(process: &Process, sent: nix::Result<()>) -> Result<()> {
    match sent {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Error::Io {
            what: format!("{}: end process {}", process.node, process.pid),
            source: errno.into(),
        }),
    }
}

fn gone(process: &Process) -> bool {
    stat::state(process) == ProcessState::Gone
}

fn gone_within(process: &Process, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while !gone(process) {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command};

    fn started(command: &mut Command) -> (Child, Process) {
        let child = command.spawn().unwrap();
        let pid = child.id() as i32;
        let process = Process {
            node: NodeId::new("n1"),
            pid,
            started: stat::read(pid).unwrap().started,
        };
        (child, process)
    }

    #[test]
    fn only_the_very_process_that_was_left_is_ended_with_a_group_or_without() {
        for leads_group in [true, false] {
            let mut command = Command::new("sleep");
            command.arg("60");
            if leads_group {
                command.process_group(0);
            }
            let (mut child, left) = started(&mut command);
            let another = Process {
                started: left.started + 1,
                ..left.clone()
            };
            assert!(!end_foreign(&another, Duration::ZERO).unwrap());
            assert_eq!(stat::state(&left), ProcessState::Running);
            assert!(end_foreign(&left, Duration::ZERO).unwrap());
            assert!(!end_foreign(&left, Duration::ZERO).unwrap());
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
    }

    #[test]
    fn a_process_is_asked_first_where_it_is_given_time() {
        let (mut child, left) = started(Command::new("sleep").arg("60"));
        assert!(end_foreign(&left, Duration::from_secs(5)).unwrap());
        assert_eq!(child.wait().unwrap().signal(), Some(15));
    }
}
