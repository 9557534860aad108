//! When clients were served again after a fault: the first success, judged from the probes.
//!
//! The service is what the nodes that were *not* hit offer (all nodes, when the majority or every node
//! was hit): that a killed server does not answer is no news. The moment of restoration is when the
//! first answer came to a probe that was meant and sent after t0 and that follows a failure caused by
//! the fault. Without such a failure there was no outage as far as probes can see: it was shorter than
//! the probe interval.

use super::availability::served;
use super::faults::FaultLife;
use crate::observe::{Connection, Probe};
use crate::recorded::{Method, Recorded};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restoration {
    /// No probe of the window was sent.
    NoProbes,
    /// No probe failed because of the fault.
    BelowResolution,
    /// Served again this long after t0.
    After(u64),
    /// Not served again before the window ended, this long after t0.
    Censored(u64),
}

/// Which probes are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    Connection(Connection),
    Writes,
}

impl Class {
    fn holds(self, probe: &Probe) -> bool {
        match self {
            Class::Connection(connection) => probe.connection == connection,
            Class::Writes => probe.write,
        }
    }
}

/// The first success of the service after the fault.
pub(crate) fn first_success(
    recorded: &Recorded,
    fault: &FaultLife,
    t0: u64,
    class: Class,
) -> Restoration {
    let nodes = serving_nodes(recorded, fault);
    let mut probes = around(recorded, fault, t0, &nodes);
    probes.retain(|probe| class.holds(probe));
    if probes.iter().all(|probe| probe.intended < t0) {
        return Restoration::NoProbes;
    }
    match broken_from(&probes, fault, t0, &recorded.method) {
        None => Restoration::BelowResolution,
        Some(broken) => probes
            .iter()
            .filter(|probe| sent_after(probe, t0) && probe.intended >= broken && probe.ok)
            .map(|probe| probe.done - t0)
            .min()
            .filter(|after| *after <= fault.window_end - t0)
            .map_or(
                Restoration::Censored(fault.window_end - t0),
                Restoration::After,
            ),
    }
}

/// When the first probe failed because of the fault, on any connection, after t0; a probe under way at t0
/// failed from then on.
pub(crate) fn first_failure(recorded: &Recorded, fault: &FaultLife, t0: u64) -> Option<u64> {
    let nodes = serving_nodes(recorded, fault);
    let probes = around(recorded, fault, t0, &nodes);
    [Connection::Kept, Connection::New]
        .into_iter()
        .filter_map(|connection| {
            let class = Class::Connection(connection);
            let own: Vec<&Probe> = probes.iter().copied().filter(|p| class.holds(p)).collect();
            broken_from(&own, fault, t0, &recorded.method)
        })
        .min()
        .map(|from| from.saturating_sub(t0))
}

/// How long after the heal the nodes that were hit served again, by connection kind; `None` if they
/// had served all along, were not probed, or did not serve again in time.
pub(crate) fn reconnect(
    recorded: &Recorded,
    fault: &FaultLife,
    connection: Connection,
) -> Option<u64> {
    let (t0, heal) = (fault.effective?, fault.heal?);
    let hit =
        |probe: &&Probe| probe.connection == connection && fault.targets.contains(&probe.node);
    let lost = recorded
        .probes
        .iter()
        .filter(hit)
        .any(|p| p.intended >= t0 && p.intended < heal && !served(p, &recorded.method));
    recorded
        .probes
        .iter()
        .filter(hit)
        .filter(|probe| lost && probe.ok && probe.intended >= heal)
        .filter(|probe| probe.intended < fault.window_end)
        .map(|probe| probe.done - heal)
        .min()
}

/// The intended time of the first probe that the fault broke.
fn broken_from(probes: &[&Probe], fault: &FaultLife, t0: u64, method: &Method) -> Option<u64> {
    let mut missed: Vec<u64> = probes
        .iter()
        .filter(|probe| !served(probe, method) && probe.intended <= t0 + method.attribution)
        // An answer that was under way at t0 and came late was late before the fault.
        .filter(|probe| probe.intended >= t0 || !probe.ok)
        .map(|probe| probe.intended)
        .collect();
    missed.sort_unstable();
    let first_answered = probes
        .iter()
        .filter(|probe| probe.ok && sent_after(probe, t0))
        .min_by_key(|probe| probe.done);
    let Some(answered) = first_answered else {
        return missed.first().copied();
    };
    if missed
        .first()
        .is_some_and(|first| *first <= answered.intended)
    {
        return missed.first().copied();
    }
    // The first probe after t0 was still served (a lease lets an old leader answer reads for a while).
    // Then only a stall of the whole service counts, and only after a fault that can cause one: a
    // window in which nobody was served.
    missed.into_iter().find(|from| {
        let window = *from..*from + method.window;
        fault.rto_due()
            && !probes
                .iter()
                .any(|probe| window.contains(&probe.intended) && served(probe, method))
    })
}

fn sent_after(probe: &Probe, t0: u64) -> bool {
    probe.intended >= t0 && probe.sent >= t0
}

/// The probes of these nodes that the fault can have met.
fn around<'a>(
    recorded: &'a Recorded,
    fault: &FaultLife,
    t0: u64,
    nodes: &BTreeSet<&str>,
) -> Vec<&'a Probe> {
    recorded
        .probes
        .iter()
        .filter(|probe| probe.done >= t0 && probe.intended < fault.window_end)
        .filter(|probe| nodes.contains(probe.node.as_str()))
        .collect()
}

/// The nodes whose clients were to be served through the fault.
fn serving_nodes<'a>(recorded: &'a Recorded, fault: &FaultLife) -> BTreeSet<&'a str> {
    let probed: BTreeSet<&str> = recorded.probes.iter().map(|p| p.node.as_str()).collect();
    let spared: BTreeSet<&str> = probed
        .iter()
        .copied()
        .filter(|node| !fault.targets.iter().any(|target| target == node))
        .collect();
    if fault.hit_majority || spared.is_empty() {
        probed
    } else {
        spared
    }
}
