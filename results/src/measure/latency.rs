//! How long operations took: of the history's clients (closed loop: a client waits for its answer, so a
//! stall counts once per client) and of the probes (open loop: counted from the intended send, so a
//! stall counts as often as it would have been felt). Both are stated with the numbers.

use super::quantiles::{Latencies, Quantiles};
use crate::observe::Connection;
use crate::recorded::Recorded;
use checker::Phase;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Closed loop, successful operations of the load phase, by operation name; `all` together.
    pub operations: BTreeMap<String, Quantiles>,
    /// Open loop from the intended send, successful probes: `read`, `write`, and by connection.
    pub probes: BTreeMap<String, Quantiles>,
    pub operations_loop: String,
    pub probes_loop: String,
}

/// One completed operation of the history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion<'a> {
    pub at: u64,
    pub latency: u64,
    pub f: &'static str,
    pub phase: &'a Phase,
}

/// The completed operations in the order of their completion.
pub(crate) fn completions(recorded: &Recorded) -> impl Iterator<Item = Completion<'_>> {
    let mut open = HashMap::new();
    recorded.history.events.iter().filter_map(move |event| {
        if event.phase == Phase::Invoke {
            open.insert(event.process, event.time);
            return None;
        }
        let invoked = open.remove(&event.process)?;
        Some(Completion {
            at: event.time,
            latency: event.time.saturating_sub(invoked),
            f: event.op.name(),
            phase: &event.phase,
        })
    })
}

pub(super) fn latency(recorded: &Recorded) -> Latency {
    let mut operations: BTreeMap<&str, Latencies> = BTreeMap::new();
    let mut probes: BTreeMap<&str, Latencies> = BTreeMap::new();
    fn record<'a>(of: &mut BTreeMap<&'a str, Latencies>, name: &'a str, nanoseconds: u64) {
        of.entry(name)
            .or_insert_with(Latencies::new)
            .record(nanoseconds);
    }
    for completion in completions(recorded) {
        if matches!(completion.phase, Phase::Ok(_)) && completion.at <= recorded.marks.load_end {
            record(&mut operations, completion.f, completion.latency);
            record(&mut operations, "all", completion.latency);
        }
    }
    for probe in recorded.probes.iter().filter(|probe| probe.ok) {
        let took = probe.done.saturating_sub(probe.intended);
        record(
            &mut probes,
            if probe.write { "write" } else { "read" },
            took,
        );
        record(&mut probes, connection_name(probe.connection), took);
    }
    let quantiles = |of: BTreeMap<&str, Latencies>| {
        of.into_iter()
            .map(|(name, latencies)| (name.to_owned(), latencies.quantiles()))
            .collect()
    };
    Latency {
        operations: quantiles(operations),
        probes: quantiles(probes),
        operations_loop: "closed: each client waits for its answer".into(),
        probes_loop: "open: timed from the intended send".into(),
    }
}

pub(crate) fn connection_name(connection: Connection) -> &'static str {
    match connection {
        Connection::Kept => "kept",
        Connection::New => "new",
    }
}
