//! What a run could have exercised and did not: a check that never met the case it is there for has not
//! passed it. One sentence each, led by what it is about. None of them changes the verdict; what must not be
//! missing is a gate ([`super::gates`]).

use super::faults::FaultSummary;
use crate::observe::Sample;
use crate::recorded::Recorded;
use checker::{Key, Phase};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The sentences: first those that the run itself was given, then those that its records tell.
pub(super) fn not_exercised(recorded: &Recorded, faults: &[FaultSummary]) -> Vec<String> {
    let mut found = recorded.run.not_exercised.clone();
    let told = [
        clients(recorded),
        servers(recorded, faults),
        schedule(recorded, faults),
    ];
    for sentence in told.into_iter().flatten() {
        if !found.contains(&sentence) {
            found.push(sentence);
        }
    }
    found
}

/// How the operations of one name ended.
#[derive(Default)]
struct Ends {
    ok: u64,
    fail: u64,
}

fn clients(recorded: &Recorded) -> Vec<String> {
    let mut ends: BTreeMap<&'static str, Ends> = BTreeMap::new();
    let mut invoked = 0u64;
    let mut completed = 0u64;
    let mut info = 0u64;
    for event in &recorded.history.events {
        let ends = ends.entry(event.op.name()).or_default();
        match event.phase {
            Phase::Invoke => invoked += 1,
            Phase::Ok(_) => ends.ok += 1,
            Phase::Fail(_) => ends.fail += 1,
            Phase::Info(_) => info += 1,
        }
        completed += u64::from(event.phase != Phase::Invoke);
    }
    let mut found = Vec::new();
    if invoked == 0 {
        return vec!["Operations: no client asked for anything.".into()];
    }
    for (name, ends) in &ends {
        if ends.ok == 0 {
            found.push(format!("Operations: no {name} succeeded."));
        }
    }
    if ends.get("cas").is_some_and(|cas| cas.fail == 0) {
        found.push("Conditions: no cas failed, so none was seen to compare before it set.".into());
    }
    if info == 0 && completed == invoked {
        found.push(
            "Unknown outcomes: every operation was answered, so none had to be allowed to have happened or not."
                .into(),
        );
    }
    if !contested(recorded) {
        found.push(
            "Concurrency: no two operations, of which one writes, were open on one key at the same time.".into(),
        );
    }
    found
}

/// Whether two operations of which one writes were ever open on one key at once. What names no single key
/// meets all others.
fn contested(recorded: &Recorded) -> bool {
    let mut open: HashMap<_, (Option<&Key>, bool)> = HashMap::new();
    for event in &recorded.history.events {
        match event.phase {
            Phase::Invoke => {
                let (key, writes) = (event.op.key(), !event.op.is_read_only());
                let meets = |other: &(Option<&Key>, bool)| {
                    let alike = match (key, other.0) {
                        (Some(own), Some(others)) => own == others,
                        _ => true,
                    };
                    alike && (writes || other.1)
                };
                if open.values().any(meets) {
                    return true;
                }
                open.insert(event.process, (key, writes));
            }
            // An operation of unknown outcome stays open, but nobody waits for it any more.
            _ => {
                open.remove(&event.process);
            }
        }
    }
    false
}

fn servers(recorded: &Recorded, faults: &[FaultSummary]) -> Vec<String> {
    let up = || recorded.samples.iter().filter(|sample| sample.up);
    if up().next().is_none() {
        return match recorded.run.nodes.is_empty() {
            true => Vec::new(),
            false => {
                vec!["Servers: none told its status, so elections, images and checkpoints were not seen.".into()]
            }
        };
    }
    let mut found = Vec::new();
    let leaders: BTreeSet<(u64, &str)> = up()
        .filter(|sample| sample.role == "leader")
        .map(|sample| (sample.term, sample.node.as_str()))
        .collect();
    match leaders.len() {
        0 => found.push("Elections: no server was seen to lead.".into()),
        1 => found.push("Elections: the leader never changed.".into()),
        _ => {}
    }
    let grew = |counter: fn(&Sample) -> u64| up().any(|sample| counter(sample) > 0);
    if !grew(|s| s.snapshots_installed.max(s.snapshots_installed_total)) {
        found.push(
            "Images: no server was sent a snapshot; all that were away came back by the log."
                .into(),
        );
    }
    if !grew(|sample| sample.checkpoints_written) {
        found.push("Checkpoints: no server was seen to write one.".into());
    }
    let restarts: Vec<_> = faults
        .iter()
        .filter_map(|fault| fault.rto.as_ref())
        .flat_map(|rto| rto.recovery.values())
        .collect();
    let replayed = |entries: &u64| *entries > 0;
    if restarts.is_empty() {
        found.push("Restarts: no server came back from its disk.".into());
    } else if restarts
        .iter()
        .all(|recovery| !recovery.counts.get("replayed_entries").is_none_or(replayed))
    {
        found.push("Replay: no restarted server had log entries to replay.".into());
    }
    found
}

