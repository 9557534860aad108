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

/// The probes that a fault can have met: those of the nodes whose clients were to be served through it.
pub(crate) struct Watch<'a> {
    probes: Vec<&'a Probe>,
    fault: &'a FaultLife,
    t0: u64,
    method: &'a Method,
}

impl<'a> Watch<'a> {
    pub fn of(recorded: &'a Recorded, fault: &'a FaultLife, t0: u64) -> Self {
        let mut probes: Vec<&Probe> = recorded
            .probes
            .iter()
            .filter(|probe| probe.done >= t0 && probe.intended < fault.window_end)
            .collect();
        let hit = |probe: &&Probe| fault.targets.contains(&probe.node);
        if !fault.hit_majority && !probes.iter().all(hit) {
            probes.retain(|probe| !hit(probe));
        }
        Self {
            probes,
            fault,
            t0,
            method: &recorded.method,
        }
    }

    /// The first success of the service after the fault.
    pub fn first_success(&self, class: Class) -> Restoration {
        let (fault, t0) = (self.fault, self.t0);
        let probes = self.class(class);
        if probes.iter().all(|probe| probe.intended < t0) {
            return Restoration::NoProbes;
        }
        match broken_from(&probes, fault, t0, self.method) {
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

    /// When the first probe failed because of the fault, on any connection, after t0; one that was under way
    /// at t0 failed from then on.
    pub fn first_failure(&self) -> Option<u64> {
        [Connection::Kept, Connection::New]
            .into_iter()
            .filter_map(|connection| {
                let own = self.class(Class::Connection(connection));
                broken_from(&own, self.fault, self.t0, self.method)
            })
            .min()
            .map(|from| from.saturating_sub(self.t0))
    }

    fn class(&self, class: Class) -> Vec<&'a Probe> {
        let probes = self.probes.iter().copied();
        probes.filter(|probe| class.holds(probe)).collect()
    }
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
