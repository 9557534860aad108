//! What the kernel says of a process in `/proc/<pid>/stat`.

use crate::{Process, ProcessState};
use std::{fs, io};

/// The fields that matter here, by their numbers in proc(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Field 3.
    pub state: char,
    /// Field 20.
    pub threads: u64,
    /// Field 22, in clock ticks since boot.
    pub started: u64,
}

pub fn read(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unexpected form"))
}

/// The name of the program, field 2, stands in parentheses and may itself hold spaces and parentheses:
/// what counts comes after the last closing one.
pub fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    Some(Stat {
        state,
        threads,
        started,
    })
}

/// A process that has ended but is not reaped is gone, once its last thread has ended too: only then are
/// its sockets and files closed. A process id used again by another program is gone.
pub fn state(process: &Process) -> ProcessState {
    match read(process.pid) {
        Ok(stat) if stat.started == process.started => match stat.state {
            'Z' if stat.threads <= 1 => ProcessState::Gone,
            'X' | 'x' => ProcessState::Gone,
            'T' => ProcessState::Stopped,
            _ => ProcessState::Running,
        },
        _ => ProcessState::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;

    #[test]
    fn a_program_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line =
            "4711 (a ) R 1 (x) S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 1000 10";
        let stat = parse(line).unwrap();
        assert_eq!(
            stat,
            Stat {
                state: 'S',
                threads: 9,
                started: 123456
            }
        );
    }

    #[test]
    fn a_process_id_with_another_start_time_is_gone() {
        let pid = std::process::id() as i32;
        let started = read(pid).unwrap().started;
        let node = NodeId::new("n1");
        let own = Process { node, pid, started };
        assert_eq!(state(&own), ProcessState::Running);
        let other = Process {
            started: started + 1,
            ..own
        };
        assert_eq!(state(&other), ProcessState::Gone);
    }

    #[test]
    fn a_cut_short_line_is_refused() {
        assert_eq!(parse("4711 (sh) S 1 4711"), None);
    }
}