fn schedule(recorded: &Recorded, faults: &[FaultSummary]) -> Vec<String> {
    let mut found = Vec::new();
    if recorded.ledgers.is_empty() {
        found.push(
            "Durability: no ledger was kept, so the count of lost writes (RPO) is not known."
                .into(),
        );
    }
    let effective = || faults.iter().filter(|fault| fault.effective);
    if effective().next().is_none() {
        found.push("Faults: none took effect.".into());
        return found;
    }
    for kind in &recorded.run.nemesis {
        if !effective().any(|fault| fault.kind == *kind) {
            found.push(format!(
                "Faults: {kind} was asked for and none took effect."
            ));
        }
    }
    let hit = |what: &str| effective().any(|fault| fault.role.split('+').any(|role| role == what));
    if !hit("leader") {
        found.push("Faults: none took the leader away.".into());
    }
    if !hit("majority") {
        found.push("Faults: none took the majority away.".into());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{Event, Op, ProcessId, Reason, Ret};

    fn event(process: u64, op: Op, phase: Phase) -> Event {
        Event {
            index: 0,
            time: 0,
            process: ProcessId(process),
            phase,
            op,
        }
    }

    fn cas() -> Op {
        Op::Cas {
            key: 1.into(),
            from: 1.into(),
            to: 2.into(),
        }
    }

    fn recorded(events: Vec<Event>) -> Recorded {
        let mut recorded = Recorded::default();
        recorded.history.events = events;
        recorded
    }

    #[test]
    fn operations_one_after_the_other_that_all_succeed_leave_three_things_out() {
        let told = clients(&recorded(vec![
            event(0, cas(), Phase::Invoke),
            event(0, cas(), Phase::Ok(Ret::Done)),
            event(1, cas(), Phase::Invoke),
            event(1, cas(), Phase::Ok(Ret::Done)),
        ]));
        let about: Vec<&str> = told.iter().filter_map(|s| s.split(':').next()).collect();
        assert_eq!(about, ["Conditions", "Unknown outcomes", "Concurrency"]);
    }

    #[test]
    fn a_contested_key_a_failed_condition_and_an_unknown_outcome_leave_nothing_out() {
        let told = clients(&recorded(vec![
            event(0, cas(), Phase::Invoke),
            event(1, cas(), Phase::Invoke),
            event(0, cas(), Phase::Ok(Ret::Done)),
            event(1, cas(), Phase::Fail(Reason::new("cas-failed"))),
            event(2, cas(), Phase::Invoke),
            event(2, cas(), Phase::Info(Reason::new("timeout"))),
        ]));
        assert!(told.is_empty(), "{told:?}");
    }

    #[test]
    fn an_operation_that_never_succeeded_is_named() {
        let told = clients(&recorded(vec![
            event(0, cas(), Phase::Invoke),
            event(0, cas(), Phase::Fail(Reason::new("cas-failed"))),
        ]));
        assert!(
            told.contains(&"Operations: no cas succeeded.".to_owned()),
            "{told:?}"
        );
    }

    #[test]
    fn one_leader_for_the_whole_run_is_no_election() {
        let lead = |term| Sample {
            up: true,
            role: "leader".into(),
            node: "n1".into(),
            term,
            ..Sample::default()
        };
        let mut recorded = recorded(Vec::new());
        recorded.samples = vec![lead(1), lead(1)];
        let changed = |recorded: &Recorded| {
            !servers(recorded, &[]).contains(&"Elections: the leader never changed.".to_owned())
        };
        assert!(!changed(&recorded));
        recorded.samples.push(lead(2));
        assert!(changed(&recorded));
    }
}
