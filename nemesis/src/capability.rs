//! Whether the faults that were asked for can be had here. One that can't is refused by name before the
//! run, never left out in silence.

use crate::{Error, Kind, Result};
use systems::System;
use testbed::Environment;

/// An error that names every fault that this environment or system lacks, and why.
pub fn check(kinds: &[Kind], env: &dyn Environment, system: &dyn System) -> Result<()> {
    let mut refused = Vec::new();
    for kind in kinds {
        if let Some(reason) = obstacle(*kind, env, system) {
            refused.push(format!("fault `{kind}` can't be had: {reason}"));
        }
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(refused.join("\n")))
    }
}

fn obstacle(kind: Kind, env: &dyn Environment, system: &dyn System) -> Option<String> {
    let (nodes, name) = (env.nodes().len(), system.name());
    if !system.runs_processes() {
        return Some(format!("system {name} runs no servers"));
    }
    let least = match kind {
        Kind::Kill | Kind::Pause | Kind::PowerLoss => 1,
        Kind::Partition | Kind::Transfer => 2,
        Kind::Lag | Kind::Members => 3,
    };
    if nodes < least {
        return Some(format!("it needs {least} nodes, there are {nodes}"));
    }
    let cuts = matches!(kind, Kind::Partition | Kind::Lag);
    if cuts && env.network().is_none() {
        let env = env.name();
        return Some(format!("environment {env} has no links that can be cut"));
    }
    if kind == Kind::Lag && !system.compacts_log() {
        return Some(format!(
            "system {name} does not say how far its log goes back"
        ));
    }
    if matches!(kind, Kind::Transfer | Kind::Members) && !system.has_admin() {
        return Some(format!(
            "system {name} can't be told to hand over or to change its members"
        ));
    }
    if kind == Kind::PowerLoss && !system.kill_loses_unsynced() {
        return Some(format!(
            "a kill of {name} loses nothing that it wrote; for strata, set disk=power-loss"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{FakeCluster, Fault};

    fn refusal(kinds: &[Kind], cluster: &FakeCluster) -> String {
        check(kinds, cluster.env().as_ref(), cluster.system().as_ref())
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_cluster_that_can_do_all_is_refused_nothing() {
        let cluster = FakeCluster::new(5);
        assert_eq!(refusal(&Kind::DEFAULT, &cluster), "");
        assert_eq!(
            refusal(&[Kind::PowerLoss], &cluster),
            "fault `power-loss` can't be had: a kill of fake loses nothing that it wrote; \
             for strata, set disk=power-loss"
        );
    }

    #[test]
    fn each_fault_that_can_t_be_had_is_named_with_what_it_lacks() {
        let cluster = FakeCluster::new(2);
        cluster.break_with(Fault::NoNetwork);
        assert_eq!(
            refusal(&Kind::DEFAULT, &cluster),
            "fault `partition` can't be had: environment fake has no links that can be cut\n\
             fault `lag` can't be had: it needs 3 nodes, there are 2"
        );
    }

    #[test]
    fn a_system_that_can_t_be_told_to_change_is_refused_by_name() {
        let cluster = FakeCluster::new(3);
        assert_eq!(refusal(&[Kind::Transfer, Kind::Members], &cluster), "");
        cluster.break_with(Fault::NoAdmin);
        assert_eq!(
            refusal(&[Kind::Transfer, Kind::Members], &cluster),
            "fault `transfer` can't be had: system fake can't be told to hand over or to change its members\n\
             fault `members` can't be had: system fake can't be told to hand over or to change its members"
        );
    }

    #[test]
    fn a_system_without_servers_has_nothing_to_break() {
        let cluster = FakeCluster::new(3);
        let null = systems::Null::new();
        let error = check(&[Kind::Kill], cluster.env().as_ref(), &null).unwrap_err();
        assert_eq!(
            error.to_string(),
            "fault `kill` can't be had: system null runs no servers"
        );
    }
}
