//! Servers must not end unless somebody kills them, whatever their clients saw of it.
//!
//! An exit is excused by a fault that takes processes down, on that node, from its intention to the end of
//! its healing. Everything else that breaks (links, pauses, disks) must be survived.

use crate::fault_windows::FaultWindow;
use crate::verdict::Verdict;
use serde_json::json;

/// Kinds of fault that end servers.
const DEADLY: [&str; 2] = ["kill", "power-loss"];

/// The end of a server's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub node: String,
    /// When it was noticed, in nanoseconds since the start of the run.
    pub time: u64,
    /// What is known of the cause: status, last words.
    pub cause: String,
}

/// Judges the exits of `servers` processes that were watched. Unknown when none was.
pub fn judge(exits: &[Exit], faults: &[FaultWindow], servers: usize) -> Verdict {
    let excused = |exit: &Exit| {
        faults.iter().any(|fault| {
            DEADLY.contains(&fault.kind.as_str())
                && fault.hits(&exit.node)
                && fault.covers(exit.time)
        })
    };
    let mut crashes: Vec<&Exit> = exits.iter().filter(|exit| !excused(exit)).collect();
    crashes.sort_by_key(|exit| exit.time);
    let verdict = match crashes.first() {
        Some(first) => Verdict::invalid(sentence(first, faults, crashes.len())).with(
            "crashes",
            crashes
                .iter()
                .map(|exit| json!({"node": exit.node, "time_ms": ms(exit.time), "cause": exit.cause}))
                .collect::<Vec<_>>(),
        ),
        None if servers == 0 => Verdict::unknown("no server's process was watched"),
        None => Verdict::valid(),
    };
    verdict
        .with("servers", servers)
        .with("unexpected_exits", crashes.len())
}

fn sentence(first: &Exit, faults: &[FaultWindow], count: usize) -> String {
    let mut text = format!(
        "the server of {} had ended by {:.1} s though nobody had killed it: {}",
        first.node,
        ms(first.time) / 1e3,
        first.cause
    );
    let meanwhile = faults.iter().find(|fault| fault.covers(first.time));
    if let Some(fault) = meanwhile {
        text += &format!(" (during {} of {})", fault.kind, fault.targets.join(", "));
    }
    if count > 1 {
        text += &format!(" ({count} servers ended so)");
    }
    text
}

fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validity;

    fn exit(node: &str, time: u64) -> Exit {
        Exit {
            node: node.into(),
            time,
            cause: "signal 6".into(),
        }
    }

    fn window(kind: &str, node: &str) -> FaultWindow {
        FaultWindow {
            kind: kind.into(),
            targets: vec![node.into()],
            from: 10,
            to: Some(20),
        }
    }

    #[test]
    fn a_killed_server_is_excused_while_the_kill_lasts_and_nobody_else_is() {
        let kill = [window("kill", "n1")];
        assert_eq!(judge(&[exit("n1", 15)], &kill, 3).valid, Validity::Valid);
        for other in [exit("n2", 15), exit("n1", 21), exit("n1", 9)] {
            assert_eq!(judge(&[other], &kill, 3).valid, Validity::Invalid);
        }
        let pause = [window("pause", "n1")];
        let verdict = judge(&[exit("n1", 15), exit("n2", 12)], &pause, 3);
        assert_eq!(
            verdict.reason,
            "the server of n2 had ended by 0.0 s though nobody had killed it: signal 6 (during pause of n1) (2 servers \
             ended so)"
        );
        assert_eq!(verdict.details["unexpected_exits"], json!(2));
    }

    #[test]
    fn without_servers_nothing_is_known() {
        assert_eq!(judge(&[], &[], 3).valid, Validity::Valid);
        assert_eq!(judge(&[], &[], 0).valid, Validity::Unknown);
    }
}
