//! Whom a fault hits: by role, by count or by name.
//!
//! A plan names roles, because who leads is known only when the time has come; [`Target::resolve`] turns
//! a role into nodes with the fault's own random stream.

use crate::stream::Stream;
use crate::{Error, Result, View};
use serde::{Deserialize, Serialize};
use std::fmt;
use testbed::NodeId;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Target {
    /// Any one node.
    One,
    Leader,
    /// Any one node that does not lead.
    Follower,
    /// As many nodes as can fail while the cluster goes on.
    Minority,
    /// One more than half.
    Majority,
    All,
    Node(NodeId),
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Target::One => "one",
            Target::Leader => "leader",
            Target::Follower => "follower",
            Target::Minority => "minority",
            Target::Majority => "majority",
            Target::All => "all",
            Target::Node(node) => node.as_str(),
        }
    }

    /// The nodes, in the cluster's order. A role that nobody has now is an error.
    pub fn resolve(&self, view: &View, stream: &mut Stream) -> Result<Vec<NodeId>> {
        let nodes = view.nodes();
        let leader = || {
            view.leader()
                .ok_or_else(|| Error::Failed(format!("no leader is known: {}", view.summary())))
        };
        let some = |count: usize, stream: &mut Stream| {
            let mut drawn = nodes.clone();
            stream.shuffle(&mut drawn);
            drawn.truncate(count);
            drawn
        };
        let mut chosen = match self {
            Target::One => some(1, stream),
            Target::Leader => vec![leader()?.clone()],
            Target::Follower => {
                let leader = leader()?;
                let followers: Vec<_> = nodes.iter().filter(|node| *node != leader).collect();
                let one = stream.pick(&followers).copied();
                vec![one.cloned().ok_or_else(|| {
                    Error::Failed(format!("{leader} is alone: there is no follower"))
                })?]
            }
            Target::Minority => some((nodes.len() - 1) / 2, stream),
            Target::Majority => some(nodes.len() / 2 + 1, stream),
            Target::All => nodes.clone(),
            Target::Node(node) if nodes.contains(node) => vec![node.clone()],
            Target::Node(node) => return Err(Error::Failed(format!("there is no node {node}"))),
        };
        chosen.sort_by_key(|node| nodes.iter().position(|other| other == node));
        if chosen.is_empty() {
            return Err(Error::Failed(format!(
                "a cluster of {} has no {self}",
                nodes.len()
            )));
        }
        Ok(chosen)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        use Target::*;
        let roles = [One, Leader, Follower, Minority, Majority, All];
        let role = roles.into_iter().find(|role| role.name() == name);
        role.unwrap_or_else(|| Node(NodeId::new(name)))
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::led_by;

    fn resolve(target: Target, n: usize, leader: Option<usize>) -> Result<Vec<String>> {
        let chosen = target.resolve(&led_by(n, leader), &mut Stream::derive(42, "targets"))?;
        Ok(chosen.iter().map(NodeId::to_string).collect())
    }

    #[test]
    fn roles_become_as_many_nodes_as_they_say() {
        for (target, count) in [
            (Target::One, 1),
            (Target::Leader, 1),
            (Target::Follower, 1),
            (Target::Minority, 2),
            (Target::Majority, 3),
            (Target::All, 5),
        ] {
            assert_eq!(
                resolve(target.clone(), 5, Some(3)).unwrap().len(),
                count,
                "{target}"
            );
        }
        assert_eq!(resolve(Target::Leader, 5, Some(3)).unwrap(), ["n3"]);
        assert_ne!(resolve(Target::Follower, 2, Some(1)).unwrap(), ["n1"]);
        assert_eq!(
            resolve(Target::from("n4".to_owned()), 5, None).unwrap(),
            ["n4"]
        );
    }

    #[test]
    fn a_role_that_nobody_has_is_an_error_that_says_what_is_known() {
        let error = |target, n| resolve(target, n, None).unwrap_err().to_string();
        assert_eq!(
            error(Target::Leader, 2),
            "no leader is known: n1 follower, n2 follower"
        );
        assert_eq!(error(Target::Minority, 1), "a cluster of 1 has no minority");
        assert_eq!(
            error(Target::from("n9".to_owned()), 3),
            "there is no node n9"
        );
    }
}
